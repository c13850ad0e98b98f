"""The tables about the target itself, and the one that compares several audits."""

from collections.abc import Sequence
from typing import get_args

from mi_audit.reports import _format, _lookup, _metrics
from mi_audit.reports._table import Column, Row, Table
from mi_audit.schema import numerals
from mi_audit.schema.audit import AccuracyRow, Audit, MeanSd, Subset

_ALSO_COMPARED = ("accuracy", "precision.member", "recall.member", "f1.member")
_COMPARED = ("false_alarm_rate", "auc", *_ALSO_COMPARED)
_LIMITS = ("max_members", "max_non_members", "limit_classes")


def accuracy(audit: Audit) -> Table:
    """Accuracy on members and on non-members and the gap; the audited samples only where duplicates left."""
    is_drawn = any(_lookup.provenance_text(audit, "features", "options", limit) for limit in _LIMITS)
    names = {"full": "drawn samples" if is_drawn else "full data set"}
    shown: list[AccuracyRow] = []
    for row in audit.accuracy:
        if all((row.n_members, row.n_non_members) != (other.n_members, other.n_non_members) for other in shown):
            shown.append(row)
    columns = (
        Column("samples", is_text=True),
        Column("members"),
        Column("non-members", "non-\nmembers"),
        Column("accuracy on members (95 % interval)", "on members\n(95 % interval)"),
        Column("accuracy on non-members (95 % interval)", "on non-members\n(95 % interval)"),
        Column("gap"),
    )
    rows = tuple(
        Row(
            (
                names.get(row.samples, row.samples),
                numerals.count(row.n_members),
                numerals.count(row.n_non_members),
                *(_format.with_interval("accuracy", side) for side in (row.member, row.non_member)),
                _format.point("accuracy", row.generalisation_gap),
            )
        )
        for row in shown
    )
    return Table("Accuracy of the target, in %", columns, rows, _accuracy_notes(shown))


def _accuracy_notes(shown: Sequence[AccuracyRow]) -> tuple[str, ...]:
    if any(row.samples == "audited" for row in shown):
        return ("Audited: without the samples that are on both sides. Gap: members minus non-members, in points.",)
    return ("Gap: members minus non-members, in points.",)


def confidence(audit: Audit) -> Table:
    """Confidence in the true class, members beside non-members, per subset."""
    columns = (
        Column("subset", is_text=True),
        Column("members"),
        Column("confidence on members", "confidence\non members"),
        Column("non-members"),
        Column("confidence on non-members", "confidence on\nnon-members"),
    )
    rows = tuple(Row((row.subset, *_side(row.member), *_side(row.non_member))) for row in audit.confidence)
    notes = ("Over the audited samples; ± is the standard deviation over samples.",)
    return Table("Confidence in the true class, in %, mean ± SD", columns, rows, notes)


def _side(numbers: MeanSd | None) -> tuple[str, str]:
    return ("0" if numbers is None else numerals.count(numbers.n), _format.mean_sd(numbers))


def comparison(audits: Sequence[Audit]) -> Table:
    """One row per audit, with the numbers that tell them apart."""
    columns = (
        Column("audit", is_text=True),
        Column("accuracy on members", "accur.\nmembers"),
        Column("accuracy on non-members", "accur.\nnon-m."),
        Column("naive balanced accuracy", "naive\nbal. acc."),
        Column("balanced accuracy (95 % interval)", "balanced accuracy\n(95 % interval)"),
        Column("FAR"),
        Column("AUC"),
        Column("verdict", is_text=True),
        *(_metrics.METRICS[key].column(is_essential=False) for key in _ALSO_COMPARED),
        Column("selected attack", is_text=True, is_essential=False),
        Column("protocol", is_text=True, is_essential=False),
        Column("held-out members", "held-out\nmembers", is_essential=False),
        Column("held-out non-members", "held-out\nnon-members", is_essential=False),
    )
    rows = tuple(Row((_numbered(number, audit), *_compared(audit))) for number, audit in enumerate(audits, start=1))
    ratios = ", ".join(dict.fromkeys(_ratio(audit) for audit in audits))
    notes = (
        "Accuracy of the target on all samples of each side; attacks on held-out ones.",
        f"Accuracy, precision and F1 of an attack hold at the ratio of its held-out samples: {ratios}.",
        *_metrics.reasons([found.metrics for audit in audits if (found := _lookup.headline(audit))], _COMPARED),
    )
    return Table("Audits compared, in %", columns, rows, notes)


def comparison_by_subset(audits: Sequence[Audit]) -> Table:
    """A row per audit and subset, in the form of the founding paper's Table 4; attacks over all classes together."""
    columns = (
        Column("audit", is_text=True),
        Column("subset", is_text=True),
        Column("balanced accuracy (95 % interval)", "balanced accuracy\n(95 % interval)"),
        Column("FAR"),
        Column("naive balanced accuracy", "naive\nbal. acc.", is_essential=False),
        Column("confidence on members", "confidence\non members", is_essential=False),
        Column("confidence on non-members", "confidence on\nnon-members", is_essential=False),
        Column("held-out members", "held-out\nmembers", is_essential=False),
        Column("held-out non-members", "held-out\nnon-members", is_essential=False),
    )
    rows = tuple(row for number, audit in enumerate(audits, start=1) for row in _subset_rows(number, audit))
    notes = ("Confidence in the true class: ± over the audited samples. The selected attack of each audit.",)
    return Table("Audits compared by subset, in %", columns, rows, notes, n_keys=2)


def _subset_rows(number: int, audit: Audit) -> list[Row]:
    rows: list[Row] = []
    for subset in get_args(Subset):
        found, sure = _lookup.row(audit, audit.selected, subset), _lookup.confidence(audit, subset)
        if found is None:
            continue
        cells = (
            _numbered(number, audit),
            subset,
            _format.with_interval("balanced_accuracy", found.metrics.get("balanced_accuracy")),
            _format.point("false_alarm_rate", found.metrics.get("false_alarm_rate")),
            _format.point("balanced_accuracy", found.naive.get("balanced_accuracy")),
            _format.mean_sd(sure.member if sure else None),
            _format.mean_sd(sure.non_member if sure else None),
            numerals.count(found.n_members),
            numerals.count(found.n_non_members),
        )
        rows.append(Row(cells, starts_group=number > 1 and not rows))
    return rows


def _numbered(number: int, audit: Audit) -> str:
    return f"{number}. {_format.shortened(audit.title, 80)}"


def _ratio(audit: Audit) -> str:
    headline = _lookup.headline(audit)
    return _format.ratio(headline.n_members, headline.n_non_members) if headline else _format.DASH


def _compared(audit: Audit) -> tuple[str, ...]:
    target, headline = _lookup.accuracy(audit), _lookup.headline(audit)
    metrics = headline.metrics if headline else {}
    return (
        _format.point("accuracy", target.member if target else None),
        _format.point("accuracy", target.non_member if target else None),
        _format.point("balanced_accuracy", _lookup.naive_metrics(audit).get("balanced_accuracy")),
        _format.with_interval("balanced_accuracy", metrics.get("balanced_accuracy")),
        _format.point("false_alarm_rate", metrics.get("false_alarm_rate")),
        _format.point("auc", metrics.get("auc")),
        audit.verdict.outcome if audit.verdict else _format.DASH,
        *(_format.point(key, metrics.get(key)) for key in _ALSO_COMPARED),
        _format.shortened(audit.selected, 60),
        audit.protocol,
        numerals.count(headline.n_members) if headline else "",
        numerals.count(headline.n_non_members) if headline else "",
    )
