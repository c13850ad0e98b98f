"""Which samples an attack is told about: a seeded order of sample ids inside each class x membership cell.

The order depends on nothing but the seed and the id, so two releases that are audited on the same data share their
held-out samples, whatever else the data sets hold.
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
    sample_id: npt.NDArray[np.str_], label: IntArray, is_member: BoolArray, known_fraction: float, seed: int
) -> BoolArray:
    """(n,) bool: whose membership the attack is told, the first `known_fraction` of every cell, rounded down."""
    position, cell_size = positions_in_cells(seeded_keys(sample_id, seed), label, is_member)
    return np.asarray(position < np.floor(known_fraction * cell_size + 1e-9))


def folds(sample_id: npt.NDArray[np.str_], label: IntArray, is_member: BoolArray, n_folds: int, seed: int) -> IntArray:
    """(n,) int64 from 0 to n_folds - 1, each fold an even share of every class x membership cell."""
    position, _ = positions_in_cells(seeded_keys(sample_id, seed + 1), label, is_member)
    return position % n_folds
