"""Figures that set attacks, or classes, side by side with their intervals."""

import typing
from collections.abc import Sequence

from mi_audit.reports import _attack_tables, _figures_svg, _format, _lookup
from mi_audit.reports._figures_svg import Drawing, Key, Panel, colour, line_style, panel, plotted
from mi_audit.schema import numerals
from mi_audit.schema.audit import AttackRow, Audit
from mi_audit.schema.estimate import Estimate

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_BARS = 24
_WHOLE = (0.0, 0.25, 0.5, 0.75, 1.0)


def classes(audit: Audit) -> Drawing | None:
    """Balanced accuracy and FAR of every class, sorted; ``None`` in an audit without rows per class."""
    rows = [row for row in _attack_tables.class_rows(audit) if _attack_tables.leak(row) is not None]
    if not rows:
        return None
    panels = (
        _class_panel(rows, "balanced_accuracy", "Balanced accuracy, falling"),
        _class_panel(rows, "false_alarm_rate", "FAR of the same classes, in the same order"),
    )
    legend = (
        Key("selected attack, with 95 % interval", "series-1", marker="o"),
        Key("naive attack", "series-2", marker="_"),
    )
    note = (
        "Every class is a dot, those that leak most first; names and numbers are in the table. The first dots of a "
        "sorted row look worse than they are: compare the intervals, not the order."
    )
    return Drawing("classes", "Classes, by balanced accuracy of the selected attack", note, panels, legend, ())


def _class_panel(rows: Sequence[AttackRow], metric: str, title: str) -> Panel:
    def draw(axes: "Axes") -> None:
        _whiskers(axes, [row.metrics.get(metric) for row in rows])
        naive = [row.naive.get(metric) for row in rows]
        values = plotted([estimate.value if estimate else None for estimate in naive])
        axes.plot(range(1, len(rows) + 1), values, linestyle="none", marker="_", markersize=5, color=colour("series-2"))
        axes.axhline(0.5, color=colour("muted"), linewidth=1, linestyle=line_style("1 2"))
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlim(0, len(rows) + 1)
        _figures_svg.percent_ticks(axes.yaxis, _WHOLE)
        axes.set_xlabel(f"{numerals.counted(len(rows), 'class')} in order")

    ends = (rows[0].metrics.get(metric), rows[-1].metrics.get(metric))
    first, last = (_format.with_interval(metric, estimate) for estimate in ends)
    return panel(title, f"In %: first class {first}, last class {last}. All classes are in the table below.", draw)


def _whiskers(axes: "Axes", estimates: Sequence[Estimate | None]) -> None:
    places = [i for i, one in enumerate(estimates, start=1) if one is not None and one.value is not None]
    shown = [one for one in estimates if one is not None and one.value is not None]
    values = [typing.cast("float", one.value) for one in shown]
    lows = [value if one.low is None else one.low for one, value in zip(shown, values, strict=True)]
    highs = [value if one.high is None else one.high for one, value in zip(shown, values, strict=True)]
    axes.vlines(places, lows, highs, color=colour("series-1"), linewidth=0.9, alpha=0.55)
    axes.plot(places, values, linestyle="none", marker="o", markersize=2.6, color=colour("series-1"))


def attacks(audit: Audit) -> Drawing | None:
    """Balanced accuracy of every attack with its interval; ``None`` where there is none."""
    found = [_lookup.row(audit, attack.label) for attack in audit.attacks]
    rows = [(row.attack, row.metrics.get("balanced_accuracy")) for row in found if row is not None]
    return _intervals("attacks", "Balanced accuracy of every attack on held-out samples", rows, audit.selected)


def sights(audit: Audit) -> Drawing | None:
    """Balanced accuracy by what an attack looks at; ``None`` where that is one thing only."""
    best = _lookup.best_by_sight(audit)
    if len(best) < 2:
        return None
    found = [(name, _lookup.row(audit, attack.label)) for name, attack in best.items()]
    rows = [(name, row.metrics.get("balanced_accuracy")) for name, row in found if row is not None]
    selected = next((name for name, attack in best.items() if attack.label == audit.selected), "")
    return _intervals("views", "Balanced accuracy by what the attack looks at", rows, selected)


def _intervals(slug: str, title: str, rows: Sequence[tuple[str, Estimate | None]], marked: str) -> Drawing | None:
    """Dots with whiskers, the largest on top."""
    defined = [(label, estimate) for label, estimate in rows if estimate is not None and estimate.value is not None]
    shown = sorted(defined, key=lambda pair: -(pair[1].value or 0))[:MOST_BARS]
    if not shown:
        return None
    said = "; ".join(
        f"{_figures_svg.name(label)} {_format.with_interval('balanced_accuracy', one)}" for label, one in shown
    )
    size = (_figures_svg.SIZE[0], 1.0 + 0.24 * len(shown))
    drawn = panel("Guessing gives 50 %", f"In %: {said}.", lambda axes: _bars(axes, shown, marked), size)
    left = len(rows) - len(shown)
    note = "With 95 % intervals, the largest first." + (f" {left} more in the table." if left else "")
    return Drawing(slug, title, note, (drawn,), (), ())


def _bars(axes: "Axes", shown: Sequence[tuple[str, Estimate]], marked: str) -> None:
    for place, (label, one) in enumerate(shown):
        paint = colour("series-1" if label == marked else "ink")
        value = typing.cast("float", one.value)
        low, high = (value, value) if one.low is None or one.high is None else (one.low, one.high)
        axes.hlines(place, low, high, color=paint, linewidth=2.4 if label == marked else 1.2)
        axes.plot([value], [place], marker="D" if label == marked else "o", markersize=6, color=paint)
    axes.axvline(0.5, color=colour("muted"), linewidth=1, linestyle=line_style("2 1.6"))
    axes.set_yticks(range(len(shown)), labels=[_figures_svg.name(label) for label, _ in shown])
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    low, high = axes.get_xlim()
    axes.set_xlim(max(0.0, min(low, 0.48)), min(1.0, max(high, 0.55)))
    ticks = [tick / 20 for tick in range(21) if axes.get_xlim()[0] <= tick / 20 <= axes.get_xlim()[1]]
    _figures_svg.percent_ticks(axes.xaxis, ticks[:: 1 + len(ticks) // 7])
