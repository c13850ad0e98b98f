"""The page of a series of checkpoints: its curves, a row and a verdict per epoch, and the last epoch in full."""

from collections.abc import Sequence

from mi_audit.reports import _figures_series, _format, _series, _series_numbers, _target_tables
from mi_audit.reports._html_figures import figure
from mi_audit.reports._html_page import article, glossary
from mi_audit.reports._html_text import details, escaped, paragraph, tables
from mi_audit.reports._tables import Document
from mi_audit.schema import numerals
from mi_audit.schema.audit import Audit

_PREFIX = "series"
_LAST = "a1"
_CURVES = "Over the epochs"
_ROWS = "Epoch by epoch"


def title(audits: Sequence[Audit]) -> str:
    """How many epochs, and which."""
    ends = [_series.shown_epoch(audit) for audit in (audits[0], audits[-1])]
    if len(audits) == 1:
        return f"One epoch of a training run: {ends[0]}"
    return f"{numerals.counted(len(audits), 'epoch')} of a training run, {ends[0]} to {ends[1]}"


def body(audits: Sequence[Audit], last: Document) -> str:
    """The inside of the page.

    Args:
        audits: of a series, from the first epoch to the last.
        last: the last of them as plain values.
    """
    heading = f"The last epoch in full: {last.pages[0].title}"
    inside = "\n".join(article(audits[-1], last.pages[0], _LAST, last.claims, level=3))
    links = "".join(
        f'<li><a href="#{anchor}">{escaped(words)}</a></li>'
        for anchor, words in ((f"{_PREFIX}-curves", _CURVES), (f"{_PREFIX}-rows", _ROWS), (_LAST, heading))
    )
    verdicts = _series.verdicts(audits)
    return "\n".join(
        (
            paragraph(f"Verdicts: {verdicts}") if verdicts else "",
            f'<nav aria-label="Contents"><ul>{links}</ul></nav>',
            glossary(),
            _section("curves", _CURVES, _curves(audits)),
            _section("rows", _ROWS, _rows(audits)),
            f'<article aria-labelledby="{_LAST}"><h2 id="{_LAST}">{escaped(heading)}</h2>{inside}</article>',
        )
    )


def _section(slug: str, heading: str, inside: str) -> str:
    anchor = f"{_PREFIX}-{slug}"
    return f'<section aria-labelledby="{anchor}"><h2 id="{anchor}">{escaped(heading)}</h2>{inside}</section>'


def _curves(audits: Sequence[Audit]) -> str:
    chosen = dict.fromkeys(_format.shortened(audit.selected, 60) for audit in audits)
    named = "The selected attack of every epoch" if len(chosen) == 1 else "The selected attacks, which differ by epoch"
    told = paragraph(f"{named}: {', '.join(chosen)}.", "note")
    return told + "".join(figure(drawing, _PREFIX) for drawing in _figures_series.drawings(audits))


def _rows(audits: Sequence[Audit]) -> str:
    found = (*_series.tables(audits), _series_numbers.verdicts(audits))
    shown = tables([table for table in found if table is not None], f"{_PREFIX}-rows")
    more = tables([_target_tables.comparison(audits)], f"{_PREFIX}-more")
    return shown + details("More about every epoch: AUC, other measures of the attack, numbers of samples", more)
