"""The AUC within classes: what an attack knows about samples beyond which class they are of."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mi_audit.metrics import delong
from mi_audit.metrics._within_classes import WithinClasses
from mi_audit.schema.estimate import Estimate


def stratified_auc(
    score: NDArray[np.floating[Any]],
    is_member: NDArray[np.bool_],
    label: NDArray[np.integer[Any]],
    level: float = 0.95,
) -> Estimate:
    """Mean of the classes' AUCs, each weighing as many pairs of a member and a non-member as it has.

    It does not move when members and non-members have other shares of the classes, which the plain AUC counts as
    leakage. The interval is DeLong's on the logit scale with the classes' variances added.

    Args:
        score: (n,), larger = member.
        is_member: (n,) bool.
        label: (n,) the true classes.
        level: two-sided coverage.

    Raises:
        ValueError: NaN, shapes that differ, or a membership that is not boolean.
    """
    return of_classes(WithinClasses.of(score, is_member, label), level)


def of_classes(within: WithinClasses, level: float = 0.95) -> Estimate:
    """`stratified_auc` of classes that were counted before."""
    pairs = (within.n_members * within.n_non_members).astype(np.float64)
    if not pairs.any():
        return Estimate.undefined("no class has samples of both sides")
    counted = pairs > 0
    weight = pairs[counted] / pairs.sum()
    value = min(1.0, max(0.0, float(weight @ within.auc[counted])))
    variance = float(np.square(weight) @ within.variance()[counted])
    n = int(np.minimum(within.n_members, within.n_non_members)[counted].sum())
    return Estimate(value, *delong.interval(value, variance, n, level))
