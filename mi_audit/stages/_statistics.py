"""Everything an audit says beyond its rows: bounds, priors, privacy, classes, chance and power, attack by attack.

What was fitted or chosen is read on the held-out samples; the naive attack, of which nothing was, on all audited ones.
Bounds of a score that is a fixed formula rest on all audited samples too, since they ask nothing of its threshold; of
the selected attack there are bounds on the held-out samples besides, because the choice knew the others. Where the data
name groups (many images of one person), one sample of each group, drawn by a seeded hash, stands for it, and only the
bounds of the AUC use all samples, with groups as what is independent.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from mi_audit.metrics import bounds, classes, stratified
from mi_audit.metrics._within_classes import WithinClasses
from mi_audit.metrics.chance import N_PERMUTATIONS, max_t
from mi_audit.metrics.decisions import Decisions
from mi_audit.metrics.ordering import Ordering
from mi_audit.metrics.power import power
from mi_audit.metrics.priors import PRIORS, worth
from mi_audit.metrics.privacy import DELTA, N_LOOKS, privacy_bound
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.statistics import (
    BoundRow,
    ChanceRow,
    ClassLeakRow,
    Measure,
    PowerRow,
    PriorRow,
    PrivacyRow,
    Statistics,
)
from mi_audit.schema.trained_attacks import TrainedAttack, TrainedAttacks
from mi_audit.stages._grouping import SEED, group_seats, one_each

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
_Samples = tuple[Literal["held-out", "audited"], BoolArray]


def statistics(
    cache: FeatureCache,
    trained: TrainedAttacks,
    scores: Mapping[str, FloatArray],
    is_held_out: BoolArray,
    mu: float,
    alpha: float = 0.05,
    n_looks: int = 3,
) -> Statistics:
    """All statistics of one audit.

    Args:
        cache: the feature cache.
        trained: the attacks.
        scores: {label of an attack: (n_samples,) float64}, NaN where it has none.
        is_held_out: (n_samples,) bool.
        mu: tolerance that the power is about.
        alpha: error of an upper bound, and of all lower bounds of one attack together.
        n_looks: how many lower bounds share alpha: the measures that the gate compares.
    """
    seats = group_seats(cache)
    read = {
        attack.label: _Reading.of(cache, attack, scores[attack.label], is_held_out, seats) for attack in trained.attacks
    }
    bound_rows: list[BoundRow] = []
    for attack in trained.attacks:
        for chosen in _bound_samples(attack, cache, is_held_out, is_selected=attack.label == trained.selected):
            reading = _Reading.on(chosen, cache, attack, scores[attack.label], seats)
            bound_rows += _bound_rows(attack.label, reading, alpha, n_looks)
    return Statistics(
        alpha=alpha,
        n_looks=n_looks,
        bounds=tuple(bound_rows),
        auc_stratified={label: stratified.of_classes(reading.within) for label, reading in read.items()},
        priors=tuple(row for label, reading in read.items() for row in _prior_rows(label, reading)),
        privacy=tuple(_privacy_row(label, reading, alpha) for label, reading in read.items()),
        class_leaks=tuple(_class_rows(trained.selected, read[trained.selected])),
        chances=_chances(cache, scores, is_held_out, seats),
        power=_power(read[trained.selected], mu, alpha, n_looks),
        spread=trained.spread,
    )


@dataclass(frozen=True)
class _Reading:
    """One attack on the samples that its statistics rest on.

    Attributes:
        samples: as in `BoundRow`.
        threshold: of the attack.
        rows: (n,) positions in the cache that it scores.
        one_each: (n_groups,) positions, one sample of every group; `rows` again where there are no groups.
        score: (n_samples,) of the whole cache.
    """

    samples: Literal["held-out", "audited"]
    threshold: float
    rows: IntArray
    one_each: IntArray
    score: FloatArray
    cache: FeatureCache

    @classmethod
    def of(
        cls,
        cache: FeatureCache,
        attack: TrainedAttack,
        score: FloatArray,
        is_held_out: BoolArray,
        seats: IntArray | None,
    ) -> "_Reading":
        """Of an attack, on what its decisions may be judged on."""
        chosen: _Samples = ("audited", cache.is_audited) if attack.is_fixed else ("held-out", is_held_out)
        return cls.on(chosen, cache, attack, score, seats)

    @classmethod
    def on(
        cls, chosen: _Samples, cache: FeatureCache, attack: TrainedAttack, score: FloatArray, seats: IntArray | None
    ) -> "_Reading":
        """Of an attack, on these samples."""
        samples, mask = chosen
        rows = np.flatnonzero(mask & ~np.isnan(score))
        return cls(samples, attack.threshold, rows, one_each(cache, rows, seats), score, cache)

    @cached_property
    def is_member(self) -> BoolArray:
        """(n_groups,) of the samples that stand for groups."""
        return np.asarray(self.cache.is_member[self.one_each])

    @cached_property
    def independent(self) -> FloatArray:
        """(n_groups,) their scores."""
        return np.asarray(self.score[self.one_each])

    @cached_property
    def rng(self) -> np.random.Generator:
        """Breaks ties and draws the bootstrap; the same for every attack, so that none depends on its neighbours."""
        return np.random.default_rng(SEED)

    @cached_property
    def ordering(self) -> Ordering:
        """Of the independent samples, ties broken at random."""
        return Ordering.of(self.independent, self.is_member, self.rng)

    @cached_property
    def within(self) -> WithinClasses:
        """Of the independent samples."""
        return WithinClasses.of(self.independent, self.is_member, self.cache.label[self.one_each])

    def auc_bound(self, low_error: float, high_error: float) -> bounds.Bound:
        """The AUC of all samples, with groups as what is independent."""
        if self.cache.group is None:
            return bounds.auc_bound(self.independent, self.is_member, self.ordering, low_error, high_error)
        score, is_member = self.score[self.rows], np.asarray(self.cache.is_member[self.rows])
        group = self.cache.group[self.rows]
        return bounds.auc_bound(score, is_member, Ordering.of(score, is_member), low_error, high_error, group)


def _bound_samples(
    attack: TrainedAttack, cache: FeatureCache, is_held_out: BoolArray, *, is_selected: bool
) -> Iterator[_Samples]:
    """What the bounds of an attack rest on; of a fixed score that was selected, two kinds."""
    has_fixed_score = attack.is_fixed or attack.has_fixed_score
    if has_fixed_score:
        yield "audited", cache.is_audited
    if is_selected or not has_fixed_score:
        yield "held-out", is_held_out


def _bound_rows(label: str, reading: _Reading, alpha: float, n_looks: int) -> Iterator[BoundRow]:
    for measure in bounds.MEASURES:
        found = _bound(measure, reading, alpha / n_looks, alpha)
        yield BoundRow(
            attack=label,
            samples=reading.samples,
            measure=measure,
            n_members=reading.ordering.n_members,
            n_non_members=reading.ordering.n_non_members,
            **found._asdict(),
        )


def _bound(measure: Measure, reading: _Reading, low_error: float, high_error: float) -> bounds.Bound:
    if measure == "auc":
        return reading.auc_bound(low_error, high_error)
    return bounds.rate_bound(measure, reading.ordering, low_error, high_error, reading.rng)


def _prior_rows(label: str, reading: _Reading) -> Iterator[PriorRow]:
    decisions = Decisions.of(reading.independent, reading.threshold, reading.is_member)
    for prior in PRIORS:
        yield PriorRow(label, "threshold", prior, **worth(decisions, prior)._asdict())


def _privacy_row(label: str, reading: _Reading, alpha: float) -> PrivacyRow:
    found = privacy_bound(reading.ordering, alpha)
    return PrivacyRow(label, found.epsilon, DELTA, found.mu, N_LOOKS)


def _class_rows(label: str, reading: _Reading) -> Iterator[ClassLeakRow]:
    for leak in classes.of_classes(reading.within):
        yield ClassLeakRow(label, **leak._asdict())


def _chances(
    cache: FeatureCache, scores: Mapping[str, FloatArray], is_held_out: BoolArray, seats: IntArray | None
) -> tuple[ChanceRow, ...]:
    """All attacks on the held-out samples, since one statistic is compared across them."""
    rows = one_each(cache, np.flatnonzero(is_held_out), seats)
    if not 0 < int(cache.is_member[rows].sum()) < len(rows):
        return ()
    held_out = [score[rows] for score in scores.values()]
    found = max_t(held_out, cache.is_member[rows], cache.label[rows], np.random.default_rng(SEED))
    return tuple(
        ChanceRow(label, each.z, each.p_value, N_PERMUTATIONS) for label, each in zip(scores, found, strict=True)
    )


def _power(reading: _Reading, mu: float, alpha: float, n_looks: int) -> tuple[PowerRow, ...]:
    n_members, n_non_members = reading.ordering.n_members, reading.ordering.n_non_members
    return power(n_members, n_non_members, mu, alpha, n_looks) if n_members and n_non_members else ()
