"""Confidence intervals for proportions, and the exact box for the true positive rate at a true false alarm rate.

Every function takes counts or scores and returns ``(low, high)``. ``level`` is the two-sided coverage; each bound
alone fails with at most half of ``1 - level``. Scipy is imported where it is used: naming the metrics must not wait
for it.
"""

import math
from bisect import bisect_left, bisect_right
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


def clopper_pearson(k: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Exact interval for a proportion with `k` hits in `n` trials (Clopper & Pearson, Biometrika 1934).

    The bounds are the beta quantiles ``Beta(a/2; k, n - k + 1)`` and ``Beta(1 - a/2; k + 1, n - k)``, ``a = 1 -
    level``. Fractional `k` (a mean of tied halves) is allowed.

    Raises:
        ValueError: n < 1, k outside [0, n], or a level outside (0, 1).

    >>> low, high = clopper_pearson(0, 10)
    >>> low, round(high, 4)
    (0.0, 0.3085)
    """
    _check(k, n, level)
    tail = (1 - level) / 2
    return exact_lower(k, n, tail), exact_upper(k, n, tail)


def wilson(k: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Score interval for a proportion with `k` hits in `n` trials (Wilson, JASA 1927).

    Raises:
        ValueError: n < 1, k outside [0, n], or a level outside (0, 1).

    >>> [round(bound, 4) for bound in wilson(8, 10)]
    [0.4902, 0.9433]
    """
    _check(k, n, level)
    from scipy.special import ndtri

    z = float(ndtri((1 + level) / 2))
    share = k / n
    centre = share + z * z / (2 * n)
    half_width = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # At k = 0 and k = n the bound is 0 or 1 exactly; rounding must not step over it or fall short of it.
    low = 0.0 if k == 0 else max(0.0, (centre - half_width) / scale)
    high = 1.0 if k == n else min(1.0, (centre + half_width) / scale)
    return low, high


def weighted_mean(k1: float, n1: int, k2: float, n2: int, weight: float, level: float = 0.95) -> tuple[float, float]:
    """Interval for ``weight * k1/n1 + (1 - weight) * k2/n2`` of two independent proportions.

    The distances from each proportion to its Wilson bounds add in squares (Zou & Donner, Statistics in Medicine
    2008). With ``weight = 1/2`` this is Newcombe's interval moved from the difference to the mean.

    Raises:
        ValueError: as `wilson`, or a weight outside [0, 1].
    """
    if not 0 <= weight <= 1:
        raise ValueError(f"expected a weight from 0 to 1, got {weight}")
    low1, high1 = wilson(k1, n1, level)
    low2, high2 = wilson(k2, n2, level)
    share1, share2 = k1 / n1, k2 / n2
    mean = weight * share1 + (1 - weight) * share2
    below = math.hypot(weight * (share1 - low1), (1 - weight) * (share2 - low2))
    above = math.hypot(weight * (high1 - share1), (1 - weight) * (high2 - share2))
    return max(0.0, mean - below), min(1.0, mean + above)


def newcombe(k1: float, n1: int, k2: float, n2: int, level: float = 0.95) -> tuple[float, float]:
    """Hybrid score interval for the difference ``k1/n1 - k2/n2`` (Newcombe, Statistics in Medicine 1998, method 10).

    Raises:
        ValueError: as `wilson`.

    >>> [round(bound, 4) for bound in newcombe(56, 70, 48, 80)]  # Newcombe's first example
    [0.0524, 0.3339]
    """
    low, high = weighted_mean(k1, n1, n2 - k2, n2, 0.5, level)
    return 2 * low - 1, 2 * high - 1


class TprBox(NamedTuple):
    """Bounds on the recall at a true false alarm rate, and whether the non-members suffice for a lower bound."""

    low: float
    high: float
    is_resolvable: bool


def tpr_box(
    member_scores: NDArray[np.floating[Any]],
    non_member_scores: NDArray[np.floating[Any]],
    a: float,
    level: float = 0.95,
) -> TprBox:
    """Distribution-free bounds on the recall of the rule whose *true* false alarm rate is `a`.

    The rule ``score > n_(k)``, with n_(k) the k-th largest of N non-member scores, has a true false alarm rate that
    follows Beta(k, N - k + 1), or is smaller where scores tie. So with ``d = (1 - level) / 4``:

    - low: at the largest k whose rate is at most `a` with probability 1 - d, the exact lower bound (error d) of the
      share of members strictly above n_(k); 0 where no k qualifies, and the box is then not resolvable;
    - high: at the smallest k whose rate is at most `a` with probability d or less, the exact upper bound of the share
      of members at or above n_(k); 1 where no k qualifies.

    Each bound alone holds with probability ``1 - 2 d``, both together with `level`, for any distribution of the
    scores. A one-sided bound with error x is therefore this box at ``level = 1 - 2 x``. Ties keep it valid but make
    it wide.

    Args:
        member_scores: (n_members,), larger = member.
        non_member_scores: (n_non_members,).
        a: the false alarm rate, 0 < a < 1.
        level: two-sided coverage.

    Raises:
        ValueError: `a` or `level` outside (0, 1), or NaN scores.
    """
    _check_rate(a, level)
    members = np.asarray(member_scores, dtype=np.float64)
    non_members = np.asarray(non_member_scores, dtype=np.float64)
    if np.isnan(members).any() or np.isnan(non_members).any():
        raise ValueError("expected scores without NaN")
    d = (1 - level) / 4
    low, high = 0.0, 1.0
    low_rank, high_rank = rank_within(len(non_members), a, d), rank_beyond(len(non_members), a, d)
    if low_rank >= 1:
        n_above = int(np.count_nonzero(members > kth_largest(non_members, low_rank)))
        low = exact_lower(n_above, len(members), d)
    if high_rank <= len(non_members):
        n_not_below = int(np.count_nonzero(members >= kth_largest(non_members, high_rank)))
        high = exact_upper(n_not_below, len(members), d)
    return TprBox(low, high, is_resolvable=low_rank >= 1)


def non_members_needed(a: float, level: float = 0.95) -> int:
    """Fewest non-members for which `tpr_box` has a lower bound at `a`: ``ln((1 - level) / 4) / ln(1 - a)``, rounded up.

    >>> non_members_needed(0.01), non_members_needed(0.001)
    (437, 4380)
    """
    _check_rate(a, level)
    return math.ceil(math.log((1 - level) / 4) / math.log1p(-a))


def kth_largest(values: NDArray[np.float64], k: int) -> float:
    """The k-th largest of `values` (n,), counted from 1, without sorting them all."""
    position = len(values) - k
    return float(np.partition(values, position)[position])


def rank_within(n: int, a: float, error: float) -> int:
    """Largest rank k of n non-members whose rule ``score > n_(k)`` has a rate of at most `a`, but for `error`.

    0 where no rank qualifies.

    >>> rank_within(10_000, 0.01, 0.025), rank_within(100, 0.01, 0.025)
    (81, 0)
    """
    return bisect_right(range(1, n + 1), error, key=lambda k: _exceeds(a, k, n))


def rank_beyond(n: int, a: float, error: float) -> int:
    """Smallest rank k of n non-members whose rule ``score > n_(k)`` has a rate above `a`, but for `error`.

    ``n + 1`` where no rank qualifies.

    >>> rank_beyond(10_000, 0.01, 0.025), rank_beyond(100, 0.01, 0.025)
    (121, 4)
    """
    return 1 + bisect_left(range(1, n + 1), 1 - error, key=lambda k: _exceeds(a, k, n))


def _exceeds(a: float, k: int, n: int) -> float:
    """Probability that the rule at rank k has a rate above a: it rises with k, hence the bisections."""
    from scipy.special import betaincc

    return float(betaincc(k, n - k + 1, a))


def exact_lower(k: float, n: int, error: float) -> float:
    """One-sided Clopper-Pearson: a proportion with k hits in n trials is lower with probability `error` at most."""
    from scipy.special import betaincinv

    return 0.0 if k == 0 else float(betaincinv(k, n - k + 1, error))


def exact_upper(k: float, n: int, error: float) -> float:
    """One-sided Clopper-Pearson: a proportion with k hits in n trials is higher with probability `error` at most."""
    from scipy.special import betaincinv

    return 1.0 if k == n else float(betaincinv(k + 1, n - k, 1 - error))


def _check(k: float, n: int, level: float) -> None:
    if n < 1 or not 0 <= k <= n:
        raise ValueError(f"expected 0 <= k <= n and n >= 1, got k={k} and n={n}")
    if not 0 < level < 1:
        raise ValueError(f"expected a level between 0 and 1, got {level}")


def _check_rate(a: float, level: float) -> None:
    if not 0 < a < 1:
        raise ValueError(f"expected a false alarm rate between 0 and 1, got {a}")
    if not 0 < level < 1:
        raise ValueError(f"expected a level between 0 and 1, got {level}")
