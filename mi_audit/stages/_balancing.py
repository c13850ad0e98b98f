"""Giving members and non-members the same say in the training of an attack, by weights or by resampling.

Resampling happens inside cross-validation folds, on training rows only: a repeated row must never be on both sides of
a fold.
"""

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

Balance = Literal["weights", "undersample", "oversample", "none"]
BALANCES: tuple[str, ...] = get_args(Balance)
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def balanced(
    is_member: BoolArray, group: IntArray, balance: Balance, rng: np.random.Generator
) -> tuple[IntArray, npt.NDArray[np.float64]]:
    """Rows to train on and the weight of each, so that in every group both sides count the same.

    Args:
        is_member: (n,) bool.
        group: (n,) int64; a class for attacks per class, one number for all samples otherwise.
        balance: ``"weights"`` keeps every row and weighs it by n_group / (2 n_side); ``"undersample"`` draws as many
            of the larger side as the smaller has; ``"oversample"`` repeats rows of the smaller side; ``"none"``
            leaves all as it is.
        rng: draws the rows.

    Returns:
        rows (m,) int64 into the samples, ascending; weights (m,) float64 with mean 1.
    """
    n = len(is_member)
    if balance == "none":
        return np.arange(n), np.ones(n)
    if balance == "weights":
        return np.arange(n), _weights(is_member, group)
    rows = [_resampled(is_member, np.flatnonzero(group == value), balance, rng) for value in np.unique(group)]
    drawn = np.sort(np.concatenate(rows)) if rows else np.arange(0)
    return drawn, np.ones(len(drawn))


def _weights(is_member: BoolArray, group: IntArray) -> npt.NDArray[np.float64]:
    _, index = np.unique(group, return_inverse=True)
    n_group = np.bincount(index)
    n_members = np.bincount(index, weights=is_member)
    n_side = np.where(is_member, n_members[index], n_group[index] - n_members[index])
    return np.asarray(n_group[index] / (2 * n_side))


def _resampled(is_member: BoolArray, rows: IntArray, balance: str, rng: np.random.Generator) -> IntArray:
    sides = [rows[is_member[rows]], rows[~is_member[rows]]]
    smaller, larger = sorted(sides, key=len)
    if len(smaller) == 0:
        return rows
    if balance == "undersample":
        return np.concatenate([smaller, rng.choice(larger, len(smaller), replace=False)])
    copies, rest = divmod(len(larger), len(smaller))
    return np.concatenate([larger, np.tile(smaller, copies), rng.choice(smaller, rest, replace=False)])
