"""Which image classes leak: one by one, drawn towards each other, and corrected for their number."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mi_audit.metrics import delong
from mi_audit.metrics._within_classes import WithinClasses
from mi_audit.schema.estimate import Estimate

FEWEST = 30  # samples of each side, for a class to be estimated

FloatArray = NDArray[np.float64]


class ClassLeak(NamedTuple):
    """The numbers of a `ClassLeakRow`, by the same names."""

    image_class: int
    n_members: int
    n_non_members: int
    auc: Estimate
    shrunk: float
    p_value: float
    p_holm: float


def class_leaks(
    score: NDArray[np.floating[Any]],
    is_member: NDArray[np.bool_],
    label: NDArray[np.integer[Any]],
    level: float = 0.95,
) -> tuple[ClassLeak, ...]:
    """Every class with at least `FEWEST` samples of each side.

    Args:
        score: (n,), larger = member.
        is_member: (n,) bool.
        label: (n,) the true classes.
        level: two-sided coverage of each AUC's interval.

    Raises:
        ValueError: NaN, shapes that differ, or a membership that is not boolean.
    """
    return of_classes(WithinClasses.of(score, is_member, label), level)


def of_classes(within: WithinClasses, level: float = 0.95) -> tuple[ClassLeak, ...]:
    """`class_leaks` of classes that were counted before."""
    from scipy.special import ndtr

    rows = np.flatnonzero(np.minimum(within.n_members, within.n_non_members) >= FEWEST)
    if not len(rows):
        return ()
    auc, variance = within.auc[rows], within.variance()[rows]
    smaller = np.minimum(within.n_members, within.n_non_members)[rows]
    shrunk = shrunk_aucs(auc, variance, smaller)
    null_sd = np.sqrt(within.null_variance()[rows])
    z = np.divide(auc - 0.5, null_sd, out=np.zeros(len(rows)), where=null_sd > 0)
    p_values = ndtr(-z)
    corrected = holm(p_values)
    return tuple(
        ClassLeak(
            image_class=int(within.image_class[row]),
            n_members=int(within.n_members[row]),
            n_non_members=int(within.n_non_members[row]),
            auc=Estimate(float(auc[i]), *delong.interval(float(auc[i]), float(variance[i]), int(smaller[i]), level)),
            shrunk=float(shrunk[i]),
            p_value=float(p_values[i]),
            p_holm=float(corrected[i]),
        )
        for i, row in enumerate(rows)
    )


def shrunk_aucs(auc: FloatArray, variance: FloatArray, smaller_side: NDArray[np.int64]) -> FloatArray:
    """AUCs drawn towards their mean on the logit scale, by how much they differ beyond noise.

    With variances v and the spread between classes tau^2 (DerSimonian & Laird, Controlled Clinical Trials 1986), class
    c gets (theta_c / v_c + theta / tau^2) / (1 / v_c + 1 / tau^2), theta being the random-effects mean. Where the
    classes differ by no more than noise all get the mean. Perfect and constant classes count half a sample more on
    each side, which gives them a variance.

    Args:
        auc: (n_classes,).
        variance: (n_classes,) of them.
        smaller_side: (n_classes,) samples of the smaller side.
    """
    from scipy.special import expit, logit

    degenerate = (auc <= 0) | (auc >= 1) | (variance <= 0)
    values = np.where(degenerate, (auc * smaller_side + 0.5) / (smaller_side + 1), auc)
    noise = np.where(degenerate, values * (1 - values) / smaller_side, variance) / (values * (1 - values)) ** 2
    theta, weight = logit(values), 1 / noise
    common = (weight @ theta) / weight.sum()
    heterogeneity = weight @ np.square(theta - common)
    scale = weight.sum() - np.square(weight).sum() / weight.sum()
    between = max(0.0, float((heterogeneity - (len(auc) - 1)) / scale)) if scale > 0 else 0.0
    if between == 0:
        return np.full(len(auc), float(expit(common)))
    total = 1 / (noise + between)
    mean = (total @ theta) / total.sum()
    return np.asarray(expit((theta * between + mean * noise) / (between + noise)))


def holm(p_values: FloatArray) -> FloatArray:
    """P-values corrected for their number, step down (Holm, Scandinavian Journal of Statistics 1979).

    >>> holm(np.array([0.01, 0.04, 0.03])).round(4).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    steps = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(1.0, steps)
    return corrected
