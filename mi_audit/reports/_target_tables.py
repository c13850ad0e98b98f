"""The tables about the target itself, and the one that compares several audits."""

from collections.abc import Sequence

from mi_audit.reports import _format, _lookup
from mi_audit.reports._table import Column, Row, Table
from mi_audit.schema.audit import AccuracyRow, Audit, MeanSd

_SAMPLES = {"full": "full data set", "audited": "audited", "held-out": "held-out"}


def accuracy(audit: Audit) -> Table:
    """Accuracy on members and on non-members and the gap; the audited samples only where duplicates left."""
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
                _SAMPLES.get(row.samples, row.samples),
                _format.count(row.n_members),
                _format.count(row.n_non_members),
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
    return ("0" if numbers is None else _format.count(numbers.n), _format.mean_sd(numbers))


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
        Column("selected attack", is_text=True, is_essential=False),
        Column("protocol", is_text=True, is_essential=False),
        Column("held-out members", "held-out\nmembers", is_essential=False),
        Column("held-out non-members", "held-out\nnon-members", is_essential=False),
    )
    rows = tuple(
        Row((f"{number}. {_format.shortened(audit.title, 80)}", *_compared(audit)))
        for number, audit in enumerate(audits, start=1)
    )
    notes = ("Accuracy of the target on its full data set; attacks on held-out samples.",)
    return Table("Audits compared, in %", columns, rows, notes)


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
        _format.shortened(audit.selected, 60),
        audit.protocol,
        _format.count(headline.n_members) if headline else "",
        _format.count(headline.n_non_members) if headline else "",
    )
