"""The lines of a csv that are no attack's row: bounds, classes, chance, rules, controls; and samples."""

import math
from collections.abc import Iterator

from mi_audit.reports import _lookup, _metrics
from mi_audit.schema.audit import Audit, SampleScores
from mi_audit.schema.estimate import Estimate

STRATIFIED = "auc_stratified"
_MEASURES = ("auc", "tpr_at_fpr.0.01", "tpr_at_fpr.0.001", "loss_tnr.0.001", STRATIFIED)
_OF_SAMPLES = ("sample_id", "is_member", "is_correct", "is_held_out", "label")

Cell = str | int | float | None
Line = dict[str, Cell]


def keys(audit: Audit) -> list[str]:
    """The metrics that these lines have; one that no version knows, which a file may name, gets no column."""
    bounds = [row.measure for row in audit.statistics.bounds]
    rules = [rule.metric for rule in audit.verdict.rules if rule.metric] if audit.verdict else []
    leaks = ["auc"] if audit.statistics.class_leaks else []
    stratified = [STRATIFIED] if audit.statistics.auc_stratified else []
    known = (*_metrics.METRICS, *_MEASURES)
    return [key for key in (*bounds, *rules, *leaks, *stratified) if key in known]


def lines(audit: Audit) -> Iterator[Line]:
    """Every bound, class, chance, rule and control, under the names of the columns."""
    yield from _of_statistics(audit)
    for rule in audit.verdict.rules if audit.verdict else ():
        yield {
            "record": "rule",
            "name": rule.rule,
            "outcome": rule.outcome,
            "message": rule.message,
            "attack": rule.attack,
            "subset": rule.subset,
            **(_cells(rule.metric, rule.value, rule.low, rule.high) if rule.metric in keys(audit) else {}),
        }
    for control in audit.controls:
        yield {
            "record": "control",
            "name": control.slug,
            "outcome": control.outcome,
            "message": control.message,
            "p_value": control.p_value,
        }


def _of_statistics(audit: Audit) -> Iterator[Line]:
    statistics = audit.statistics
    for bound in statistics.bounds:
        about: Line = {"record": "bound", "attack": bound.attack, "samples": bound.samples, "subset": "all"}
        sizes: Line = {"n_members": bound.n_members, "n_non_members": bound.n_non_members}
        yield about | sizes | _cells(bound.measure, bound.value, bound.low, bound.high)
    for attack, estimate in sorted(statistics.auc_stratified.items()):
        yield {"record": "stratified", "attack": attack, "subset": "all", **_of_estimate(STRATIFIED, estimate)}
    for leak in statistics.class_leaks:
        yield {
            "record": "class",
            "attack": leak.attack,
            "subset": "all",
            "image_class": leak.image_class,
            "class_name": _lookup.class_name(audit, leak.image_class),
            "n_members": leak.n_members,
            "n_non_members": leak.n_non_members,
            "p_value": leak.p_holm,
            **_of_estimate("auc", leak.auc),
        }
    for chance in statistics.chances:
        yield {"record": "chance", "attack": chance.attack, "subset": "all", "p_value": chance.p_value}


def _of_estimate(key: str, estimate: Estimate) -> Line:
    cells = _cells(key, estimate.value, estimate.low, estimate.high)
    return cells if estimate.value is not None else cells | {"not_estimable": f"{key}: {estimate.reason}"}


def _cells(key: str | None, value: Cell, low: Cell, high: Cell) -> Line:
    return {f"{key}": value, f"{key}.low": low, f"{key}.high": high}


def sample_header(audits: list[Audit]) -> list[str]:
    """The columns of the sample list: a score per attack, in the order of the audits."""
    found = [label for audit in audits if audit.samples is not None for label in audit.samples.score]
    return ["audit", *_OF_SAMPLES, "class_name", *(f"score.{label}" for label in dict.fromkeys(found))]


def sample_lines(number: int, audit: Audit) -> Iterator[Line]:
    """One line per sample; none of an aggregate-only audit. A score that there is none of is empty."""
    samples = audit.samples
    for position in range(len(samples.sample_id)) if samples is not None else ():
        assert samples is not None
        yield _sample(number, audit, samples, position)


def _sample(number: int, audit: Audit, samples: SampleScores, position: int) -> Line:
    flags = {name: "yes" if getattr(samples, name)[position] else "no" for name in _OF_SAMPLES[1:4]}
    label = int(samples.label[position])
    scores = {f"score.{name}": float(values[position]) for name, values in samples.score.items()}
    return {
        "audit": number,
        "sample_id": str(samples.sample_id[position]),
        **flags,
        "label": label,
        "class_name": _lookup.class_name(audit, label),
        **{name: None if math.isnan(score) else score for name, score in scores.items()},
    }
