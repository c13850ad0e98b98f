"""Figures about the target: the founding paper's histograms and mean confidences, for this model.

Rezaei & Liu, "On the Difficulty of Membership Inference Attacks", Figures 1 and 2.
"""

import typing
from collections.abc import Sequence

from mi_audit.reports import _figures_svg, _format, _lookup
from mi_audit.reports._figures_svg import Drawing, Key, Panel, colour, line_style, panel
from mi_audit.reports._table import Column, Row, Table
from mi_audit.schema import numerals
from mi_audit.schema.audit import Audit
from mi_audit.schema.figures import HistogramRow, MeanConfidenceRow

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes

_NON_MEMBER_DASH = "4 1.5"
SUBSETS = {"all": "All samples", "correct": "Classified correctly", "misclassified": "Misclassified"}
_SCALES = {"confidence": "confidence in the true class", "log-odds": "log-odds of the true class, ln(p / (1 - p))"}
_CONFIDENCES = (0.0, 0.25, 0.5, 0.75, 1.0)
_NAMED = "The axis counts classes from 0; the numbers below the figure have their names."
_POWERS = tuple(10.0**power for power in range(-12, 1))


def histograms(audit: Audit) -> tuple[Drawing, ...]:
    """The true class's confidence, members over non-members, per subset: on its own scale, and as log-odds."""
    shown = []
    for scale, words in _SCALES.items():
        rows = [row for row in audit.figures.histograms if row.scale == scale]
        if rows:
            shown.append(_histogram(rows, scale, words))
    return tuple(shown)


def _histogram(rows: Sequence[HistogramRow], scale: str, words: str) -> Drawing:
    title = f"Histogram of the {words.partition(',')[0]}"
    beyond = " The outermost bins hold everything beyond them too." if scale == "log-odds" else ""
    why = "Saturated confidences, all near 100 %, are told apart here." if scale == "log-odds" else ""
    note = (
        "Share of each side's audited samples per bin, with the number of members and of non-members in brackets: "
        f"where the two shapes part, a score can tell. {why}{beyond}"
    )
    legend = (
        Key("members", "member", is_area=True),
        Key("non-members", "non-member", _NON_MEMBER_DASH),
    )
    panels = tuple(_histogram_panel(row, words) for row in rows)
    return Drawing(
        f"histogram-{scale}", title, note.replace("  ", " "), panels, legend, (_histogram_table(rows, scale),)
    )


def _histogram_panel(row: HistogramRow, words: str) -> Panel:
    sizes = sum(row.members), sum(row.non_members)

    def draw(axes: "Axes") -> None:
        if sizes[0]:
            heights = [count / sizes[0] for count in row.members]
            axes.stairs(heights, row.edges, fill=True, color=colour("member"), alpha=0.4, linewidth=0)
            axes.stairs(heights, row.edges, color=colour("member"), linewidth=1.2)
        if sizes[1]:
            heights = [count / sizes[1] for count in row.non_members]
            style = line_style(_NON_MEMBER_DASH)
            axes.stairs(heights, row.edges, color=colour("non-member"), linewidth=1.9, linestyle=style)
        _histogram_axes(axes, row, words)

    title = f"{SUBSETS[row.subset]} ({numerals.count(sizes[0])} and {numerals.count(sizes[1])})"
    return panel(title, _histogram_description(row), draw)


def _histogram_axes(axes: "Axes", row: HistogramRow, words: str) -> None:
    if row.scale == "confidence":
        _figures_svg.percent_ticks(axes.xaxis, _CONFIDENCES)
    axes.set_xlim(row.edges[0], row.edges[-1])
    axes.set_ylim(bottom=0)
    highest = max(axes.get_ylim()[1], 1e-9)
    step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0) if highest / step <= 5 or step == 1.0)
    _figures_svg.percent_ticks(axes.yaxis, [step * i for i in range(int(highest / step) + 1)])
    axes.set_xlabel(words)
    axes.set_ylabel("share of the side")


def _histogram_description(row: HistogramRow) -> str:
    """Where most of each side lies."""
    said = []
    for counts, side in ((row.members, "members"), (row.non_members, "non-members")):
        if total := sum(counts):
            largest = max(range(len(counts)), key=counts.__getitem__)
            share = numerals.percent(counts[largest] / total)
            said.append(f"{share} % of {numerals.count(total)} {side} lie in the bin {_bin(row, largest)}")
        else:
            said.append(f"no {side}")
    return f"{'; '.join(said)}. All counts are in the table below."


def _bin(row: HistogramRow, i: int) -> str:
    low, high = (_edge(edge, row.scale) for edge in row.edges[i : i + 2])
    return f"{low} to {high}"


def _edge(edge: float, scale: str) -> str:
    return numerals.percent(edge, 0) if scale == "confidence" else str(numerals.rounded(edge, 2))


def _histogram_table(rows: Sequence[HistogramRow], scale: str) -> Table:
    unit = "confidence, in %" if scale == "confidence" else "log-odds"
    sides = [Column(f"{row.subset}: {side}") for row in rows for side in ("members", "non-members")]
    lines = tuple(
        Row((_bin(rows[0], i), *(numerals.count(n[i]) for row in rows for n in (row.members, row.non_members))))
        for i in range(len(rows[0].members))
    )
    return Table("Samples per bin", (Column(unit, is_text=True), *sides), lines)


def mean_confidences(audit: Audit) -> tuple[Drawing, ...]:
    """Mean confidence by class index: in the true class, and the mean vector of one class as in the paper."""
    shown = []
    for of_class in dict.fromkeys(row.of_class for row in audit.figures.mean_confidences):
        rows = [row for row in audit.figures.mean_confidences if row.of_class == of_class]
        shown.append(_means(audit, rows, of_class))
    return tuple(shown)


def _means(audit: Audit, rows: Sequence[MeanConfidenceRow], of_class: int | None) -> Drawing:
    if of_class is None:
        slug, title = "by-class", "Mean confidence in the true class, by class index"
        note = (
            "Over the audited samples of each class. Classes with fewer than three samples of a side are left out. "
            f"{_NAMED}"
        )
    else:
        named = _format.shortened(_lookup.class_name(audit, of_class), 60)
        slug, title = f"vector-{of_class}", f"Mean confidence vector of the samples of class {of_class} ({named})"
        note = (
            "By class index, on a logarithmic axis: what the target answers for one true class, as in the paper. "
            f"{_NAMED}"
        )
    panels = tuple(_means_panel(row, of_class) for row in rows)
    legend = (Key("members", "member", marker="o"), Key("non-members", "non-member", marker="^"))
    return Drawing(slug, title, note, panels, legend, (_means_table(audit, rows, title),))


def _means_panel(row: MeanConfidenceRow, of_class: int | None) -> Panel:
    def draw(axes: "Axes") -> None:
        if of_class is not None and any((*row.member, *row.non_member)):
            axes.set_yscale("log")
        for values, marker, paint in ((row.member, "o", "member"), (row.non_member, "^", "non-member")):
            known = [(i, value) for i, value in enumerate(values) if value is not None]
            if known:
                face = colour(paint) if marker == "o" else "none"
                axes.plot(
                    *zip(*known, strict=True),
                    linestyle="none",
                    marker=marker,
                    markersize=3.5 if len(values) > 30 else 6,
                    markerfacecolor=face,
                    markeredgecolor=colour(paint),
                    markeredgewidth=0.9,
                )
        _means_axes(axes, row, of_class)

    known = [sum(value is not None for value in side) for side in (row.member, row.non_member)]
    text = f"Means over members for {numerals.counted(known[0], 'class')}, over non-members for {known[1]}."
    return panel(SUBSETS[row.subset], f"{text} All means are in the table below.", draw)


def _means_axes(axes: "Axes", row: MeanConfidenceRow, of_class: int | None) -> None:
    values = [value for value in (*row.member, *row.non_member) if value is not None and value > 0]
    if of_class is None:
        axes.set_ylim(-0.03, 1.03)
        _figures_svg.percent_ticks(axes.yaxis, _CONFIDENCES)
    elif values:
        lowest = max(min(values), 1e-12)
        axes.set_ylim(lowest / 1.5, 1.5)
        ticks = [power for power in _POWERS if power >= lowest / 1.5]
        _figures_svg.percent_ticks(axes.yaxis, [power for power in ticks if power >= 1e-5] or ticks)
    if not values:
        axes.text(0.5, 0.5, "too few samples", transform=axes.transAxes, ha="center", color=colour("muted"))
        axes.set_yticks([])
    axes.set_xlim(-1, len(row.member))
    axes.set_xlabel("class index")
    axes.set_ylabel("mean confidence")


def _means_table(audit: Audit, rows: Sequence[MeanConfidenceRow], title: str) -> Table:
    sides = [Column(f"{row.subset}: {side}") for row in rows for side in ("members", "non-members")]
    lines = tuple(
        Row((str(i), _format.shortened(_lookup.class_name(audit, i), 60), *_means_cells(rows, i)))
        for i in range(len(rows[0].member))
    )
    heads = (Column("index"), Column("class", is_text=True), *sides)
    return Table(f"{title}, in %, with the number of samples", heads, lines, n_keys=2)


def _means_cells(rows: Sequence[MeanConfidenceRow], i: int) -> list[str]:
    cells = []
    for row in rows:
        for values, n in ((row.member, row.n_members), (row.non_member, row.n_non_members)):
            mean = values[i]
            shown = _format.DASH if mean is None else numerals.percent(mean)
            cells.append(f"{shown}{_format.NO_BREAK_SPACE}(n={numerals.count(n[i])})")
    return cells
