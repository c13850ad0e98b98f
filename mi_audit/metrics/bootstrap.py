"""The bootstrap of a recall at an empirical false alarm rate, drawn from its law instead of by resampling."""

import math

import numpy as np
from numpy.typing import NDArray

from mi_audit.metrics.ordering import Tail
from mi_audit.schema.estimate import Estimate

N_REPLICATES = 2000


def tail_replicates(tail: Tail, a: float, n_replicates: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """What resampling both sides and measuring anew would give: (n_replicates,) recalls.

    Of N resampled non-members the (K + 1)-th largest, K = floor(a N), has in the sample the rank R = ceil(N B) with B
    drawn from Beta(K + 1, N - K): the order statistics of uniform numbers. Given it, the number of resampled members
    above is binomial.

    Args:
        tail: of the scores, both sides present.
        a: the false alarm rate, 0 <= a < 1.
        n_replicates: how many.
        rng: the source of randomness.

    Raises:
        ValueError: an empty side or a rate outside [0, 1).
    """
    n = tail.n_thresholds
    if not 0 <= a < 1 or n < 1 or tail.n_others < 1:
        raise ValueError(f"expected samples on both sides and 0 <= a < 1, got {tail.n_others}, {n} and {a}")
    k = math.floor(a * n + 1e-9)
    ranks = np.ceil(n * rng.beta(k + 1, n - k, n_replicates)).astype(np.int64)
    shares = tail.n_beyond[np.clip(ranks, 1, n) - 1] / tail.n_others
    replicates: NDArray[np.float64] = rng.binomial(tail.n_others, shares) / tail.n_others
    return replicates


def tail_bootstrap(
    tail: Tail, a: float, rng: np.random.Generator, level: float = 0.95, n_replicates: int = N_REPLICATES
) -> Estimate:
    """The recall at the empirical false alarm rate `a` with its percentile interval: description, not decision.

    It holds its level about where the threshold rests on five non-members or more, and below that promises too much;
    the exact box does not.

    Args:
        tail: of the scores, both sides present.
        a: the false alarm rate, 0 <= a < 1.
        rng: the source of randomness.
        level: two-sided coverage.
        n_replicates: how many are drawn.

    Raises:
        ValueError: an empty side or a rate outside [0, 1).
    """
    replicates = tail_replicates(tail, a, n_replicates, rng)
    value = tail.hits(math.floor(a * tail.n_thresholds + 1e-9) + 1) / tail.n_others
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high))
