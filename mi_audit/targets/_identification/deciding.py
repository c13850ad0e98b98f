"""Which hypothesis stands after the trial: the data may veto the likeliest one, and never overrule it within noise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mi_audit.targets._identification.trials import Trial

SURE = 1e-3
# How many times further the statistics of BatchNorm layers have to be before they count, and what is noise in them.
FAR, _NOISE = 4.0, 0.01


@dataclass(frozen=True)
class Decision:
    """What the trials leave.

    Attributes:
        chosen: the trial of the hypothesis that stands; ``None`` where several do, or none.
        standing: trials that the data cannot tell from the best, the likeliest first.
        is_vetoed: whether the data ruled the likeliest hypothesis out.
        why: in words, where nothing was chosen.
    """

    chosen: Trial | None
    standing: tuple[Trial, ...]
    is_vetoed: bool
    why: str = ""


def decided(trials: Sequence[Trial], n_classes: int) -> Decision:
    """The hypothesis to audit with.

    1. What is no better than chance is out (exact binomial test, p < 0.001), and so is what is right less often than
       the best (exact McNemar test on the same samples, p < 0.001).
    2. Of those that stand, the likeliest is chosen: a difference within noise overrules nothing.
    3. Between networks of which none is likelier than the others, the loss of each sample decides (Wilcoxon's signed
       rank test, p < 0.001); where it does not, nothing is chosen.
    4. Where the statistics of BatchNorm layers are far off for what was chosen so, and not for another that was tried
       (the likeliest, or one that stands), the two speak for different answers and nothing is chosen. Far is a factor
       of `FAR`: augmentation alone moves these statistics, for public ResNets by up to a factor of two.

    Args:
        trials: the likeliest first.
        n_classes: of the data.
    """
    alive = [trial for trial in trials if not is_at_chance(trial, n_classes)]
    if not alive:
        return Decision(None, (), is_vetoed=True, why="none is right more often than chance")
    best = max(alive, key=lambda trial: (trial.accuracy, -trial.loss.mean()))
    standing = [trial for trial in alive if not is_more_accurate(best, trial)]
    prior = trials[0]
    is_vetoed = prior is not standing[0]
    equals = _of_equal_rank(standing)
    if len(equals) > 1:
        return Decision(None, tuple(equals), is_vetoed, "the data cannot tell these networks apart")
    chosen = equals[0]
    nearest = min((one for one in alive if one is prior or any(one is other for other in standing)), key=_drift)
    if _is_far_off(chosen, nearest):
        why = (
            "accuracy and the likeliest normalisation speak for one, the statistics of the BatchNorm layers for another"
        )
        return Decision(None, (chosen, nearest), is_vetoed, why)
    return Decision(chosen, tuple(standing), is_vetoed)


def is_at_chance(trial: Trial, n_classes: int) -> bool:
    """Whether it is not shown to be right more often than guessing; never with samples too few to show it."""
    n, chance = len(trial.is_correct), 1 / max(2, n_classes)
    if n * math.log(chance) > math.log(SURE):
        return False
    return bool(stats.binomtest(int(trial.is_correct.sum()), n, chance, alternative="greater").pvalue >= SURE)


def is_more_accurate(one: Trial, other: Trial) -> bool:
    """Whether `one` is right more often, beyond noise: exact McNemar test on the samples that both saw."""
    n = min(len(one.is_correct), len(other.is_correct))
    only_one = int((one.is_correct[:n] & ~other.is_correct[:n]).sum())
    only_other = int((other.is_correct[:n] & ~one.is_correct[:n]).sum())
    if only_one <= only_other:
        return False
    return bool(stats.binomtest(only_other, only_one + only_other, 0.5).pvalue < SURE)


def _of_equal_rank(standing: Sequence[Trial]) -> list[Trial]:
    """The likeliest trial, and those of networks that are as likely and as sure: one for each network."""
    first_of: dict[str, Trial] = {}
    rank = standing[0].hypothesis.candidate.rank
    for trial in standing:
        if trial.hypothesis.candidate.rank == rank:
            first_of.setdefault(trial.hypothesis.candidate.name, trial)
    surest = min(first_of.values(), key=lambda trial: trial.loss.mean())
    return [trial for trial in first_of.values() if trial is surest or not _is_surer(surest, trial)]


def _is_surer(one: Trial, other: Trial) -> bool:
    n = min(len(one.loss), len(other.loss))
    difference = one.loss[:n] - other.loss[:n]
    difference = difference[np.isfinite(difference) & (difference != 0)]
    if len(difference) == 0:
        return bool(np.isinf(other.loss[:n]).any())
    return bool(stats.wilcoxon(difference, alternative="less").pvalue < SURE)


def _drift(trial: Trial) -> float:
    return math.inf if trial.drift is None else trial.drift


def _is_far_off(one: Trial, other: Trial) -> bool:
    """Whether the statistics fit `one` far worse than `other`; never where there are none."""
    if one.drift is None or other.drift is None:
        return False
    return one.drift + _NOISE > FAR * (other.drift + _NOISE)
