"""From labels as people write them, numbers or names, to positions among the classes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mi_audit.targets._checkpoint.refusals import listing
from mi_audit.targets._predictions.table import Column, Table, shown

MAX_CLASSES = 1_000_000
_FROM_0 = "labels are positions among the classes: number them from 0, or give names"

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Classes:
    """The classes of a table.

    Attributes:
        names: one per class.
        label: (n,) true classes as positions.
        predicted: (n,) the target's classes, where the table gives these; ``None`` where they follow from the outputs.
        notes: what was assumed, in words.
    """

    names: tuple[str, ...]
    label: IntArray
    predicted: IntArray | None
    notes: tuple[str, ...]


def classes_of(table: Table) -> Classes:
    """The classes, from the outputs, from their names in the file, or from the labels themselves.

    Raises:
        OutputsError: labels that are neither whole numbers nor names, or are no classes of the outputs.
    """
    label = _numbered(table, "label", table.label)
    predicted = None if table.predicted is None else _numbered(table, "predicted", table.predicted)
    both = [label] if predicted is None else [label, predicted]
    if len({values.dtype.kind for values in both}) > 1:
        table.refuse("expected label and predicted both as numbers or both as names, got one of each")
    known, notes = _names(table, both)
    if label.dtype.kind == "U":
        both = [_positions(table, values, known) for values in both]
    for name, values in zip(("label", "predicted"), both, strict=False):
        _check_range(table, name, values, len(known))
    return Classes(known, both[0], both[1] if predicted is not None else None, notes)


def _numbered(table: Table, name: str, values: Column) -> Column:
    """Whole numbers as int64, however they were written; anything else as text."""
    if values.dtype.kind == "f":
        is_odd = ~(np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) < 2**53))
        if is_odd.any():
            row = int(is_odd.argmax())
            table.refuse(f"expected whole numbers or names in {name}, got {values[row]} in {table.place(row)}")
        return values.astype(np.int64)
    if values.dtype.kind == "U":
        return _read(table, name, np.char.strip(values))
    if values.dtype.kind == "u" and values.size and values.max() > np.iinfo(np.int64).max:
        table.refuse(f"expected numbers below 2^63 in {name}, got {values.max()}")
    return values.astype(np.int64)


def _read(table: Table, name: str, values: Column) -> Column:
    """Text that is a whole number in every row, or a whole number with a decimal point, as int64."""
    if (values == "").any():
        row = int((values == "").argmax())
        table.refuse(f"expected a class in {name}, got nothing in {table.place(row)}")
    try:
        return values.astype(np.int64)
    except (ValueError, OverflowError):
        pass
    try:
        numbers = values.astype(np.float64)
    except ValueError:
        return values
    return _numbered(table, name, numbers)


def _names(table: Table, both: list[Column]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of all classes, and what was assumed to get them."""
    is_text = both[0].dtype.kind == "U"
    n_columns = None if table.outputs is None else max(2, table.outputs.shape[1])
    if table.class_names is not None:
        return _given(table, n_columns, is_text=is_text)
    if not is_text:
        n_classes = n_columns or max(2, 1 + max(int(values.max()) for values in both))
        if n_classes > MAX_CLASSES:
            table.refuse(f"expected labels below {MAX_CLASSES:,}, got {n_classes - 1:,}", _FROM_0)
        return tuple(map(str, range(n_classes))), ()
    found: tuple[str, ...] = tuple(map(str, np.unique(np.concatenate(both)).tolist()))
    if n_columns is not None and len(found) != n_columns:
        table.refuse(
            f"expected as many names in label as classes in {table.kind}, got {len(found)} and {n_columns}",
            f"name the columns by class, as in {table.kind}_{listing([found[0]])}, or number the labels from 0",
        )
    order = f"the {len(found)} classes are the names in label, sorted"
    return found, (order if n_columns is None else f"{order}; {table.kind} are taken to be in that order",)


def _given(table: Table, n_columns: int | None, *, is_text: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names = table.class_names or ()
    if n_columns is not None and len(names) != n_columns:
        table.refuse(f"expected one class name for each of {n_columns} classes, got {len(names)}")
    return names, () if is_text else ("labels are positions in the order in which the file names the classes",)


def _positions(table: Table, values: Column, names: tuple[str, ...]) -> IntArray:
    """Where each name is among the classes."""
    order = np.argsort(np.array(names))
    ordered = np.array(names)[order]
    nearest = np.minimum(np.searchsorted(ordered, values), len(names) - 1)
    is_unknown = ordered[nearest] != values
    if is_unknown.any():
        row = int(is_unknown.argmax())
        what = f"expected classes of {table.kind}, got {shown(values[row])} in {table.place(row)}"
        table.refuse(what, f"the classes are {listing(list(names), 5)}")
    return np.asarray(order[nearest], np.int64)


def _check_range(table: Table, name: str, values: IntArray, n_classes: int) -> None:
    is_outside = (values < 0) | (values >= n_classes)
    if is_outside.any():
        row = int(is_outside.argmax())
        table.refuse(f"expected {name} from 0 to {n_classes - 1}, got {values[row]} in {table.place(row)}", _FROM_0)
