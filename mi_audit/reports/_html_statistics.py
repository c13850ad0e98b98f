"""The tables of the page about what the samples can carry, and about the controls."""

from mi_audit.reports import _format, _lookup, _metrics
from mi_audit.reports._table import Column, Row, Table
from mi_audit.schema.audit import Audit
from mi_audit.schema.statistics import Statistics

_MEASURES = {
    "auc": "AUC",
    "tpr_at_fpr.0.01": "TPR at 1 % FAR",
    "tpr_at_fpr.0.001": "TPR at 0.1 % FAR",
    "loss_tnr.0.001": "TNR at 0.1 % missed members",
}
_LONGEST_NAME = 60


def tables(audit: Audit) -> tuple[Table, ...]:
    """Every statistic that the audit holds, in the order of use; empty ones left out."""
    found = audit.statistics
    made = (
        _bounds(found),
        _power(found),
        _priors(found),
        _chances(found),
        _epsilons(found),
        _stratified(found),
        _class_leaks(audit),
        _spread(found),
    )
    return tuple(table for table in made if table.rows)


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


def _bounds(found: Statistics) -> Table:
    columns = (
        Column("attack", is_text=True),
        Column("measure", is_text=True),
        Column("value"),
        Column("lower bound"),
        Column("upper bound"),
        Column("members"),
        Column("non-members"),
        Column("samples needed"),
    )
    rows = tuple(
        Row(
            (
                _name(row.attack),
                _MEASURES[row.measure],
                _format.DASH if row.value is None else _format.number(row.measure, row.value),
                _format.number(row.measure, row.low),
                _format.number(row.measure, row.high) if row.is_informative else f"{_format.DASH} (one value)",
                _format.count(row.n_members),
                _format.count(row.n_non_members),
                _format.count(row.n_needed),
            ),
            starts_group=i > 0 and row.attack != found.bounds[i - 1].attack,
        )
        for i, row in enumerate(found.bounds)
    )
    notes = (
        (
            f"Each lower bound is wrong with probability {_percent(found.alpha)} / {found.n_looks} at most, each upper "
            f"one with {_percent(found.alpha)}. Samples needed: the fewest of the side that sets the rate at which a "
            "lower bound can exceed 0."
        ),
    )
    return Table("One-sided bounds: what a verdict compares with its limits, in %", columns, rows, notes, n_keys=2)


def _power(found: Statistics) -> Table:
    columns = (
        Column("measure", is_text=True),
        Column("guessing"),
        Column("detectable from"),
        Column("limit"),
        Column("fails from"),
        Column("passes up to"),
        Column("needed of each side"),
        Column("members"),
        Column("non-members"),
    )
    rows = tuple(
        Row(
            (
                _MEASURES[row.measure],
                *(
                    _format.DASH if value is None else _format.number(row.measure, value)
                    for value in (row.chance, row.detectable, row.limit, row.failing, row.passing)
                ),
                _format.DASH if row.n_needed is None else _format.count(row.n_needed),
                _format.count(row.n_members),
                _format.count(row.n_non_members),
            )
        )
        for row in found.power
    )
    notes = ("True values that are found out with 80 % power by so many samples.",)
    return Table("Power: what so many samples can show, in %", columns, rows, notes)


def _priors(found: Statistics) -> Table:
    columns = (
        Column("attack", is_text=True),
        Column("share of members"),
        Column("members among the flagged (PPV)"),
        Column("times the share"),
    )
    rows = tuple(
        Row(
            (
                _name(row.attack),
                f"{_format.percent(row.prior)} %",
                _format.with_interval("precision.member", row.ppv),
                _format.DASH if row.lift.value is None else str(_format.rounded(row.lift.value, 2)),
            )
        )
        for row in found.priors
    )
    notes = ("What an alarm is worth when members are as rare among those asked about.",)
    return Table("Base rates, in %", columns, rows, notes, n_keys=2)


def _chances(found: Statistics) -> Table:
    columns = (Column("attack", is_text=True), Column("z"), Column("p"), Column("permutations"))
    rows = tuple(
        Row(
            (
                _name(row.attack),
                str(_format.rounded(row.z, 2)),
                _p_value(row.p_value),
                _format.count(row.n_permutations),
            )
        )
        for row in found.chances
    )
    notes = ("Membership permuted; p counts permutations in which any of the attacks does so well.",)
    return Table("Could it be chance, given that several attacks were tried?", columns, rows, notes)


def _epsilons(found: Statistics) -> Table:
    columns = (Column("attack", is_text=True), Column("epsilon at least"), Column("at delta"), Column("mu at least"))
    rows = tuple(
        Row(
            (
                _name(row.attack),
                str(_format.rounded(row.epsilon, 3)),
                f"{row.delta:.0e}",
                str(_format.rounded(row.mu, 3)),
            )
        )
        for row in found.privacy
    )
    notes = (
        "Lower bounds for this one trained model, averaged over samples.",
        "They can show that a claimed guarantee does not hold; they never show that one holds.",
    )
    return Table("What the attack says against a claimed epsilon", columns, rows, notes)


def _stratified(found: Statistics) -> Table:
    columns = (Column("attack", is_text=True), Column("AUC within classes (95 % interval)"))
    rows = tuple(Row((_name(label), _format.with_interval("auc", auc))) for label, auc in found.auc_stratified.items())
    notes = ("Members compared with non-members of the same class only.",)
    return Table("AUC within classes", columns, rows, notes)


def _class_leaks(audit: Audit) -> Table:
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
                _format.count(row.n_members),
                _format.count(row.n_non_members),
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
                _format.count(len(row.values)),
            )
        )
        for row in found.spread
    )
    notes = ("Over repeated splits into known and held-out samples; not a standard error.",)
    return Table("Spread over splits, in %", columns, rows, notes, n_keys=2)


def _name(text: str) -> str:
    return _format.shortened(text, _LONGEST_NAME)


def _percent(share: float) -> str:
    return f"{_format.percent(share)}{_format.NO_BREAK_SPACE}%"


def _p_value(p: float | None) -> str:
    """A p-value to three digits after the point, never printed as 0."""
    if p is None:
        return ""
    return "<0.001" if 0 <= p < 0.0005 else str(_format.rounded(p, 3))
