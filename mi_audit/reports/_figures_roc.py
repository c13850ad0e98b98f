"""ROC curves: on log axes, where a low false alarm rate can be read, and whole."""

import typing
from collections.abc import Sequence
from dataclasses import replace

from mi_audit.reports import _figures_svg, _format, _lookup
from mi_audit.reports._figures_svg import Drawing, Key, attack_key, colour, line_style, panel
from mi_audit.reports._table import Column, Row, Table
from mi_audit.schema import numerals
from mi_audit.schema.audit import Audit
from mi_audit.schema.figures import RocRow

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CURVES = 8
RATES = {"tpr_at_fpr.0.001": 0.001, "tpr_at_fpr.0.01": 0.01}
_DECADES = (0.0001, 0.001, 0.01, 0.1, 1.0)
_WHOLE = (0.0, 0.25, 0.5, 0.75, 1.0)
_CORNERS = ((0.0, 0.0), (1.0, 1.0))


def roc(audit: Audit) -> Drawing | None:
    """ROC curves on log axes and on plain ones; ``None`` in an audit without points."""
    rows = _curves_shown(audit)
    if not rows:
        return None
    keys = [_roc_key(row, number, audit) for number, row in enumerate(rows)]
    description = _roc_description(audit)
    panels = (
        panel(
            "Low false alarm rates (both axes logarithmic)", description, lambda axes: _roc_log(axes, rows, keys, audit)
        ),
        panel("The whole curve", description, lambda axes: _roc_plain(axes, rows, keys, audit)),
    )
    left = len(audit.figures.roc) - len(rows)
    note = (
        "Recall of members at every false alarm rate, each point at a real threshold; a step holds until the next one. "
        f"{_marked(rows)}The dotted diagonal is guessing; the round dot is where the "
        "selected attack decides. An attack with a single threshold, like the naive one, is a square. The logarithmic "
        "axis begins at one false alarm."
    )
    more = f" {numerals.counted(left, 'attack')} with less success on the known samples not drawn." if left else ""
    legend = (*keys, Key("guessing", "muted", "1 2"))
    if any(rate >= _lowest(rows) for rate, _ in _allowed(audit)):
        legend = (*legend, Key("limit of the policy", "ink", marker="v"))
    return Drawing("roc", "ROC curves on held-out samples", note + more, panels, legend, (_roc_table(rows),))


def _marked(rows: Sequence[RocRow]) -> str:
    """Which vertical lines are within the logarithmic axis."""
    shown = [f"{100 * rate:g} %" for rate in RATES.values() if rate >= _lowest(rows)]
    if not shown:
        return ""
    return f"The vertical {'line marks' if len(shown) == 1 else 'lines mark'} FAR {' and '.join(shown)}. "


def _lowest(rows: Sequence[RocRow]) -> float:
    """Where the logarithmic axis begins: at one false alarm."""
    return max(1e-5, min(1 / row.n_non_members for row in rows))


def _curves_shown(audit: Audit) -> list[RocRow]:
    """The selected attack, the naive one, then those that did best on the known samples, eight at most."""
    known = {attack.label: attack.balanced_accuracy or 0.0 for attack in audit.attacks}

    def place(row: RocRow) -> tuple[bool, bool, float]:
        return row.attack != audit.selected, row.attack != _lookup.NAIVE, -known.get(row.attack, 0.0)

    return sorted(audit.figures.roc, key=place)[:MOST_CURVES]


def _roc_key(row: RocRow, number: int, audit: Audit) -> Key:
    n_inner = sum(point not in _CORNERS for point in zip(row.false_alarm_rate, row.recall, strict=True))
    key = attack_key(row.attack, number, audit.selected)
    return replace(key, marker="s") if n_inner == 1 else key


def _allowed(audit: Audit) -> list[tuple[float, float]]:
    """The limits of the policy as points: false alarm rate and the recall that is allowed there."""
    limits = {row.measure: row.limit for row in audit.statistics.power}
    return [(rate, limits[key]) for key, rate in RATES.items() if key in limits]


def _roc_log(axes: "Axes", rows: Sequence[RocRow], keys: Sequence[Key], audit: Audit) -> None:
    lowest = _lowest(rows)
    recalls = [recall for row in rows for rate, recall in zip(row.false_alarm_rate, row.recall, strict=True) if rate]
    floor = max(lowest / 2, min([recall for recall in recalls if recall > 0] or [lowest]))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.plot([lowest, 1], [lowest, 1], color=colour("muted"), linestyle=line_style("1 2"), linewidth=1)
    for rate in RATES.values():
        axes.axvline(rate, color=colour("ink"), linewidth=0.9)
    _steps(axes, rows, keys)
    _decision(axes, audit)
    for rate, recall in _allowed(audit):
        axes.plot([rate], [recall], marker="v", markersize=8, color=colour("ink"))
    axes.set_xlim(lowest, 1)
    axes.set_ylim(min(floor, lowest * 3), 1.1)
    _figures_svg.percent_ticks(axes.xaxis, [tick for tick in _DECADES if tick >= lowest])
    _figures_svg.percent_ticks(axes.yaxis, [tick for tick in _DECADES if tick >= min(floor, lowest * 3)])
    _roc_labels(axes)


def _roc_plain(axes: "Axes", rows: Sequence[RocRow], keys: Sequence[Key], audit: Audit) -> None:
    axes.plot([0, 1], [0, 1], color=colour("muted"), linestyle=line_style("1 2"), linewidth=1)
    _steps(axes, rows, keys)
    _decision(axes, audit)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    for axis in (axes.xaxis, axes.yaxis):
        _figures_svg.percent_ticks(axis, _WHOLE)
    _roc_labels(axes)


def _steps(axes: "Axes", rows: Sequence[RocRow], keys: Sequence[Key]) -> None:
    """The curves, the selected one last and on top; a square for an attack with a single threshold."""
    for row, key in reversed(list(zip(rows, keys, strict=True))):
        if key.marker:
            inner = [point for point in zip(row.false_alarm_rate, row.recall, strict=True) if point not in _CORNERS]
            axes.plot(*zip(*inner, strict=True), linestyle="none", marker="s", markersize=6, color=colour(key.paint))
            continue
        axes.step(
            row.false_alarm_rate,
            row.recall,
            where="post",
            color=colour(key.paint),
            linestyle=line_style(key.dash),
            linewidth=2.4 if key.is_bold else 1.2,
        )


def _decision(axes: "Axes", audit: Audit) -> None:
    """Where the selected attack decides."""
    row = _lookup.headline(audit)
    rates = [row.metrics.get(key) for key in ("false_alarm_rate", "recall.member")] if row else []
    values = [one.value for one in rates if one is not None and one.value is not None]
    if len(values) == 2 and all(values):
        axes.plot([values[0]], [values[1]], marker="o", markersize=8, color=colour("series-1"))


def _roc_labels(axes: "Axes") -> None:
    axes.set_xlabel("false alarm rate")
    axes.set_ylabel("recall of members")


def _roc_description(audit: Audit) -> str:
    """The numbers at the marked rates in words."""
    row = _lookup.headline(audit)
    if row is None:
        return "Recall of members against the false alarm rate; the numbers are in the table below."
    said = [f"AUC {_format.point('auc', row.metrics.get('auc'))}"]
    for key, rate in RATES.items():
        estimate = row.metrics.get(key)
        if estimate is not None:
            said.append(f"recall at a false alarm rate of {100 * rate:g} %: {_format.with_interval(key, estimate)}")
    return f"{_format.shortened(audit.selected, 60)}, in %: {'; '.join(said)}. All points are in the table below."


def _roc_table(rows: Sequence[RocRow]) -> Table:
    columns = (Column("attack", is_text=True), Column("false alarm rate"), Column("recall of members"))
    lines = tuple(
        Row((_format.shortened(row.attack, 60), numerals.percent(rate), numerals.percent(recall)), starts_group=not i)
        for row in rows
        for i, (rate, recall) in enumerate(zip(row.false_alarm_rate, row.recall, strict=True))
    )
    return Table("Points of the ROC curves, in %", columns, lines)
