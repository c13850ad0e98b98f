"""Predictions in a text file: comma-separated, or with semicolons or tabs where its first line has these."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mi_audit.table_columns import delimiter_of
from mi_audit.targets._predictions.checking import as_flags, kind_by_values
from mi_audit.targets._predictions.columns import Columns, Values, columns_of
from mi_audit.targets._predictions.table import Column, Table, refuse, shown, texts

# Rows become numbers so many at a time: Python objects for all of them never exist together.
_BLOCK_ROWS = 4096
_LONGEST_CELL = 1 << 24
_BRACKETS = str.maketrans("[](),;", "      ")
Rows = list[list[str]]


def read(path: Path) -> Table:
    """The columns of a table with a header; a byte-order mark, quotes, CRLF and lists in cells are taken as they come.

    Raises:
        OutputsError: not UTF-8, no header, rows of other lengths, or a cell that is no number; the line is named.
    """
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            delimiter = delimiter_of(file.readline())
            file.seek(0)
            return _table(path, csv.reader(file, delimiter=delimiter, strict=True), _values(path, delimiter))
    except UnicodeDecodeError:
        refuse(path, "expected text in UTF-8, got other bytes", "save it as CSV in UTF-8")
    except csv.Error as error:
        refuse(path, f"expected comma-separated values, got a damaged line ({error})")
    finally:
        csv.field_size_limit(before)


def _values(path: Path, delimiter: str) -> Values:
    """Reads the different values of a column in a pass of its own."""

    def values(position: int) -> set[str]:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = islice(csv.reader(file, delimiter=delimiter, strict=True), 1, None)
            return {row[position].strip() for row in rows if len(row) > position}

    return values


def _table(path: Path, reader: Any, values: Values) -> Table:
    header: list[str] = next(reader, [])
    columns = columns_of(path, header, values)
    gathered = _Gathered(path, columns, [name.strip() for name in header])
    for line, rows in _blocks(reader):
        gathered.add(line, rows)
    return gathered.table()


def _blocks(reader: Any) -> Iterator[tuple[list[int], Rows]]:
    """Rows and the lines that they end on, empty lines left out."""
    numbered = ((reader.line_num, row) for row in reader if row)
    while block := list(islice(numbered, _BLOCK_ROWS)):
        yield [line for line, _ in block], [row for _, row in block]


@dataclass
class _Gathered:
    """The columns as far as they were read."""

    path: Path
    columns: Columns
    header: list[str]
    line: list[npt.NDArray[np.int64]] = field(default_factory=list)
    outputs: list[npt.NDArray[np.float64]] = field(default_factory=list)
    texts: dict[str, list[Column]] = field(default_factory=dict)

    def add(self, line: list[int], rows: Rows) -> None:
        """The rows of one block.

        Raises:
            OutputsError: a row of another length, or a cell that is no number.
        """
        n = len(self.header)
        for number, row in zip(line, rows, strict=True):
            if len(row) != n:
                refuse(self.path, f"line {number}: expected {n} values as in the header, got {len(row)}")
        self.line.append(np.array(line, np.int64))
        for name, position in self.columns.texts.items():
            self.texts.setdefault(name, []).append(texts(self.path, [row[position] for row in rows]))
        if self.columns.kind != "labels":
            self.outputs.append(self._numbers(line, rows))

    def table(self) -> Table:
        """All rows."""
        columns = {name: np.concatenate(parts) for name, parts in self.texts.items()}
        if not columns:
            refuse(self.path, "expected rows below the header, got none")
        outputs = np.concatenate(self.outputs) if self.outputs else np.empty((0, 0))
        return Table(
            path=self.path,
            kind=self.columns.kind or kind_by_values(outputs),
            outputs=outputs if self.outputs else None,
            predicted=columns.get("predicted"),
            label=columns["label"],
            is_member=as_flags(self.header[self.columns.is_member], columns["is_member"]),
            sample_id=columns.get("sample_id"),
            class_names=self.columns.class_names,
            line=np.concatenate(self.line),
            group=columns.get("group"),
            is_kind_told=self.columns.kind is not None,
        )

    def _numbers(self, line: list[int], rows: Rows) -> npt.NDArray[np.float64]:
        """The outputs of one block, (n, k)."""
        cells, k = self._cells(line, rows)
        try:
            return np.fromiter(map(float, chain.from_iterable(cells)), np.float64, len(rows) * k).reshape(-1, k)
        except ValueError:
            self._refuse_cell(line, cells)
            raise

    def _cells(self, line: list[int], rows: Rows) -> tuple[Sequence[Sequence[str]], int]:
        """The texts of the outputs, k for every row."""
        positions = self.columns.outputs
        if self.columns.is_per_class:
            pick = itemgetter(*positions) if len(positions) > 1 else lambda row: (row[positions[0]],)
            return [pick(row) for row in rows], len(positions)
        cells = [row[positions[0]].translate(_BRACKETS).split() for row in rows]
        k = self.outputs[0].shape[1] if self.outputs else len(cells[0])
        for number, cell in zip(line, cells, strict=True):
            if len(cell) != k or not k:
                name = self.header[positions[0]]
                refuse(self.path, f"line {number}: expected {k or 'some'} numbers in {name}, got {len(cell)}")
        return cells, k

    def _refuse_cell(self, line: list[int], cells: Sequence[Sequence[str]]) -> None:
        """Stop at the first cell that is no number."""
        for number, row in zip(line, cells, strict=True):
            for text in row:
                try:
                    float(text)
                except ValueError:
                    refuse(self.path, f"line {number}: expected a number, got {shown(text)}")
