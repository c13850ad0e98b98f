"""What the figures of an audit need: ROC points, histograms, means by class, and curves along the ratio."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mi_audit.metrics import balancedness, confidence, curves
from mi_audit.metrics.decisions import Decisions
from mi_audit.metrics.subsets import SUBSETS, subset_mask
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.figures import Band, Figures, HistogramRow, MeanConfidenceRow, RatioCurve, RocRow
from mi_audit.schema.trained_attacks import TrainedAttack, TrainedAttacks
from mi_audit.stages._rows import NAIVE, ZERO_R

PRIORS = tuple(float(odds / (1 + odds)) for odds in 10.0 ** (np.arange(-20, 21) / 10))  # from 1:100 to 100:1
SHOWN_CLASS = 0  # the founding paper's

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
_BANDS = ("precision.member", "precision.non_member", "false_alarm_rate")


def figures(
    cache: FeatureCache, trained: TrainedAttacks, scores: Mapping[str, FloatArray], is_held_out: BoolArray
) -> Figures:
    """Everything that figures need, from the scores and the outputs.

    Args:
        cache: the feature cache.
        trained: the attacks.
        scores: {label of an attack: (n_samples,) float64}, NaN where it has none.
        is_held_out: (n_samples,) bool.
    """
    has_confidences = cache.outputs_kind != "labels"
    return Figures(
        roc=tuple(_roc_rows(cache, trained.attacks, scores, is_held_out)),
        histograms=tuple(_histograms(cache)) if has_confidences else (),
        mean_confidences=tuple(_mean_confidences(cache)) if has_confidences else (),
        ratio_curves=tuple(_ratio_curves(cache, trained, scores, is_held_out)),
    )


def _roc_rows(
    cache: FeatureCache, attacks: Sequence[TrainedAttack], scores: Mapping[str, FloatArray], is_held_out: BoolArray
) -> Iterator[RocRow]:
    for attack in attacks:
        chosen = is_held_out & ~np.isnan(scores[attack.label])
        is_member = cache.is_member[chosen]
        n_members = int(is_member.sum())
        if 0 < n_members < len(is_member):
            rates, recalls = curves.roc_points(scores[attack.label][chosen], is_member)
            yield RocRow(
                attack.label,
                n_members,
                len(is_member) - n_members,
                tuple(map(float, rates)),
                tuple(map(float, recalls)),
            )


def _histograms(cache: FeatureCache) -> Iterator[HistogramRow]:
    """Per subset, on the scale of confidences and on that of log-odds."""
    odds = confidence.log_odds(cache.outputs, cache.label, cache.outputs_kind)
    audited = odds[cache.is_audited]
    if not np.isfinite(audited).any():
        return
    shown = confidence.true_class_confidence(cache.outputs, cache.label, cache.outputs_kind)
    for subset in SUBSETS:
        mask = cache.is_audited & subset_mask(subset, cache.is_correct)
        sides = mask & cache.is_member, mask & ~cache.is_member
        for scale, values, edges in (
            ("confidence", shown, curves.confidence_edges()),
            ("log-odds", odds, curves.round_edges(audited)),
        ):
            members, non_members = (tuple(map(int, curves.counts(values[side], edges))) for side in sides)
            yield HistogramRow(subset, scale, tuple(map(float, edges)), members, non_members)  # type: ignore[arg-type]


def _mean_confidences(cache: FeatureCache) -> Iterator[MeanConfidenceRow]:
    """Confidence in the true class, class by class; then the mean vector of the one class that is shown."""
    values = confidence.true_class_confidence(cache.outputs, cache.label, cache.outputs_kind)
    masks = {subset: cache.is_audited & subset_mask(subset, cache.is_correct) for subset in SUBSETS}
    for subset, mask in masks.items():
        sides = [np.flatnonzero(mask & side) for side in (cache.is_member, ~cache.is_member)]
        (member, n), (non_member, m) = (
            curves.means_by_class(values[rows], cache.label[rows], cache.n_classes) for rows in sides
        )
        yield MeanConfidenceRow(subset, None, member, non_member, n, m)
    for subset, mask in masks.items():
        of_class = mask & (cache.label == SHOWN_CLASS)
        sides = [np.flatnonzero(of_class & side) for side in (cache.is_member, ~cache.is_member)]
        means = [_mean_vector(cache, rows) for rows in sides]
        sizes = [(len(rows),) * cache.n_classes for rows in sides]
        yield MeanConfidenceRow(subset, SHOWN_CLASS, means[0], means[1], sizes[0], sizes[1])


def _mean_vector(cache: FeatureCache, rows: npt.NDArray[np.intp]) -> tuple[float | None, ...]:
    """The mean confidence in every class, (n_classes,); ``None`` everywhere for too few samples."""
    if len(rows) < curves.FEWEST_FOR_A_MEAN:
        return (None,) * cache.n_classes
    vectors = np.exp(confidence.log_confidences(cache.outputs[rows], cache.outputs_kind))
    return tuple(float(mean) for mean in vectors.mean(axis=0))


def _ratio_curves(
    cache: FeatureCache, trained: TrainedAttacks, scores: Mapping[str, FloatArray], is_held_out: BoolArray
) -> Iterator[RatioCurve]:
    """The selected attack and the naive one on the held-out samples that the selected one scores, and ZeroR."""
    thresholds = {attack.label: attack.threshold for attack in trained.attacks}
    chosen = is_held_out & ~np.isnan(scores[trained.selected])
    for label in dict.fromkeys([trained.selected, NAIVE]):
        if label in thresholds:
            decisions = Decisions.of(scores[label][chosen], thresholds[label], cache.is_member[chosen])
            if not decisions.missing_side:
                yield _curve(label, [curves.along_the_ratio(decisions, prior) for prior in PRIORS])
    zero_r = [balancedness.zero_r(prior) for prior in PRIORS]
    yield _curve(ZERO_R, [{name: (at[name].value,) * 3 for name in _BANDS} for at in zero_r])


def _curve(label: str, points: Sequence[Mapping[str, curves.Bounds]]) -> RatioCurve:
    bands = {}
    for name in _BANDS:
        value, low, high = zip(*(point[name] for point in points), strict=True)
        bands[name] = Band(value, low, high)
    return RatioCurve(label, PRIORS, bands)
