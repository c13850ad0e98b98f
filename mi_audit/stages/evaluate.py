"""The stage ``evaluate``: trained attacks score the held-out samples, and the audit is computed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mi_audit.attacks._per_class import FittedPerClass
from mi_audit.attacks._per_subset import FittedPerSubset
from mi_audit.attacks.interface import Attack, FittedAttack, observe
from mi_audit.errors import MismatchError
from mi_audit.gate.limits import Limit, check
from mi_audit.gate.policy import Policy
from mi_audit.metrics import confidence
from mi_audit.metrics.balancedness import Ratio
from mi_audit.metrics.subsets import SUBSETS, subset_mask
from mi_audit.metrics.tolerance import PRESETS
from mi_audit.plugins import plugin_class
from mi_audit.schema.arrays import Array, digest
from mi_audit.schema.audit import AccuracyRow, AttackRow, Audit, ConfidenceRow, MeanSd, SampleScores
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.finding import Finding
from mi_audit.schema.trained_attacks import TrainedAttack, TrainedAttacks
from mi_audit.stages import _rows
from mi_audit.stages._controls import controls
from mi_audit.stages._feature_values import feature_rows, features_read, missing_findings
from mi_audit.stages._figures import figures
from mi_audit.stages._gating import gated, policy_for
from mi_audit.stages._grouping import group_seats
from mi_audit.stages._provenance import versions
from mi_audit.stages._rows import Selection
from mi_audit.stages._statistics import statistics
from mi_audit.stages.progress import Progress, Silence

BLOCK_ROWS = 65536
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class EvaluateOptions:
    """What the user chose for this stage.

    Attributes:
        ratios: members : non-members of the balancedness sweep.
        by_class: add rows per class; the protocol ``paper`` always does.
        fail_above: limits, ``[ATTACK/SUBSET/]METRIC=X``.
        aggregate_only: leave the per-sample arrays out.
        mu: tolerance that the power is about.
        alpha: error level of the bounds.
        n_looks: how many measures of one attack share alpha in lower bounds.
        policy: that the audit is judged by, whose tolerance and alpha replace the two above; ``None`` for the preset
            ``standard`` under the protocol ``audit``, and no verdict under ``paper``.
        is_gated: false for no verdict at all.
        baseline: an earlier audit, of which the verdict asks whether the leakage rose.
        max_increase: by how much it may rise.
    """

    ratios: tuple[str, ...] = ("5:1", "1:1", "1:5")
    by_class: bool = False
    fail_above: tuple[str, ...] = ()
    aggregate_only: bool = False
    mu: float = PRESETS["standard"]
    alpha: float = 0.05
    n_looks: int = 3
    policy: Policy | None = None
    is_gated: bool = True
    baseline: Audit | None = None
    max_increase: float = 0.01


def evaluate(
    cache: FeatureCache, trained: TrainedAttacks, options: EvaluateOptions, progress: Progress | None = None
) -> Audit:
    """Score the held-out samples and compute the audit.

    Raises:
        MismatchError: the attacks were not trained on this cache, or would have to score a sample they know.
        UsageError: a ratio or a limit that cannot be read; a rule of the policy on an attack that did not run.
    """
    progress = progress or Silence()
    ratios = [Ratio.parse(text) for text in options.ratios]
    limits = [Limit.parse(text) for text in options.fail_above]
    policy = policy_for(trained.protocol, options.policy, is_gated=options.is_gated)
    if policy is not None:
        options = replace(options, mu=policy.mu, alpha=policy.alpha)
    is_held_out = _held_out(cache, trained)
    scores = {}
    progress.start("scoring", len(trained.attacks))
    for attack in trained.attacks:
        scored = np.ones_like(is_held_out) if attack.has_fixed_score or attack.is_fixed else is_held_out
        scores[attack.label] = _scores(cache, attack, trained.payloads[attack.label], scored)
        progress.advance(1)
    progress.finish()
    rows = _attack_rows(cache, trained, scores, is_held_out, by_class=options.by_class or trained.protocol == "paper")
    held_out = {(row.attack, row.subset): row for row in rows if row.samples == "held-out" and row.image_class is None}
    _rows.check_identities(cache, trained.attacks, scores, is_held_out)
    audit = Audit(
        title=_title(cache),
        protocol=trained.protocol,
        attacks=trained.attacks,
        selected=trained.selected,
        accuracy=_accuracy_rows(cache, is_held_out),
        confidence=_confidence_rows(cache),
        rows=tuple(rows),
        class_averages=tuple(_rows.class_averages(rows)),
        sweep=tuple(_rows.sweep(trained, scores, cache.is_member, is_held_out, ratios)),
        limits=tuple(check(limit, trained.selected, held_out) for limit in limits),
        findings=(
            *cache.findings,
            *trained.findings,
            *missing_findings(cache, features_read(trained)),
            *_findings(trained.attacks, scores, is_held_out),
        ),
        class_names=cache.class_names,
        provenance=_provenance(cache, trained, options),
        features=feature_rows(cache, features_read(trained)),
        figures=figures(cache, trained, scores, is_held_out),
        statistics=statistics(cache, trained, scores, is_held_out, options.mu, options.alpha, options.n_looks),
        controls=controls(cache, trained, scores, is_held_out, progress),
        samples=_samples(cache, scores, is_held_out),
    )
    verdict = None if policy is None else gated(audit, policy, options.baseline, options.max_increase)
    return replace(audit, verdict=verdict, samples=None if options.aggregate_only else audit.samples)


def _held_out(cache: FeatureCache, trained: TrainedAttacks) -> BoolArray:
    """(n,) bool: audited samples that no attack knows.

    Raises:
        MismatchError: the attacks belong to another cache.
    """
    arrays = cache.arrays()
    _check_features(cache, trained)
    for name, expected in trained.fitted_on.items():
        if name not in arrays or digest(arrays[name]) != expected:
            raise MismatchError(
                f"these attacks were not trained on this feature cache: its {name} differ",
                tip="run `mi-audit train-attack` on this cache, or evaluate the cache that the attacks were trained on",
            )
    is_known = np.isin(cache.sample_id, trained.known_id)
    if int(is_known.sum()) != len(trained.known_id):
        raise MismatchError("the attacks know samples that are not in this feature cache")
    return np.asarray(cache.is_audited & ~is_known)


def _check_features(cache: FeatureCache, trained: TrainedAttacks) -> None:
    """Refuse attacks that look at what the cache does not hold.

    Raises:
        MismatchError: a feature is missing.
    """
    if missing := [name for name in features_read(trained) if name not in cache.features]:
        raise MismatchError(
            f"the attacks look at {missing[0]}, which this feature cache does not hold",
            tip=f"add it with `mi-audit extract ... --features {missing[0]}`",
        )


def _scores(cache: FeatureCache, attack: TrainedAttack, payload: Array, scored: BoolArray) -> FloatArray:
    """(n,) float64: the attack's score of the samples under `scored` of which it sees anything, NaN elsewhere."""
    fitted = _fitted(attack, payload.tobytes())
    score = np.full(len(scored), np.nan)
    rows = np.flatnonzero(scored & cache.is_seen(attack.on))
    for start in range(0, len(rows), BLOCK_ROWS):
        block = rows[start : start + BLOCK_ROWS]
        score[block] = fitted.score(observe(cache, block, attack.view, attack.on))
    return score


def _fitted(attack: TrainedAttack, payload: bytes) -> FittedAttack:
    if attack.per_class:
        return FittedPerClass.from_bytes(payload)
    if attack.per_subset:
        return FittedPerSubset.from_bytes(payload)
    cls: type[Attack] = plugin_class("attacks", attack.name)
    return cls.fitted.from_bytes(payload)


def _attack_rows(
    cache: FeatureCache,
    trained: TrainedAttacks,
    scores: Mapping[str, FloatArray],
    is_held_out: BoolArray,
    *,
    by_class: bool,
) -> list[AttackRow]:
    """Every attack x samples x subset (x class)."""
    rows: list[AttackRow] = []
    seats = group_seats(cache)
    for selection in _selections(cache, is_held_out, by_class=by_class):
        attacks = [attack for attack in trained.attacks if selection.samples == "held-out" or attack.is_fixed]
        rows += _rows.attack_rows(cache, attacks, selection, scores, seats)
    return rows


def _selections(cache: FeatureCache, is_held_out: BoolArray, *, by_class: bool) -> Iterator[Selection]:
    classes = range(cache.n_classes) if by_class else range(0)
    for subset in SUBSETS:
        in_subset = subset_mask(subset, cache.is_correct)
        yield Selection("full", subset, None, in_subset)
        if not cache.is_audited.all():
            yield Selection("audited", subset, None, cache.is_audited & in_subset)
        yield Selection("held-out", subset, None, is_held_out & in_subset)
        for image_class in classes:
            yield Selection("held-out", subset, image_class, is_held_out & in_subset & (cache.label == image_class))


def _accuracy_rows(cache: FeatureCache, is_held_out: BoolArray) -> tuple[AccuracyRow, ...]:
    everything = np.ones(len(is_held_out), np.bool_)
    selections = (
        Selection("full", "all", None, everything),
        Selection("audited", "all", None, cache.is_audited),
        Selection("held-out", "all", None, is_held_out),
    )
    return tuple(_rows.accuracy_row(cache, selection) for selection in selections)


def _confidence_rows(cache: FeatureCache) -> tuple[ConfidenceRow, ...]:
    """Confidence in the true class per subset; none for a black box that gives labels only."""
    if cache.outputs_kind == "labels":
        return ()
    values = confidence.true_class_confidence(cache.outputs, cache.label, cache.outputs_kind)
    rows = []
    for subset in SUBSETS:
        mask = cache.is_audited & subset_mask(subset, cache.is_correct)
        members, non_members = values[mask & cache.is_member], values[mask & ~cache.is_member]
        rows.append(ConfidenceRow(subset, _mean_sd(members), _mean_sd(non_members)))
    return tuple(rows)


def _mean_sd(values: FloatArray) -> MeanSd | None:
    return MeanSd(float(values.mean()), float(values.std()), len(values)) if len(values) else None


def _findings(
    attacks: Sequence[TrainedAttack], scores: Mapping[str, FloatArray], is_held_out: BoolArray
) -> tuple[Finding, ...]:
    findings = []
    for attack in attacks:
        n_missing = int(np.isnan(scores[attack.label][is_held_out]).sum())
        if n_missing:
            message = f"{attack.label} gives no score to {n_missing:,} held-out samples, {_lacking(attack)}"
            findings.append(Finding("samples-not-scored", "warning", message))
    return tuple(findings)


def _lacking(attack: TrainedAttack) -> str:
    """Why: there is no attack for some, for want of samples, or it sees nothing of them."""
    if attack.per_subset:
        return f"whose {'class or subset' if attack.per_class else 'subset'} has no attack"
    return "whose classes have no attack" if attack.per_class else "of which it sees nothing"


def _title(cache: FeatureCache) -> str:
    target, dataset = cache.provenance.get("target", {}), cache.provenance.get("dataset", {})
    return f"{target.get('source', 'target')} on {dataset.get('name') or dataset.get('spec', 'data')}"


def _provenance(cache: FeatureCache, trained: TrainedAttacks, options: EvaluateOptions) -> dict[str, Any]:
    chosen = {
        "ratios": list(options.ratios),
        "by_class": options.by_class,
        "fail_above": list(options.fail_above),
        "aggregate_only": options.aggregate_only,
        "mu": options.mu,
        "alpha": options.alpha,
        "n_looks": options.n_looks,
    }
    return {
        "features": cache.provenance,
        "attacks": trained.provenance,
        "evaluate": {"options": chosen, "versions": versions()},
    }


def _samples(cache: FeatureCache, scores: dict[str, FloatArray], is_held_out: BoolArray) -> SampleScores:
    return SampleScores(cache.sample_id, cache.is_member, cache.is_correct, is_held_out, cache.label, dict(scores))
