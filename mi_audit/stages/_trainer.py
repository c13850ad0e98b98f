"""One attack on the known samples: balanced, fitted, tuned by cross-validation."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mi_audit.attacks._nested import name_of
from mi_audit.attacks._per_class import PerClass
from mi_audit.attacks._per_subset import PerSubset
from mi_audit.attacks.interface import Attack, FittedAttack, Observations, observe
from mi_audit.errors import DataSetError
from mi_audit.metrics.decisions import Decisions
from mi_audit.metrics.ranking import auc
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.trained_attacks import OUTPUTS, TrainedAttack
from mi_audit.stages import _split
from mi_audit.stages._balancing import balanced
from mi_audit.stages._sights import ALL, Sight
from mi_audit.stages._training_plan import Plan, draws_of
from mi_audit.stages.progress import Progress

MIN_PER_CLASS = 15
MIN_PER_SUBSET = 5
N_CLASSES_SEARCHED = 10


@dataclass(frozen=True)
class Trainer:
    """What is seen of the known samples, and how attacks are fitted on them."""

    seen: Observations
    is_member: npt.NDArray[np.bool_]
    fold: npt.NDArray[np.int64]
    plan: Plan
    sight: Sight

    @classmethod
    def on(cls, cache: FeatureCache, is_known: npt.NDArray[np.bool_], chosen: Plan, sight: Sight) -> "Trainer":
        """What is looked at of the known samples of a cache, divided into folds.

        Raises:
            DataSetError: nothing is seen of a whole side.
        """
        rows = np.flatnonzero(is_known & cache.is_seen(sight.on))
        is_member, label = cache.is_member[rows], cache.label[rows]
        if not 0 < is_member.sum() < len(rows):
            counts = f"{int(is_member.sum())} known members and {int((~is_member).sum())} known non-members"
            raise DataSetError(f"{sight.name} has values for {counts}", tip="give more samples, or a larger subsample")
        plan = replace(chosen, view="summary") if sight.name == ALL else chosen
        group = None if cache.group is None else cache.group[rows]
        fold = _split.folds(cache.sample_id[rows], label, is_member, plan.n_folds, plan.seed, group)
        return cls(observe(cache, rows, plan.view, sight.on), is_member, fold, plan, sight)

    @property
    def is_apart(self) -> bool:
        """Whether there is an attack per class or per subset, whose scores count from thresholds of their own."""
        return self.plan.per_class or self.sight.per_subset

    def take(self, rows: npt.NDArray[np.bool_]) -> "Trainer":
        return replace(self, seen=self.seen.take(rows), is_member=self.is_member[rows], fold=self.fold[rows])

    def fit(self, attack: Attack, rng: np.random.Generator, min_per_class: int = MIN_PER_CLASS) -> FittedAttack:
        """The attack, balanced and fitted on these samples."""
        if attack.is_fixed or not self.is_apart:
            rows, weight = balanced(self.is_member, np.zeros(len(self.seen), np.int64), self.plan.balance, rng)
            return attack.fit(self.seen.take(rows), self.is_member[rows], weight, rng)
        if self.sight.per_subset:
            attack = PerSubset(attack, min(MIN_PER_SUBSET, min_per_class))
        group = self._groups()
        # Rows of small groups stay as they are, so that repeats of a few samples cannot make a group look large.
        least = min_per_class if not self.sight.per_subset else min(MIN_PER_SUBSET, min_per_class)
        is_large = np.isin(group, _groups_with(least, group, self.is_member))
        large, small = np.flatnonzero(is_large), np.flatnonzero(~is_large)
        drawn, weight = balanced(self.is_member[large], group[large], self.plan.balance, rng)
        rows, weight = np.concatenate([large[drawn], small]), np.concatenate([weight, np.ones(len(small))])
        if self.plan.per_class:
            attack = PerClass(attack, min_per_class)
        return attack.fit(self.seen.take(rows), self.is_member[rows], weight, rng)

    def _groups(self) -> npt.NDArray[np.int64]:
        """(n,) numbers of the groups in which both sides get the same say: classes, subsets, or both."""
        label = self.seen.label if self.plan.per_class else np.zeros(len(self.seen), np.int64)
        return 2 * label + self.seen.is_correct if self.sight.per_subset else label

    def cross_validated(self, attack: Attack, rng: np.random.Generator) -> "Validation":
        """How the attack does at its own threshold on samples it was not fitted on."""
        score = np.full(len(self.seen), np.nan)
        for number in range(self.plan.n_folds):
            is_test = self.fold == number
            training = self.take(~is_test)
            if not 0 < training.is_member.sum() < len(training.seen):
                return Validation(None, 0.0, None)
            fitted = training.fit(attack, rng, min_per_class=1)
            score[is_test] = fitted.score(self.seen.take(is_test)) - fitted.threshold
        return Validation.of(score, self.is_member)

    def searching(self) -> "Trainer":
        """What settings and attacks are compared on: all known samples, or for attacks per class those of some classes.

        The founding paper searched for every class anew, which takes a CPU-day per target; here all classes share the
        setting that does best on a few of them.
        """
        if not self.plan.per_class:
            return self
        large = _groups_with(MIN_PER_CLASS, self.seen.label, self.is_member)
        classes = np.random.default_rng(self.plan.seed).permutation(large)
        chosen = classes[:N_CLASSES_SEARCHED]
        return self.take(np.isin(self.seen.label, chosen)) if len(chosen) else self


def _groups_with(minimum: int, group: npt.NDArray[np.int64], is_member: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """The groups that have so many members and so many non-members, rising."""
    n_members = np.bincount(group, weights=is_member)
    n_non_members = np.bincount(group, weights=~is_member)
    return np.flatnonzero(np.minimum(n_members, n_non_members) >= minimum)


@dataclass(frozen=True)
class Validation:
    """What cross-validation on the known samples says about an attack.

    Attributes:
        balanced_accuracy: ``None`` where not estimable.
        standard_error: of the balanced accuracy, from the two binomial rates.
        auc: of the scores, each taken relative to its own threshold.
    """

    balanced_accuracy: float | None
    standard_error: float
    auc: float | None

    @classmethod
    def of(cls, score: npt.NDArray[np.float64], is_member: npt.NDArray[np.bool_]) -> "Validation":
        """From scores relative to the threshold; samples without a score are left out."""
        is_scored = ~np.isnan(score)
        score, is_member = score[is_scored], is_member[is_scored]
        decisions = Decisions.of(score, 0.0, is_member)
        if decisions.missing_side:
            return cls(None, 0.0, None)
        recall, far = decisions.tp / decisions.n_members, decisions.fp / decisions.n_non_members
        variance = recall * (1 - recall) / decisions.n_members + far * (1 - far) / decisions.n_non_members
        return cls((1 + recall - far) / 2, float(np.sqrt(variance)) / 2, auc(score, is_member).value)


def train(
    label: str, attack: Attack, trainer: Trainer, progress: Progress
) -> tuple[TrainedAttack, Validation, FittedAttack]:
    """Search, cross-validate and fit one attack; its randomness depends on the seed and its label only."""
    rng = np.random.default_rng([trainer.plan.seed, *hashlib.sha256(label.encode()).digest()[:8]])
    draws = draws_of(attack, trainer.plan, rng)
    if len(draws) > 1:
        n_fits = len(draws) * trainer.plan.n_folds
        progress.say(f"{label}: comparing {len(draws)} settings by cross-validation, {n_fits} fits ...")
    attack, validation = _best_setting(draws, trainer.searching(), rng, progress)
    fitted = trainer.fit(attack, rng)
    summary = TrainedAttack(
        label=label,
        name=name_of(attack),
        options=asdict(cast("Any", attack)),
        view=trainer.plan.view,
        threshold=float(fitted.threshold),
        is_fixed=attack.is_fixed,
        per_class=trainer.plan.per_class and not attack.is_fixed,
        n_classes_skipped=getattr(fitted, "n_skipped", 0),
        balanced_accuracy=validation.balanced_accuracy,
        auc=validation.auc,
        n_draws=len(draws),
        on=trainer.sight.on if not attack.is_fixed else (OUTPUTS,),
        per_subset=trainer.sight.per_subset and not attack.is_fixed,
        has_fixed_score=attack.is_fixed or (attack.has_fixed_score and len(draws) == 1 and not trainer.is_apart),
    )
    return summary, validation, fitted


def _best_setting(
    draws: Sequence[Attack], trainer: Trainer, rng: np.random.Generator, progress: Progress
) -> tuple[Attack, Validation]:
    """The first of the settings with the highest cross-validated balanced accuracy, and how it did."""
    seed, began = int(rng.integers(2**32)), time.monotonic()
    validations: list[Validation] = []
    for draw in draws:
        validations.append(trainer.cross_validated(draw, np.random.default_rng(seed)))
        if len(validations) == 1 and len(draws) > 1:
            left = (time.monotonic() - began) * (len(draws) - 1)
            progress.say(f"  about {left:,.0f} s to go, at the pace of the first setting")
    best = max(range(len(draws)), key=lambda number: validations[number].balanced_accuracy or 0.0)
    return draws[best], validations[best]
