"""Numbers from scores: how well an attack ranks members above non-members, and where to cut.

A larger score means member. Ties count half (AUC) or are cut together (thresholds), so no number depends on the order
of rows.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mi_audit.metrics import delong
from mi_audit.metrics._sides import missing_side, split
from mi_audit.metrics.intervals import kth_largest, non_members_needed, tpr_box
from mi_audit.metrics.ordering import Ordering
from mi_audit.schema.estimate import Estimate

_TIE = 1e-12  # advantages closer than this are the same: sums of weights round, differently for each order of rows


def auc(score: NDArray[np.floating[Any]], is_member: NDArray[np.bool_], level: float = 0.95) -> Estimate:
    """Probability that a random member scores above a random non-member, ties counting half (Mann-Whitney, mid-ranks).

    Below 1/2 stays below 1/2: an attack that ranks the wrong way is reported as that. The interval is DeLong's on the
    logit scale (DeLong et al., Biometrics 1988); where its variance is zero or a side has one sample,
    Clopper-Pearson's with the size of the smaller side.

    Args:
        score: (n,), larger = member; infinities rank first and last.
        is_member: (n,) bool.
        level: two-sided coverage of the interval.

    Raises:
        ValueError: NaN, shapes that differ, or a membership that is not boolean.

    >>> auc(np.array([3.0, 2.0, 2.0, 1.0]), np.array([True, True, False, False])).value
    0.875
    """
    ordering = Ordering.of(score, is_member)
    if reason := missing_side(ordering.n_members, ordering.n_non_members):
        return Estimate.undefined(reason)
    placed = delong.placements(score, is_member, ordering)
    return Estimate(placed.value, *delong.interval(placed.value, placed.variance(), placed.smaller_side, level))


def tpr_at_fpr(
    score: NDArray[np.floating[Any]], is_member: NDArray[np.bool_], a: float, level: float = 0.95
) -> Estimate:
    """Recall at false alarm rate `a`: the share of members above the (K + 1)-th largest non-member, K = floor(a N).

    The value is the literature's empirical one (Carlini et al., S&P 2022), cut at a score and never interpolated. It is
    optimistic: the rate it stands for is (K + 1) / (N + 1) in the mean. The interval is the exact box of `tpr_box`,
        which holds at the true rate. Where N is too small for a lower bound the value is undefined and the bounds say
        what is known.

    Args:
        score: (n,), larger = member.
        is_member: (n,) bool.
        a: the false alarm rate, 0 < a < 1.
        level: two-sided coverage of the box.

    Raises:
        ValueError: NaN, shapes that differ, a membership that is not boolean, or `a` outside (0, 1).
    """
    needed = non_members_needed(a, level)
    members, non_members = split(score, is_member)
    if reason := missing_side(len(members), len(non_members)):
        return Estimate.undefined(reason)
    box = tpr_box(members, non_members, a, level)
    if not box.is_resolvable:
        return Estimate(None, box.low, box.high, f"needs at least {needed} non-members")
    n_alarms = math.floor(a * len(non_members) + 1e-9)  # 0.29 * 100 is 28.999...
    threshold = kth_largest(non_members, n_alarms + 1)
    return Estimate(float(np.count_nonzero(members > threshold) / len(members)), box.low, box.high)


def threshold_below(value: float) -> float:
    """The next lower float: with the rule ``score > threshold`` it flags a sample that scores `value`.

    >>> threshold_below(0.5) < 0.5 == float(np.nextafter(threshold_below(0.5), 1))
    True
    """
    return float(np.nextafter(value, -math.inf))


def best_threshold(
    score: NDArray[np.floating[Any]], is_member: NDArray[np.bool_], weight: NDArray[np.floating[Any]] | None = None
) -> float:
    """The threshold with the largest balanced accuracy on these samples (Youden's point): for known samples only.

    Candidates are the next lower floats of the samples' scores; of equals the one with the fewest false alarms wins,
    whatever the order of rows. A constant score gives the threshold below it, which flags all.

    Args:
        score: (n,), larger = member. An infinite score is ranked, but the threshold itself is always finite.
        is_member: (n,) bool, both sides present.
        weight: (n,) non-negative; the recalls become weighted shares. None = all equal.

    Raises:
        ValueError: NaN, shapes that differ, an empty or weightless side, negative weights, no finite threshold.

    >>> best_threshold(np.array([3.0, 2.0, 1.0]), np.array([True, True, False])) == threshold_below(2.0)
    True
    """
    members, non_members = split(score, is_member)
    if reason := missing_side(len(members), len(non_members)):
        raise ValueError(f"expected members and non-members, got {reason}")
    candidates, member_weight, non_member_weight = _weights_above(score, is_member, weight)
    gain = member_weight / member_weight[-1] - non_member_weight / non_member_weight[-1]
    thresholds = np.nextafter(candidates, -math.inf)
    gain[~np.isfinite(thresholds)] = -math.inf
    if np.isneginf(gain).all():
        raise ValueError("expected a score above the lowest float, got none")
    return float(thresholds[np.argmax(gain >= gain.max() - _TIE)])


def _weights_above(
    score: NDArray[np.floating[Any]], is_member: NDArray[np.bool_], weight: NDArray[np.floating[Any]] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The distinct scores, falling, and the weight of members and of non-members that score at least as much."""
    values = np.asarray(score, dtype=np.float64)
    weights = np.ones(len(values)) if weight is None else np.asarray(weight, dtype=np.float64)
    if weights.shape != values.shape or not (weights >= 0).all():
        raise ValueError("expected one non-negative weight per sample")
    order = np.argsort(-values)
    falling = values[order]
    last_of_ties = np.append(falling[1:] != falling[:-1], True)
    member_weight = np.cumsum(np.where(is_member, weights, 0.0)[order])[last_of_ties]
    non_member_weight = np.cumsum(np.where(is_member, 0.0, weights)[order])[last_of_ties]
    if not (member_weight[-1] > 0 and non_member_weight[-1] > 0):
        raise ValueError("expected positive weight on members and on non-members")
    return falling[last_of_ties], member_weight, non_member_weight
