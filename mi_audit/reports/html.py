"""One page for people, with figures: a single file that loads nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from mi_audit.reports import _html_series
from mi_audit.reports._html_page import article, glossary
from mi_audit.reports._html_style import STYLE
from mi_audit.reports._html_text import escaped, paragraph, tables
from mi_audit.reports._tables import By, Document, document
from mi_audit.reports.interface import Report
from mi_audit.schema.audit import Audit

# The browser itself is told to load nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_HEAD = (
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
)


@dataclass(frozen=True)
class Html(Report):
    """One self-contained page: no script, no network; light, dark and print; every figure with its numbers.

    Attributes:
        by: ``"epoch"`` for a series of checkpoints: the curves over its epochs, and only the last one in full.

    Raises:
        MissingLibraryError: matplotlib, which draws the figures, is not installed.
    """

    by: By = "audit"

    def render(self, audits: Sequence[Audit], *, width: int = 80, color: bool = False) -> str:  # noqa: ARG002 - no terminal's
        """The page."""
        shown = document(audits if self.by == "audit" else audits[-1:], 0)
        title, body = self._shown(audits, shown)
        paper = tables(shown.paper, "paper")
        if paper:
            head = '<h2 id="paper">The tables of the founding paper</h2>'
            body += f'<section aria-labelledby="paper">{head}{paper}</section>'
        return (
            f"{_HEAD}<title>{escaped(title)} \u2013 mi-audit</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
            '<a class="skip" href="#main">Skip to the report</a>\n'
            f"<header>{paragraph(f'Membership-inference audit, {shown.pages[0].heading}', 'made')}"
            f'<h1>{escaped(title)}</h1></header>\n<main id="main">\n{body}\n</main>\n'
            f"<footer>{paragraph(_FOOTER)}</footer>\n</body>\n</html>\n"
        )

    def _shown(self, audits: Sequence[Audit], shown: Document) -> tuple[str, str]:
        """What the page is called, and what it says."""
        if self.by == "epoch":
            return _html_series.title(audits), _html_series.body(audits, shown)
        if len(audits) == 1:
            return shown.pages[0].title, _one(audits[0], shown)
        return f"{len(audits)} audits compared", _several(audits, shown)


_FOOTER = (
    "An attack that succeeds shows that the model reveals who was in its training set. One that fails shows only that "
    "it failed."
)


def _one(audit: Audit, shown: Document) -> str:
    return "\n".join(article(audit, shown.pages[0], "a1", shown.claims, level=2, below_verdict=glossary()))


def _several(audits: Sequence[Audit], shown: Document) -> str:
    """The comparison, then every audit below its own heading."""
    parts = [tables([shown.comparison], "compared")] if shown.comparison is not None else []
    parts.append(glossary())
    for number, (audit, page) in enumerate(zip(audits, shown.pages, strict=True), start=1):
        inside = "\n".join(article(audit, page, f"a{number}", shown.claims, level=3))
        heading = f'<h2 id="a{number}">{escaped(page.title)}</h2>'
        parts.append(f'<article aria-labelledby="a{number}">{heading}{inside}</article>')
    return "\n".join(parts)
