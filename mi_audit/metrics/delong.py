"""DeLong's variance of the AUC, of a difference of AUCs on the same samples, and of clusters (DeLong et al., 1988).

A member's placement is the share of non-members below it, a non-member's the share of members above it, equals
counted half. The AUC is the mean of either; its variance is the sum of the variances of both means.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mi_audit.metrics.intervals import clopper_pearson, exact_lower, exact_upper
from mi_audit.metrics.ordering import Ordering


@dataclass(frozen=True)
class Placements:
    """Where the samples of each side stand among those of the other, in the order in which they were given.

    Attributes:
        value: the AUC.
        member: (n_members,) share of non-members below.
        non_member: (n_non_members,) share of members above.
    """

    value: float
    member: NDArray[np.float64]
    non_member: NDArray[np.float64]

    @property
    def smaller_side(self) -> int:
        """Number of samples of the smaller side."""
        return min(len(self.member), len(self.non_member))

    def variance(self) -> float:
        """DeLong's, of independent samples; 0 for a side of one sample."""
        return mean_variance(self.member) + mean_variance(self.non_member)


def placements(
    score: NDArray[np.floating[Any]], is_member: NDArray[np.bool_], ordering: Ordering | None = None
) -> Placements:
    """The placements of all samples.

    Args:
        score: (n,), larger = member.
        is_member: (n,) bool, both sides present.
        ordering: of these samples, where it is known.

    Raises:
        ValueError: NaN, shapes that differ, or a membership that is not boolean.
    """
    known = ordering or Ordering.of(score, is_member)
    n_members, n_non_members = known.n_members, known.n_non_members
    doubled = np.empty(len(known.order), np.int64)
    doubled[known.order] = known.doubled_placements()
    members, non_members = doubled[is_member], doubled[~is_member]
    # Doubled placements are whole numbers, so this sum is exact: a separated score gives 1, a constant one 1/2.
    value = float(members.sum() / (2 * n_members * n_non_members))
    return Placements(value, members / (2 * n_non_members), 1 - non_members / (2 * n_members))


def cluster_variance(
    placed: Placements, member_group: NDArray[Any] | None, non_member_group: NDArray[Any] | None
) -> float:
    """Variance of the AUC where samples of one group depend on each other (Obuchowski, Biometrics 1997).

    Placements are summed within groups, and groups are what is independent. No group lies on both sides.

    Args:
        placed: of the samples.
        member_group: one name per member; ``None`` for samples that stand for themselves.
        non_member_group: one name per non-member, likewise.
    """
    if member_group is None or non_member_group is None:
        return placed.variance()
    return _clustered(placed.member, member_group) + _clustered(placed.non_member, non_member_group)


def mean_variance(values: NDArray[np.float64]) -> float:
    """Estimated variance of the mean of `values`; 0 for a single one."""
    return float(np.var(values, ddof=1) / len(values)) if len(values) > 1 else 0.0


def interval(value: float, variance: float, n: int, level: float) -> tuple[float, float]:
    """Two-sided interval of an AUC, on the logit scale; Clopper-Pearson's with n where there is no variance.

    Args:
        value: the AUC.
        variance: of it.
        n: samples, or groups, of the smaller side.
        level: coverage.
    """
    if is_degenerate(value, variance, n):
        return clopper_pearson(value * n, n, level)
    return lower(value, variance, n, (1 - level) / 2), upper(value, variance, n, (1 - level) / 2)


def lower(value: float, variance: float, n: int, error: float) -> float:
    """One-sided lower bound, as `interval`; the AUC is lower with probability `error`."""
    return exact_lower(value * n, n, error) if is_degenerate(value, variance, n) else _shift(value, variance, error)


def upper(value: float, variance: float, n: int, error: float) -> float:
    """One-sided upper bound, as `interval`; the AUC is higher with probability `error`."""
    return exact_upper(value * n, n, error) if is_degenerate(value, variance, n) else _shift(value, variance, 1 - error)


def is_degenerate(value: float, variance: float, n: int) -> bool:
    """Whether the normal law says nothing: perfect separation, a constant score, or a side of one sample."""
    return not 0 < value < 1 or n <= 1 or variance <= 0


def _shift(value: float, variance: float, quantile: float) -> float:
    from scipy.special import expit, logit, ndtri

    return float(expit(logit(value) + ndtri(quantile) * math.sqrt(variance) / (value * (1 - value))))


def _clustered(values: NDArray[np.float64], group: NDArray[Any]) -> float:
    _, number = np.unique(group, return_inverse=True)
    sums = np.bincount(number, weights=values - values.mean())
    n_groups = len(sums)
    return float(n_groups / (n_groups - 1) * np.square(sums).sum() / len(values) ** 2) if n_groups > 1 else 0.0
