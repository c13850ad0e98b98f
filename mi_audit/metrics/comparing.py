"""Two attacks, or two audits, on the same samples: the difference of a number, with the pairing counted.

The same sample under two scores is one draw and not two, so intervals of the two numbers say little about their
difference; these do.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mi_audit.metrics import delong
from mi_audit.metrics._paired_tail import tail_difference
from mi_audit.metrics._sides import missing_side, split
from mi_audit.metrics.intervals import wilson
from mi_audit.schema.estimate import Estimate

_BOOTSTRAP_SEED = 0

Scores = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]

# How much a difference of recalls and a difference of false alarm rates weigh in each number.
_WEIGHTS = {
    "recall.member": (1.0, 0.0),
    "recall.non_member": (0.0, -1.0),
    "false_alarm_rate": (0.0, 1.0),
    "balanced_accuracy": (0.5, -0.5),
    "advantage": (1.0, -1.0),
}
_RATES = {"tpr_at_fpr.0.01": 0.01, "tpr_at_fpr.0.001": 0.001}
COMPARABLE = ("auc", *_RATES, *_WEIGHTS)


def paired_difference(
    metric: str,
    score_a: Scores,
    threshold_a: float,
    score_b: Scores,
    threshold_b: float,
    is_member: Bools,
    level: float = 0.95,
) -> Estimate:
    """The metric under score a minus the metric under score b, on the very same samples.

    - ``auc``: paired DeLong.
    - ``tpr_at_fpr.*``: a paired bootstrap that draws members and non-members apart, with both thresholds derived anew
      in each replicate; seeded.
    - ``recall.member``, ``recall.non_member``, ``false_alarm_rate``, ``balanced_accuracy``, ``advantage``: at
      thresholds fixed beforehand; Newcombe's hybrid score interval for paired proportions (Statistics in Medicine
      1998; 17: 2635, method 10), the two sides combined in squares.

    A one-sided bound with error x is an end of the interval at ``level = 1 - 2 x``.

    Args:
        metric: one of `COMPARABLE`.
        score_a: (n,), larger = member.
        threshold_a: fixed beforehand; a sample is flagged when its score is strictly above.
        score_b: as `score_a`, in the same order of samples.
        threshold_b: as `threshold_a`.
        is_member: (n,) bool.
        level: two-sided coverage.

    Returns:
        The difference with its interval; undefined where a side is empty, or has too few non-members for the rate.

    Raises:
        ValueError: another metric, NaN, shapes that differ, or a membership that is not boolean.
    """
    if metric not in COMPARABLE:
        raise ValueError(f"expected one of {', '.join(COMPARABLE)}, got {metric!r}")
    sides_a, sides_b = split(score_a, is_member), split(score_b, is_member)
    if reason := missing_side(*map(len, sides_a)):
        return Estimate.undefined(reason)
    if metric == "auc":
        return paired_delong(score_a, score_b, is_member, level).difference
    if metric in _RATES:
        rng = np.random.default_rng(_BOOTSTRAP_SEED)
        return tail_difference(sides_a, sides_b, _RATES[metric], level, rng)
    flagged = [(a > threshold_a, b > threshold_b) for a, b in zip(sides_a, sides_b, strict=True)]
    members, non_members = (paired_rates(a, b, level) for a, b in flagged)
    return _weighted(_WEIGHTS[metric], members, non_members)


class AucComparison(NamedTuple):
    """The difference of two AUCs with its interval, and the two-sided p-value of "there is none"."""

    difference: Estimate
    p_value: float


def paired_delong(score_a: Scores, score_b: Scores, is_member: Bools, level: float = 0.95) -> AucComparison:
    """AUC of a minus AUC of b on the same samples (DeLong et al., Biometrics 1988).

    The variance is that of the mean difference of placements. Where every placement differs by the same (above all:
    equal rankings) the interval is the point, and p is 1 for no difference and 0 for one.

    Args:
        score_a: (n,), larger = member.
        score_b: as `score_a`, in the same order of samples.
        is_member: (n,) bool, both sides present.
        level: two-sided coverage.

    Raises:
        ValueError: NaN, shapes that differ, an empty side, or a membership that is not boolean.
    """
    if reason := missing_side(*map(len, split(score_a, is_member))):
        raise ValueError(f"expected members and non-members, got {reason}")
    from scipy.special import ndtr, ndtri

    a, b = delong.placements(score_a, is_member), delong.placements(score_b, is_member)
    difference = a.value - b.value
    variance = delong.mean_variance(a.member - b.member) + delong.mean_variance(a.non_member - b.non_member)
    if variance <= 0:
        return AucComparison(Estimate(difference, difference, difference), float(difference == 0))
    sd = math.sqrt(variance)
    half_width = float(ndtri((1 + level) / 2)) * sd
    estimate = Estimate(difference, max(-1.0, difference - half_width), min(1.0, difference + half_width))
    return AucComparison(estimate, float(2 * ndtr(-abs(difference) / sd)))


def paired_rates(is_flagged_a: Bools, is_flagged_b: Bools, level: float = 0.95) -> Estimate:
    """Share flagged by a minus share flagged by b of the same n >= 1 samples (Newcombe 1998, paired method 10).

    >>> paired_rates(np.array([True, True, False, False]), np.array([True, False, False, False])).value
    0.25
    """
    n = len(is_flagged_a)
    both = int(np.count_nonzero(is_flagged_a & is_flagged_b))
    n_a, n_b = int(np.count_nonzero(is_flagged_a)), int(np.count_nonzero(is_flagged_b))
    (low_a, high_a), (low_b, high_b) = wilson(n_a, n, level), wilson(n_b, n, level)
    share_a, share_b = n_a / n, n_b / n
    correlation = _correlation(both, n_a, n_b, n)
    below = _combined(share_a - low_a, high_b - share_b, correlation)
    above = _combined(high_a - share_a, share_b - low_b, correlation)
    difference = share_a - share_b
    return Estimate(difference, max(-1.0, difference - below), min(1.0, difference + above))


def _correlation(both: int, n_a: int, n_b: int, n: int) -> float:
    """Phi of the two decisions, Newcombe's continuity correction taken off a positive one; 0 where one is constant."""
    scale = n_a * (n - n_a) * n_b * (n - n_b)
    if scale == 0:
        return 0.0
    neither = n - n_a - n_b + both
    determinant = both * neither - (n_a - both) * (n_b - both)
    corrected = max(determinant - n / 2, 0.0) if determinant > 0 else float(determinant)
    return corrected / math.sqrt(scale)


def _combined(first: float, second: float, correlation: float) -> float:
    return math.sqrt(max(0.0, first**2 - 2 * correlation * first * second + second**2))


def _weighted(weights: tuple[float, float], members: Estimate, non_members: Estimate) -> Estimate:
    """A weighted sum of two independent differences; distances to the bounds add in squares (Zou & Donner 2008)."""
    value = below = above = 0.0
    for weight, part in zip(weights, (members, non_members), strict=True):
        centre, low, high = float(part.value or 0), float(part.low or 0), float(part.high or 0)
        down, up = (centre - low, high - centre) if weight >= 0 else (high - centre, centre - low)
        value += weight * centre
        below, above = math.hypot(below, weight * down), math.hypot(above, weight * up)
    return Estimate(value, value - below, value + above)
