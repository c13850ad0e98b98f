"""Tables for documents, model cards and pull requests."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mi_audit.reports import _format, _verdict_tables
from mi_audit.reports._facts import Facts
from mi_audit.reports._table import Row, Table
from mi_audit.reports._tables import By, Page, document
from mi_audit.reports.interface import Report
from mi_audit.schema import numerals
from mi_audit.schema.audit import Audit
from mi_audit.schema.finding import Finding

# What Markdown, its tables, or the HTML inside it would take for more than text. A dot and a colon are escaped where a
# bare address would become a link; at an @, which would write to somebody or call somebody, no escape helps.
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>#|~$]|(?<=www)\.|:(?=//)", re.IGNORECASE)
_BLOCK = re.compile(r"^(\d*)([-+=.)])")
_RESERVE = 200
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_CALL = re.compile(r"@(?=[\w.-])")


@dataclass(frozen=True)
class Markdown(Report):
    """Markdown with pipe tables, as GitHub and most others draw it.

    Attributes:
        classes: how many of the most leaking classes to show, where the audit has rows per class.
        max_bytes: what would make it longer is left out, and named; a comment on GitHub holds 64 KiB.
        by: ``"epoch"`` for tables over a series instead of a part for every audit.
    """

    classes: int = 10
    max_bytes: int = 64_000
    by: By = "audit"

    def render(self, audits: Sequence[Audit], *, width: int = 80, color: bool = False) -> str:  # noqa: ARG002 - no terminal's
        """The report with a heading per audit and per table."""
        shown = document(audits, self.classes, self.by)
        parts = [drawn(table) for table in shown.compared]
        parts += [block for page in shown.pages for block in _page(page)]
        parts += [drawn(table) for table in shown.paper]
        legend = "## What the numbers are\n\n" + bullets(shown.legend)
        return "\n\n".join([*_fitting(parts, self.max_bytes - _size(legend)), legend]) + "\n"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    seen = _format.visible(text).replace(_format.NO_BREAK_SPACE, " ")
    plain = re.sub("[&<>]", lambda found: _ENTITIES[found[0]], _SPECIAL.sub(_backslashed, seen))
    return _CALL.sub("@<!-- -->", plain)


def _backslashed(found: re.Match[str]) -> str:
    return found[0] if found[0] in "<>" else f"\\{found[0]}"


def _page(page: Page) -> Iterator[str]:
    yield f"# {escaped(page.heading)}: {escaped(page.title)}"
    if page.verdict is not None:
        yield f"**{escaped(_verdict_tables.line(page.verdict))}**"
        if reasons := _verdict_tables.reasons(page.verdict):
            yield "\n".join(f"- {escaped(reason)}" for reason in reasons)
        yield escaped(_verdict_tables.policy(page.verdict))
    yield f"**{escaped(page.sentence)}**"
    if page.facts:
        yield _facts(page.facts)
    for table in page.tables:
        yield drawn(table)
    if page.findings:
        yield "## Findings\n\n" + "\n".join(_finding(finding) for finding in page.findings)
    if page.provenance:
        yield "## Where the numbers come from (digests: SHA-256)\n\n" + _facts(page.provenance)


def bullets(items: Iterable[str]) -> str:
    """A list of texts, none of which is escaped yet."""
    return "\n".join(f"- {escaped(item)}" for item in items)


def _fitting(parts: Sequence[str], max_bytes: int) -> Iterator[str]:
    """The parts as far as there is room, then how many there was none for."""
    if sum(map(_size, parts)) <= max_bytes:
        yield from parts
        return
    rest = max_bytes - _RESERVE
    for number, part in enumerate(parts):
        rest -= _size(part)
        if rest < 0:
            left = numerals.counted(len(parts) - number, "part")
            yield f"*{left} left out to keep this short; the formats html, json and csv have all of it.*"
            return
        yield part


def _size(part: str) -> int:
    return len(part.encode()) + len("\n\n")


def _facts(facts: Facts) -> str:
    return bullets(f"{label}: {text}" for label, text in facts)


def _finding(finding: Finding) -> str:
    return f"- **{finding.severity}** {escaped(finding.message)} ({escaped(finding.slug)})"


def drawn(table: Table, heading: str = "##") -> str:
    """A pipe table below its title, its notes below it."""
    lines = [
        _line([escaped(column.name) for column in table.columns]),
        _line([":---" if column.is_text else "---:" for column in table.columns]),
        *(_line(_cells(row)) for row in table.rows),
    ]
    notes = "".join(f"\n\n{_paragraph(note)}" for note in table.notes)
    return f"{heading} {escaped(table.title)}\n\n" + "\n".join(lines) + notes


def _paragraph(text: str) -> str:
    """Text at the start of a line, where it must not become a list or a heading."""
    return _BLOCK.sub(r"\1\\\2", escaped(text).lstrip())


def _cells(row: Row) -> list[str]:
    cells = [escaped(cell).strip() for cell in row.cells]
    return [f"**{cell}**" if cell and row.is_marked else cell for cell in cells]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
