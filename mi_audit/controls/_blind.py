"""Telling members from non-members by columns that have nothing to do with the target."""

from typing import Any

import numpy as np
import numpy.typing as npt

from mi_audit.controls.interface import BoolArray, FloatArray

N_FOLDS = 5
_RIDGE = 0.02
_TREES: dict[str, Any] = {"max_iter": 60, "max_leaf_nodes": 8, "min_samples_leaf": 20, "max_bins": 64}
# Trees read so many combinations of the columns: those with the largest variance.
_N_COMPONENTS = 32


def blind_scores(
    columns: FloatArray, is_member: BoolArray, group: npt.NDArray[np.str_] | None, rng: np.random.Generator
) -> FloatArray:
    """(n,) scores of samples by a linear and a boosted classifier that were fitted on the other folds.

    Both give log-odds (the linear one up to a scale), which are added after each was divided by its spread over the
    samples it was fitted on.

    Args:
        columns: (n, k) finite.
        is_member: (n,) bool, both sides present.
        group: (n,) what samples of one group share: it is never divided between folds; ``None`` for no groups.
        rng: draws the folds.
    """
    fold = _folds(is_member, group, rng)
    seed = int(rng.integers(2**31))
    score = np.zeros(len(columns))
    for number in range(N_FOLDS):
        is_test = fold == number
        if is_test.any() and 0 < is_member[~is_test].sum() < (~is_test).sum():
            score[is_test] = _fitted_score(columns[~is_test], is_member[~is_test], columns[is_test], seed)
    return score


def _folds(is_member: BoolArray, group: npt.NDArray[np.str_] | None, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """(n,) numbers of folds, each with an even share of either side, or of the groups."""
    fold = np.empty(len(is_member), np.int64)
    if group is not None:
        _, index = np.unique(group, return_inverse=True)
        return np.asarray(rng.permutation(index.max() + 1)[index] % N_FOLDS)
    for side in (is_member, ~is_member):
        fold[side] = rng.permutation(int(side.sum())) % N_FOLDS
    return fold


def _fitted_score(known: FloatArray, is_member: BoolArray, asked: FloatArray, seed: int) -> FloatArray:
    mean, deviation = known.mean(axis=0), known.std(axis=0)
    has_spread = deviation > 1e-9 * np.maximum(1.0, np.abs(mean))
    known = (known[:, has_spread] - mean[has_spread]) / deviation[has_spread]
    asked = (asked[:, has_spread] - mean[has_spread]) / deviation[has_spread]
    if not known.shape[1]:
        return np.zeros(len(asked))
    parts = (_linear(known, is_member, asked), _boosted(known, is_member, asked, seed))
    return np.asarray(sum(own / max(spread, 1e-12) for own, spread in parts))


def _weights(is_member: BoolArray) -> FloatArray:
    """Both sides have the same say."""
    return np.asarray(np.where(is_member, 0.5 / is_member.sum(), 0.5 / (~is_member).sum()))


def _linear(known: FloatArray, is_member: BoolArray, asked: FloatArray) -> tuple[FloatArray, float]:
    """Ridge regression of membership: the direction of Fisher's discriminant, drawn towards that of the means."""
    weight = _weights(is_member)
    target = np.where(is_member, 1.0, -1.0)
    gram = (known * weight[:, None]).T @ known
    slope = np.linalg.solve(gram + _RIDGE * np.eye(len(gram)), known.T @ (weight * target))
    return asked @ slope, float((known @ slope).std())


def _boosted(known: FloatArray, is_member: BoolArray, asked: FloatArray, seed: int) -> tuple[FloatArray, float]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    _, axes = np.linalg.eigh(known.T @ known)
    axes = axes[:, ::-1][:, :_N_COMPONENTS]
    trees = HistGradientBoostingClassifier(**_TREES, early_stopping=False, random_state=seed)
    trees.fit(known @ axes, is_member, sample_weight=_weights(is_member) * len(is_member))
    spread = float(np.std(trees.decision_function(known @ axes)))
    return np.asarray(trees.decision_function(asked @ axes)), spread
