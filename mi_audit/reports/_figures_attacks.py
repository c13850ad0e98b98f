"""Figures about attacks: ROC curves, precision along the ratio, classes in order, intervals side by side."""

import typing
from collections.abc import Sequence

from mi_audit.reports import _attack_tables, _figures_svg, _format, _lookup
from mi_audit.reports._figures_svg import DASHES, MARKERS, Drawing, Key, Panel, colour, line_style, panel
from mi_audit.reports._table import Column, Row, Table
from mi_audit.schema.audit import AttackRow, Audit
from mi_audit.schema.estimate import Estimate
from mi_audit.schema.figures import Band, RatioCurve, RocRow

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CURVES = 8
MOST_BARS = 24
RATES = {"tpr_at_fpr.0.001": 0.001, "tpr_at_fpr.0.01": 0.01}
_DECADES = (0.0001, 0.001, 0.01, 0.1, 1.0)
_WHOLE = (0.0, 0.25, 0.5, 0.75, 1.0)
_RATIO_TICKS = ((1, 100), (1, 10), (1, 1), (10, 1), (100, 1))
_CURVES = (
    ("precision.member", "Precision of members (PPV)"),
    ("precision.non_member", "Precision of non-members"),
    ("false_alarm_rate", "False alarm rate (FAR)"),
)


def roc(audit: Audit) -> Drawing | None:
    """ROC curves on log axes and on plain ones; ``None`` in an audit without points."""
    rows = _curves_shown(audit)
    if not rows:
        return None
    keys = [_key(row.attack, number, audit) for number, row in enumerate(rows)]
    description = _roc_description(audit)
    panels = (
        panel("Low false alarm rates (both axes logarithmic)", description, lambda axes: _roc_log(axes, rows, keys)),
        panel("The whole curve", description, lambda axes: _roc_plain(axes, rows, keys)),
    )
    left = len(audit.figures.roc) - len(rows)
    note = (
        "Recall of members at every false alarm rate, each point at a real threshold; a step holds until the next one. "
        "The vertical lines mark FAR 0.1 % and 1 %; the dotted diagonal is guessing; the dot is where the selected "
        "attack decides. Left of one non-member there is nothing to see."
    )
    more = f" {_format.counted(left, 'attack')} with less success on the known samples not drawn." if left else ""
    legend = (*keys, Key("guessing", "muted", "1 2"))
    return Drawing("roc", "ROC curves on held-out samples", note + more, panels, legend, (_roc_table(rows),))


def _curves_shown(audit: Audit) -> list[RocRow]:
    """The selected attack, the naive one, then those that did best on the known samples, eight at most."""
    known = {attack.label: attack.balanced_accuracy or 0.0 for attack in audit.attacks}

    def place(row: RocRow) -> tuple[bool, bool, float]:
        return row.attack != audit.selected, row.attack != _lookup.NAIVE, -known.get(row.attack, 0.0)

    return sorted(audit.figures.roc, key=place)[:MOST_CURVES]


def _key(attack: str, number: int, audit: Audit) -> Key:
    is_selected = attack == audit.selected
    label = f"{_format.shortened(attack, 60)} (selected)" if is_selected else _format.shortened(attack, 60)
    return Key(label, f"series-{number + 1}", DASHES[number], is_bold=is_selected)


def _roc_log(axes: "Axes", rows: Sequence[RocRow], keys: Sequence[Key]) -> None:
    lowest = max(1e-5, min(1 / row.n_non_members for row in rows))
    recalls = [recall for row in rows for rate, recall in zip(row.false_alarm_rate, row.recall, strict=True) if rate]
    floor = max(lowest / 2, min([recall for recall in recalls if recall > 0] or [lowest]))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.plot([lowest, 1], [lowest, 1], color=colour("muted"), linestyle=line_style("1 2"), linewidth=1)
    for rate in RATES.values():
        axes.axvline(rate, color=colour("ink"), linewidth=0.9)
    _steps(axes, rows, keys)
    axes.set_xlim(lowest, 1)
    axes.set_ylim(min(floor, lowest * 3), 1.1)
    _figures_svg.percent_ticks(axes.xaxis, [tick for tick in _DECADES if tick >= lowest])
    _figures_svg.percent_ticks(axes.yaxis, [tick for tick in _DECADES if tick >= min(floor, lowest * 3)])
    _roc_labels(axes)


def _roc_plain(axes: "Axes", rows: Sequence[RocRow], keys: Sequence[Key]) -> None:
    axes.plot([0, 1], [0, 1], color=colour("muted"), linestyle=line_style("1 2"), linewidth=1)
    _steps(axes, rows, keys)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    for axis in (axes.xaxis, axes.yaxis):
        _figures_svg.percent_ticks(axis, _WHOLE)
    _roc_labels(axes)


def _steps(axes: "Axes", rows: Sequence[RocRow], keys: Sequence[Key]) -> None:
    """The curves, the selected one last and on top."""
    for row, key in reversed(list(zip(rows, keys, strict=True))):
        axes.step(
            row.false_alarm_rate,
            row.recall,
            where="post",
            color=colour(key.paint),
            linestyle=line_style(key.dash),
            linewidth=2.4 if key.is_bold else 1.2,
        )


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
        Row((_format.shortened(row.attack, 60), _format.percent(rate), _format.percent(recall)), starts_group=not i)
        for row in rows
        for i, (rate, recall) in enumerate(zip(row.false_alarm_rate, row.recall, strict=True))
    )
    return Table("Points of the ROC curves, in %", columns, lines)


def ratio(audit: Audit) -> Drawing | None:
    """Precision and FAR against the ratio of members to non-members; ``None`` in an audit without curves."""
    found = audit.figures.ratio_curves[:MOST_CURVES]
    if not found:
        return None
    keys = [_ratio_key(curve, number, audit) for number, curve in enumerate(found)]
    panels = tuple(
        panel(title, _ratio_description(found[0], name, title), _ratio_drawer(audit, found, keys, name))
        for name, title in _CURVES
    )
    note = (
        "What a decision is worth when members are rarer or more frequent than here. Recall and FAR do not depend on "
        "the ratio, precision does. The bands hold at all ratios at once with 95 % confidence; the dots are the "
        "ratios of the table above."
    )
    title = "The same attack at other ratios of members to non-members"
    return Drawing("ratio", title, note, panels, tuple(keys), (_ratio_table(found, keys),))


def _ratio_key(curve: RatioCurve, number: int, audit: Audit) -> Key:
    if curve.attack == _lookup.ZERO_R:
        return Key("ZeroR", "muted", "1 2")
    return _key(curve.attack, number, audit)


def _ratio_drawer(
    audit: Audit, found: Sequence[RatioCurve], keys: Sequence[Key], name: str
) -> typing.Callable[["Axes"], None]:
    def draw(axes: "Axes") -> None:
        axes.set_xscale("log")
        for curve, key in zip(found, keys, strict=True):
            _ratio_line(axes, curve, key, name)
            _ratio_dots(axes, audit, curve, key, name)
        axes.set_xlim(1 / 100, 100)
        axes.set_ylim(-0.02, 1.02)
        axes.set_xticks([m / n for m, n in _RATIO_TICKS], labels=[_format.ratio(m, n) for m, n in _RATIO_TICKS])
        axes.set_xticks([], minor=True)
        _figures_svg.percent_ticks(axes.yaxis, _WHOLE)
        axes.set_xlabel("members : non-members")

    return draw


def _ratio_line(axes: "Axes", curve: RatioCurve, key: Key, name: str) -> None:
    odds = [prior / (1 - prior) for prior in curve.prior]
    band = curve.bands[name]
    low, high, value = (_plotted(values) for values in (band.low, band.high, band.value))
    if curve.attack != _lookup.ZERO_R:
        axes.fill_between(odds, low, high, color=colour(key.paint), alpha=0.22, linewidth=0)
    width = 2.4 if key.is_bold else 1.2
    axes.plot(odds, value, color=colour(key.paint), linestyle=line_style(key.dash), linewidth=width)


def _ratio_dots(axes: "Axes", audit: Audit, curve: RatioCurve, key: Key, name: str) -> None:
    swept = [row for row in audit.sweep if row.attack == curve.attack and name in row.exact]
    dots = [(row.prior / (1 - row.prior), row.exact[name].value) for row in swept]
    shown = [(odds, value) for odds, value in dots if value is not None and 0.01 <= odds <= 100]
    if shown and curve.attack == audit.selected:
        axes.plot(*zip(*shown, strict=True), linestyle="none", marker=MARKERS[0], markersize=5, color=colour(key.paint))


def _plotted(values: Sequence[float | None]) -> list[float]:
    return [float("nan") if value is None else value for value in values]


def _ratio_description(curve: RatioCurve, name: str, title: str) -> str:
    band = curve.bands[name]
    at = (0, len(curve.prior) // 2, len(curve.prior) - 1)
    points = "; ".join(f"at {_ratio_text(curve.prior[i])}: {_banded(band, i)}" for i in at)
    return f"{title} of {_format.shortened(curve.attack, 60)}, in %: {points}. All values are in the table below."


def _ratio_table(found: Sequence[RatioCurve], keys: Sequence[Key]) -> Table:
    columns = (
        Column("attack", is_text=True),
        Column("members : non-members", is_text=True),
        *(Column(f"{title} (band)") for _, title in _CURVES),
    )
    lines = tuple(
        Row(
            (key.label, _ratio_text(prior), *(_banded(curve.bands[name], i) for name, _ in _CURVES)), starts_group=not i
        )
        for curve, key in zip(found, keys, strict=True)
        for i, prior in enumerate(curve.prior)
    )
    return Table("Precision and FAR along the ratio, in %", columns, lines, n_keys=2)


def _ratio_text(prior: float) -> str:
    return _format.ratio(round(1_000_000 * prior), round(1_000_000 * (1 - prior)))


def _banded(band: Band, i: int) -> str:
    value, low, high = band.value[i], band.low[i], band.high[i]
    if value is None:
        return _format.DASH
    return _format.with_interval("precision.member", Estimate(value, *((low, high) if low != high else (None, None))))


def classes(audit: Audit) -> Drawing | None:
    """Balanced accuracy and FAR of every class, sorted; ``None`` in an audit without rows per class."""
    rows = [row for row in _attack_tables.class_rows(audit) if _attack_tables.leak(row) is not None]
    if not rows:
        return None
    panels = (
        _class_panel(rows, "balanced_accuracy", "Balanced accuracy, falling"),
        _class_panel(rows, "false_alarm_rate", "FAR of the same classes, in the same order"),
    )
    legend = (Key("selected attack, with 95 % interval", "series-1"), Key("naive attack", "series-2", "2 1.6"))
    note = (
        "Every class is a dot, those that leak most first; names and numbers are in the table. The first dots of a "
        "sorted row look worse than they are: compare the intervals, not the order."
    )
    return Drawing("classes", "Classes, by balanced accuracy of the selected attack", note, panels, legend, ())


def _class_panel(rows: Sequence[AttackRow], metric: str, title: str) -> Panel:
    def draw(axes: "Axes") -> None:
        _whiskers(axes, [row.metrics.get(metric) for row in rows])
        naive = [row.naive.get(metric) for row in rows]
        values = _plotted([estimate.value if estimate else None for estimate in naive])
        axes.plot(range(1, len(rows) + 1), values, linestyle="none", marker="_", markersize=5, color=colour("series-2"))
        axes.axhline(0.5, color=colour("muted"), linewidth=1, linestyle=line_style("1 2"))
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlim(0, len(rows) + 1)
        _figures_svg.percent_ticks(axes.yaxis, _WHOLE)
        axes.set_xlabel(f"{_format.counted(len(rows), 'class')} in order")

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
