"""Lower bounds on differential privacy parameters that an attack contradicts: of this one model, over its samples.

It is no audit of a training procedure: that needs members that the auditor drew at random.
"""

import math
from typing import NamedTuple

from mi_audit.metrics.bounds import tail_lower
from mi_audit.metrics.ordering import Ordering

RATES = (0.001, 0.01, 0.1)
DELTA = 1e-5
N_LOOKS = 2 * len(RATES)  # at both ends of the scores


class PrivacyBound(NamedTuple):
    """No (e, delta) with e below `epsilon`, and no Gaussian mu below `mu`, is consistent with the attack."""

    epsilon: float
    mu: float


def privacy_bound(ordering: Ordering, alpha: float = 0.05, delta: float = DELTA) -> PrivacyBound:
    """Both parameters at level 1 - alpha, corrected for three rates fixed beforehand and two directions.

    At each look the rate of the rule is at most `a` and the recall at least T but for alpha / 6 together, halved
    between them. Then epsilon >= ln((T - delta) / a) (Kairouz, Oh & Viswanath, ICML 2015) and mu >= Phi^-1(T) -
    Phi^-1(a) (Dong, Roth & Su, JRSS B 2022). A look that says less than 0 says 0.

    Args:
        ordering: of independent samples, ties broken at random.
        alpha: error of each statement.
        delta: of (epsilon, delta).

    Raises:
        ValueError: alpha or delta outside (0, 1), where delta may be 0.
    """
    if not 0 < alpha < 1 or not 0 <= delta < 1:
        raise ValueError(f"expected alpha and delta between 0 and 1, got {alpha} and {delta}")
    epsilon = mu = 0.0
    for tail in (ordering.tail(), ordering.tail(swapped=True)):
        for a in RATES:
            recall = tail_lower(tail, a, alpha / N_LOOKS)
            epsilon = max(epsilon, _epsilon(recall, a, delta))
            mu = max(mu, _mu(recall, a))
    return PrivacyBound(epsilon, mu)


def contradicts(ordering: Ordering, epsilon: float, delta: float, alpha: float = 0.05) -> bool:
    """Whether the attack contradicts a stated (epsilon, delta), at level 1 - alpha.

    Args:
        ordering: of independent samples, ties broken at random.
        epsilon: as stated.
        delta: as stated.
        alpha: error of "yes".
    """
    return privacy_bound(ordering, alpha, delta).epsilon > epsilon


def _epsilon(recall: float, a: float, delta: float) -> float:
    return math.log((recall - delta) / a) if recall - delta > a else 0.0


def _mu(recall: float, a: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(recall) - ndtri(a)) if recall > a else 0.0
