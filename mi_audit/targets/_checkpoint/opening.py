"""Opening a checkpoint: from a path to the weights in it, safely, with a word on everything that was assumed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch

from mi_audit.targets._checkpoint.choosing import Wanted, choose
from mi_audit.targets._checkpoint.claims import hints_in
from mi_audit.targets._checkpoint.folders import file_in
from mi_audit.targets._checkpoint.groups import split
from mi_audit.targets._checkpoint.hints import Hints
from mi_audit.targets._checkpoint.kinds import Saver, is_lightning, saver_of
from mi_audit.targets._checkpoint.merging import merged
from mi_audit.targets._checkpoint.prefixes import without_prefixes
from mi_audit.targets._checkpoint.reading import Contents, read
from mi_audit.targets._checkpoint.refusals import OTHER_WAYS, QUANTISED_WAYS, listing, plain, refusal
from mi_audit.targets._checkpoint.sidecars import beside
from mi_audit.targets._checkpoint.stand_ins import StandIn, attributes
from mi_audit.targets._checkpoint.tensors import usable
from mi_audit.targets._checkpoint.unwrapping import WRAPPERS, WeightSet, unusable_weights, weight_sets

_PACKED = "_packed_params"


@dataclass(frozen=True)
class WeightsInFile:
    """One set of weights that a checkpoint holds.

    Attributes:
        wrapper: the key it lies under; ``None`` for a bare state dict.
        attribute: the prefix of its names, where several networks lie in one state dict.
        weights: ``"raw"``, or ``"ema"`` for an average of weights.
        n_tensors: in it.
    """

    wrapper: str | None
    attribute: str | None
    weights: Literal["raw", "ema"]
    n_tensors: int


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
        kind: what wrote the file, in words.
        file_format: ``"zip"``, ``"legacy"`` or ``"safetensors"``.
        weights: which weights these are: ``"raw"``, or ``"ema"`` for an average of weights.
        found: all sets of weights in the file.
        dropped: names in the file of tensors that belong to something else than the network, such as the loss.
        class_name: of the network, where the whole of it was pickled.
        path: of the file itself, where a folder was given.
    """

    state_dict: Mapping[str, torch.Tensor]
    saved_names: Mapping[str, str]
    wrapper: str | None
    prefixes: tuple[str, ...]
    other_keys: tuple[str, ...]
    file_digest: str
    notes: tuple[str, ...]
    hints: Hints = field(default_factory=Hints)
    kind: str = Saver.STATE_DICT.value
    file_format: str = "zip"
    weights: Literal["raw", "ema"] = "raw"
    found: tuple[WeightsInFile, ...] = ()
    dropped: tuple[str, ...] = ()
    class_name: str | None = None
    path: Path | None = None

    def as_saved(self) -> dict[str, torch.Tensor]:
        """The same tensors by their names in the file."""
        return {self.saved_names[name]: tensor for name, tensor in self.state_dict.items()}


def open_state_dict(path: Path, weights: Wanted = "auto") -> OpenedCheckpoint:
    """The weights in a checkpoint: of torch (zip or legacy) or safetensors, in any of the forms that are common.

    Args:
        path: of the file, or of a folder with ``config.json`` and weights.
        weights: which ones, where the file holds two sets; ``"auto"`` takes the plain ones.

    Raises:
        CheckpointError: the file cannot be opened safely, holds no weights, or holds weights that are not numbers.
        UsageError: the wanted weights are not in it.
    """
    path = file_in(path)
    contents = read(path)
    named = attributes(contents.content) or {}
    sets = _sets_in(path, contents)
    chosen, choice_notes = choose(path, sets, weights)
    _refuse_packed(path, chosen)
    tensors, cast_notes = usable(path, chosen.tensors)
    saved_names, prefixes = without_prefixes(list(tensors), chosen.attribute)
    saver = saver_of(named, contents.file_format, chosen)
    described, sidecar_notes = beside(path)
    return OpenedCheckpoint(
        state_dict={name: tensors[saved] for name, saved in saved_names.items()},
        saved_names=saved_names,
        wrapper=chosen.wrapper,
        prefixes=prefixes,
        other_keys=chosen.other_keys,
        file_digest=_digest_of_file(path),
        notes=(*choice_notes, *_notes_on_rest(chosen), *cast_notes, *sidecar_notes),
        hints=merged((*described, hints_in(named, saver, contents.metadata))),
        kind=saver.value,
        file_format=contents.file_format,
        weights="ema" if chosen.is_averaged else "raw",
        found=tuple(map(_listed, sets)),
        dropped=chosen.dropped,
        class_name=plain(chosen.class_name) if chosen.class_name else None,
        path=path,
    )


def _sets_in(path: Path, contents: Contents) -> tuple[WeightSet, ...]:
    loaded = contents.content
    lightning = is_lightning(attributes(loaded) or {})
    sets = tuple(one for found in weight_sets(loaded) for one in split(found, is_lightning=lightning))
    if not sets:
        reason = unusable_weights(loaded)
        what = reason or f"expected a state dict or a dict holding one, got {_described(loaded)}"
        raise refusal(path, what, OTHER_WAYS)
    return sets


def _refuse_packed(path: Path, chosen: WeightSet) -> None:
    """Refuse quantised layers: their weights are packed, and fit no float network."""
    packed = [name for name in (*chosen.tensors, *chosen.other_keys) if _PACKED in name]
    if packed:
        raise refusal(path, f"holds quantised layers ({plain(packed[0])}), which fit no float network", QUANTISED_WAYS)


def _notes_on_rest(chosen: WeightSet) -> tuple[str, ...]:
    notes = []
    if chosen.class_name is not None:
        notes.append(f"the whole network was pickled, of the class {plain(chosen.class_name)}; no code of it was run")
    if chosen.dropped:
        n_dropped = len(chosen.dropped)
        what = "1 tensor of something else was" if n_dropped == 1 else f"{n_dropped} tensors of something else were"
        notes.append(f"{what} left out: {listing(list(chosen.dropped))}")
    return tuple(notes)


def _listed(found: WeightSet) -> WeightsInFile:
    return WeightsInFile(
        found.wrapper, found.attribute, "ema" if found.is_averaged else "raw", n_tensors=len(found.tensors)
    )


def _described(loaded: object) -> str:
    """What was loaded instead of a state dict."""
    if isinstance(loaded, StandIn):
        return f"an object of the class {plain(loaded.name)}"
    named = attributes(loaded)
    if named is None:
        return f"a {type(loaded).__name__}"
    if not named:
        return "an empty dict"
    return f"a dict with {listing(list(named))} and no weights under {', '.join(WRAPPERS[:4])}, ..."


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
