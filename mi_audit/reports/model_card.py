"""A block and a section for the model card of the Hugging Face hub."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mi_audit.reports import (
    _attack_tables,
    _facts,
    _format,
    _lookup,
    _outcomes,
    _target_tables,
    _verdict_tables,
    _yaml_text,
)
from mi_audit.reports.interface import Report
from mi_audit.reports.markdown import bullets, drawn, escaped
from mi_audit.schema import numerals
from mi_audit.schema.audit import Audit
from mi_audit.schema.estimate import Estimate

_DECIMALS = 4
_LONGEST_NAME = 96
_TASK = {"type": "image-classification", "name": "Image Classification"}
_ATTACK_METRICS = {
    "balanced_accuracy": "Membership inference, balanced accuracy",
    "false_alarm_rate": "Membership inference, false alarm rate",
    "auc": "Membership inference, AUC",
    "tpr_at_fpr.0.01": "Membership inference, TPR at 1 % FAR",
    "tpr_at_fpr.0.001": "Membership inference, TPR at 0.1 % FAR",
}


@dataclass(frozen=True)
class ModelCard(Report):
    """Front matter with the model index of the Hugging Face hub, then a section in words for the card itself.

    The index holds the accuracy of the target on both sides and the selected attack on the held-out samples, as rates
    from 0 to 1 with four decimals; what is not estimable is left out of it, and said in the section. Of an audit
    whose verdict is INVALID no number about leakage is given.
    """

    def render(self, audits: Sequence[Audit], *, width: int = 80, color: bool = False) -> str:  # noqa: ARG002 - no terminal's
        """The front matter, once for all audits, and a section for each."""
        index = _yaml_text.block({"model-index": list(_entries(audits))})
        sections = [block for audit in audits for block in _section(audit)]
        return f"---\n{index}---\n\n" + "\n\n".join([*sections, *_legend(audits)]) + "\n"


def _entries(audits: Sequence[Audit]) -> Iterator[dict[str, Any]]:
    """One entry per target, with one result per data set that it was audited on."""
    by_name: dict[str, list[Audit]] = {}
    for audit in audits:
        by_name.setdefault(_name(audit), []).append(audit)
    for name, own in by_name.items():
        yield {"name": name, "results": [_result(audit) for audit in own]}


def _result(audit: Audit) -> dict[str, Any]:
    names = (_lookup.provenance_text(audit, "features", "dataset", key) for key in ("name", "spec"))
    dataset = _format.shortened(next((name for name in names if name), "unknown"), _LONGEST_NAME)
    # The hub refuses a result without metrics.
    metrics = list(_metrics(audit)) or [{"type": "accuracy", "name": "not estimable", "value": _format.DASH}]
    return {"task": _TASK, "dataset": {"name": dataset, "type": dataset}, "metrics": metrics}


def _metrics(audit: Audit) -> Iterator[dict[str, Any]]:
    target, headline = _lookup.accuracy(audit), _lookup.headline(audit)
    if target is not None:
        yield from _metric("accuracy", "Accuracy on members", target.member)
        yield from _metric("accuracy", "Accuracy on non-members", target.non_member)
    metrics: Mapping[str, Estimate] = headline.metrics if headline and not _outcomes.is_invalid(audit) else {}
    for key, name in _ATTACK_METRICS.items():
        if key in metrics:
            yield from _metric(key, name, metrics[key])


def _metric(kind: str, name: str, estimate: Estimate) -> Iterator[dict[str, Any]]:
    if estimate.value is not None:
        yield {"type": kind, "name": name, "value": numerals.rounded(estimate.value, _DECIMALS)}


def _section(audit: Audit) -> Iterator[str]:
    title = _format.shortened(audit.title or "untitled", _LONGEST_NAME)
    version = _lookup.provenance_text(audit, "evaluate", "versions", "mi-audit")
    yield f"## Membership inference audit: {escaped(title)}{escaped(f' (mi-audit {version})') if version else ''}"
    yield f"**{escaped(_outcomes.headline(audit))}**"
    yield escaped(_outcomes.statement(audit))
    if audit.verdict is not None and (said := (*audit.verdict.reasons, *_verdict_tables.to_do(audit.verdict))):
        yield bullets(said)
    if facts := _facts.header(audit):
        yield bullets(f"{label}: {text}" for label, text in facts)
    attacked = () if _outcomes.is_invalid(audit) else (_attack_tables.subsets(audit),)
    yield from (drawn(table, "###") for table in (_target_tables.accuracy(audit), *attacked) if table.rows)
    doubts = [f"{finding.severity}: {finding.message}" for finding in audit.findings if finding.severity != "note"]
    doubts += [f"control {point.name}: {point.message}" for point in _outcomes.points(audit) if _is_doubt(point)]
    if doubts:
        yield "### What weakens this\n\n" + bullets(doubts)


def _is_doubt(point: _outcomes.Point) -> bool:
    return point.kind == "control" and point.state in ("failed", "undecided")


def _legend(audits: Sequence[Audit]) -> Iterator[str]:
    yield "### What the numbers are\n\n" + bullets(_facts.legend(audits))


def _name(audit: Audit) -> str:
    target = [_lookup.provenance_text(audit, "features", "target", key) for key in ("architecture", "name")]
    return _format.shortened(next((name for name in target if name), audit.title) or "unknown", _LONGEST_NAME)
