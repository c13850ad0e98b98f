"""Precision and false alarm rate along the ratio of members to non-members."""

import typing
from collections.abc import Callable, Sequence

from mi_audit.reports import _figures_svg, _format, _lookup
from mi_audit.reports._figures_svg import Drawing, Key, attack_key, colour, line_style, panel
from mi_audit.reports._table import Column, Row, Table
from mi_audit.schema.audit import Audit
from mi_audit.schema.estimate import Estimate
from mi_audit.schema.figures import Band, RatioCurve

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CURVES = 8
_WHOLE = (0.0, 0.25, 0.5, 0.75, 1.0)
_RATIO_TICKS = ((1, 100), (1, 10), (1, 1), (10, 1), (100, 1))
_CURVES = (
    ("precision.member", "Precision of members (PPV)"),
    ("precision.non_member", "Precision of non-members"),
    ("false_alarm_rate", "False alarm rate (FAR)"),
)


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
    return attack_key(curve.attack, number, audit.selected)


def _ratio_drawer(
    audit: Audit, found: Sequence[RatioCurve], keys: Sequence[Key], name: str
) -> Callable[["Axes"], None]:
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
    low, high, value = (_figures_svg.plotted(values) for values in (band.low, band.high, band.value))
    if curve.attack != _lookup.ZERO_R:
        axes.fill_between(odds, low, high, color=colour(key.paint), alpha=0.22, linewidth=0)
    width = 2.4 if key.is_bold else 1.2
    axes.plot(odds, value, color=colour(key.paint), linestyle=line_style(key.dash), linewidth=width)


def _ratio_dots(axes: "Axes", audit: Audit, curve: RatioCurve, key: Key, name: str) -> None:
    swept = [row for row in audit.sweep if row.attack == curve.attack and name in row.exact]
    dots = [(row.prior / (1 - row.prior), row.exact[name].value) for row in swept]
    shown = [(odds, value) for odds, value in dots if value is not None and 0.01 <= odds <= 100]
    if shown and curve.attack == audit.selected:
        axes.plot(*zip(*shown, strict=True), linestyle="none", marker="o", markersize=5, color=colour(key.paint))


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
