"""The rows of an audit: one function per kind of row."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mi_audit.metrics import balancedness, subsets
from mi_audit.metrics.balancedness import Ratio
from mi_audit.metrics.decisions import Decisions
from mi_audit.metrics.grouped import with_groups
from mi_audit.metrics.intervals import clopper_pearson, newcombe
from mi_audit.metrics.table import METRICS, measure
from mi_audit.schema.audit import AccuracyRow, AttackRow, ClassAverageRow, MeanSd, Samples, Subset, SweepRow
from mi_audit.schema.estimate import Estimate
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.trained_attacks import TrainedAttack, TrainedAttacks
from mi_audit.stages._grouping import one_each

BASELINE_METRICS = ("accuracy", "balanced_accuracy", "false_alarm_rate", "recall.member", "precision.member", "auc")
NAIVE, ZERO_R = "naive", "zero-r"
N_RESAMPLES = 1000
RESAMPLING_SEED = 0

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Baselines = tuple[dict[str, Estimate], dict[str, Estimate]]


@dataclass(frozen=True)
class Selection:
    """Some samples of a feature cache, as a row of the audit names them.

    Attributes:
        samples: ``"full"``, ``"audited"`` or ``"held-out"``.
        subset: by correctness.
        image_class: position of the one class, or ``None`` for all.
        mask: (n_samples,) bool.
    """

    samples: Samples
    subset: Subset
    image_class: int | None
    mask: BoolArray


def _measured(
    cache: FeatureCache, mask: BoolArray, score: FloatArray, threshold: float, seats: IntArray | None
) -> dict[str, Estimate]:
    """Every metric of a score of the samples under a mask, with the intervals that their groups allow."""
    is_member = cache.is_member[mask]
    numbers = measure(score, threshold, is_member)
    if cache.group is None or not mask.any():
        return numbers
    rows = np.flatnonzero(mask)
    return with_groups(
        numbers, score, threshold, is_member, cache.group[rows], np.isin(rows, one_each(cache, rows, seats))
    )


def _baselines(cache: FeatureCache, mask: BoolArray, seats: IntArray | None) -> Baselines:
    """The naive attack's and ZeroR's numbers on the samples under a mask."""
    is_correct = cache.is_correct[mask].astype(np.float64)
    both = (_measured(cache, mask, score, 0.5, seats) for score in (is_correct, np.ones(len(is_correct))))
    naive, zero_r = ({name: numbers[name] for name in BASELINE_METRICS} for numbers in both)
    return naive, zero_r


def attack_rows(
    cache: FeatureCache,
    attacks: Sequence[TrainedAttack],
    selection: Selection,
    scores: Mapping[str, FloatArray],
    seats: IntArray | None = None,
) -> Iterator[AttackRow]:
    """Every attack on one selection of samples, each beside the baselines on the very samples that it gives a score.

    Args:
        cache: the feature cache.
        attacks: whose thresholds decide.
        selection: which samples.
        scores: {label of an attack: (n_samples,) float64 of the whole cache}, NaN where it has none.
        seats: of `group_seats`, where the cache has groups.
    """
    known: dict[bytes, Baselines] = {}  # most attacks score the same samples
    for attack in attacks:
        mask = selection.mask & ~np.isnan(scores[attack.label])
        if (key := mask.tobytes()) not in known:
            known[key] = _baselines(cache, mask, seats)
        numbers = _measured(cache, mask, scores[attack.label][mask], attack.threshold, seats)
        yield _attack_row(attack, selection, numbers, cache.is_member[mask], known[key])


def _attack_row(
    attack: TrainedAttack,
    selection: Selection,
    numbers: dict[str, Estimate],
    is_member: BoolArray,
    baselines: Baselines,
) -> AttackRow:
    """One attack on the samples that it gives a score, `numbers` and `is_member` being of these only."""
    n_members = int(is_member.sum())
    return AttackRow(
        attack=attack.label,
        samples=selection.samples,
        subset=selection.subset,
        image_class=selection.image_class,
        n_members=n_members,
        n_non_members=len(is_member) - n_members,
        metrics=numbers,
        naive=baselines[0],
        zero_r=baselines[1],
    )


def accuracy_row(cache: FeatureCache, selection: Selection) -> AccuracyRow:
    """The target's accuracy on both sides of a selection, with Clopper-Pearson intervals; the gap with Newcombe's."""
    sides = [cache.is_correct[selection.mask & side] for side in (cache.is_member, ~cache.is_member)]
    (k1, n1), (k2, n2) = ((int(side.sum()), len(side)) for side in sides)
    member, non_member = _accuracy(k1, n1, "0 members"), _accuracy(k2, n2, "0 non-members")
    if n1 and n2:
        low, high = newcombe(k1, n1, k2, n2)
        gap = Estimate(k1 / n1 - k2 / n2, low, high)
    else:
        gap = Estimate.undefined(member.reason or non_member.reason or "0 samples")
    return AccuracyRow(selection.samples, n1, n2, member, non_member, gap)


def class_averages(rows: Sequence[AttackRow]) -> Iterator[ClassAverageRow]:
    """Mean and SD over classes for every attack and subset that has rows per class."""
    cells: dict[tuple[str, Subset], list[AttackRow]] = {}
    for row in rows:
        if row.image_class is not None:
            cells.setdefault((row.attack, row.subset), []).append(row)
    for (attack, subset), per_class in cells.items():
        means, undefined = {}, {}
        for metric in METRICS:
            values = [row.metrics[metric.name].value for row in per_class]
            defined = np.array([value for value in values if value is not None])
            undefined[metric.name] = len(values) - len(defined)
            if len(defined):
                means[metric.name] = MeanSd(float(defined.mean()), float(defined.std()), len(defined))
        yield ClassAverageRow(attack, subset, means, undefined, _naive_averages(per_class))


def _naive_averages(per_class: Sequence[AttackRow]) -> dict[str, MeanSd]:
    """Mean and SD over the classes for which both the attack's balanced accuracy and the naive number are defined."""
    counted = [row for row in per_class if row.metrics["balanced_accuracy"].value is not None]
    means = {}
    for name in BASELINE_METRICS:
        values = [row.naive[name].value for row in counted]
        defined = np.array([value for value in values if value is not None])
        if len(defined):
            means[name] = MeanSd(float(defined.mean()), float(defined.std()), len(defined))
    return means


def sweep(
    trained: TrainedAttacks,
    scores: Mapping[str, FloatArray],
    is_member: BoolArray,
    is_held_out: BoolArray,
    ratios: Sequence[Ratio],
) -> Iterator[SweepRow]:
    """The selected attack, the naive one and ZeroR at every ratio, on the held-out samples that the selected scores."""
    attacks = {attack.label: attack for attack in trained.attacks}
    labels = dict.fromkeys([trained.selected, *([NAIVE] if NAIVE in attacks else [])])
    chosen = is_held_out & ~np.isnan(scores[trained.selected])
    for ratio in ratios:
        for label in labels:
            decisions = Decisions.of(scores[label][chosen], attacks[label].threshold, is_member[chosen])
            yield _sweep_row(label, ratio, decisions)
        yield SweepRow(ZERO_R, ratio.label, ratio.prior, balancedness.zero_r(ratio.prior), {}, 0, 0)


def check_identities(
    cache: FeatureCache, attacks: Sequence[TrainedAttack], scores: Mapping[str, FloatArray], is_held_out: BoolArray
) -> None:
    """Subset counts and rates recombine to the whole, and naive balanced accuracy is 1/2 + gap/2, for every attack.

    Raises:
        RuntimeError: they do not, which is a bug of ours.
    """
    for attack in attacks:
        score = scores[attack.label]
        chosen = is_held_out & ~np.isnan(score)
        is_member, is_correct = cache.is_member[chosen], cache.is_correct[chosen]
        parts: dict[str, Decisions] = {}
        for subset in subsets.SUBSETS:
            mask = subsets.subset_mask(subset, is_correct)
            parts[subset] = Decisions.of(score[chosen][mask], attack.threshold, is_member[mask])
        naive = Decisions.of(is_correct.astype(np.float64), 0.5, is_member)
        sides = [is_correct[side] for side in (is_member, ~is_member)]
        subsets.check_identities(parts, naive, *(float(side.mean()) if len(side) else None for side in sides))


def _sweep_row(label: str, ratio: Ratio, decisions: Decisions) -> SweepRow:
    if decisions.missing_side:
        undefined = Estimate.undefined(decisions.missing_side)
        return SweepRow(label, ratio.label, ratio.prior, dict.fromkeys(balancedness.SWEEP_METRICS, undefined), {}, 0, 0)
    recall, false_alarm_rate = decisions.tp / decisions.n_members, decisions.fp / decisions.n_non_members
    exact = balancedness.at_ratio(recall, false_alarm_rate, ratio.prior)
    drawn = balancedness.resampled(decisions, ratio.prior, N_RESAMPLES, np.random.default_rng(RESAMPLING_SEED))
    spreads = {
        name: MeanSd(spread.mean, spread.sd, spread.n_defined)
        for name, spread in drawn.spreads.items()
        if spread.mean is not None and spread.sd is not None
    }
    return SweepRow(label, ratio.label, ratio.prior, exact, spreads, drawn.n_members, drawn.n_non_members)


def _accuracy(n_correct: int, n: int, reason: str) -> Estimate:
    if n == 0:
        return Estimate.undefined(reason)
    low, high = clopper_pearson(n_correct, n)
    return Estimate(n_correct / n, low, high)
