"""From the columns of a table to arrays that an audit can rest on: membership, ids, outputs."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mi_audit.metrics.confidence import SUM_TOLERANCE
from mi_audit.schema.feature_cache import OutputsKind
from mi_audit.table_columns import FLAGS, FLAGS_IN_WORDS, flag_of_split
from mi_audit.targets._predictions.table import Column, Table, shown

# Softmax in float32 may exceed 1 by as much.
_RANGE_TOLERANCE = 1e-6
_SHOWN_IDS = 5
_BLOCK_ROWS = 65536

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.floating]
_SPLIT = "split"
Question = Callable[[FloatArray], BoolArray]


def as_flags(name: str, values: Column) -> Column:
    """The column that says who is a member, (n,): a split in words, which mean something else than flags, as flags."""
    if name.strip().lower() != _SPLIT:
        return values
    distinct, inverse = np.unique(values.astype(np.str_), return_inverse=True)
    return np.array([flag_of_split(text) for text in distinct.tolist()])[inverse]


def membership(table: Table) -> BoolArray:
    """(n,) bool.

    Raises:
        OutputsError: other values than true and false, 1 and 0, yes and no; or one side only.
    """
    values = table.is_member
    if values.dtype.kind == "U":
        distinct, inverse = np.unique(values, return_inverse=True)
        codes = np.array([FLAGS.get(text.strip().lower(), -1) for text in distinct.tolist()], np.int64)[inverse]
    else:
        codes = np.where((values == 0) | (values == 1), values, -1).astype(np.int64)
    if (codes < 0).any():
        row = int((codes < 0).argmax())
        table.refuse(f"expected {FLAGS_IN_WORDS} in is_member, got {shown(values[row])} in {table.place(row)}")
    is_member = codes.astype(np.bool_)
    if is_member.all() or not is_member.any():
        got = "members" if is_member.all() else "non-members"
        table.refuse(f"expected members and non-members, got {got} only", "an audit compares the two: add the others")
    return is_member


def sample_ids(table: Table, is_member: BoolArray) -> npt.NDArray[np.str_]:
    """(n,) unique strings: those of the file, or the side and the row.

    Raises:
        OutputsError: one is empty, or there twice.
    """
    if table.sample_id is None:
        sides = np.where(is_member, "members/", "non-members/")
        return np.char.add(sides, np.arange(len(table)).astype(np.str_))
    ids = _as_text(table, table.sample_id, "sample_id")
    if (ids == "").any():
        table.refuse(f"expected an id for every sample, got none in {table.place(int((ids == '').argmax()))}")
    distinct, count = np.unique(ids, return_counts=True)
    if len(distinct) < len(ids):
        twice = distinct[count > 1]
        what = f"expected every sample_id once, got {len(twice):,} more than once: {_listed(twice)}"
        table.refuse(what, "a sample is a member or a non-member: give each one row")
    return ids


def groups(table: Table, is_member: BoolArray) -> npt.NDArray[np.str_] | None:
    """(n,) strings, or ``None`` where the file names no groups.

    Raises:
        OutputsError: a sample without one, or one with members and non-members.
    """
    if table.group is None:
        return None
    group = _as_text(table, table.group, "group")
    if (group == "").any():
        what = f"expected a group for every sample, got none in {table.place(int((group == '').argmax()))}"
        table.refuse(what, "a sample that stands for itself is a group of its own")
    shared = np.intersect1d(group[is_member], group[~is_member])
    if len(shared):
        what = f"expected every group on one side, got {_listed(shared)} among members and non-members"
        table.refuse(what, "what is known of a person who was trained on is no non-member: leave these samples out")
    return group


def _as_text(table: Table, ids: Column, name: str) -> npt.NDArray[np.str_]:
    if ids.dtype.kind == "f" and not (ids == np.floor(ids)).all():
        table.refuse(f"expected whole numbers or text in {name}, got fractions")
    text = ids.astype(np.int64).astype(np.str_) if ids.dtype.kind == "f" else ids.astype(np.str_)
    return np.char.strip(text)


def checked_outputs(table: Table, ids: npt.NDArray[np.str_]) -> FloatArray:
    """(n, n_classes) finite outputs as given; a single column of a sigmoid head as two classes.

    Raises:
        OutputsError: NaN or infinity; probabilities outside [0, 1], or whose sum is not 1.
    """
    assert table.outputs is not None, "labels have no outputs"
    outputs = table.outputs if table.outputs.dtype.kind == "f" else table.outputs.astype(np.float64)
    with np.errstate(over="ignore"):
        is_bad = _rows_where(lambda block: np.any(~np.isfinite(block.astype(np.float32)), axis=1), outputs)
    if is_bad.any():
        what = f"expected finite {table.kind}, got NaN or infinity for {_count(is_bad, ids)}"
        table.refuse(what, "leave such samples out, and say so, or ask the target again")
    if table.kind == "probabilities":
        _check_range(table, outputs, ids)
    if outputs.shape[1] == 1:
        first = 1 - outputs.astype(np.float64) if table.kind == "probabilities" else np.zeros_like(outputs)
        outputs = np.concatenate([first, outputs], axis=1)
    if table.kind == "probabilities":
        outputs = np.clip(outputs, 0, None)
        _check_sums(table, outputs, ids)
    return outputs


def kind_by_values(outputs: FloatArray) -> OutputsKind:
    """What outputs are that nobody named: logits where one lies outside [0, 1], else probabilities, yet unchecked."""
    return "logits" if outputs.size and (outputs.min() < 0 or outputs.max() > 1) else "probabilities"


def _check_range(table: Table, outputs: FloatArray, ids: npt.NDArray[np.str_]) -> None:
    is_outside = _rows_where(
        lambda block: np.any((block < -_RANGE_TOLERANCE) | (block > 1 + _RANGE_TOLERANCE), axis=1), outputs
    )
    if is_outside.any():
        lowest, highest = outputs.min(), outputs.max()
        table.refuse(
            f"expected probabilities from 0 to 1, got {lowest:.6g} to {highest:.6g}, outside for "
            f"{_count(is_outside, ids)}",
            "divide percentages by 100; name scores before the softmax logits",
        )


def _check_sums(table: Table, outputs: FloatArray, ids: npt.NDArray[np.str_]) -> None:
    is_off = _has_other_sums(outputs)
    if is_off.any():
        total = outputs[int(is_off.argmax())].sum(dtype=np.float64)
        table.refuse(
            f"expected probabilities that sum to 1 within {SUM_TOLERANCE:g}, got others (first {total:.6g}) for "
            f"{_count(is_off, ids)}",
            "give all classes with all their digits; independent sigmoids are no distribution over classes",
        )


def _has_other_sums(outputs: FloatArray) -> BoolArray:
    return _rows_where(lambda block: np.abs(block.sum(axis=1, dtype=np.float64) - 1) > SUM_TOLERANCE, outputs)


def _rows_where(question: Question, outputs: FloatArray) -> BoolArray:
    """(n,) the answers, block by block, so that no second table is in memory."""
    starts = range(0, len(outputs), _BLOCK_ROWS)
    return np.concatenate([question(outputs[start : start + _BLOCK_ROWS]) for start in starts])


def _count(mask: BoolArray, ids: npt.NDArray[np.str_]) -> str:
    n = int(mask.sum())
    return f"{n:,} of {len(mask):,} samples: {_listed(ids[mask][: _SHOWN_IDS + 1])}"


def _listed(ids: npt.NDArray[np.str_]) -> str:
    named = ", ".join(shown(name).strip("'") for name in ids[:_SHOWN_IDS].tolist())
    return f"{named}, ..." if len(ids) > _SHOWN_IDS else named
