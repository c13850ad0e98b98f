"""The rows of a manifest, from CSV or Parquet, checked one by one."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mi_audit.datasets._words import first, printable
from mi_audit.errors import DataSetError, MissingLibraryError
from mi_audit.table_columns import FLAGS, FLAGS_IN_WORDS, also_read, delimiter_of, flag_of_split, positions_of

COLUMNS = ("path", "label", "is_member")
# A row of a compressed Parquet file can take next to nothing in it, so their number is bounded before any is read.
MAX_ROWS, MAX_BYTES = 50_000_000, 2**33
EXAMPLE = "the first line is path,label,is_member (and group, if you like)"
PARQUET = b"PAR1"


@dataclass(frozen=True)
class Rows:
    """The columns of a manifest, all of one length.

    Attributes:
        path: as it stands there, never empty.
        label: as text, never empty.
        is_member: flags.
        group: as text; ``None`` without such a column.
    """

    path: Sequence[str]
    label: Sequence[str]
    is_member: Sequence[bool]
    group: Sequence[str] | None


def read_rows(file: Path) -> Rows:
    """All rows of a manifest; a Parquet file is told by its first bytes.

    Raises:
        DataSetError: no such file, of another kind, a column missing, a cell empty or not as described; it names the
            line or row.
        MissingLibraryError: Parquet without pyarrow.
    """
    try:
        with file.open("rb") as opened:
            is_parquet = opened.read(4) == PARQUET
        return _collected(file, _parquet_rows(file) if is_parquet else _csv_rows(file), "row" if is_parquet else "line")
    except FileNotFoundError as error:
        raise DataSetError(f"{file}: no such file", tip="--data manifest:FILE.csv") from error
    except OSError as error:
        raise DataSetError(f"{file}: {error.strerror or 'cannot be read'}") from error
    except UnicodeDecodeError as error:
        raise DataSetError(f"{file}: expected text in UTF-8 or Parquet, got another kind of file", EXAMPLE) from error


def _collected(file: Path, rows: Iterable[tuple[int, list[str | None]]], unit: str) -> Rows:
    """The columns, with every cell checked; cells are path, label, flag and, where there is one, group."""
    path, label, is_member, group = [], [], [], []
    n_cells = len(COLUMNS)
    for number, cells in rows:
        n_cells = len(cells)
        for name, cell in zip((*COLUMNS, "group"), cells, strict=False):
            if not cell or "\0" in cell:
                found = printable(repr(cell)) if cell else "none"
                raise DataSetError(f"{file}: {unit} {number}: expected a {name}, got {found}", tip=EXAMPLE)
        flag = FLAGS.get(str(cells[2]).strip().lower())
        if flag is None:
            found = printable(repr(cells[2]))
            raise DataSetError(f"{file}: {unit} {number}: expected {FLAGS_IN_WORDS} in is_member, got {found}")
        path.append(str(cells[0]))
        label.append(str(cells[1]))
        is_member.append(flag)
        if n_cells > len(COLUMNS):
            group.append(str(cells[3]))
    if not path:
        raise DataSetError(f"{file}: expected a row for every image, got none", tip=EXAMPLE)
    return Rows(path, label, is_member, group if n_cells > len(COLUMNS) else None)


def _csv_rows(file: Path) -> Iterator[tuple[int, list[str | None]]]:
    """Number of the line and cells of every row that is not blank."""
    with file.open(encoding="utf-8-sig", newline="") as opened:
        delimiter = delimiter_of(opened.readline())
        opened.seek(0)
        reader = csv.reader(opened, delimiter=delimiter, strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
            columns = _columns(file, header)
            for row in reader:
                if not row:
                    continue
                if len(row) != len(header):
                    expected = f"expected {len(header)} cells as in the first line, got {len(row)}"
                    tip = 'a path with a comma needs quotes: "cats, dogs/1.png",0,1'
                    raise DataSetError(f"{file}: line {reader.line_num}: {expected}", tip=tip)
                yield reader.line_num, _as_read([header[column] for column in columns], [row[at] for at in columns])
        except csv.Error as error:
            where = f"{file}: line {reader.line_num}"
            raise DataSetError(f"{where}: expected CSV, got {printable(error)}", tip=EXAMPLE) from error


def _as_read(names: Sequence[str], cells: Iterable[object]) -> list[str | None]:
    """The cells of a row as text; a split in words as a flag."""
    texts = [None if cell is None else str(cell).strip() for cell in cells]
    pairs = zip(names, texts, strict=True)
    return [flag_of_split(text) if text and name.lower() == "split" else text for name, text in pairs]


def _columns(file: Path, header: Sequence[str]) -> list[int]:
    """Positions of path, label, flag and, where there is one, group."""
    found = {meaning: positions_of(meaning, header) for meaning in (*COLUMNS, "group")}
    missing = [meaning for meaning in COLUMNS if not found[meaning]]
    if missing:
        got = f"got {first(header)}" if header else "got an empty file"
        tip = f"{EXAMPLE}; {also_read(missing)}"
        raise DataSetError(f"{file}: expected the columns path, label, is_member, {got}", tip=tip)
    twice = [[header[at] for at in places] for places in found.values() if len(places) > 1]
    if twice:
        raise DataSetError(f"{file}: expected every column once, got {first(twice[0])} for the same", tip=EXAMPLE)
    return [places[0] for places in found.values() if places]


def _parquet_rows(file: Path) -> Iterator[tuple[int, list[str | None]]]:
    """Number from 1 and cells of every row."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError as error:
        raise MissingLibraryError("reading .parquet needs pyarrow", "pip install 'mi-audit[parquet]'") from error
    try:
        with pq.ParquetFile(file) as opened:
            columns = _parquet_columns(file, opened, pa)
            start = 1
            for batch in opened.iter_batches(columns=columns):
                cells = [batch.column(name).to_pylist() for name in columns]
                for number, row in enumerate(zip(*cells, strict=True), start):
                    yield number, _as_read(columns, row)
                start += len(batch)
    except pa.ArrowException as error:
        message = f"{file}: expected a Parquet file, got one that is damaged or truncated"
        raise DataSetError(message, tip="write it again, or give the same table as .csv") from error


def _parquet_columns(file: Path, opened: Any, pa: Any) -> list[str]:
    """Names of the columns to read, of fitting types and bounded size."""
    schema, metadata = opened.schema_arrow, opened.metadata
    names = [schema.names[column] for column in _columns(file, schema.names)]
    for name in names:
        kind = schema.field(name).type
        value = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not any(
            fits(value)
            for fits in (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_boolean)
        ):
            raise DataSetError(f"{file}: expected text or whole numbers in {printable(name)}, got {printable(kind)}")
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    n_bytes = sum(
        group.column(column).total_uncompressed_size
        for group in groups
        for column in range(group.num_columns)
        if group.column(column).path_in_schema in names
    )
    if metadata.num_rows > MAX_ROWS or n_bytes > MAX_BYTES:
        raise DataSetError(f"{file}: expected at most {MAX_ROWS:,} rows, got {metadata.num_rows:,} ({n_bytes:,} bytes)")
    return names
