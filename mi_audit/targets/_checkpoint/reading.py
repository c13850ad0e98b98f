"""The only place of the project that loads a checkpoint: with ``weights_only=True``, onto the CPU, after the checks.

Weights-only loading builds tensors, numbers, strings and plain containers, and refuses every other class; nothing that
a file names is imported or called. What it leaves open is memory: the checks before it refuse files that claim more
than they hold.
"""

import pickle
import re
import warnings
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from mi_audit.errors import CheckpointError
from mi_audit.targets._checkpoint.pickle_check import DamagedPickleError, Survey, survey
from mi_audit.targets._checkpoint.recognising import Kind, recognise
from mi_audit.targets._checkpoint.refusals import RESAVE, plain, refusal
from mi_audit.targets._checkpoint.zip_check import check_zip

_AGAIN = "copy or download it again"
_NEWEST_PROTOCOL = 3
_HARMLESS = ("torch.", "collections.")
_BLOCKED_NAME = re.compile(r"GLOBAL (\S+)")


def read(path: Path) -> object:
    """What a checkpoint holds: tensors on the CPU in plain containers.

    Raises:
        CheckpointError: it is missing, damaged, of a kind that holds no weights, or would need code to be opened.
    """
    kind = recognise(path)
    if kind is Kind.SAFETENSORS:
        return _read_safetensors(path)
    if kind is Kind.PICKLE:
        raise _not_written_by_torch(path)
    if kind is Kind.ZIP:
        pickled, sizes = check_zip(path)
        _check_zip_claims(path, _surveyed(path, pickled), sizes)
    else:
        _check_legacy(path)
    return _load(path)


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        tensors: dict[str, torch.Tensor] = load_file(path, device="cpu")
    except SafetensorError as error:
        raise refusal(path, f"is a truncated or damaged safetensors file ({plain(str(error))})", _AGAIN) from error
    return tensors


def _load(path: Path) -> object:
    try:
        # An open file rather than its path: torch chooses a loader by the suffix of a path.
        with path.open("rb") as file, warnings.catch_warnings():
            # torch's warnings are about tensors that are refused afterwards.
            warnings.simplefilter("ignore")
            return torch.load(file, map_location="cpu", weights_only=True, mmap=False)
    except (pickle.UnpicklingError, AttributeError) as error:
        raise _blocked(path, str(error)) from error
    except (RuntimeError, ValueError, EOFError, OSError, KeyError, IndexError, TypeError, AssertionError) as error:
        raise refusal(path, "is a truncated or damaged checkpoint", _AGAIN) from error


def _blocked(path: Path, message: str) -> CheckpointError:
    """The refusal of a checkpoint that holds a class.

    torch's own text is not shown: it advises to switch safety off.
    """
    named = _BLOCKED_NAME.search(message)
    what = f"the class {plain(named[1])}" if named else "something"
    return refusal(path, f"holds {what} that is not weights; nothing in it was run", RESAVE)


def _not_written_by_torch(path: Path) -> CheckpointError:
    with path.open("rb") as file:
        try:
            names = survey(file).globals
        except DamagedPickleError:
            names = []
    foreign = [name for name in names if not name.startswith(_HARMLESS)]
    asks_for = f" and asks for {plain(foreign[0])}" if foreign else ""
    return refusal(path, f"is a pickle that torch.save did not write{asks_for}; it was not opened", RESAVE)


def _surveyed(path: Path, stream: BinaryIO | bytes) -> Survey:
    try:
        found = survey(stream)
    except DamagedPickleError as error:
        raise refusal(path, "is a truncated or damaged checkpoint", _AGAIN) from error
    if found.protocol > _NEWEST_PROTOCOL:
        tip = "save it again with the default: torch.save(state_dict, FILE) without pickle_protocol"
        raise refusal(path, f"was saved with pickle protocol {found.protocol}, which cannot be opened safely", tip)
    n_bytes = path.stat().st_size
    if found.largest_number > n_bytes or found.fills_memory:
        raise refusal(path, f"claims a tensor that {n_bytes} bytes cannot hold", _AGAIN)
    if found.is_strange:
        raise refusal(path, "refers to its weights in a way that torch.save does not", RESAVE)
    return found


def _check_zip_claims(path: Path, found: Survey, sizes: dict[str, int]) -> None:
    """Refuse a pickle that claims more of a storage than its zip entry holds.

    Where torch does not check it, the rest is read from whatever lies behind in memory.
    """
    for key, n_claimed in found.storages.items():
        if n_claimed > sizes.get(key, 0):
            raise refusal(path, f"claims {n_claimed} bytes of weights where it holds {sizes.get(key, 0)}", _AGAIN)


def _check_legacy(path: Path) -> None:
    """Refuse a legacy file that claims more weights than it holds, or weights that it does not hold at all.

    It is five pickles in a row (number, version, machine, content, keys of the storages) with the storages behind them.
    """
    with path.open("rb") as file:
        surveys = [_surveyed(path, file) for _ in range(5)]
        n_left = path.stat().st_size - file.tell()
    content, keys = surveys[3], surveys[4].strings
    n_claimed = sum(content.storages.values())
    if n_claimed > n_left or not keys.issuperset(content.storages):
        raise refusal(path, f"is truncated: its tensors take {n_claimed} bytes, {max(n_left, 0)} are there", _AGAIN)
