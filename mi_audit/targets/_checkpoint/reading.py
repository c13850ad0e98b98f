"""The only place of the project that loads a checkpoint: with ``weights_only=True``, onto the CPU, after the checks.

Weights-only loading builds tensors, numbers, strings and plain containers; every other class is replaced by an inert
stand-in or refused; nothing that a file names is imported or called. What it leaves open is memory: the checks before
it refuse files that claim more than they hold.
"""

import pickle
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from mi_audit.errors import CheckpointError
from mi_audit.targets._checkpoint.legacy import CLASS_FINDER, class_in, with_plain_classes
from mi_audit.targets._checkpoint.pickle_check import DamagedPickleError, Survey, survey
from mi_audit.targets._checkpoint.recognising import Kind, recognise
from mi_audit.targets._checkpoint.refusals import OTHER_WAYS, QUANTISED_WAYS, RESAVE, plain, refusal
from mi_audit.targets._checkpoint.stand_ins import LOCK, running_code, stand_ins
from mi_audit.targets._checkpoint.zip_check import check_zip

_AGAIN = "copy or download it again"
_NEWEST_PROTOCOL = 3
_HARMLESS = ("torch.", "collections.")
_BLOCKED_NAME = re.compile(r"GLOBAL (\S+)")
_QUANTISED = re.compile(r"^torch(\.ao)?\.nn\.(\w+\.)?quantized\.")


@dataclass(frozen=True)
class Contents:
    """What a checkpoint holds.

    Attributes:
        content: tensors on the CPU in plain containers and stand-ins.
        file_format: ``"zip"``, ``"legacy"`` or ``"safetensors"``.
        metadata: texts in the header of a safetensors file.
    """

    content: object
    file_format: str
    metadata: Mapping[str, str] = field(default_factory=dict)


def read(path: Path) -> Contents:
    """What a checkpoint holds, with stand-ins for the classes that it names.

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
        found = _surveyed(path, pickled)
        _check_zip_claims(path, found, sizes)
    else:
        found = _check_legacy(path)
    return Contents(_load(path, found, kind), kind.value)


def _read_safetensors(path: Path) -> Contents:
    try:
        tensors: dict[str, torch.Tensor] = load_file(path, device="cpu")
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = dict(file.metadata() or {})
    except SafetensorError as error:
        raise refusal(path, f"is a truncated or damaged safetensors file ({plain(str(error))})", _AGAIN) from error
    return Contents(tensors, Kind.SAFETENSORS.value, metadata)


def _load(path: Path, found: Survey, kind: Kind) -> object:
    allowed = [*stand_ins(found.globals, found.filled), (class_in, CLASS_FINDER)]
    # An open file rather than its path: torch chooses a loader by the suffix of a path.
    is_rewritten = kind is Kind.LEGACY and bool(found.module_ids)
    try:
        with (
            with_plain_classes(path, found) if is_rewritten else path.open("rb") as file,
            LOCK,
            torch.serialization.safe_globals([*allowed]),
            warnings.catch_warnings(),
        ):
            # torch's warnings are about tensors that are refused afterwards.
            warnings.simplefilter("ignore")
            return torch.load(file, map_location="cpu", weights_only=True, mmap=False)
    except pickle.UnpicklingError as error:
        raise _blocked(path, str(error), found) from error
    except (
        *(RuntimeError, ValueError, EOFError, OSError, KeyError, IndexError, TypeError, AssertionError),
        *(AttributeError, MemoryError),
    ) as error:
        raise refusal(path, "is a truncated or damaged checkpoint", _AGAIN) from error


def _blocked(path: Path, message: str, found: Survey) -> CheckpointError:
    """The refusal of a checkpoint that needs more than stand-ins.

    torch's own text is not shown: it advises to switch safety off.
    """
    named = _BLOCKED_NAME.search(message)
    foreign = [name for name in found.globals if not name.startswith(_HARMLESS)]
    name = named[1] if named else next(iter(foreign), None)
    what = f"the class {plain(name)}" if name else "something"
    return refusal(path, f"holds {what}, which cannot be opened safely; nothing in it was run", OTHER_WAYS)


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
    if (name := running_code(found.globals)) is not None:
        what = f"asks for {plain(name)}, which runs code and which no weights need; nothing in it was run"
        raise refusal(path, what, "do not open it with anything else; get the weights from a source that you trust")
    quantised = next((name for name in found.globals if _QUANTISED.match(name)), None)
    if quantised is not None:
        what = f"holds quantised layers ({plain(quantised)}), whose packed weights fit no float network"
        raise refusal(path, what, QUANTISED_WAYS)
    if found.largest_number > n_bytes or found.fills_memory or found.overreaches:
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


def _check_legacy(path: Path) -> Survey:
    """What the content of a legacy file would do.

    Refused are a file that claims more weights than it holds, and weights that it does not hold at all.

    It is five pickles in a row (number, version, machine, content, keys of the storages) with the storages behind them.
    """
    with path.open("rb") as file:
        surveys = [_surveyed(path, file) for _ in range(5)]
        n_left = path.stat().st_size - file.tell()
    content, keys = surveys[3], surveys[4].strings
    n_claimed = sum(content.storages.values())
    if n_claimed > n_left or not keys.issuperset(content.storages):
        raise refusal(path, f"is truncated: its tensors take {n_claimed} bytes, {max(n_left, 0)} are there", _AGAIN)
    return content
