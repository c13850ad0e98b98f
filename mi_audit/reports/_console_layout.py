"""Fitting text and tables into the columns of a terminal: what may be broken over lines, and where.

Prose and names break at spaces; a single word that is longer than the line breaks after ``:`` or ``/``, then after
``-`` or ``_``, and only then anywhere. Numbers never break. A table that is too wide is split by columns, its leading
columns repeated.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells

from mi_audit.reports._format import NO_BREAK_SPACE
from mi_audit.reports._table import Column, Table

GAP = 2
_BREAKS = (re.compile(r"(?<=[:/])(?=[^\W\d])"), re.compile(r"(?<=[-_])(?=[^\W\d])"))  # the better ones first
_COMPOUND = re.compile(
    rf"(?P<value>[^{NO_BREAK_SPACE}a-z]*)(?P<rest>(?P<sign>{NO_BREAK_SPACE}(\+/-|[±(]){NO_BREAK_SPACE}?).*)?"
)
_WIDEST_UNBROKEN = 16
_NARROWEST_NAME = 6


@dataclass(frozen=True)
class Panel:
    """Some columns of a table that fit side by side.

    Attributes:
        columns: positions of the columns.
        widths: of each, in terminal cells.
    """

    columns: tuple[int, ...]
    widths: tuple[int, ...]


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a text, each at most `width` terminal cells; at least one."""
    lines = [""]
    for word in _words(text.replace(" %", f"{NO_BREAK_SPACE}%"), width):
        joined = lines[-1] + word
        if cell_len(joined.rstrip(" ")) <= width:
            lines[-1] = joined
        else:
            lines.append(word)
    return [line.rstrip(" ") for line in lines if line.strip(" ")] or [""]


def _words(text: str, width: int) -> Iterator[str]:
    """The pieces between which a line may break, each with the spaces after it."""
    for word in re.findall(r"[^ ]+ *", text):
        if cell_len(word.rstrip(" ")) <= width:
            yield word
            continue
        for part in _BREAKS[0].split(word):
            pieces = [part] if cell_len(part.rstrip(" ")) <= width else _BREAKS[1].split(part)
            for piece in pieces:
                yield from [piece] if cell_len(piece.rstrip(" ")) <= width else chop_cells(piece, width)


def hanging(text: str, width: int) -> list[str]:
    """The lines of a name in a column: what does not fit on the first is set in below it."""
    text = text.lstrip(" ")
    if cell_len(text) <= width:
        return [text]
    first, *others = wrapped(text, width)
    rest = wrapped(text[len(first) :].lstrip(" "), width - GAP) if others else []
    return [first, *(" " * GAP + line for line in rest)]


def aligned(cells: Sequence[str]) -> list[str]:
    """The numbers of a column, padded so that intervals begin, and ``±`` stand, below each other."""
    parts = [_COMPOUND.fullmatch(cell) for cell in cells]
    before = max((cell_len(part["value"]) for part in parts if part), default=0)
    after = max((cell_len(part["rest"] or "") for part in parts if part), default=0)
    if not after:
        return list(cells)
    return [_padded(part, before, after) if part else cell for part, cell in zip(parts, cells, strict=True)]


def _padded(part: re.Match[str], before: int, after: int) -> str:
    value, sign, rest = part["value"], part["sign"] or "", part["rest"] or ""
    inner = sign + rest[len(sign) :].rjust(after - len(sign), NO_BREAK_SPACE) if sign and "(" not in sign else rest
    return value.rjust(before, NO_BREAK_SPACE) + inner.ljust(after, NO_BREAK_SPACE)


def heading_lines(column: Column, width: int) -> list[str]:
    """The lines of a column's heading: those that it was given, or its name broken to fit."""
    return column.heading.split("\n") if column.heading else wrapped(column.name, width)


def panels(table: Table, width: int, indent: int) -> list[Panel]:
    """The table in as few parts as fit into `width`, essential columns first.

    Args:
        table: with cells that are ready to print.
        width: of the terminal.
        indent: cells that the marker takes in front of the first column.
    """
    sizes = [_sizes(table, position, indent if position == 0 else 0) for position in range(len(table.columns))]
    keys, values = tuple(range(table.n_keys)), range(table.n_keys, len(table.columns))
    if _total([sizes[position][1] for position in (*keys, *values)]) <= width:
        return [Panel((*keys, *values), tuple(natural for _, natural in sizes))]
    found: list[tuple[int, ...]] = []
    for is_essential in (True, False):
        chosen = [position for position in values if table.columns[position].is_essential is is_essential]
        found += _packed(keys, chosen, [least for least, _ in sizes], width)
    return [_panel(table, columns, sizes, width) for columns in found]


def _sizes(table: Table, position: int, indent: int) -> tuple[int, int]:
    """The least width of a column, and the width at which nothing in it is broken."""
    column = table.columns[position]
    cells = [row.cells[position] for row in table.rows]
    given = column.heading.split("\n") if column.heading else []
    natural = max(map(cell_len, (*cells, *(given or [column.name]))))
    words = [word for text in cells for word in text.split(" ")]
    names = [column.name] if not given else []
    names += words if column.is_text else []
    broken = [piece for name in names for word in name.split(" ") for piece in _pieces(word)]
    least = max(min(max(map(cell_len, broken), default=1), _WIDEST_UNBROKEN), *map(cell_len, (*given, "")))
    if not column.is_text:
        least = max(least, *map(cell_len, (*words, "")))
    elif least < natural:
        least += GAP  # what is broken is set in
    return least + indent, natural + indent


def _pieces(word: str) -> list[str]:
    return [piece for part in _BREAKS[0].split(word) for piece in _BREAKS[1].split(part)]


def _packed(keys: tuple[int, ...], values: Sequence[int], least: Sequence[int], width: int) -> list[tuple[int, ...]]:
    """The value columns in order, as many side by side as fit beside the keys."""
    found: list[tuple[int, ...]] = []
    for position in values:
        wider = (*found[-1], position) if found else ()
        if wider and _total([least[column] for column in wider]) <= width:
            found[-1] = wider
        else:
            found.append((*keys, position))
    return found


def _panel(table: Table, columns: tuple[int, ...], sizes: Sequence[tuple[int, int]], width: int) -> Panel:
    """Widths for these columns: the least, and what is left of the line where it is needed.

    Where even the least is too wide, names give way; a number never does.
    """
    widths = [sizes[position][0] for position in columns]
    spare = width - _total(widths)
    for i, position in enumerate(columns):
        change = 0
        if spare >= 0:
            change = min(spare, sizes[position][1] - widths[i])
        elif table.columns[position].is_text:
            change = max(spare, min(0, _NARROWEST_NAME - widths[i]))
        widths[i] += change
        spare -= change
    return Panel(columns, tuple(widths))


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)
