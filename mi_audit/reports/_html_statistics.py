"""The tables of the page about what the samples can carry, and about the controls."""

from mi_audit.reports import _format, _lookup, _metrics, _statistics_tables
from mi_audit.reports._table import Column, Row, Table
from mi_audit.schema import numerals
from mi_audit.schema.audit import Audit
from mi_audit.schema.statistics import Statistics

_LONGEST_NAME = 60


def tables(audit: Audit) -> tuple[Table, ...]:
    """Every statistic that the audit holds, in the order of use: those of all formats, then those that need room."""
    made = (
        _statistics_tables.bounds(audit),
        _statistics_tables.power(audit),
        _statistics_tables.worth(audit),
        _stratified(audit.statistics),
        _spread(audit.statistics),
    )
    return tuple(table for table in made if table is not None and table.rows)


def controls(audit: Audit) -> Table:
    """What every control of the audit itself found."""
    columns = (
        Column("control", is_text=True),
        Column("outcome", is_text=True),
        Column("what it saw", is_text=True),
        Column("p"),
    )
    rows = tuple(
        Row((_name(one.slug), one.outcome, one.message, _p_value(one.p_value)), is_marked=one.outcome == "failed")
        for one in audit.controls
    )
    notes = ("A control that failed makes the numbers of this page void, whatever they are.",)
    return Table("Controls: can the audit itself be relied on?", columns, rows, notes)


def _stratified(found: Statistics) -> Table:
    columns = (Column("attack", is_text=True), Column("AUC within classes (95 % interval)"))
    rows = tuple(
        Row((_name(label), _format.with_interval("auc", auc))) for label, auc in sorted(found.auc_stratified.items())
    )
    notes = ("Members compared with non-members of the same class only.",)
    return Table("AUC within classes", columns, rows, notes)


def class_leaks(audit: Audit) -> Table:
    """Every class with its AUC and how sure that is, the surest first."""
    columns = (
        Column("class", is_text=True),
        Column("AUC (95 % interval)"),
        Column("AUC, shrunk"),
        Column("p"),
        Column("p, corrected"),
        Column("members"),
        Column("non-members"),
    )
    shown = sorted(audit.statistics.class_leaks, key=lambda row: (row.p_holm, -row.shrunk, row.image_class))
    rows = tuple(
        Row(
            (
                _name(_lookup.class_name(audit, row.image_class)),
                _format.with_interval("auc", row.auc),
                _format.number("auc", row.shrunk),
                _p_value(row.p_value),
                _p_value(row.p_holm),
                numerals.count(row.n_members),
                numerals.count(row.n_non_members),
            )
        )
        for row in shown
    )
    notes = ("Shrunk: drawn towards the mean of all classes by how much they differ beyond noise. p: Holm's.",)
    return Table("Classes: which ones leak beyond noise", columns, rows, notes)


def _spread(found: Statistics) -> Table:
    columns = (Column("attack", is_text=True), Column("metric", is_text=True), Column("mean ± SD"), Column("repeats"))
    rows = tuple(
        Row(
            (
                _name(row.attack),
                _metrics.name(row.metric),
                (
                    f"{_format.number(row.metric, row.mean)}{_format.NO_BREAK_SPACE}±{_format.NO_BREAK_SPACE}"
                    f"{_format.number(row.metric, row.sd)}"
                ),
                numerals.count(len(row.values)),
            )
        )
        for row in found.spread
    )
    notes = ("Over repeated splits into known and held-out samples; not a standard error.",)
    return Table("Spread over splits, in %", columns, rows, notes, n_keys=2)


def _name(text: str) -> str:
    return _format.shortened(text, _LONGEST_NAME)


def _p_value(p: float | None) -> str:
    """A p-value to three digits after the point, never printed as 0."""
    if p is None:
        return ""
    return "<0.001" if 0 <= p < 0.0005 else str(numerals.rounded(p, 3))
