"""Figures in the page: caption, panels, legend, and the numbers behind them."""

from mi_audit.reports._figures_svg import Drawing, Key, with_ids
from mi_audit.reports._html_text import details, escaped, prose, tables

_SHAPES = {
    "o": "M15 8a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z",
    "s": "M15 3h10v10h-10z",
    "^": "M20 2L26 13H14z",
    "v": "M20 14L26 3H14z",
    "_": "M12 8H28",
}
_FILLS = {"^": "none"}


def figure(drawing: Drawing | None, prefix: str) -> str:
    """A figure with its caption first, and its numbers as tables that open on demand; nothing without a figure.

    Args:
        drawing: what to show.
        prefix: of all its ids, unique in the page.
    """
    if drawing is None:
        return ""
    anchor = f"{prefix}-figure-{drawing.slug}"
    panels = "".join(with_ids(shown, f"{anchor}-p{i}") for i, shown in enumerate(drawing.panels, start=1))
    legend = "".join(_key(key) for key in drawing.legend)
    numbers = details(f"The numbers: {drawing.title}", tables(drawing.tables, anchor)) if drawing.tables else ""
    return (
        f'<figure id="{anchor}"><figcaption>{escaped(drawing.title)}<p>{prose(drawing.note)}</p></figcaption>'
        + (f'<ul class="legend">{legend}</ul>' if legend else "")
        + f'<div class="panels">{panels}</div>{numbers}</figure>'
    )


def _key(key: Key) -> str:
    """A sample of the line, its markers or the area beside its meaning."""
    paint = f"var(--{key.paint})"
    sample = ""
    if key.is_area:
        sample = f'<rect x="1" y="2" width="38" height="12" fill="{paint}" fill-opacity=".4" stroke="{paint}"/>'
    elif key.is_joined or not key.marker:
        dash = f' stroke-dasharray="{_scaled(key.dash)}"' if key.dash else ""
        sample = f'<path d="M0 8H40" fill="none" stroke="{paint}" stroke-width="{4 if key.is_bold else 2}"{dash}/>'
    if key.marker:
        fill = _FILLS.get(key.marker, paint)
        sample += f'<path d="{_SHAPES[key.marker]}" fill="{fill}" stroke="{paint}" stroke-width="2"/>'
    return f'<li><svg viewBox="0 0 40 16" aria-hidden="true">{sample}</svg>{escaped(key.label)}</li>'


def _scaled(dash: str) -> str:
    """Matplotlib's dashes grow with the line; these are for a line of two pixels."""
    return " ".join(f"{2 * float(part):g}" for part in dash.split())
