"""Drawing with matplotlib into SVG that stands inside a page.

Colours are names that the page gives a value, for light, dark and print; text stays text; nothing is loaded from
anywhere; the same numbers give the same bytes. matplotlib is imported when a figure is drawn.
"""

import io
import logging
import re
import typing
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mi_audit.errors import MissingLibraryError
from mi_audit.reports import _format
from mi_audit.reports._html_text import escaped
from mi_audit.reports._table import Table
from mi_audit.schema import numerals

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes

PAINTS = ("ink", "muted", "line", "member", "non-member", *(f"series-{number}" for number in range(1, 9)))
DASHES = ("", "6 2", "2 1.6", "6 2 1.5 2", "9 3", "3 1 1 1", "1 1", "5 1 1 1 1 1")
SIZE = (4.6, 3.3)

_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mi-audit",
    "text.parse_math": False,
    "font.size": 10.0,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.unicode_minus": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
}
_COLOURS = {name: f"#0{number:x}0{number:x}0{number:x}" for number, name in enumerate(PAINTS, start=1)}
_INKED = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")


@dataclass(frozen=True)
class Panel:
    """One drawing.

    Attributes:
        title: what it is, in a few words.
        description: what it shows, with the figures that matter, for those who do not see it.
        svg: the drawing, from its first shape to its last, without the element around it.
        size: width and height in points.
    """

    title: str
    description: str
    svg: str
    size: tuple[float, float]


@dataclass(frozen=True)
class Key:
    """One entry of a legend: a line of this paint and dash, an area (``is_area``), or a marker.

    With ``is_joined`` the marker stands on its line.
    """

    label: str
    paint: str
    dash: str = ""
    is_area: bool = False
    is_bold: bool = False
    marker: str = ""
    is_joined: bool = False


@dataclass(frozen=True)
class Drawing:
    """A figure of the report: panels that belong together, what their lines are, and the numbers behind them.

    Attributes:
        slug: its anchor in the page.
        title: its caption.
        note: how to read it.
        panels: side by side where there is room.
        legend: what is what in all panels.
        tables: the numbers.
    """

    slug: str
    title: str
    note: str
    panels: tuple[Panel, ...]
    legend: tuple[Key, ...]
    tables: tuple[Table, ...]


def attack_key(attack: str, number: int, selected: str) -> Key:
    """The line of an attack in figures of several attacks, `number` counted from 0; the selected one is bold."""
    shown = _format.shortened(attack, 60)
    is_selected = attack == selected
    label = f"{shown} (selected)" if is_selected else shown
    return Key(label, f"series-{number + 1}", DASHES[number], is_bold=is_selected)


def colour(paint: str) -> str:
    """What stands for a paint while matplotlib draws; the page replaces it by its own colour."""
    return _COLOURS[paint]


def line_style(dash: str) -> typing.Any:
    """A dash pattern of `DASHES` as matplotlib takes it."""
    return (0, tuple(float(part) for part in dash.split())) if dash else "-"


def name(label: str, limit: int = 28) -> str:
    """A name from outside as a figure may show it: at most so many columns wide, and nothing in it obeyed."""
    shown, width = "", 0
    for char in _format.visible(label):
        width += 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if width > limit:
            return f"{shown}…"
        shown += char
    return shown


def panel(title: str, description: str, draw: Callable[["Axes"], None], size: tuple[float, float] = SIZE) -> Panel:
    """A panel on which `draw` draws.

    Raises:
        MissingLibraryError: matplotlib is not installed.
    """
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # its first cache of fonts is no news
    try:
        import matplotlib.style
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingLibraryError(
            "the figures of this report need the library 'matplotlib'", "pip install matplotlib"
        ) from error
    settings = {**_SETTINGS, **dict.fromkeys(_INKED, colour("ink")), "grid.color": colour("line")}
    with matplotlib.style.context(["default", settings]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the reader's fonts may have it
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.set_axisbelow(True)
        draw(axes)
        axes.set_title(title, color=colour("ink"))
        text = io.BytesIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return Panel(title, description, _inline(text.getvalue().decode("utf-8")), (size[0] * 72, size[1] * 72))


def plotted(values: Sequence[float | None]) -> list[float]:
    """Values as matplotlib takes them: a gap where there is none."""
    return [float("nan") if value is None else value for value in values]


def percent_ticks(axis: typing.Any, ticks: Sequence[float]) -> None:
    """Ticks at these rates, written in percent as all numbers of the report are."""
    axis.set_ticks(list(ticks), labels=[_short_percent(tick) for tick in ticks])
    axis.set_ticks([], minor=True)


def _short_percent(rate: float) -> str:
    return f"{numerals.rounded(100 * rate, 3).normalize():f} %"


_TAG = re.compile(r"<[^<>]+>")
_BLOCKS = re.compile(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>|<defs>\s*</defs>", re.DOTALL)
_FONT = re.compile(r"font-family: [^;\"]*")
_FONT_SHORT = re.compile(r"font: ([^;\"]*?px) [^;\"]*")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_NO_TURN = re.compile(r' transform="rotate\(-?0 [^"]*"')
_COLOUR = re.compile("|".join(_COLOURS.values()), re.IGNORECASE)
_VARIABLES = {value: f"var(--{key})" for key, value in _COLOURS.items()}


def _inline(svg: str) -> str:
    """The inside of matplotlib's SVG for use in a page.

    Without its header, metadata and style sheet, which would hold for the whole page; with colours, fonts and numbers
    as the page has them. Only tags are changed, so no text can be mistaken for one. The ids get their final form in
    `with_ids`.
    """
    inside = svg[svg.index("<svg") :].partition(">")[2].rpartition("</svg>")[0]
    for _ in range(2):  # the second time for what the first one emptied
        inside = _BLOCKS.sub("", inside)
    referred = set(re.findall(r'(?:href="|url\()#([\w.-]+)', inside))
    changed = _TAG.sub(lambda found: _tag(found[0], referred), inside)
    return re.sub(r">\s+<", "><", changed).strip()


def _tag(tag: str, referred: set[str]) -> str:
    tag = _COLOUR.sub(lambda found: _VARIABLES[found[0].lower()], tag)
    tag = _FONT_SHORT.sub(r"font-size: \1", _FONT.sub("font-family: inherit", tag))
    tag = _LONG_NUMBER.sub(lambda found: f"{float(found[0]):.2f}", tag)
    tag = _NO_TURN.sub("", tag).replace("; ", ";").replace(": ", ":") if "style=" in tag else _NO_TURN.sub("", tag)
    tag = re.sub(r' id="([\w.-]+)"', lambda found: found[0] if found[1] in referred else "", tag)
    return re.sub(r"\s+", " ", tag.replace("xlink:href", "href"))


def with_ids(shown: Panel, prefix: str) -> str:
    """The panel as an element, its ids begun with `prefix`, which is unique in the page."""

    def renamed(found: re.Match[str]) -> str:
        return re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{prefix}-", found[0])

    width, height = shown.size
    return (
        f'<svg role="img" aria-labelledby="{prefix}-title {prefix}-text" viewBox="0 0 {width:.1f} {height:.1f}">'
        f'<title id="{prefix}-title">{escaped(shown.title)}</title><desc id="{prefix}-text">'
        f"{escaped(shown.description)}</desc>{_TAG.sub(renamed, shown.svg)}</svg>"
    )
