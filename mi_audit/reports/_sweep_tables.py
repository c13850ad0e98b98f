"""The tables about balancedness, and the outcome of the limits."""

from mi_audit.reports import _format, _lookup, _metrics
from mi_audit.reports._table import Column, Row, Table
from mi_audit.schema import numerals
from mi_audit.schema.audit import Audit, LimitCheck, SweepRow

SWEPT = (
    "precision.member",
    "recall.member",
    "precision.non_member",
    "recall.non_member",
    "balanced_accuracy",
    "false_alarm_rate",
)
_CHECKED = ("precision.member", "precision.non_member", "balanced_accuracy", "false_alarm_rate")
_HEADINGS = {
    "precision.member": "member\nprec.",
    "recall.member": "member\nrecall",
    "precision.non_member": "non-m.\nprec.",
    "recall.non_member": "non-m.\nrecall",
    "balanced_accuracy": "balanced\naccuracy",
    "false_alarm_rate": "FAR",
}


def columns(keys: tuple[str, ...]) -> tuple[Column, ...]:
    """The columns of the founding paper's Table 2 for these metrics."""
    return tuple(Column(_metrics.name(key), _HEADINGS[key]) for key in keys)


def exact(audit: Audit) -> Table | None:
    """The selected attack, naive and ZeroR at every ratio; ``None`` in an audit without a sweep."""
    shown = _shown(audit)
    if not shown:
        return None
    rows = tuple(
        Row(
            (row.ratio, _label(row), *(_format.point(key, row.exact.get(key)) for key in SWEPT)),
            starts_group=i > 0 and row.ratio != shown[i - 1].ratio,
        )
        for i, row in enumerate(shown)
    )
    notes = (
        "Members : non-members. Exact, from recall and FAR, which do not depend on the ratio; precision does.",
        *_metrics.reasons([row.exact for row in shown], SWEPT),
    )
    heads = (Column("ratio", is_text=True), Column("attack", is_text=True), *columns(SWEPT))
    return Table("Balancedness: the attack at other ratios, in %", heads, rows, notes, n_keys=2)


def resampled(audit: Audit) -> Table | None:
    """The check of the exact sweep by drawing samples to the ratio; ``None`` where nothing was drawn."""
    shown = [row for row in _shown(audit) if row.resampled]
    if not shown:
        return None
    rows = tuple(
        Row(
            (
                row.ratio,
                _label(row),
                *(_format.mean_sd(row.resampled[key]) if key in row.resampled else "" for key in _CHECKED),
            ),
            starts_group=i > 0 and row.ratio != shown[i - 1].ratio,
        )
        for i, row in enumerate(shown)
    )
    heads = (Column("ratio", is_text=True), Column("attack", is_text=True), *columns(_CHECKED))
    return Table("Balancedness checked by resampling, in %, mean ± SD", heads, rows, (_draws(shown),), n_keys=2)


def _draws(shown: list[SweepRow]) -> str:
    n_draws = sorted({numbers.n for row in shown for numbers in row.resampled.values()})
    times = " to ".join(numerals.count(n) for n in dict.fromkeys((n_draws[0], n_draws[-1])))
    sizes = dict.fromkeys(f"{numerals.count(row.n_members)}:{numerals.count(row.n_non_members)}" for row in shown)
    return f"Held-out samples drawn without replacement ({', '.join(sizes)}), {times} times; ± is the SD over draws."


def _shown(audit: Audit) -> list[SweepRow]:
    """The rows of the selected attack, naive and ZeroR, ratio by ratio in the order of the record."""
    ratios = list(dict.fromkeys(row.ratio for row in audit.sweep))
    labels = list(dict.fromkeys((audit.selected, _lookup.NAIVE, _lookup.ZERO_R)))
    return [
        row for ratio in ratios for label in labels for row in audit.sweep if (row.ratio, row.attack) == (ratio, label)
    ]


def _label(row: SweepRow) -> str:
    return "ZeroR" if row.attack == _lookup.ZERO_R else _format.shortened(row.attack, 60)


def limits(audit: Audit) -> Table | None:
    """What became of every ``--fail-above``; ``None`` where there was none."""
    if not audit.limits:
        return None
    columns = (
        Column("limit", is_text=True),
        Column("attack", is_text=True),
        Column("subset", is_text=True),
        Column("measured"),
        Column("allowed"),
        Column("outcome", is_text=True),
    )
    rows = tuple(_limit_row(check) for check in audit.limits)
    notes = tuple(
        f"{check.text}: not estimable ({check.value.reason})." for check in audit.limits if check.value.value is None
    )
    return Table("Limits (--fail-above), in %", columns, rows, notes)


def _limit_row(check: LimitCheck) -> Row:
    cells = (
        check.text,
        check.attack,
        check.subset,
        _format.point(check.metric, check.value),
        _format.number(check.metric, check.limit),
        check.outcome,
    )
    return Row(cells, is_marked=check.outcome == "exceeded")
