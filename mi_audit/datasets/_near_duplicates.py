"""Images that look alike on both sides: other crops, other compression, the next frame of a film.

Found by perceptual hashes, every pair of at most `MAX_BITS` different bits, and confirmed by thumbnails. Hashes are cut
into four bands of 16 bits; where two hashes differ in at most 7 bits, some band differs in at most one (7 < 4 x 2), so
looking up each band and its 16 neighbours misses no pair (multi-index hashing; Norouzi, Punjani and Fleet, 2012).
Memory stays flat: candidates are expanded in blocks.

Thumbnails are compared by their correlation, so that brightness and contrast do not matter. A non-member that somewhat
looks like many members stands in a crowd, as every handwritten one does, and is no twin of any. Measured on the
official splits: 135 of the 10,000 test images of CIFAR-100, 40 of MNIST; without the rule on crowds MNIST would be
2,383. Twins that were cropped or turned are missed.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from mi_audit.datasets._fingerprints import UInt64Array
from mi_audit.datasets.interface import Int64Array, UInt8Array

MAX_BITS = 7
BANDS, BAND_BITS = 4, 16
SAME, SIMILAR = 0.95, 0.8
CROWD = 3
# Thumbnails of less contrast (standard deviation in grey values) show nothing that could be recognised.
MIN_CONTRAST = 4.0
# Thumbnails of so many pairs at a time take some 80 MB as floats.
N_CANDIDATES = 1 << 14


def near_duplicates(
    member_hash: UInt64Array, non_member_hash: UInt64Array, member_small: UInt8Array, non_member_small: UInt8Array
) -> npt.NDArray[np.bool_]:
    """Which non-members look like some member: (n_non_members,) bool. Exact duplicates are among them.

    Args:
        member_hash: (n_members,) perceptual hashes.
        non_member_hash: (n_non_members,) perceptual hashes.
        member_small: (n_members, n_pixels) thumbnails.
        non_member_small: (n_non_members, n_pixels) thumbnails.
    """
    left, right = _Grouped(member_hash), _Grouped(non_member_hash)
    n_same, n_similar = (np.zeros(len(non_member_hash), np.int64) for _ in range(2))
    for left_hash, right_hash in hash_pairs(left.hashes, right.hashes):
        for pair, non_member in right.rows(right_hash):
            is_open = n_similar[non_member] <= CROWD
            ours, theirs = non_member[is_open], left_hash[pair[is_open]]
            for at, member in left.rows(theirs):
                likeness = correlation(member_small[member], non_member_small[ours[at]])
                is_same = likeness > SAME
                n_same += np.bincount(ours[at][is_same], minlength=len(n_same))
                n_similar += np.bincount(ours[at][(likeness > SIMILAR) & ~is_same], minlength=len(n_same))
    return np.asarray((n_same > 0) & (n_similar <= CROWD))


def hash_pairs(left: UInt64Array, right: UInt64Array) -> Iterator[tuple[Int64Array, Int64Array]]:
    """Positions of all pairs of at most `MAX_BITS` different bits, each pair once, in blocks.

    Args:
        left: (n,) hashes.
        right: (m,) hashes.
    """
    flips = np.concatenate([[0], 1 << np.arange(BAND_BITS)]).astype(np.uint16)
    for band in range(BANDS):
        left_band, right_band = _band(left, band), _band(right, band)
        order = np.argsort(left_band, kind="stable")
        starts = np.searchsorted(left_band[order], np.arange(2**BAND_BITS + 1))
        for flip in flips:
            wanted = (right_band ^ flip).astype(np.int64)
            for pair, position in _expanded(starts[wanted], starts[wanted + 1]):
                candidate = order[position]
                differing = left[candidate] ^ right[pair]
                is_near = np.bitwise_count(differing) <= MAX_BITS
                for earlier in range(band):  # pairs that this band found before
                    is_near &= np.bitwise_count(_band(differing, earlier)) > 1
                if is_near.any():
                    yield candidate[is_near], pair[is_near]


def correlation(left: UInt8Array, right: UInt8Array) -> npt.NDArray[np.float32]:
    """For each pair of thumbnails (n, n_pixels), their correlation: (n,) float32; 0 where one shows nothing."""
    a, b = (each.astype(np.float32) - each.mean(axis=1, keepdims=True, dtype=np.float32) for each in (left, right))
    norms = np.sqrt((a * a).sum(axis=1)), np.sqrt((b * b).sum(axis=1))
    shows = np.minimum(*norms) >= MIN_CONTRAST * np.sqrt(np.float32(left.shape[1]))
    found = np.zeros(len(a), np.float32)
    np.divide((a * b).sum(axis=1), norms[0] * norms[1], out=found, where=shows)
    return found


class _Grouped:
    """Samples by their hash: of many with the same hash only one is looked up.

    Attributes:
        hashes: (n,) the different ones, sorted.
    """

    def __init__(self, hashes: UInt64Array) -> None:
        self._order = np.argsort(hashes, kind="stable")
        self.hashes, self._first = np.unique(hashes[self._order], return_index=True)
        self._last = np.append(self._first[1:], len(hashes))

    def rows(self, which: Int64Array) -> Iterator[tuple[Int64Array, Int64Array]]:
        """All (i, row) where the sample `row` has the hash at position ``which[i]``, in blocks."""
        for index, position in _expanded(self._first[which], self._last[which]):
            yield index, self._order[position]


def _band(hashes: UInt64Array, band: int) -> npt.NDArray[np.uint16]:
    return (hashes >> np.uint64(band * BAND_BITS)).astype(np.uint16)


def _expanded(first: Int64Array, last: Int64Array) -> Iterator[tuple[Int64Array, Int64Array]]:
    """All (i, position) with ``first[i] <= position < last[i]``, in blocks of at most `N_CANDIDATES`."""
    ends = np.cumsum(last - first)
    n = int(ends[-1]) if len(ends) else 0
    for start in range(0, n, N_CANDIDATES):
        number = np.arange(start, min(start + N_CANDIDATES, n), dtype=np.int64)
        index = np.searchsorted(ends, number, "right")
        yield index, np.asarray(last[index] - (ends[index] - number), np.int64)
