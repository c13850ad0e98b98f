"""Predictions in an ``.npz``."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mi_audit import npz_arrays
from mi_audit.errors import OutputsError
from mi_audit.targets._checkpoint.refusals import listing
from mi_audit.targets._predictions.checking import as_flags
from mi_audit.targets._predictions.columns import columns_of
from mi_audit.targets._predictions.table import Table, refuse

_REFUSALS = npz_arrays.Refusals(
    OutputsError,
    not_there="--model predictions:FILE",
    damaged="write it again with numpy.savez(FILE, logits=..., label=..., is_member=..., sample_id=...)",
)
_CLASS_NAMES = "class_names"


def read(path: Path) -> Table:
    """The arrays of these names; ``class_names`` (one text per column of the outputs) may be among them.

    Raises:
        OutputsError: not an ``.npz``, or arrays that make no table.
    """
    names = npz_arrays.array_names(path, _REFUSALS)
    columns = columns_of(path, names)
    if columns.is_per_class or columns.kind is None:
        refuse(path, "expected one array for all classes, got one per class", "numpy.stack(arrays, axis=1)")
    positions = dict.fromkeys([*columns.outputs, *columns.texts.values()])
    wanted = [*(names[position] for position in positions), _CLASS_NAMES]
    arrays = npz_arrays.read_arrays(path, (), wanted, _REFUSALS, npz_arrays.NUMERIC_KINDS + npz_arrays.TEXT_KINDS)
    texts = {name: _one_axis(path, names[position], arrays) for name, position in columns.texts.items()}
    n = len(texts["label"])
    unequal = [name for name, values in texts.items() if len(values) != n]
    if unequal:
        refuse(path, f"expected one {unequal[0]} per label, got {len(texts[unequal[0]]):,} for {n:,} labels")
    return Table(
        path=path,
        kind=columns.kind,
        outputs=None if columns.kind == "labels" else _two_axes(path, names[columns.outputs[0]], arrays, n),
        predicted=texts.get("predicted"),
        label=texts["label"],
        is_member=as_flags(names[columns.is_member], texts["is_member"]),
        sample_id=texts.get("sample_id"),
        class_names=_class_names(path, arrays),
        group=texts.get("group"),
    )


def _one_axis(path: Path, name: str, arrays: dict[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
    values = arrays[name]
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        refuse(path, f"expected {name} of shape (n,), got {values.shape}", _tip_on_one_hot(name, values))
    return _text(path, name, values)


def _text(path: Path, name: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Text as Unicode; anything else as it is."""
    if values.dtype.kind != "S":
        return values
    try:
        return np.char.decode(values, "utf-8")
    except UnicodeDecodeError:
        refuse(path, f"expected text in UTF-8 in {name}, got other bytes")


def _tip_on_one_hot(name: str, values: npt.NDArray[Any]) -> str | None:
    return f"class numbers of one-hot rows: {name}.argmax(axis=1)" if values.ndim == 2 else None


def _two_axes(path: Path, name: str, arrays: dict[str, npt.NDArray[Any]], n: int) -> npt.NDArray[Any]:
    values = arrays[name]
    if values.dtype.kind == "U":
        refuse(path, f"expected numbers in {name}, got text")
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or values.shape[0] != n or not values.shape[1]:
        refuse(path, f"expected {name} of shape ({n}, n_classes), one row per label, got {arrays[name].shape}")
    return values


def _class_names(path: Path, arrays: dict[str, npt.NDArray[Any]]) -> tuple[str, ...] | None:
    if _CLASS_NAMES not in arrays:
        return None
    values = _text(path, _CLASS_NAMES, arrays[_CLASS_NAMES].reshape(-1)).tolist()
    names = [str(value).strip() for value in values]  # as labels are
    if len(set(names)) != len(names):
        refuse(path, f"expected every class name once, got {listing(sorted(names))}")
    return tuple(names)
