"""Whether membership that was dealt out at random gives nothing, as it must."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from mi_audit.controls.interface import BoolArray, Control, Evidence, FloatArray
from mi_audit.schema.arrays import Array
from mi_audit.schema.control import ControlResult

# A placebo is refitted so often that all fits together read about so many samples, at least twice, at most three times.
SAMPLES_TO_READ, MIN_REFITS, MAX_REFITS = 20_000, 2, 3
# The smallest p-value is 1 in 1,000, or one tenth of the family's level; Holm's least level of four tests is 0.25 %.
N_PERMUTATIONS = 999
MIN_HELD_OUT = 10


@dataclass(frozen=True)
class Placebo(Control):
    """An attack of the audit refitted on membership that was permuted within classes (methods C9).

    The statistic is the mean AUC over the refits. Whoever was told nothing of the held-out samples' permuted membership
    gives scores that do not change when it is permuted once more, so the p-value is exact: (1 + the number of 999
    further permutations within class with as large a mean AUC) / 1,000, one-sided.
    """

    is_test: ClassVar[bool] = True

    def check(self, evidence: Evidence) -> ControlResult:
        """Refit on permuted membership; see `Control.check`."""
        if evidence.refit is None:
            return self.result("not applicable", "no attack of this audit can be refitted")
        cache, rng = evidence.cache, evidence.rng(self.slug)
        n_refits = int(np.clip(SAMPLES_TO_READ // max(1, evidence.refit.n_known), MIN_REFITS, MAX_REFITS))
        runs = []
        for _ in range(n_refits):
            is_member = _permuted(cache.is_member, cache.label, cache.is_audited, rng)
            refitted = evidence.refit(is_member)
            runs.append((refitted.score, is_member))
        is_scored = np.all([~np.isnan(score) for score, _ in runs], axis=0)
        weights, labels = _ranked(runs, is_scored)
        if int(is_scored.sum()) < MIN_HELD_OUT or not len(weights):
            return self.result("not applicable", f"fewer than {MIN_HELD_OUT} held-out samples, or one side only")
        found, chance = _means(weights, labels, cache.label[is_scored], rng)
        p_value = (1 + int((chance >= found - 1e-12).sum())) / (1 + len(chance))
        message = (
            f"{refitted.label} refitted {n_refits} times on membership dealt out at random has a mean AUC of "
            f"{found:.3f}; chance gives {np.quantile(chance, 0.005):.3f} to {np.quantile(chance, 0.995):.3f}"
        )
        return self.result("held", message, p_value)


def _permuted(is_member: BoolArray, label: Array, is_audited: BoolArray, rng: np.random.Generator) -> BoolArray:
    """Membership permuted among the audited samples of each class."""
    rows = np.flatnonzero(is_audited)
    rows = rows[np.argsort(label[rows], kind="stable")]
    permuted = is_member.copy()
    permuted[rows] = is_member[rows[_within(label[rows], rng)]]
    return permuted


def _within(label: Array, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """A permutation of positions that keeps every class in its place; (n,) classes in rising order."""
    _, index = np.unique(label, return_inverse=True)
    return np.argsort(index + rng.random(len(label)), kind="stable")


def _ranked(
    runs: list[tuple[FloatArray, BoolArray]], is_scored: BoolArray
) -> tuple[FloatArray, npt.NDArray[np.float64]]:
    """(runs, n) weights whose sum over the members is the AUC less a constant, and (runs, n) membership as 0 and 1.

    The AUC of scores with mid-ranks r is (sum of r over the M members - M (M + 1) / 2) / (M N).
    """
    from scipy.stats import rankdata

    weights, labels = [], []
    for score, is_member in runs:
        own = is_member[is_scored]
        m, n = int(own.sum()), int((~own).sum())
        if m and n:
            weights.append((rankdata(score[is_scored]) - (m + 1) / 2) / (m * n))
            labels.append(own.astype(np.float64))
    return np.array(weights), np.array(labels)


def _means(
    weights: FloatArray, labels: FloatArray, label: Array, rng: np.random.Generator
) -> tuple[float, npt.NDArray[np.float64]]:
    """The mean AUC over the runs, and (999,) the same with membership permuted within class, alike in all runs."""
    order = np.argsort(label, kind="stable")
    weights, labels, label = weights[:, order], labels[:, order], label[order]
    chance = [float((weights * labels[:, _within(label, rng)]).sum()) for _ in range(N_PERMUTATIONS)]
    return float((weights * labels).sum()) / len(weights), np.array(chance) / len(weights)
