"""Opening a checkpoint: from a path to the weights in it, safely, with a word on everything that was assumed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from mi_audit.targets._checkpoint.hints import Hints
from mi_audit.targets._checkpoint.reading import read
from mi_audit.targets._checkpoint.refusals import RESAVE, listing, refusal
from mi_audit.targets._checkpoint.tensors import usable
from mi_audit.targets._checkpoint.unwrapping import WRAPPERS, Unwrapped, unwrap, without_prefixes

_AVERAGED_WEIGHTS = ("ema", "state_dict_ema", "model_ema")


@dataclass(frozen=True)
class OpenedCheckpoint:
    """The weights in a checkpoint.

    Attributes:
        state_dict: float32, integer and bool tensors on the CPU, by their names in the network.
        saved_names: the names in the file, by the names in the network.
        wrapper: the key of the dict they were found under; ``None`` for a bare state dict.
        prefixes: what was taken off the names.
        other_keys: what else the file holds; never used (a stored accuracy need not be that of these weights).
        file_digest: SHA-256 of the file.
        notes: what was assumed, in words.
        hints: what the file and what lies beside it say about the network.
    """

    state_dict: Mapping[str, torch.Tensor]
    saved_names: Mapping[str, str]
    wrapper: str | None
    prefixes: tuple[str, ...]
    other_keys: tuple[str, ...]
    file_digest: str
    notes: tuple[str, ...]
    hints: Hints = field(default_factory=Hints)

    def as_saved(self) -> dict[str, torch.Tensor]:
        """The same tensors by their names in the file."""
        return {self.saved_names[name]: tensor for name, tensor in self.state_dict.items()}


def open_state_dict(path: Path) -> OpenedCheckpoint:
    """The weights in a checkpoint: a state dict, or a dict holding one; of torch (zip or legacy) or safetensors.

    Raises:
        CheckpointError: the file cannot be opened safely, holds no weights, or holds weights that are not numbers.
    """
    loaded = read(path)
    found = unwrap(loaded)
    if found is None:
        raise refusal(path, f"expected a state dict or a dict holding one, got {_described(loaded)}", RESAVE)
    tensors, cast_notes = usable(path, found.tensors)
    saved_names, prefixes = without_prefixes(list(tensors))
    return OpenedCheckpoint(
        state_dict={name: tensors[saved] for name, saved in saved_names.items()},
        saved_names=saved_names,
        wrapper=found.wrapper,
        prefixes=prefixes,
        other_keys=found.other_keys,
        file_digest=_digest_of_file(path),
        notes=(*_notes_on_averages(found), *cast_notes),
    )


def _notes_on_averages(found: Unwrapped) -> tuple[str, ...]:
    """Which weights are meant where a file may hold two sets: the plain ones and their moving average (EMA)."""
    if found.wrapper in _AVERAGED_WEIGHTS:
        return (f"these are averaged weights (EMA), found under {found.wrapper!r}",)
    averages = [key for key in found.other_keys if key in _AVERAGED_WEIGHTS]
    if averages and found.wrapper:
        return (f"the plain weights under {found.wrapper!r} are used; averaged ones (EMA) are under {averages[0]!r}",)
    return ()


def _described(loaded: object) -> str:
    """What was loaded instead of a state dict."""
    if not isinstance(loaded, Mapping):
        return f"a {type(loaded).__name__}"
    keys = [str(key) for key in loaded]
    return (
        f"a dict with {listing(keys)} and no weights under {', '.join(WRAPPERS[:4])}, ..." if keys else "an empty dict"
    )


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
