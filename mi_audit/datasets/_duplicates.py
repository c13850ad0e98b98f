"""Images that lie on both sides: the same pixels among the members and among the non-members."""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from mi_audit.datasets.interface import Images, Int64Array

# Images are read in blocks of about this many bytes, so that memory stays flat whatever their number.
BLOCK_BYTES = 2**22
KEYS_SEED = 20260

UInt64Array = npt.NDArray[np.uint64]


def exact_duplicates(members: Images, non_members: Images) -> npt.NDArray[np.bool_]:
    """Which non-members have the pixels of some member: (n_non_members,) bool.

    Pixels are hashed to 64 bits, and every pair with equal hashes is compared pixel by pixel, so the answer is exact.

    The images must be of known shape; those of different shapes are never duplicates.
    """
    is_duplicate = np.zeros(len(non_members), np.bool_)
    if members.shape != non_members.shape:
        return is_duplicate
    member_hash = _hashes(members)
    order = np.argsort(member_hash, kind="stable")
    hashes = member_hash[order]
    own = _hashes(non_members)
    first, last = np.searchsorted(hashes, own, "left"), np.searchsorted(hashes, own, "right")
    # The n-th round compares every candidate with the n-th member of its hash: one round, unless hashes collide.
    candidates = np.flatnonzero(first < last)
    while len(candidates):
        is_duplicate[candidates] = _are_equal(members, order[first[candidates]], non_members, candidates)
        first[candidates] += 1
        candidates = candidates[~is_duplicate[candidates] & (first[candidates] < last[candidates])]
    return is_duplicate


def _hashes(images: Images) -> UInt64Array:
    """A 64-bit hash of the pixels of every image, (n,): the sum of words times odd random keys, modulo 2^64.

    A multilinear hash (Carter and Wegman, 1979; Lemire and Kaser, 2014). Each word is folded first, since a product
    modulo 2^64 carries a difference in the high bits of a word to the high bits of the sum only.
    """
    hashes = np.empty(len(images), np.uint64)
    n_words = -(-math.prod(images.shape or ()) // 8)
    keys = np.random.default_rng(KEYS_SEED).integers(0, 2**64, n_words, np.uint64) | np.uint64(1)
    for start, stop in _blocks(images):
        pixels = images.read(start, stop).reshape(stop - start, -1)
        words = np.pad(pixels, ((0, 0), (0, -pixels.shape[1] % 8))).view(np.uint64)
        words ^= words >> np.uint64(32)
        hashes[start:stop] = words @ keys
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
