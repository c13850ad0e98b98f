"""One-sided bounds for decisions: wrong with a stated probability at most, whatever the scores' distribution.

Rates are bounded by the exact box (`intervals.tpr_box`) with ties broken by a seeded uniform, so that its law is exact
and it bounds the ROC curve with straight lines through ties; the AUC by DeLong on the logit scale.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mi_audit.metrics import delong
from mi_audit.metrics.bootstrap import tail_bootstrap
from mi_audit.metrics.intervals import exact_lower, exact_upper, non_members_needed, rank_beyond, rank_within
from mi_audit.metrics.ordering import Ordering, Tail
from mi_audit.metrics.tolerance import RATES
from mi_audit.schema.estimate import Estimate
from mi_audit.schema.statistics import Measure

MEASURES: tuple[Measure, ...] = ("auc", "tpr_at_fpr.0.01", "tpr_at_fpr.0.001", "loss_tnr.0.001")

_FEWEST_FOR_AUC = 2


class Bound(NamedTuple):
    """The numbers of a `BoundRow`, by the same names."""

    value: float | None
    low: float
    high: float
    is_informative: bool
    n_needed: int
    bootstrap: Estimate | None = None


def bound(
    measure: Measure,
    score: NDArray[np.floating[Any]],
    is_member: NDArray[np.bool_],
    low_error: float,
    high_error: float,
    rng: np.random.Generator,
) -> Bound:
    """Bounds on one measure of one attack.

    Args:
        measure: ``auc``; ``tpr_at_fpr.*``; ``loss_tnr.0.001``, the share of non-members below the threshold that a
            share 0.001 of the members lies below.
        score: (n,), larger = member.
        is_member: (n,) bool.
        low_error: probability that the measure is below the lower bound.
        high_error: probability that the measure is above the upper bound.
        rng: breaks ties, and draws the replicates of the bootstrap.

    Returns:
        The bounds; 0 and 1 where a side is empty.

    Raises:
        ValueError: NaN, shapes that differ, an unknown measure, or an error outside (0, 1).
    """
    if measure not in MEASURES:
        raise ValueError(f"expected one of {', '.join(MEASURES)}, got {measure!r}")
    if not (0 < low_error < 1 and 0 < high_error < 1):
        raise ValueError(f"expected errors between 0 and 1, got {low_error} and {high_error}")
    ordering = Ordering.of(score, is_member, rng)
    if measure == "auc":
        return auc_bound(score, is_member, ordering, low_error, high_error)
    return rate_bound(measure, ordering, low_error, high_error, rng)


def auc_bound(
    score: NDArray[np.floating[Any]],
    is_member: NDArray[np.bool_],
    ordering: Ordering,
    low_error: float,
    high_error: float,
    group: NDArray[Any] | None = None,
) -> Bound:
    """Bounds on the AUC, ties counting half; groups, where there are any, are what is independent.

    Args:
        score: (n,), larger = member.
        is_member: (n,) bool.
        ordering: of these samples.
        low_error: as in `bound`.
        high_error: as in `bound`.
        group: (n,) names; none on both sides.
    """
    is_informative = not ordering.is_constant
    if not (ordering.n_members and ordering.n_non_members):
        return Bound(None, 0.0, 1.0, is_informative, _FEWEST_FOR_AUC)
    placed = delong.placements(score, is_member, ordering)
    sides = (None, None) if group is None else (group[is_member], group[~is_member])
    n = placed.smaller_side if group is None else min(len(set(side.tolist())) for side in sides if side is not None)
    variance = delong.cluster_variance(placed, *sides)
    low, high = (
        delong.lower(placed.value, variance, n, low_error),
        delong.upper(placed.value, variance, n, high_error),
    )
    return Bound(placed.value, low, high, is_informative, _FEWEST_FOR_AUC)


def rate_bound(
    measure: Measure, ordering: Ordering, low_error: float, high_error: float, rng: np.random.Generator
) -> Bound:
    """Bounds on a rate of the upper end of the scores, or of their lower end for ``loss_tnr``.

    Args:
        measure: which rate.
        ordering: of independent samples, ties broken at random.
        low_error: as in `bound`.
        high_error: as in `bound`.
        rng: of the bootstrap.
    """
    a, tail = RATES[measure], ordering.tail(swapped=measure == "loss_tnr.0.001")
    low, high = tail_lower(tail, a, low_error), tail_upper(tail, a, high_error)
    needed = non_members_needed(a, 1 - 2 * low_error)
    is_informative = not ordering.is_constant
    if tail.n_thresholds < needed or not tail.n_others:
        return Bound(None, low, high, is_informative, needed)
    value = tail.hits(math.floor(a * tail.n_thresholds + 1e-9) + 1) / tail.n_others
    return Bound(value, low, high, is_informative, needed, tail_bootstrap(tail, a, rng=rng))


def tail_lower(tail: Tail, a: float, error: float) -> float:
    """Lower bound of the box at the rate `a`: half of the error for the rate, half for the share; 0 where none."""
    rank = rank_within(tail.n_thresholds, a, error / 2)
    return exact_lower(tail.hits(rank), tail.n_others, error / 2) if rank >= 1 else 0.0


def tail_upper(tail: Tail, a: float, error: float) -> float:
    """Upper bound of the box at the rate `a`: half of the error for the rate, half for the share; 1 where none."""
    rank = rank_beyond(tail.n_thresholds, a, error / 2)
    return exact_upper(tail.hits(rank), tail.n_others, error / 2) if rank <= tail.n_thresholds else 1.0
