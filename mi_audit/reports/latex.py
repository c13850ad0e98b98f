"""Tables for papers, in LaTeX with booktabs."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from mi_audit.reports import _format
from mi_audit.reports._table import Row, Table
from mi_audit.reports._tables import By, document
from mi_audit.reports.interface import Report
from mi_audit.schema import numerals
from mi_audit.schema.audit import Audit

# Where two of these meet, fonts have a ligature.
_LIGATURE = re.compile(r"(?<=[-\u2013'`?!,])(?=[-\u2013'`,])")
_BREAK = "\0"
# Where a name may go on in the next line: behind its parts, and somewhere in what has none.
_SEAM = re.compile(r"(?<=[/:_.=@-])(?=[^\s\0])|(?<=\w{18})(?=\w)")
_LINE_BREAK = "\1"
# Of these, `[` and `*` would be an argument of a line break before them.
_SPECIAL = {
    _BREAK: "{}",
    _LINE_BREAK: "\\allowbreak{}",
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "±": r"$\pm$",
    "…": r"\ldots{}",
    _format.DASH: "--",
    numerals.MINUS: r"$-$",
    _format.NO_BREAK_SPACE: "~",
}
_Escaping = Callable[[str], str]
_LAST_LATIN = 0x17F
_NOT_IN_T1 = "\u0126\u0127\u0138\u013f\u0140\u0149\u0166\u0167\u017f"  # letters of this range that the encoding lacks
_PREAMBLE = "% Needs \\usepackage{array,booktabs} and \\usepackage[T1]{fontenc}; text is UTF-8."
_TABLES_AT_ONCE = 16  # LaTeX holds eighteen floats that wait for their page
_LONG_TEXT = 18
_NARROW = r">{\raggedright\arraybackslash}p{.2\linewidth}"


@dataclass(frozen=True)
class Latex(Report):
    r"""Tables in LaTeX, each a ``table`` with booktabs rules, to be read with ``\input``.

    The tables over all audits come first, then those of each audit, then Tables 1 to 7 of the founding paper for audits
    under its protocol. Only the columns that a page has room for are there; the csv has all of them.

    Attributes:
        unicode: keep all letters, which XeLaTeX and LuaLaTeX with a fitting font can print; otherwise those beyond
            Latin are written as their code, ``U+6DF1``.
        by: ``"epoch"`` for one table over a series instead of the tables of every audit.
    """

    unicode: bool = False
    by: By = "audit"

    def render(self, audits: Sequence[Audit], *, width: int = 80, color: bool = False) -> str:  # noqa: ARG002 - no terminal's
        """A comment on what it needs, then the tables."""
        shown = document(audits, 10, self.by)
        tables = [*shown.compared]
        for page in shown.pages:
            tables += [_titled(table, page.title, n_pages=len(shown.pages)) for table in page.tables]
        tables += shown.paper
        drawn = [_drawn(_essential(table), number, self.unicode) for number, table in enumerate(tables, start=1)]
        for i in range(_TABLES_AT_ONCE, len(drawn), _TABLES_AT_ONCE):
            drawn[i] = f"\\clearpage\n{drawn[i]}"
        return "\n\n".join([_PREAMBLE, *drawn]) + "\n"


def escaped(text: str, *, unicode: bool = False, has_seams: bool = False) -> str:
    """Text that LaTeX prints as it is, on one line, or with seams on several where a column is narrow."""
    seen = _LIGATURE.sub(_BREAK, _format.visible(text))
    seen = _SEAM.sub(_LINE_BREAK, seen) if has_seams else seen
    return "".join(_character(char, unicode=unicode) for char in seen)


def _character(char: str, *, unicode: bool) -> str:
    if char in _SPECIAL:
        return _SPECIAL[char]
    if char.isascii() or unicode:
        return char
    is_latin = ord(char) <= _LAST_LATIN and unicodedata.category(char).startswith("L") and char not in _NOT_IN_T1
    return char if is_latin else f"\\texttt{{U+{ord(char):04X}}}"


def _titled(table: Table, title: str, *, n_pages: int) -> Table:
    """With several audits, a table says whose it is."""
    return table if n_pages == 1 else replace(table, title=f"{_format.shortened(title, 80)}: {table.title}")


def _essential(table: Table) -> Table:
    kept = [i for i, column in enumerate(table.columns) if i < table.n_keys or column.is_essential]
    rows = tuple(replace(row, cells=tuple(row.cells[i] for i in kept)) for row in table.rows)
    return replace(table, columns=tuple(table.columns[i] for i in kept), rows=rows)


def _drawn(table: Table, number: int, unicode: bool) -> str:
    def tex(text: str) -> str:
        return escaped(text, unicode=unicode)

    columns = [_column(table, i) for i in range(len(table.columns))]
    heads = [_head(column.heading or column.name, tex) for column in table.columns]
    lines = [
        r"\begin{table}",
        r"  \centering\footnotesize\setlength{\tabcolsep}{3pt}",
        f"  \\caption{{{tex(table.title)}}}",
        f"  \\label{{tab:mi-audit-{number}}}",
        f"  \\begin{{tabular}}{{{''.join(columns)}}}",
        r"    \toprule",
        f"    {' & '.join(heads)} \\\\",
        r"    \midrule",
        *_lines(table.rows, columns, unicode),
        r"    \bottomrule",
        r"  \end{tabular}",
        *(f"  \\par\\smallskip{{\\footnotesize {tex(note)}\\par}}" for note in table.notes),
        r"\end{table}",
    ]
    return "\n".join(lines)


def _head(heading: str, tex: _Escaping) -> str:
    """A heading of several lines is a small table of its own."""
    lines = [tex(line) for line in heading.split("\n")]
    return lines[0] if len(lines) == 1 else "\\shortstack{" + r" \\ ".join(lines) + "}"


def _column(table: Table, position: int) -> str:
    """Numbers to the right; text to the left, in a column of a fixed width where it is long."""
    if not table.columns[position].is_text:
        return "r"
    longest = max((len(row.cells[position]) for row in table.rows), default=0)
    return _NARROW if longest > _LONG_TEXT else "l"


def _lines(rows: Sequence[Row], columns: Sequence[str], unicode: bool) -> Iterator[str]:
    for i, row in enumerate(rows):
        if row.starts_group and i:
            yield r"    \addlinespace"
        cells = [
            escaped(cell, unicode=unicode, has_seams=column == _NARROW)
            for cell, column in zip(row.cells, columns, strict=True)
        ]
        shown = [f"\\textbf{{{cell}}}" if cell and row.is_marked else cell for cell in cells]
        yield f"    {' & '.join(shown)} \\\\"
