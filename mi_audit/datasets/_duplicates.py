"""Images that lie on both sides: the same pixels among the members and among the non-members."""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from mi_audit.datasets._fingerprints import UInt64Array, pixel_hashes
from mi_audit.datasets.interface import Images, Int64Array

# Images are read in blocks of about this many bytes, so that memory stays flat whatever their number.
BLOCK_BYTES = 2**22


def exact_duplicates(
    members: Images,
    non_members: Images,
    member_hash: UInt64Array | None = None,
    non_member_hash: UInt64Array | None = None,
) -> npt.NDArray[np.bool_]:
    """Which non-members have the pixels of some member: (n_non_members,) bool.

    Pixels are hashed to 64 bits, and every pair with equal hashes is compared pixel by pixel, so the answer is exact.

    Args:
        members: of known shape.
        non_members: of known shape; of another shape they are never duplicates.
        member_hash: (n_members,) `pixel_hashes`, where somebody has them; computed where not.
        non_member_hash: the same of the non-members.
    """
    is_duplicate = np.zeros(len(non_members), np.bool_)
    if members.shape != non_members.shape:
        return is_duplicate
    member_hash = _hashes(members) if member_hash is None else member_hash
    own = _hashes(non_members) if non_member_hash is None else non_member_hash
    order = np.argsort(member_hash, kind="stable")
    hashes = member_hash[order]
    first, last = np.searchsorted(hashes, own, "left"), np.searchsorted(hashes, own, "right")
    # The n-th round compares every candidate with the n-th member of its hash: one round, unless hashes collide.
    candidates = np.flatnonzero(first < last)
    while len(candidates):
        is_duplicate[candidates] = _are_equal(members, order[first[candidates]], non_members, candidates)
        first[candidates] += 1
        candidates = candidates[~is_duplicate[candidates] & (first[candidates] < last[candidates])]
    return is_duplicate


def _hashes(images: Images) -> UInt64Array:
    """`pixel_hashes` of all images, (n,)."""
    hashes = np.empty(len(images), np.uint64)
    for start, stop in _blocks(images):
        hashes[start:stop] = pixel_hashes(images.read(start, stop))
    return hashes


def _are_equal(
    members: Images, member_rows: Int64Array, non_members: Images, non_member_rows: Int64Array
) -> npt.NDArray[np.bool_]:
    """For each pair of rows, whether all pixels are equal: (n_pairs,) bool."""
    left, right = members.take(member_rows), non_members.take(non_member_rows)
    equal = np.empty(len(left), np.bool_)
    for start, stop in _blocks(left):
        equal[start:stop] = (left.read(start, stop) == right.read(start, stop)).all(axis=(1, 2, 3))
    return equal


def _blocks(images: Images) -> Iterator[tuple[int, int]]:
    """Start and stop of blocks of images that take about `BLOCK_BYTES`."""
    step = max(1, BLOCK_BYTES // max(1, math.prod(images.shape or ())))
    for start in range(0, len(images), step):
        yield start, min(start + step, len(images))
