"""Tables for people at a terminal, as wide as it is."""

import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich import box
from rich.console import Console as Terminal
from rich.table import Table as Grid
from rich.text import Text

from mi_audit.reports import _format, _verdict_tables
from mi_audit.reports._console_layout import GAP, Panel, aligned, hanging, heading_lines, panels, wrapped
from mi_audit.reports._facts import Facts
from mi_audit.reports._series import BARS
from mi_audit.reports._table import Column, Row, Table
from mi_audit.reports._tables import By, Page, document
from mi_audit.reports.interface import Report
from mi_audit.schema import numerals
from mi_audit.schema.audit import Audit
from mi_audit.schema.finding import Finding
from mi_audit.schema.verdict import Verdict

_LONGEST_LINE = 100  # of prose; longer ones are hard to read
_LABEL_WIDTH = 10
_NARROWEST = 40
_MARKER = "▸ "
_BULLET = "• "
_RULES = box.Box("    \n    \n────\n    \n    \n────\n    \n    \n")
_ASCII_RULES = box.Box("    \n    \n----\n    \n    \n----\n    \n    \n", ascii=True)
_ASCII = str.maketrans(
    {_format.DASH: "-", numerals.MINUS: "-", "±": "+/-", "…": "...", "─": "-", "▸": ">", "•": "*"}
    | dict(zip(BARS, "_.-:=+*#", strict=True))
)
_VERDICT_STYLES = {"PASS": "bold green", "FAIL": "bold red", "INCONCLUSIVE": "bold yellow", "INVALID": "bold red"}
_SEVERITY_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}


@dataclass(frozen=True)
class Console(Report):
    """Tables for people at a terminal.

    Attributes:
        ascii: nothing but ASCII, for terminals and logs that know no more.
        classes: how many of the most leaking classes to show, where the audit has rows per class.
        by: ``"epoch"`` for tables over a series instead of a part for every audit.
    """

    ascii: bool = False
    classes: int = 10
    by: By = "audit"

    def render(self, audits: Sequence[Audit], *, width: int = 80, color: bool = False) -> str:
        """The report in `width` columns, with ANSI codes when `color`."""
        pages = _Printer(max(width, _NARROWEST), is_ascii=self.ascii, has_color=color)
        shown = document(audits, self.classes, self.by)
        for table in shown.compared:
            pages.table(table)
        for page in shown.pages:
            pages.page(page)
        for table in shown.paper:
            pages.table(table)
        pages.legend(shown.legend)
        return pages.text()


class _Printer:
    """Draws one thing below the other, with one empty line between them, into a string."""

    def __init__(self, width: int, *, is_ascii: bool, has_color: bool) -> None:
        self._width = width
        self._is_ascii = is_ascii
        self._file = io.StringIO()
        # Everything that rich would otherwise read from the environment is given, so that it cannot change the text.
        self._terminal = Terminal(
            file=self._file,
            width=width,
            height=100,
            force_terminal=has_color,
            color_system="standard" if has_color else None,
            no_color=False,
            force_jupyter=False,
            legacy_windows=False,
            markup=False,
            emoji=False,
            highlight=False,
        )

    def text(self) -> str:
        lines = [line.rstrip() for line in self._file.getvalue().replace(_format.NO_BREAK_SPACE, " ").split("\n")]
        return "\n".join(lines).strip("\n") + "\n"

    def page(self, page: Page) -> None:
        rule = "─" * min(self._width, _LONGEST_LINE)
        self._gap()
        self._verdict(page.verdict)
        self._prose(f"{page.heading}: {page.title}", style="bold")
        self._line(self._clean(rule), style="dim")
        self._facts(page.facts)
        self._gap()
        self._prose(page.sentence, style="bold")
        for table in page.tables:
            self.table(table)
        self._findings(page.findings)
        if page.provenance:
            self._gap()
            self._prose("Where the numbers come from (digests: SHA-256)", style="bold")
            self._facts(page.provenance, style="dim")

    def _verdict(self, verdict: Verdict | None) -> None:
        """The verdict, why, and by which policy, before anything else."""
        if verdict is None:
            return
        self._prose(_verdict_tables.line(verdict), style=_VERDICT_STYLES[verdict.outcome])
        for reason in _verdict_tables.reasons(verdict):
            self._prose(reason, bullet=_BULLET)
        self._prose(_verdict_tables.policy(verdict), style="dim")
        self._gap()

    def legend(self, items: Sequence[str]) -> None:
        self._gap()
        self._line("What the numbers are", style="bold")
        for item in items:
            self._prose(item, style="dim", bullet=_BULLET)

    def table(self, table: Table) -> None:
        ready = self._cleaned(table)
        indent = len(_MARKER) if any(row.is_marked for row in ready.rows) else 0
        self._gap()
        self._prose(table.title, style="bold")
        for position, panel in enumerate(panels(ready, self._width, indent)):
            if position:
                self._gap()
            self._terminal.print(self._grid(ready, panel, indent), crop=False)
        for note in table.notes:
            self._prose(note, style="dim")

    def _grid(self, table: Table, panel: Panel, indent: int) -> Grid:
        grid = Grid(
            box=_ASCII_RULES if self._is_ascii else _RULES,
            show_edge=False,
            pad_edge=False,
            padding=(0, GAP - 1, 0, 0),
            header_style="",
        )
        for position, width in zip(panel.columns, panel.widths, strict=True):
            column, before = table.columns[position], indent if position == 0 else 0
            head = "\n".join(" " * before + line for line in heading_lines(column, width - before))
            side = "left" if column.is_text else "right"
            grid.add_column(Text(head), justify=side, width=width, no_wrap=True, vertical="top")  # type: ignore[arg-type]
        for number, row in enumerate(_without_repeats(table)):
            if row.starts_group and number:
                grid.add_section()
            if not any(row.cells[position].strip() for position in panel.columns[table.n_keys :]):
                continue
            grid.add_row(*self._cells(row, table, panel, indent), style="bold" if row.is_marked else None)
        return grid

    def _cells(self, row: Row, table: Table, panel: Panel, indent: int) -> list[Text]:
        cells = []
        for position, width in zip(panel.columns, panel.widths, strict=True):
            before = indent if position == 0 else 0
            fit = hanging if table.columns[position].is_text else wrapped
            lines = fit(row.cells[position], width - before)
            first = self._clean(_MARKER) if row.is_marked and before else " " * before
            cells.append(Text("\n".join((first if i == 0 else " " * before) + line for i, line in enumerate(lines))))
        return cells

    def _findings(self, findings: Sequence[Finding]) -> None:
        if not findings:
            return
        self._gap()
        self._line("Findings", style="bold")
        for finding in findings:
            style = _SEVERITY_STYLES[finding.severity]
            self._labelled(finding.severity, f"{finding.message} [{finding.slug}]", label_style=style)

    def _facts(self, facts: Facts, style: str = "") -> None:
        for label, text in facts:
            self._labelled(label, text, style=style)

    def _labelled(self, label: str, text: str, *, style: str = "", label_style: str = "dim") -> None:
        lines = wrapped(self._clean(text), min(self._width, _LONGEST_LINE) - _LABEL_WIDTH)
        for position, line in enumerate(lines):
            start = (label if position == 0 else "").ljust(_LABEL_WIDTH)
            self._print(Text.assemble((start, label_style), (line, style)))

    def _prose(self, text: str, style: str = "", bullet: str = "") -> None:
        before = self._clean(bullet)
        for line in wrapped(self._clean(text), min(self._width, _LONGEST_LINE) - len(before)):
            self._line(before + line, style)
            before = " " * len(before)

    def _line(self, text: str, style: str = "") -> None:
        self._print(Text(text, style=style))

    def _gap(self) -> None:
        self._line("")

    def _print(self, text: Text) -> None:
        self._terminal.print(text, no_wrap=True, overflow="ignore", crop=False)

    def _clean(self, text: str) -> str:
        """Text that can do nothing to a terminal; where only ASCII is wanted, what ASCII has for it."""
        seen = _format.visible(text)
        if not self._is_ascii:
            return seen
        words = seen.translate(_ASCII).split(_format.NO_BREAK_SPACE)
        return _format.NO_BREAK_SPACE.join(word.encode("ascii", "backslashreplace").decode("ascii") for word in words)

    def _cleaned(self, table: Table) -> Table:
        columns = tuple(self._cleaned_column(column) for column in table.columns)
        cells = [[self._clean(row.cells[position]) for row in table.rows] for position in range(len(columns))]
        ready = (own if column.is_text else aligned(own) for column, own in zip(columns, cells, strict=True))
        rows = tuple(replace(row, cells=own) for row, own in zip(table.rows, zip(*ready, strict=True), strict=True))
        return replace(table, columns=columns, rows=rows)

    def _cleaned_column(self, column: Column) -> Column:
        """The heading keeps its lines."""
        heads = column.heading.split("\n")
        return replace(column, name=self._clean(column.name), heading="\n".join(self._clean(head) for head in heads))


def _without_repeats(table: Table) -> list[Row]:
    """The rows, where a leading name that stands in the row above is not said again; the last of the keys always is."""
    shown = list(table.rows[:1])
    for above, row in itertools.pairwise(table.rows):
        n_same = 0
        while n_same < table.n_keys - 1 and not row.starts_group and row.cells[n_same] == above.cells[n_same]:
            n_same += 1
        shown.append(replace(row, cells=("",) * n_same + row.cells[n_same:]))
    return shown
