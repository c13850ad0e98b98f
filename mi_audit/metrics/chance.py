"""Could it be chance, given that so many attacks were tried: the largest statistic under permuted membership."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

N_PERMUTATIONS = 999

_CELLS = 4_000_000  # of a block of permutations
_TIE = 1e-9
FloatArray = NDArray[np.float64]


class Chance(NamedTuple):
    """The statistic of one attack and its p-value, as in `ChanceRow`."""

    z: float
    p_value: float


def max_t(
    scores: Sequence[NDArray[np.floating[Any]]],
    is_member: NDArray[np.bool_],
    label: NDArray[np.integer[Any]],
    rng: np.random.Generator,
    n_permutations: int = N_PERMUTATIONS,
) -> tuple[Chance, ...]:
    """One-sided p-values of all attacks together (Westfall & Young's single-step max-T, 1993).

    The statistic is the sum of the members' ranks, less its mean under permutation and in units of its standard
    deviation there: the AUC, standardised. Membership is permuted within classes, so that a difference in the shares
    of classes is no evidence; p = (1 + permutations whose largest z of all attacks reaches this one's) / (B + 1).

    Args:
        scores: one (n,) array per attack, larger = member, NaN for samples that it does not score.
        is_member: (n,) bool.
        label: (n,) the true classes, or any strata within which membership was drawn at random.
        rng: of the permutations.
        n_permutations: B.

    Returns:
        One per attack; z is 0 for a constant score.

    Raises:
        ValueError: shapes that differ, a membership that is not boolean, or B < 1.
    """
    membership = np.asarray(is_member)
    if membership.dtype != np.bool_ or any(np.shape(score) != membership.shape for score in scores):
        raise ValueError("expected a boolean is_member and as many scores of each attack")
    if n_permutations < 1:
        raise ValueError(f"expected at least 1 permutation, got {n_permutations}")
    if not scores:
        return ()
    order = np.argsort(label, kind="stable")
    starts = np.flatnonzero(np.diff(np.asarray(label)[order], prepend=-1))
    ranks = np.column_stack([_centred_ranks(np.asarray(score, np.float64)[order]) for score in scores])
    observed = np.zeros(len(scores))
    variance = np.zeros(len(scores))
    permuted = np.zeros((n_permutations, len(scores)))
    for rows in np.split(np.arange(len(order)), starts[1:]):
        members, own = membership[order[rows]], ranks[rows] - ranks[rows].mean(axis=0)
        n, n_members = len(rows), int(members.sum())
        if n_members in {0, n}:
            continue
        observed += members @ own
        variance += n_members * (n - n_members) / (n * (n - 1)) * np.square(own).sum(axis=0)
        _add_permuted(permuted, members, own, rng)
    sd = np.sqrt(variance)
    z = np.divide(observed, sd, out=np.zeros_like(observed), where=sd > 0)
    largest = np.divide(permuted, sd, out=np.zeros_like(permuted), where=sd > 0).max(axis=1)
    return tuple(
        Chance(float(each), float((1 + np.count_nonzero(largest >= each - _TIE)) / (n_permutations + 1))) for each in z
    )


def _add_permuted(permuted: FloatArray, members: NDArray[np.bool_], own: FloatArray, rng: np.random.Generator) -> None:
    """Add one class's sums over permuted members, a block of permutations at a time."""
    block = max(1, _CELLS // len(members))
    for start in range(0, len(permuted), block):
        part = permuted[start : start + block]
        drawn = rng.permuted(np.broadcast_to(members.astype(np.uint8), (len(part), len(members))), axis=1)
        part += drawn.astype(np.float64) @ own


def _centred_ranks(score: FloatArray) -> FloatArray:
    """Mid-ranks less their mean, 0 for a sample without a score: it then adds nothing on either side."""
    scored = ~np.isnan(score)
    values = score[scored]
    _, number, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = np.zeros(len(score))
    ranks[scored] = ((2 * last - counts + 1) / 2)[number] - (len(values) + 1) / 2
    return ranks
