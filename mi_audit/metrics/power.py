"""What so many members and non-members can show, before anything is measured.

The exact box of the recall is inverted under attacks that know a share p of the members for certain and guess at the
rest, so that TPR(f) = p + (1 - p) f. The AUC uses the variance of Hanley & McNeil (Radiology 1982), which is that of
the null where the AUC is 1/2.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mi_audit.metrics.intervals import exact_lower, exact_upper, rank_beyond, rank_within
from mi_audit.metrics.tolerance import RATES, limits
from mi_audit.schema.statistics import Measure, PowerRow

POWER = 0.8
MOST = 10_000_000  # samples of a side; beyond, "no number resolves this"
_N_NODES = 64
_N_STEPS = 50


def power(n_members: int, n_non_members: int, mu: float, alpha: float = 0.05, n_looks: int = 3) -> tuple[PowerRow, ...]:
    """What these sample sizes can detect, fail and pass at a tolerance, with 80 % power each.

    Args:
        n_members: of the held-out samples.
        n_non_members: likewise.
        mu: the tolerance, above 0.
        alpha: error of an upper bound, and of all lower bounds together.
        n_looks: how many lower bounds share alpha.

    Returns:
        One row for the AUC and one for each false alarm rate.

    Raises:
        ValueError: fewer than 1 sample on a side, or an alpha outside (0, 1).
    """
    if min(n_members, n_non_members, n_looks) < 1 or not 0 < alpha < 1:
        raise ValueError(f"expected samples on both sides and 0 < alpha < 1, got {n_members}, {n_non_members}, {alpha}")
    rows = []
    for measure, limit in limits(mu).items():
        chance = 0.5 if measure == "auc" else RATES[measure]
        sizes = n_members, n_non_members
        rows.append(
            PowerRow(
                measure=measure,
                n_members=n_members,
                n_non_members=n_non_members,
                chance=chance,
                detectable=exceeding(measure, chance, *sizes, alpha / n_looks),
                limit=limit,
                failing=exceeding(measure, limit, *sizes, alpha / n_looks),
                passing=staying(measure, limit, *sizes, alpha),
                n_needed=n_to_resolve(measure, chance, limit, alpha, n_looks),
            )
        )
    return tuple(rows)


def exceeding(measure: Measure, limit: float, n_members: int, n_non_members: int, error: float) -> float | None:
    """Smallest true value whose lower bound exceeds the limit with 80 % power; ``None`` where none does.

    Args:
        measure: what is bounded.
        limit: of it.
        n_members: of the sample.
        n_non_members: likewise.
        error: of the lower bound.
    """
    if measure == "auc":
        return _auc_exceeding(limit, n_members, n_non_members, error)
    a, (n_others, n_thresholds) = RATES[measure], _by_role(measure, n_members, n_non_members)
    reached = _reaching(limit, a, n_others, n_thresholds, error)
    return None if reached is None else _first_true(lambda share: reached(share) >= POWER, a)


def staying(measure: Measure, limit: float, n_members: int, n_non_members: int, error: float) -> float | None:
    """Largest true value whose upper bound stays within the limit with 80 % power; ``None`` where not even chance does.

    Args:
        measure: what is bounded.
        limit: of it.
        n_members: of the sample.
        n_non_members: likewise.
        error: of the upper bound.
    """
    if measure == "auc":
        return _auc_staying(limit, n_members, n_non_members, error)
    a, (n_others, n_thresholds) = RATES[measure], _by_role(measure, n_members, n_non_members)
    kept = _keeping(limit, a, n_others, n_thresholds, error)
    if kept is None or kept(0.0) < POWER:
        return None
    return _first_true(lambda share: kept(share) < POWER, a)


@lru_cache(maxsize=1024)
def n_to_resolve(measure: Measure, value: float, limit: float, alpha: float = 0.05, n_looks: int = 3) -> int | None:
    """Members, and as many non-members, at which an attack of this true value is told from the limit with 80 % power.

    To two digits, rounded up.

    Args:
        measure: what is compared.
        value: its true value; what guessing gives where nothing is known. Below the limit an upper bound (error
            alpha) must stay within it, above a lower bound (error alpha / n_looks) must exceed it.
        limit: of it.
        alpha: error level.
        n_looks: how many lower bounds share alpha.

    Returns:
        The number; ``None`` for a value at the limit, and where ten million do not suffice.
    """

    def is_resolved(n: int) -> bool:
        if measure == "auc":
            found = _auc_exceeding(limit, n, n, alpha / n_looks) if value > limit else _auc_staying(limit, n, n, alpha)
            return found is not None and (found <= value if value > limit else found >= value)
        a = RATES[measure]
        told = _reaching(limit, a, n, n, alpha / n_looks) if value > limit else _keeping(limit, a, n, n, alpha)
        return told is not None and told(max(0.0, (value - a) / (1 - a))) >= POWER

    if value == limit or not is_resolved(MOST):
        return None
    low, high = 1, MOST
    while high > 1.005 * low + 1:
        middle = max(low + 1, math.isqrt(low * high))
        low, high = (low, middle) if is_resolved(middle) else (middle, high)
    step = 10 ** max(0, math.floor(math.log10(high)) - 1)
    return int(min(MOST, math.ceil(high / step) * step))


def _by_role(measure: Measure, n_members: int, n_non_members: int) -> tuple[int, int]:
    """(who is counted, who sets the threshold): the other way round at the lower end of the scores."""
    return (n_non_members, n_members) if measure == "loss_tnr.0.001" else (n_members, n_non_members)


def _reaching(
    limit: float, a: float, n_others: int, n_thresholds: int, error: float
) -> Callable[[float], float] | None:
    """Power of "lower bound above the limit" as a function of the share p; ``None`` where no outcome reaches it."""
    from scipy.special import betainc

    rank = rank_within(n_thresholds, a, error / 2)
    if rank < 1 or exact_lower(n_others, n_others, error / 2) <= limit:
        return None
    hits = _smallest(lambda x: exact_lower(x, n_others, error / 2) > limit, n_others)
    nodes, weights = _false_alarm_rates(rank, n_thresholds)
    return lambda share: float(weights @ betainc(hits, n_others - hits + 1, share + (1 - share) * nodes))


def _keeping(limit: float, a: float, n_others: int, n_thresholds: int, error: float) -> Callable[[float], float] | None:
    """Power of "upper bound within the limit" as a function of the share p; ``None`` where no outcome is within."""
    from scipy.special import betaincc

    rank = rank_beyond(n_thresholds, a, error / 2)
    if rank > n_thresholds or exact_upper(0, n_others, error / 2) > limit:
        return None
    first_beyond = _smallest(lambda x: exact_upper(x, n_others, error / 2) > limit, n_others)
    nodes, weights = _false_alarm_rates(rank, n_thresholds)
    return lambda share: float(
        weights @ betaincc(first_beyond, n_others - first_beyond + 1, share + (1 - share) * nodes)
    )


def _false_alarm_rates(rank: int, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights that average over the true rate of the rule at a rank, Beta(rank, n - rank + 1)."""
    from scipy.special import betaincinv

    points, weights = np.polynomial.legendre.leggauss(_N_NODES)
    return betaincinv(rank, n - rank + 1, (points + 1) / 2), weights / 2


def _smallest(holds: Callable[[int], bool], n: int) -> int:
    """Smallest x in 1 .. n for which a monotone statement holds; it holds at n."""
    low, high = 0, n
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _first_true(holds: Callable[[float], bool], a: float) -> float | None:
    """TPR at `a` for the smallest share p of which a monotone statement holds, ``None`` where not even for 1."""
    low, high = 0.0, 1.0
    if not holds(high):
        return None
    for _ in range(_N_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high + (1 - high) * a


def _auc_exceeding(limit: float, n_members: int, n_non_members: int, error: float) -> float | None:
    values, logits, spread = _auc_grid(limit, 1 - 1e-9, n_members, n_non_members, error)
    reached = np.flatnonzero(logits - logits[0] >= spread)
    return float(values[reached[0]]) if len(reached) else None


def _auc_staying(limit: float, n_members: int, n_non_members: int, error: float) -> float | None:
    values, logits, spread = _auc_grid(0.5, limit, n_members, n_non_members, error)
    kept = np.flatnonzero(logits[-1] - logits >= spread)
    return float(values[kept[-1]]) if len(kept) else None


def _auc_grid(
    low: float, high: float, n_members: int, n_non_members: int, error: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """True AUCs from low to high, their logits, and how far from a limit each must be on that scale."""
    from scipy.special import expit, logit, ndtri

    logits = np.linspace(logit(low), logit(high), 20_001)
    values = expit(logits)
    q1, q2 = values / (2 - values), 2 * values**2 / (1 + values)
    spread = values * (1 - values) + (n_members - 1) * (q1 - values**2) + (n_non_members - 1) * (q2 - values**2)
    sd = np.sqrt(spread / (n_members * n_non_members)) / (values * (1 - values))
    return values, logits, float(ndtri(1 - error) + ndtri(POWER)) * sd
