"""The difference of two recalls at one false alarm rate on the same samples: a paired bootstrap without resampling.

A replicate needs the two thresholds, which lie among few non-members around their ranks, and how many members lie
above one of them only. So non-members outside these windows are drawn as lumps, and members as two counts.
"""

import math
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mi_audit.metrics.intervals import non_members_needed, rank_within
from mi_audit.schema.estimate import Estimate

N_REPLICATES = 2000
_REACH = 6.0  # standard deviations that a replicate's threshold may move before it is cut off

FloatArray = NDArray[np.float64]
Sides = tuple[FloatArray, FloatArray]


class _Window(NamedTuple):
    """The non-members around the threshold of one score, from the largest down.

    Attributes:
        rank: (n_non_members,) from 0, the largest.
        first: rank of the first in the window.
        values: (width,) their scores.
    """

    rank: NDArray[np.int64]
    first: int
    values: FloatArray

    @classmethod
    def around(cls, non_members: FloatArray, k: int) -> Self:
        """The window around the k-th largest, k from 0."""
        order = np.argsort(-non_members, kind="stable")
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        reach = math.ceil(_REACH * math.sqrt(k + 1) + _REACH)
        first, last = max(0, k - reach), min(len(order), k + reach + 1)
        return cls(rank, first, non_members[order[first:last]])

    @property
    def is_inside(self) -> NDArray[np.bool_]:
        """(n_non_members,) bool."""
        return (self.rank >= self.first) & (self.rank < self.first + len(self.values))

    def cells(self, members: FloatArray) -> NDArray[np.int64]:
        """(n_members,): the first place in the window that lies below the member; its width for none."""
        return np.searchsorted(-self.values, -members, side="right")


def tail_difference(a: Sides, b: Sides, rate: float, level: float, rng: np.random.Generator) -> Estimate:
    """Recall of a minus recall of b where each has this empirical false alarm rate, with a percentile interval.

    Args:
        a: (members, non-members), scores without NaN.
        b: likewise, in the same order of samples.
        rate: the false alarm rate, as in `ranking.tpr_at_fpr`.
        level: two-sided coverage.
        rng: of the replicates.
    """
    n_members, n_non_members = len(a[0]), len(a[1])
    if rank_within(n_non_members, rate, (1 - level) / 4) < 1:
        return Estimate.undefined(f"needs at least {non_members_needed(rate, level)} non-members")
    k = math.floor(rate * n_non_members + 1e-9)
    windows = _Window.around(a[1], k), _Window.around(b[1], k)
    above = _joint_counts(windows[0].cells(a[0]), windows[1].cells(b[0]), windows)
    observed = _exclusive(above, *(np.array([k - window.first]) for window in windows))
    only_a, only_b = _exclusive(above, *_thresholds(windows, k, rng))
    drawn_a = rng.binomial(n_members, only_a / n_members)
    left = n_members - drawn_a
    drawn_b = rng.binomial(left, np.minimum(1.0, only_b / np.maximum(1, n_members - only_a)))
    tails = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile((drawn_a - drawn_b) / n_members, tails)
    value = float((observed[0][0] - observed[1][0]) / n_members)
    return Estimate(value, min(value, float(low)), max(value, float(high)))


def _joint_counts(
    cells_a: NDArray[np.int64], cells_b: NDArray[np.int64], windows: tuple[_Window, _Window]
) -> NDArray[np.int64]:
    """(width_a + 1, width_b + 1): members above place i of window a and place j of window b."""
    shape = tuple(len(window.values) + 1 for window in windows)
    counts = np.bincount(cells_a * shape[1] + cells_b, minlength=shape[0] * shape[1]).reshape(shape)
    return np.asarray(counts.cumsum(axis=0).cumsum(axis=1))


def _exclusive(
    above: NDArray[np.int64], place_a: NDArray[np.int64], place_b: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Members above the threshold of a and not that of b, and the reverse."""
    both = above[place_a, place_b]
    return above[place_a, -1] - both, above[-1, place_b] - both


def _thresholds(
    windows: tuple[_Window, _Window], k: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places of both thresholds in their windows, in every replicate. Two arrays (n_replicates,)."""
    n = len(windows[0].rank)
    alone = windows[0].is_inside | windows[1].is_inside
    is_above = [window.rank < window.first for window in windows]
    lump = is_above[0] * 2 + is_above[1]
    sizes = np.bincount(lump[~alone], minlength=4)
    shares = np.concatenate([sizes / n, np.full(int(alone.sum()), 1 / n)])
    drawn = rng.multinomial(n, shares / shares.sum(), size=N_REPLICATES)
    places = []
    for number, window in enumerate(windows):
        adds = np.concatenate([[lumped & (2 >> number) > 0 for lumped in range(4)], is_above[number][alone]])
        columns = 4 + np.flatnonzero(window.is_inside[alone])
        in_order = columns[np.argsort(window.rank[alone][window.is_inside[alone]])]
        cumulated = drawn[:, adds].sum(axis=1, keepdims=True) + drawn[:, in_order].cumsum(axis=1)
        places.append(np.minimum((cumulated <= k).sum(axis=1), len(window.values) - 1))
    return places[0], places[1]
