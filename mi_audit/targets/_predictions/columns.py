"""Which column of a table of predictions is which, by their names."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mi_audit.schema.feature_cache import OutputsKind
from mi_audit.table_columns import SPELLINGS, also_read, positions_of
from mi_audit.targets._checkpoint.refusals import listing
from mi_audit.targets._predictions.table import refuse

_KINDS: dict[str, OutputsKind] = {
    "logits": "logits",
    "logit": "logits",
    "probabilities": "probabilities",
    "probability": "probabilities",
    "probs": "probabilities",
    "prob": "probabilities",
    "p": "probabilities",
    "predicted": "labels",
}
# prob_Bag, logits[3]; and numbered ones without anything between, p0.
_OF_A_CLASS = re.compile(
    r"(logits?|probabilities|probability|probs?)(?:[_.:-]|(\[))(.+?)(?(2)\])", re.IGNORECASE | re.DOTALL
)
_OF_A_NUMBER = re.compile(r"(logits?|probabilities|probability|probs?|p)[_.:-]?([0-9]+)", re.IGNORECASE)
_OTHERS = ("label", "is_member", "sample_id", "group")
_FORMS = (
    "outputs are logits_0, ... or prob_0, ... or p0, ..., or columns named by the classes in label and nothing else"
)

# The different values of a column, by its position.
Values = Callable[[int], set[str]]


@dataclass(frozen=True)
class Columns:
    """Positions of the columns that are read.

    Attributes:
        kind: what the target gave; ``None`` where only the values tell logits from probabilities.
        outputs: positions in the order of the classes; one for a column that holds all of them, or the target's class.
        is_per_class: whether each of `outputs` holds one class.
        class_names: of `outputs`, where they are named by classes and not by numbers.
        label, is_member: positions.
        sample_id: position, or ``None``.
        group: position of what samples that belong together share, or ``None``.
    """

    kind: OutputsKind | None
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


def columns_of(path: Path, header: Sequence[str], values: Values | None = None) -> Columns:
    """The columns of a table, by their names.

    Args:
        path: of the file.
        header: names of all columns.
        values: the different values of one, asked only where columns may be named by the classes in ``label``;
            ``None`` where they may not.

    Raises:
        OutputsError: one is missing, twice there, or there is not exactly one kind of outputs.
    """
    names = [name.strip() for name in header]
    found = {meaning: _position(path, names, meaning) for meaning in _OTHERS}
    label, is_member = found["label"], found["is_member"]
    missing = [name for name in ("label", "is_member") if found[name] is None]
    if label is None or is_member is None:
        tip = f"there is: {listing(names, 12) or 'nothing'}; {also_read(missing)}"
        refuse(path, f"expected the columns label and is_member, got no {missing[0]}", tip)
    kind, outputs = _outputs(path, names)
    if not outputs and values is not None:
        outputs = _named_by_classes(names, values(label))
    if not outputs:
        tip = f"there is: {listing(names, 12)}; {_FORMS}"
        refuse(path, "expected exactly one of logits, probabilities, predicted; got none", tip)
    positions, class_names = _in_order(path, outputs)
    is_per_class = list(outputs) != [""]
    return Columns(
        kind=kind,
        outputs=positions,
        is_per_class=is_per_class,
        class_names=class_names if is_per_class else None,
        label=label,
        is_member=is_member,
        sample_id=found["sample_id"],
        group=found["group"],
    )


def _position(path: Path, names: Sequence[str], meaning: str) -> int | None:
    """Where the column of this meaning is."""
    places = positions_of(meaning, names)
    if len(places) > 1:
        refuse(path, f"expected the column {meaning} once, got {listing([names[at] for at in places])}")
    return places[0] if places else None


def _outputs(path: Path, names: Sequence[str]) -> tuple[OutputsKind | None, dict[str, int]]:
    """What the target gave, and positions by class, ``""`` for a column that holds all; none where no name tells.

    Raises:
        OutputsError: more than one kind of them.
    """
    whole = [(name, at) for at, name in enumerate(names) if name.lower() in _KINDS]
    per_class = _per_class(path, names)
    if len(whole) + len(per_class) > 1:
        got = ", ".join([*(name for name, _ in whole), *(f"{kind} per class" for kind in per_class)])
        tip = f"there is: {listing(list(names), 12)}"
        refuse(path, f"expected exactly one of logits, probabilities, predicted; got {got}", tip)
    for name, at in whole:
        return _KINDS[name.lower()], {"": at}
    for kind, outputs in per_class.items():
        return kind, outputs
    return None, {}


def _named_by_classes(names: Sequence[str], classes: set[str]) -> dict[str, int]:
    """Positions by class, where the columns that mean nothing else are headed by the classes, and by all of them."""
    known = {at for meaning in SPELLINGS for at in positions_of(meaning, names)}
    others = {name: at for at, name in enumerate(names) if at not in known}
    is_once = len(others) == len(names) - len(known)
    return others if is_once and len(others) > 1 and set(others) == classes else {}


def _per_class(path: Path, names: Sequence[str]) -> dict[OutputsKind, dict[str, int]]:
    """Positions of the columns of one class each, by kind and by what stands behind the kind."""
    found: dict[OutputsKind, dict[str, int]] = {}
    for position, name in enumerate(names):
        match = _OF_A_NUMBER.fullmatch(name) or _OF_A_CLASS.fullmatch(name)
        if match is None:
            continue
        of_kind = found.setdefault(_KINDS[match[1].lower()], {})
        if match[match.lastindex or 0] in of_kind:
            refuse(path, f"expected every column once, got {listing([name])} twice")
        of_kind[match[match.lastindex or 0]] = position
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
