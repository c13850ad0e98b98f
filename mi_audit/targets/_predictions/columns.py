"""Which column of a table of predictions is which, by their names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mi_audit.schema.feature_cache import OutputsKind
from mi_audit.targets._checkpoint.refusals import listing
from mi_audit.targets._predictions.table import refuse

_KINDS: dict[str, OutputsKind] = {
    "logits": "logits",
    "logit": "logits",
    "probabilities": "probabilities",
    "probability": "probabilities",
    "probs": "probabilities",
    "prob": "probabilities",
    "predicted": "labels",
}
_OF_A_CLASS = re.compile(r"(logits?|probabilities|probability|probs?)(?:[_.:-]|(\[))(.+?)(?(2)\])", re.IGNORECASE)
_OTHERS = {
    "label": "label",
    "labels": "label",
    "is_member": "is_member",
    "sample_id": "sample_id",
    "group": "group",
}
SPELLINGS = (*_KINDS, *_OTHERS)


@dataclass(frozen=True)
class Columns:
    """Positions of the columns that are read.

    Attributes:
        kind: what the target gave.
        outputs: positions in the order of the classes; one for a column that holds all of them, or the target's class.
        is_per_class: whether each of `outputs` holds one class.
        class_names: of `outputs`, where they are named by classes and not by numbers.
        label, is_member: positions.
        sample_id: position, or ``None``.
        group: position of what samples that belong together share, or ``None``.
    """

    kind: OutputsKind
    outputs: tuple[int, ...]
    is_per_class: bool
    class_names: tuple[str, ...] | None
    label: int
    is_member: int
    sample_id: int | None
    group: int | None

    @property
    def texts(self) -> dict[str, int]:
        """Positions of the columns that hold one text or number per sample, by name; ``predicted`` among them."""
        own = {"label": self.label, "is_member": self.is_member}
        own |= {"sample_id": self.sample_id} if self.sample_id is not None else {}
        own |= {"group": self.group} if self.group is not None else {}
        return own | ({"predicted": self.outputs[0]} if self.kind == "labels" else {})


def columns_of(path: Path, header: Sequence[str]) -> Columns:
    """The columns of a table, by their names.

    Raises:
        OutputsError: one is missing, twice there, or there is not exactly one kind of outputs.
    """
    names = [name.strip() for name in header]
    others = _positions(path, names, _OTHERS)
    whole = _positions(path, names, {spelling: spelling for spelling in _KINDS})
    per_class = _per_class(path, names)
    kinds = sorted({*per_class, *(_KINDS[name] for name in whole)})
    if len(kinds) != 1 or len(whole) + len(per_class) != 1:
        found = "none" if not kinds else ", ".join([*whole, *(f"{kind} per class" for kind in per_class)])
        what = f"expected exactly one of logits, probabilities, predicted; got {found}"
        refuse(path, what, f"there is: {listing(names, 12) or 'nothing'}")
    missing = [name for name in ("label", "is_member") if name not in others]
    if missing:
        refuse(
            path, f"expected the columns label and is_member, got no {missing[0]}", f"there is: {listing(names, 12)}"
        )
    outputs = next(iter(per_class.values())) if per_class else {"": next(iter(whole.values()))}
    positions, class_names = _in_order(path, outputs)
    return Columns(
        kind=kinds[0],
        outputs=positions,
        is_per_class=bool(per_class),
        class_names=class_names if per_class else None,
        label=others["label"],
        is_member=others["is_member"],
        sample_id=others.get("sample_id"),
        group=others.get("group"),
    )


def _positions(path: Path, names: Sequence[str], spellings: dict[str, str]) -> dict[str, int]:
    """Where the columns of these spellings are, by what they mean."""
    found: dict[str, int] = {}
    for position, name in enumerate(names):
        meaning = spellings.get(name.lower())
        if meaning is None:
            continue
        if meaning in found:
            refuse(path, f"expected the column {meaning} once, got it twice")
        found[meaning] = position
    return found


def _per_class(path: Path, names: Sequence[str]) -> dict[OutputsKind, dict[str, int]]:
    """Positions of the columns of one class each, by kind and by what stands behind the kind."""
    found: dict[OutputsKind, dict[str, int]] = {}
    for position, name in enumerate(names):
        match = _OF_A_CLASS.fullmatch(name)
        if match is None:
            continue
        of_kind = found.setdefault(_KINDS[match[1].lower()], {})
        if match[3] in of_kind:
            refuse(path, f"expected every column once, got {listing([name])} twice")
        of_kind[match[3]] = position
    return found


def _in_order(path: Path, outputs: dict[str, int]) -> tuple[tuple[int, ...], tuple[str, ...] | None]:
    """The positions in the order of the classes, and the names of these, where they are no numbers."""
    if not all(name.isascii() and name.isdecimal() for name in outputs):
        return tuple(outputs.values()), tuple(outputs)
    by_number = {int(name): position for name, position in outputs.items()}
    n = len(outputs)
    if sorted(by_number) != list(range(n)):
        lowest, highest = min(by_number), max(by_number)
        what = f"expected one column per class, numbered 0 to {n - 1}, got {n} of the numbers {lowest} to {highest}"
        refuse(path, what, "number the classes from 0, as the labels")
    return tuple(by_number[number] for number in range(n)), None
