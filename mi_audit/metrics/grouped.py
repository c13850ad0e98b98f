"""Intervals where samples come in groups that depend on each other: many images of one person.

A rate keeps its value and gets the interval of the number of independent samples that would have its variance between
groups (Korn & Graubard, Survey Methodology 1998); the AUC gets the cluster variance; the recall at a false alarm rate
the exact box of one sample per group.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mi_audit.metrics import delong
from mi_audit.metrics.intervals import clopper_pearson, tpr_box, weighted_mean
from mi_audit.schema.estimate import Estimate

Bools = NDArray[np.bool_]
_BOXES = {"tpr_at_fpr.0.01": 0.01, "tpr_at_fpr.0.001": 0.001}


def effective_size(is_hit: Bools, group: NDArray[Any]) -> float:
    """How many independent samples a rate is worth: p (1 - p) / its variance between groups, from 1 to n.

    The number of groups where the variance says nothing: a rate of 0 or 1, or a single group.

    Args:
        is_hit: (n,) bool, n >= 1.
        group: (n,) names.

    >>> effective_size(np.array([True, True, False, False, True, True]), np.array(["a", "a", "b", "b", "c", "c"]))
    2.0
    """
    names, number = np.unique(group, return_inverse=True)
    share = float(is_hit.mean())
    squares = float(np.square(np.bincount(number, weights=is_hit - share)).sum())
    if len(names) < 2 or not 0 < share < 1 or squares == 0:
        return float(len(names))
    variance = len(names) / (len(names) - 1) * squares / len(is_hit) ** 2
    return min(float(len(is_hit)), max(1.0, round(share * (1 - share) / variance, 9)))


def with_groups(
    numbers: Mapping[str, Estimate],
    score: NDArray[np.floating[Any]],
    threshold: float,
    is_member: Bools,
    group: NDArray[Any],
    stands_for_group: Bools,
    level: float = 0.95,
) -> dict[str, Estimate]:
    """The metrics of `table.measure` with the intervals that groups allow.

    Args:
        numbers: measured on these samples.
        score: (n,), larger = member.
        threshold: of the attack.
        is_member: (n,) bool.
        group: (n,) names; none on both sides.
        stands_for_group: (n,) bool, one sample of every group.
        level: two-sided coverage.
    """
    flagged = np.asarray(score, np.float64) > threshold
    everyone = np.ones(len(flagged), np.bool_)
    rates = {
        "accuracy": (everyone, flagged == is_member),
        "false_alarm_rate": (~is_member, flagged),
        "recall.member": (is_member, flagged),
        "recall.non_member": (~is_member, ~flagged),
        "precision.member": (flagged, is_member),
        "false_discovery_rate": (flagged, ~is_member),
        "precision.non_member": (~flagged, ~is_member),
    }
    found = dict(numbers)
    for name, (counted, hits) in rates.items():
        if (value := numbers[name].value) is not None:
            size = effective_size(hits[counted], group[counted])
            found[name] = Estimate(value, *clopper_pearson(value * size, size, level))
    if numbers["advantage"].value is not None:
        low, high = _mean_recall(flagged, is_member, group, level)
        found["balanced_accuracy"] = Estimate(numbers["balanced_accuracy"].value, low, high)
        found["advantage"] = Estimate(numbers["advantage"].value, 2 * low - 1, 2 * high - 1)
        found["auc"] = _auc(score, is_member, group, level)
    members, non_members = (np.asarray(score)[stands_for_group & side] for side in (is_member, ~is_member))
    for name, a in _BOXES.items():
        if (value := numbers[name].value) is not None:
            box = tpr_box(members, non_members, a, level)
            reason = None if box.is_resolvable else "too few groups of non-members"
            found[name] = Estimate(value if box.is_resolvable else None, box.low, box.high, reason)
    return found


def _mean_recall(flagged: Bools, is_member: Bools, group: NDArray[Any], level: float) -> tuple[float, float]:
    n_members = effective_size(flagged[is_member], group[is_member])
    n_non_members = effective_size(~flagged[~is_member], group[~is_member])
    recall, specificity = float(flagged[is_member].mean()), 1 - float(flagged[~is_member].mean())
    return weighted_mean(recall * n_members, n_members, specificity * n_non_members, n_non_members, 0.5, level)


def _auc(score: NDArray[np.floating[Any]], is_member: Bools, group: NDArray[Any], level: float) -> Estimate:
    placed = delong.placements(score, is_member)
    sides = group[is_member], group[~is_member]
    n_groups = min(len(set(side.tolist())) for side in sides)
    variance = delong.cluster_variance(placed, *sides)
    return Estimate(placed.value, *delong.interval(placed.value, variance, n_groups, level))
