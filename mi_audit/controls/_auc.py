"""Whether a score tells members from non-members better than is tolerated."""

import math
from typing import NamedTuple

import numpy as np

from mi_audit.controls.interface import BoolArray, FloatArray
from mi_audit.metrics.ranking import auc
from mi_audit.schema.arrays import Array

_LEVEL = 0.95


class AucTest(NamedTuple):
    """An AUC with its interval at 95 %, and the p-value of "it is at most the limit"."""

    value: float
    low: float
    high: float
    p_value: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def auc_test(score: FloatArray, is_member: BoolArray, limit: float) -> AucTest | None:
    """One-sided test of the AUC against a limit, DeLong's on the logit scale; ``None`` where a side is empty.

    Where the AUC is 0 or 1 the test is that of a proportion with the size of the smaller side, as is the interval.

    Args:
        score: (n,) larger = member, no NaN.
        is_member: (n,) bool.
        limit: the AUC that is tolerated.
    """
    found = auc(score, is_member, _LEVEL)
    if found.value is None or found.low is None or found.high is None:
        return None
    n = min(int(is_member.sum()), int((~is_member).sum()))
    value, low, high = found.value, found.low, found.high
    from scipy.special import betainc, logit, ndtr, ndtri

    if not 0 < value < 1 or not low < value < high or n == 1:
        hits = math.floor(value * n + 1e-9)
        return AucTest(value, low, high, float(betainc(hits, n - hits + 1, limit)) if hits else 1.0)
    sd = float(logit(high) - logit(low)) / (2 * float(ndtri((1 + _LEVEL) / 2)))
    return AucTest(value, low, high, float(ndtr((logit(limit) - logit(value)) / sd)))


def within_class_test(score: FloatArray, is_member: BoolArray, label: Array, limit: float) -> AucTest | None:
    """The same for the mean over classes of the AUC within the class, weighted by the pairs of the two sides in it.

    The variance within a class is that of the Mann-Whitney statistic where nothing tells the sides apart,
    ``(M + N + 1) / (12 M N)``. ``None`` where no class has both sides.
    """
    pairs, total, variance = 0.0, 0.0, 0.0
    order = np.argsort(label, kind="stable")
    _, starts = np.unique(label[order], return_index=True)
    for rows in np.split(order, starts[1:]):
        m, n = int(is_member[rows].sum()), int((~is_member[rows]).sum())
        own = auc(score[rows], is_member[rows]).value
        if own is not None:
            pairs, total = pairs + m * n, total + m * n * own
            variance += (m * n) * (m + n + 1) / 12
    if not pairs:
        return None
    from scipy.special import ndtr, ndtri

    value, sd = total / pairs, math.sqrt(variance) / pairs
    half = float(ndtri((1 + _LEVEL) / 2)) * sd
    return AucTest(value, max(0.0, value - half), min(1.0, value + half), float(ndtr((limit - value) / sd)))
