"""The curves of overfitting: what the target and the attack do over the epochs of a training run.

Rezaei & Liu, "On the Difficulty of Membership Inference Attacks", Figures 3 to 8.
"""

import typing
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from mi_audit.reports import _figures_svg, _figures_target, _format, _series, _series_numbers
from mi_audit.reports._figures_svg import DASHES, Drawing, Key, Panel, colour, line_style, panel, plotted
from mi_audit.reports._series import Measure
from mi_audit.schema import numerals
from mi_audit.schema.audit import Audit, Subset

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes

_WHOLE = (0.0, 0.25, 0.5, 0.75, 1.0)
_GUESSING = Key("guessing", "muted", "1 2")
_MEMBERS = Key("members", "member", marker="o", is_joined=True)
_NON_MEMBERS = Key("non-members", "non-member", "4 1.5", marker="^", is_joined=True)
_SELECTED = Key("selected attack", "series-1", marker="o", is_bold=True, is_joined=True)
_NAIVE = Key(
    "naive attack: a member is what is classified correctly", "series-2", DASHES[1], marker="s", is_joined=True
)
_BREAKS = "Where a line breaks off, the value cannot be estimated, and the table says why."
_WORTH = f"Each epoch's selected attack on held-out samples; guessing gives 50 %. {_BREAKS}"
_ALARMS = f"The share of held-out non-members that each epoch's selected attack calls members. {_BREAKS}"
_MOST_MARKERS = 40
_FEW_TICKS = 7


@dataclass(frozen=True)
class _Line:
    """A measure with the line that shows it; `has_band` where its interval is drawn."""

    measure: Measure
    key: Key
    has_band: bool = True


def drawings(audits: Sequence[Audit]) -> tuple[Drawing, ...]:
    """Accuracy of the target on both sides, then balanced accuracy and FAR of the attack on each subset."""
    return (
        _target(audits),
        _attack(audits, "balanced_accuracy", "Balanced accuracy of the attack over the epochs", _WORTH),
        _attack(audits, "false_alarm_rate", "False alarm rate (FAR) of the attack over the epochs", _ALARMS),
    )


def _target(audits: Sequence[Audit]) -> Drawing:
    members, non_members = _series.of_target(audits)
    title = "Accuracy of the target over the epochs"
    note = (
        "On all samples of each side. Where the two lines part, the target knows its training samples better than "
        "others: the gap that attacks live on."
    )
    drawn = _panel("Members and non-members", audits, (_Line(members, _MEMBERS), _Line(non_members, _NON_MEMBERS)))
    legend = (_MEMBERS, _NON_MEMBERS)
    table = _series_numbers.values(f"{title}, in % (95 % interval)", audits, (members, non_members))
    return Drawing("epochs-accuracy", title, note, (drawn,), legend, (table,))


def _attack(audits: Sequence[Audit], metric: str, title: str, note: str) -> Drawing:
    selected, naive = _series.of_attack(audits, metric), _series.of_naive(audits, metric)
    has_guess = metric == "balanced_accuracy"  # a guess may have any FAR
    panels = tuple(
        _panel(
            _figures_target.SUBSETS[subset],
            audits,
            (_Line(one, _SELECTED), _Line(other, _NAIVE, has_band=False)),
            scored=f"{_series_numbers.ends(audits, subset)} ",
            has_guess=has_guess,
        )
        for subset, one, other in zip(get_args(Subset), selected, naive, strict=True)
    )
    drawn = (_SELECTED, Key("its 95 % interval", "series-1", is_area=True), _NAIVE)
    legend = (*drawn, _GUESSING) if has_guess else drawn
    measures = [measure for pair in zip(selected, naive, strict=True) for measure in pair]
    tables = (
        _series_numbers.values(f"{title}, in % (95 % interval)", audits, measures),
        _series_numbers.sizes(audits),
    )
    return Drawing(f"epochs-{metric.replace('_', '-')}", title, note, panels, legend, tables)


def _panel(
    title: str, audits: Sequence[Audit], lines: Sequence[_Line], *, scored: str = "", has_guess: bool = False
) -> Panel:
    places, label = _places(audits)

    def draw(axes: "Axes") -> None:
        if has_guess:
            axes.axhline(0.5, color=colour("muted"), linewidth=1, linestyle=line_style(_GUESSING.dash))
        for line in reversed(lines):
            _draw(axes, places, line)
        _frame(axes, places, label)
        if not any(_known(line.measure) for line in lines):
            axes.text(0.5, 0.62, "no value at any epoch", transform=axes.transAxes, ha="center", color=colour("muted"))

    said = " ".join(_said(line, audits) for line in lines)
    return panel(title, f"In %. {said} {scored}All values are in the table below.", draw)


def _places(audits: Sequence[Audit]) -> tuple[list[int], str]:
    """Where the audits stand along the axis, and what that is: their epochs where all are known and different."""
    epochs = [epoch for epoch in map(_series.epoch_of, audits) if epoch is not None]
    if len(set(epochs)) == len(audits):
        return epochs, "epoch"
    return list(range(1, len(audits) + 1)), "audit, in order"


def _draw(axes: "Axes", places: Sequence[int], line: _Line) -> None:
    key, estimates = line.key, line.measure.values
    values = plotted([one.value if one else None for one in estimates])
    if line.has_band:
        _band(axes, places, line)
    axes.plot(
        places,
        values,
        color=colour(key.paint),
        linestyle=line_style(key.dash),
        linewidth=2.2 if key.is_bold else 1.4,
        marker=key.marker,
        markersize=5,
        markevery=_marked(line.measure),
        markerfacecolor="none" if key.marker == "^" else colour(key.paint),
    )


def _band(axes: "Axes", places: Sequence[int], line: _Line) -> None:
    """The interval of every value: an area, and a stroke where a value between two gaps has no area."""
    bounds = [(one.low, one.high) if one and one.value is not None else (None, None) for one in line.measure.values]
    lows, highs = (plotted([pair[end] for pair in bounds]) for end in (0, 1))
    paint = colour(line.key.paint)
    axes.fill_between(places, lows, highs, color=paint, alpha=0.22, linewidth=0)
    around = [None, *(low for low, _ in bounds), None]
    alone = [i for i, (low, _) in enumerate(bounds) if low is not None and around[i] is None and around[i + 2] is None]
    axes.vlines(
        [places[i] for i in alone], [lows[i] for i in alone], [highs[i] for i in alone], color=paint, alpha=0.55
    )


def _marked(measure: Measure) -> list[int]:
    """Which values get a marker: all of a short series; of a long one some, and those that no line shows."""
    known = _known(measure)
    step = 1 + (len(known) - 1) // _MOST_MARKERS if known else 1
    have = set(known)
    return [i for place, i in enumerate(known) if not place % step or i == known[-1] or not have & {i - 1, i + 1}]


def _frame(axes: "Axes", places: Sequence[int], label: str) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    margin = max(0.5, 0.03 * (max(places) - min(places)))
    axes.set_xlim(min(places) - margin, max(places) + margin)
    axes.xaxis.set_major_locator(MaxNLocator(_FEW_TICKS, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda place, _: numerals.count(round(place))))
    axes.set_ylim(-0.03, 1.03)
    _figures_svg.percent_ticks(axes.yaxis, _WHOLE)
    axes.set_xlabel(label)


def _known(measure: Measure) -> list[int]:
    return [i for i, one in enumerate(measure.values) if one is not None and one.value is not None]


def _said(line: _Line, audits: Sequence[Audit]) -> str:
    """The first and the last value, the extremes, and how many are missing, in words."""
    measure, known = line.measure, _known(line.measure)
    name = line.key.label.partition(":")[0].capitalize()
    if not known:
        return f"{name}: no value at any epoch."
    least, greatest = (pick(known, key=lambda i: typing.cast("float", _value(measure, i))) for pick in (min, max))
    said = [
        f"{words} {_format.with_interval(measure.metric, measure.values[i])} at epoch {_series.shown_epoch(audits[i])}"
        for words, i in (("first", known[0]), ("last", known[-1]), ("least", least), ("greatest", greatest))
    ]
    missing = len(measure.values) - len(known)
    gaps = f"; no value at {missing} of {numerals.counted(len(audits), 'epoch')}" if missing else ""
    return f"{name}: {', '.join(said)}{gaps}."


def _value(measure: Measure, i: int) -> float | None:
    estimate = measure.values[i]
    return estimate.value if estimate else None
