"""Pieces of a page: text that cannot be more than text, tables, lists of facts."""

import html
import re
from collections.abc import Iterable, Sequence

from mi_audit.reports import _format
from mi_audit.reports._facts import Facts
from mi_audit.reports._table import Column, Row, Table

_MANY_COLUMNS = 9
_CODE = re.compile("`([^`]+)`")


def escaped(text: str) -> str:
    """Text that a browser shows as it is, in an element or a quoted attribute; control characters are written out."""
    return html.escape(_format.visible(text), quote=True)


def prose(text: str) -> str:
    """Text in sentences: a number stays beside its sign, and what stands between two backticks is code."""
    shown = escaped(text).replace(" %", f"{_format.NO_BREAK_SPACE}%")
    return shown if shown.count("`") % 2 else _CODE.sub(r"<code>\1</code>", shown)


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f"<p{_class(kind)}>{prose(text)}</p>"


def bullets(items: Iterable[str]) -> str:
    """A list of plain texts."""
    return "<ul>" + "".join(f"<li>{prose(item)}</li>" for item in items) + "</ul>"


def facts(lines: Facts) -> str:
    """Labels with their texts."""
    return (
        '<dl class="facts">'
        + "".join(f"<div><dt>{escaped(label)}</dt><dd>{prose(text)}</dd></div>" for label, text in lines)
        + "</dl>"
    )


def details(summary: str, inside: str) -> str:
    """What opens on demand, without a script."""
    return f"<details><summary>{escaped(summary)}</summary>{inside}</details>"


def table(shown: Table, anchor: str) -> str:
    """A table that scrolls on its own where it is wider than the page, within reach of the keyboard.

    Args:
        shown: its caption is its title.
        anchor: an id that is unique in the page.
    """
    heads = "".join(f'<th scope="col"{_class(_kind(column))}>{escaped(column.name)}</th>' for column in shown.columns)
    body = "".join(_row(row, shown) for row in shown.rows)
    notes = "".join(paragraph(note, "note") for note in shown.notes)
    width = "wide" if len(shown.columns) > _MANY_COLUMNS else ""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-labelledby="{anchor}"><table{_class(width)}>'
        f'<caption id="{anchor}"><span>{escaped(shown.title)}</span></caption><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{notes}"
    )


def tables(shown: Sequence[Table], anchor: str) -> str:
    """Tables one below the other."""
    return "".join(table(each, f"{anchor}-t{number}") for number, each in enumerate(shown, start=1) if each.rows)


def _row(row: Row, shown: Table) -> str:
    cells = "".join(
        f'<th scope="row"{_class(_kind(column))}>{escaped(cell)}</th>'
        if position < shown.n_keys
        else f"<td{_class(_kind(column))}>{prose(cell) if column.is_text else escaped(cell)}</td>"
        for position, (cell, column) in enumerate(zip(row.cells, shown.columns, strict=True))
    )
    kinds = [kind for kind, holds in (("marked", row.is_marked), ("group", row.starts_group)) if holds]
    return f"<tr{_class(' '.join(kinds))}>{cells}</tr>"


def _kind(column: Column) -> str:
    return "text" if column.is_text else ""


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
