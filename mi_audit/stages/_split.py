"""Which samples an attack is told about: a seeded order of sample ids inside each class x membership cell.

The order depends on nothing but the seed and the id, so two releases that are audited on the same data share their
held-out samples, whatever else the data sets hold.

Samples of one group (one person, many images) stay together, or an attack would be told about some of them and judged
on the others. A group lies in the cell of its first sample by id, and the order is then that of the groups' names.
"""

import hashlib

import numpy as np
import numpy.typing as npt

from mi_audit.errors import UsageError

MAX_SEED = 2**63 - 1
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def checked_seed(seed: int) -> int:
    """The seed, if every generator that gets it can take it.

    Raises:
        UsageError: it is negative, or does not fit into 63 bits.
    """
    if not 0 <= seed <= MAX_SEED:
        raise UsageError(f"expected --seed from 0 to {MAX_SEED}, got {seed}", tip="for example --seed 1")
    return seed


def seeded_keys(sample_id: npt.NDArray[np.str_], seed: int) -> npt.NDArray[np.uint64]:
    """(n,) uint64: a keyed hash of each id; sorting by it is a seeded shuffle that does not depend on the other ids."""
    key = seed.to_bytes(16, "little", signed=True)
    hashes = b"".join(hashlib.blake2b(name.encode(), digest_size=8, key=key).digest() for name in sample_id.tolist())
    return np.frombuffer(hashes, "<u8").astype(np.uint64)


def positions_in_cells(
    keys: npt.NDArray[np.uint64], label: IntArray, is_member: BoolArray
) -> tuple[IntArray, IntArray]:
    """Each sample's position in its class x membership cell, ordered by key, and the size of that cell; both (n,)."""
    cell = label * 2 + is_member
    order = np.lexsort((keys, cell))
    _, start, size = np.unique(cell[order], return_index=True, return_counts=True)
    position, cell_size = np.empty(len(keys), np.int64), np.empty(len(keys), np.int64)
    position[order] = np.arange(len(keys)) - np.repeat(start, size)
    cell_size[order] = np.repeat(size, size)
    return position, cell_size


def known_samples(
    sample_id: npt.NDArray[np.str_],
    label: IntArray,
    is_member: BoolArray,
    known_fraction: float,
    seed: int,
    group: npt.NDArray[np.str_] | None = None,
) -> BoolArray:
    """(n,) bool: whose membership the attack is told, the first `known_fraction` of every cell, rounded down.

    Args:
        sample_id: (n,) strings.
        label: (n,) int64.
        is_member: (n,) bool.
        known_fraction: from 0 to 1, of the samples of every cell.
        seed: of the order.
        group: (n,) strings; whole groups are known, as many as fit into the share. ``None`` where there are none.
    """
    unit, first = _units(sample_id, group)
    names = sample_id[first] if group is None else group[first]
    size = np.bincount(unit, minlength=len(first))
    before, cell_size = _sizes_before(seeded_keys(names, seed), label[first], is_member[first], size)
    return np.asarray((before + size <= known_fraction * cell_size + 1e-9)[unit])


def folds(
    sample_id: npt.NDArray[np.str_],
    label: IntArray,
    is_member: BoolArray,
    n_folds: int,
    seed: int,
    group: npt.NDArray[np.str_] | None = None,
) -> IntArray:
    """(n,) int64 from 0 to n_folds - 1, each fold an even share of every class x membership cell, groups together."""
    unit, first = _units(sample_id, group)
    names = sample_id[first] if group is None else group[first]
    position, _ = positions_in_cells(seeded_keys(names, seed + 1), label[first], is_member[first])
    return (position % n_folds)[unit]


def _units(sample_id: npt.NDArray[np.str_], group: npt.NDArray[np.str_] | None) -> tuple[IntArray, IntArray]:
    """What is split: the unit of each sample (n,), a group or itself, and the first sample by id of each unit (m,)."""
    if group is None:
        return np.arange(len(sample_id)), np.arange(len(sample_id))
    order = np.argsort(sample_id, kind="stable")
    _, first, unit = np.unique(group[order], return_index=True, return_inverse=True)
    unit_of = np.empty(len(sample_id), np.int64)
    unit_of[order] = unit
    return unit_of, order[first]


def _sizes_before(
    keys: npt.NDArray[np.uint64], label: IntArray, is_member: BoolArray, size: IntArray
) -> tuple[IntArray, IntArray]:
    """How many samples of its cell come before each unit, ordered by key, and how many the cell has; both (m,)."""
    cell = label * 2 + is_member
    order = np.lexsort((keys, cell))
    _, start, number = np.unique(cell[order], return_index=True, return_inverse=True)
    ends = np.cumsum(size[order])
    starts = ends - size[order]
    before, cell_size = np.empty(len(keys), np.int64), np.empty(len(keys), np.int64)
    before[order] = starts - starts[start][number]
    cell_size[order] = np.bincount(number, size[order]).astype(np.int64)[number]
    return before, cell_size
