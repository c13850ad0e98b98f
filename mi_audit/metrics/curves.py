"""What figures draw: points of a ROC curve, bins and counts, means per class, precision along the ratio.

Pure functions of arrays. Nothing is smoothed and nothing is interpolated.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mi_audit.metrics._sides import split
from mi_audit.metrics.balancedness import at_ratio
from mi_audit.metrics.decisions import Decisions
from mi_audit.metrics.intervals import clopper_pearson

FEWEST_FOR_A_MEAN = 3
N_CONFIDENCE_BINS = 25
MOST_BINS = 40

_JOINT_LEVEL = 0.975  # of each of two rates: together they hold with 95 % at least
_STEPS = (0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0, 10.0, 20.0, 25.0, 50.0, 100.0)

FloatArray = NDArray[np.float64]
Bounds = tuple[float | None, float | None, float | None]


def roc_points(
    score: NDArray[np.floating[Any]], is_member: NDArray[np.bool_], n_points: int = 100
) -> tuple[FloatArray, FloatArray]:
    """False alarm rates and recalls at real thresholds, near log-spaced and evenly spaced false alarm rates.

    For each rate a of the grid it is the last threshold whose false alarm rate is a or less, so that the point lies on
    the curve and never right of a. Ties are cut together.

    Args:
        score: (n,), larger = member; infinities rank first and last.
        is_member: (n,) bool, both sides present.
        n_points: log-spaced, from 1 / n_non_members to 1, and half as many evenly spaced ones, so that both axes can
            be drawn; thresholds that serve twice are given once.

    Returns:
        Two arrays (k,), k <= 3 / 2 n_points + 1, both rising; the last point is (1, 1).

    Raises:
        ValueError: NaN, shapes that differ, a membership that is not boolean, or an empty side.

    >>> rates, recalls = roc_points(np.array([4.0, 3.0, 2.0, 1.0]), np.array([True, False, True, False]))
    >>> rates.tolist(), recalls.tolist()
    ([0.0, 0.5, 1.0], [0.5, 1.0, 1.0])
    """
    members, non_members = split(score, is_member)
    if not len(members) or not len(non_members):
        raise ValueError(f"expected members and non-members, got {len(members)} and {len(non_members)}")
    thresholds = np.unique(np.concatenate([members, non_members]))[::-1]
    n_alarms, n_found = (_at_or_above(side, thresholds) for side in (non_members, members))
    logarithmic = np.geomspace(1 / len(non_members), 1.0, n_points) if len(non_members) > 1 else np.ones(1)
    grid = np.union1d(logarithmic, np.linspace(0.0, 1.0, n_points // 2 + 1)[1:])
    allowed = np.concatenate([[0], np.floor(grid * len(non_members) + 1e-9)])
    chosen = np.unique(np.searchsorted(n_alarms, allowed, side="right") - 1)
    return n_alarms[chosen] / len(non_members), n_found[chosen] / len(members)


def _at_or_above(values: FloatArray, thresholds: FloatArray) -> NDArray[np.int64]:
    """How many values each threshold flags, falling thresholds; first none at all. (n_thresholds + 1,)."""
    flagged = len(values) - np.searchsorted(np.sort(values), thresholds, side="left")
    return np.concatenate([[0], flagged]).astype(np.int64)


def confidence_edges() -> FloatArray:
    """Edges of equal bins on [0, 1]."""
    return np.linspace(0.0, 1.0, N_CONFIDENCE_BINS + 1)


def round_edges(values: FloatArray) -> FloatArray:
    """Edges at round numbers, at most 40 bins, over what lies between the 0.5 % and the 99.5 % quantile.

    The quantiles keep one far sample from emptying the figure, round edges keep any sample's value from being one.

    Raises:
        ValueError: no finite value.

    >>> round_edges(np.array([0.1, 0.9, 3.7])).tolist()[:3]
    [0.1, 0.2, 0.3]
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        raise ValueError("expected a finite value, got none")
    low, high = (float(bound) for bound in np.quantile(finite, [0.005, 0.995]))
    steps = (*_STEPS, *(10.0**power for power in range(3, 300)))
    step = next(step for step in steps if math.ceil(high / step) - math.floor(low / step) <= MOST_BINS)
    first = math.floor(low / step)
    n_bins = max(1, math.ceil(high / step) - first)
    return np.round((first + np.arange(n_bins + 1)) * step, 10)


def counts(values: FloatArray, edges: FloatArray) -> NDArray[np.int64]:
    """How many values lie in each bin, (n_bins,); those beyond the edges, infinite ones too, in the outermost."""
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    return np.bincount(place, minlength=len(edges) - 1).astype(np.int64)


def means_by_class(
    values: FloatArray, label: NDArray[np.int64], n_classes: int
) -> tuple[tuple[float | None, ...], tuple[int, ...]]:
    """The mean of the values of each class and how many there are; no mean of fewer than three samples."""
    n = np.bincount(label, minlength=n_classes)
    sums = np.bincount(label, weights=values, minlength=n_classes)
    means = (float(total / size) if size >= FEWEST_FOR_A_MEAN else None for total, size in zip(sums, n, strict=True))
    return tuple(means), tuple(int(size) for size in n)


def along_the_ratio(decisions: Decisions, prior: float) -> dict[str, Bounds]:
    """Value, lower and upper bound of both precisions and of the false alarm rate where members are the share `prior`.

    Both precisions rise with recall and fall with the false alarm rate, so the corners of the box of two 97.5 %
    Clopper-Pearson intervals bound them at every ratio at once, with 95 % at least (Bonferroni).

    Raises:
        ValueError: an empty side, or a prior outside (0, 1).
    """
    if decisions.missing_side:
        raise ValueError(f"expected members and non-members, got {decisions.missing_side}")
    recall, alarms = decisions.tp / decisions.n_members, decisions.fp / decisions.n_non_members
    low_recall, high_recall = clopper_pearson(decisions.tp, decisions.n_members, _JOINT_LEVEL)
    low_alarms, high_alarms = clopper_pearson(decisions.fp, decisions.n_non_members, _JOINT_LEVEL)
    worst, best = at_ratio(low_recall, high_alarms, prior), at_ratio(high_recall, low_alarms, prior)
    value = at_ratio(recall, alarms, prior)
    bounds: dict[str, Bounds] = {
        name: (value[name].value, worst[name].value, best[name].value)
        for name in ("precision.member", "precision.non_member")
    }
    return bounds | {"false_alarm_rate": (alarms, low_alarms, high_alarms)}
