"""One tolerance, said in every measure: how far from guessing an attack may be.

A tolerance mu is the shift between two normal laws of unit variance, members above non-members, that an attack of this
strength sees (the trade-off curve of Gaussian differential privacy; Dong, Roth & Su, JRSS B 2022). It gives limits for
every measure that agree with each other.
"""

import math

from mi_audit.schema.statistics import Measure

PRESETS = {"strict": 0.200, "standard": 0.545, "lenient": 0.764}
SEVERE = PRESETS["lenient"]
RATES: dict[Measure, float] = {"tpr_at_fpr.0.01": 0.01, "tpr_at_fpr.0.001": 0.001, "loss_tnr.0.001": 0.001}


def limit(measure: Measure, mu: float) -> float:
    """The value of a measure that corresponds to a tolerance: Phi(mu / sqrt 2) for AUC, Phi(Phi^-1(a) + mu) at a rate.

    >>> [round(limit(measure, 0.545), 4) for measure in ("auc", "tpr_at_fpr.0.01", "tpr_at_fpr.0.001")]
    [0.65, 0.0374, 0.0055]
    """
    from scipy.special import ndtr, ndtri

    if measure == "auc":
        return float(ndtr(mu / math.sqrt(2)))
    return float(ndtr(ndtri(RATES[measure]) + mu))


def limits(mu: float) -> dict[Measure, float]:
    """The limits of AUC and of the recall at both false alarm rates."""
    measures: tuple[Measure, ...] = ("auc", "tpr_at_fpr.0.01", "tpr_at_fpr.0.001")
    return {measure: limit(measure, mu) for measure in measures}
