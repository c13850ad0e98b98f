"""Files that say which samples of a pool are members: positions, ids or flags, as text, ``.npy`` or ``.npz``."""

import os
import re
import sys
import tokenize
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mi_audit.datasets._npz import read_arrays
from mi_audit.datasets._sample_names import SampleNames
from mi_audit.datasets._words import first, printable
from mi_audit.datasets.interface import Int64Array
from mi_audit.errors import DataSetError
from mi_audit.table_columns import FLAGS, FLAGS_IN_WORDS

# Longer numbers than this are beyond every pool, and Python reads those of thousands of digits slowly.
MAX_DIGITS = 18
POSITION = re.compile(r"([+-]?\d+)(?::([+-]?\d+))?", re.ASCII)
RANGES = re.compile(r"(\d+:\d+)(,\d+:\d+)*", re.ASCII)
COMMENT = re.compile(r"(^|\s)#.*", re.DOTALL)

BoolArray = npt.NDArray[np.bool_]


def rows_in(file: Path, keys: Sequence[str], names: SampleNames) -> Int64Array:
    """Positions of the samples that a file lists, (n,) int64, sorted, each once.

    Text has one entry per line: a position from 0, a range ``a:b`` (`b` excluded), or an id or a path as `SampleNames`
    finds them; what follows ``#`` at the start or after a space is a comment.
    An ``.npy`` holds positions or ids. An ``.npz`` holds one array, or one under one of `keys`. The kind of file is
    told by its first bytes. Ranges with commas between them stand for themselves, where no file is called so.

    Args:
        file: the list, or ranges.
        keys: names of the array in an ``.npz``.
        names: of all samples of the pool.

    Raises:
        DataSetError: it cannot be read; a position is out of range, an id unknown, an entry twice there; it is empty.
    """
    counted = _Counted(file, names)
    if is_ranges(file):
        for part in str(file).split(","):
            counted.add_text(part, 1)
        return counted.rows()
    content = _array(file, keys)
    if content is None:
        for number, line in _lines(file):
            counted.add_text(line, number)
    elif content.dtype.kind in "iu" and content.ndim == 1:
        counted.add_positions(content)
    elif content.dtype.kind == "U" and content.ndim == 1:
        for name in content.tolist():
            counted.add_id(name)
    else:
        tip = (
            "one flag per sample goes with --membership" if content.dtype.kind == "b" else "positions are whole numbers"
        )
        raise DataSetError(f"{file}: expected one row of positions or ids, got {_form(content)}", tip=tip)
    return counted.rows()


def is_ranges(file: Path) -> bool:
    """Whether this is no file but ranges of positions, ``0:100,200:300``."""
    return bool(RANGES.fullmatch(str(file))) and not os.path.exists(file)  # noqa: PTH110 - never mind a name too long


def flags_in(file: Path, keys: Sequence[str], n: int) -> BoolArray:
    """Which samples of a pool are members, (n,) bool, from a file with one flag per sample.

    Text has one flag per line, as `FLAGS` spells them; ``.npy`` and ``.npz`` hold bool, or numbers 1 and 0.

    Args:
        file: the flags.
        keys: names of the array in an ``.npz``.
        n: size of the pool.

    Raises:
        DataSetError: it cannot be read, has other values, or another number of them.
    """
    values = _array(file, keys)
    if values is None:
        values = np.fromiter((_flag(file, line, number) for number, line in _lines(file)), np.bool_)
    if values.shape != (n,):
        got = f"{len(values):,}" if values.ndim == 1 else f"shape {values.shape}"
        tip = "--split says which samples the pool has; lists of positions go with --members-index"
        raise DataSetError(f"{file}: expected one flag for each of {n:,} samples, got {got}", tip=tip)
    if values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        raise DataSetError(f"{file}: expected flags 1 and 0 (or true and false), got other values")
    return values.astype(np.bool_)


@dataclass
class _Counted:
    """How often a list names each sample; ranges are counted by their ends, so that none is ever written out."""

    file: Path
    names: SampleNames
    changes: Int64Array = field(init=False)
    outside: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.changes = np.zeros(len(self.names) + 1, np.int64)

    def add_text(self, line: str, number: int) -> None:
        """One line: a position, a range or an id."""
        found = POSITION.fullmatch(line)
        if found is None:
            self.add_id(line)
        elif any(part is not None and len(part) > MAX_DIGITS for part in found.groups()):
            self.outside.append(line)
        else:
            start = int(found[1])
            stop = start + 1 if found[2] is None else int(found[2])
            if stop <= start:
                tip = "a:b are the positions from a to b - 1"
                raise DataSetError(f"{self.file}: line {number}: expected a range, got {line}, which is empty", tip=tip)
            if start < 0 or stop > len(self.names):
                self.outside.append(line)
            else:
                self.changes[[start, stop]] += (1, -1)

    def add_positions(self, positions: npt.NDArray[Any]) -> None:
        """Many positions at once."""
        is_inside = (positions >= 0) & (positions < len(self.names))
        self.outside += [str(position) for position in positions[~is_inside].tolist()]
        inside = positions[is_inside].astype(np.int64)
        np.add.at(self.changes, inside, 1)
        np.add.at(self.changes, inside + 1, -1)

    def add_id(self, name: str) -> None:
        """One sample by its id or path."""
        position = self.names.position(name)
        if position is None:
            self.unknown.append(name)
        else:
            self.changes[[position, position + 1]] += (1, -1)

    def rows(self) -> Int64Array:
        """The positions, after all that can be wrong with them."""
        if self.outside:
            expected = f"expected positions from 0 to {len(self.names) - 1:,}"
            tip = "positions count from 0; --split says which samples they count"
            raise DataSetError(
                f"{self.file}: {expected}, got {len(self.outside):,} outside: {first(self.outside)}", tip
            )
        if self.unknown:
            tip = f"lines are positions, ranges such as 0:100, or ids such as {self.names.examples()}"
            got = f"got {len(self.unknown):,} that are not: {first(self.unknown)}"
            raise DataSetError(f"{self.file}: expected positions or ids of samples, {got}", tip=tip)
        count = np.cumsum(self.changes[:-1])
        twice = np.flatnonzero(count > 1)
        if len(twice):
            named = first([self.names.ids[row] for row in twice.tolist()])
            got = f"got {len(twice):,} more than once: {named}"
            raise DataSetError(f"{self.file}: expected every sample once, {got}", tip="name each in one line only")
        rows: Int64Array = np.flatnonzero(count)
        if not len(rows):
            tip = "lines are positions, ranges such as 0:100, or ids"
            raise DataSetError(f"{self.file}: expected at least one sample, got none", tip=tip)
        return rows


def _flag(file: Path, line: str, number: int) -> bool:
    if line.lower() not in FLAGS:
        tip = "one flag per sample; lists of positions go with --members-index"
        raise DataSetError(f"{file}: line {number}: expected {FLAGS_IN_WORDS}, got {printable(line)!r}", tip)
    return FLAGS[line.lower()]


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Number and content of every line that says something."""
    with _readable(file), file.open(encoding="utf-8-sig") as opened:
        for number, line in enumerate(opened, 1):
            content = COMMENT.sub("", line).strip()
            if content:
                yield number, content


def _array(file: Path, keys: Sequence[str]) -> npt.NDArray[Any] | None:
    """What an ``.npy`` or ``.npz`` holds; ``None`` for a file of another kind, which is text."""
    with _readable(file):
        with file.open("rb") as opened:
            start = opened.read(6)
        if start == b"\x93NUMPY":
            return _npy(file)
        if start.startswith(b"PK\3\4"):
            return read_arrays(file, (key := _key(file, keys),))[key]
    return None


def _npy(file: Path) -> npt.NDArray[Any]:
    """The array, mapped: numpy compares its size with the file's, and takes no memory for it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about headers of Python 2
            values: npt.NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, TypeError, OverflowError, SyntaxError, tokenize.TokenError) as error:
        raise _damaged(file) from error
    if values.dtype.kind == "U" and values.size and _largest_letter(values) > sys.maxunicode:
        raise _damaged(file)
    return values


def _damaged(file: Path) -> DataSetError:
    message = f"{file}: expected an array of numbers or ids, got one that is damaged, truncated or of objects"
    return DataSetError(message, tip="write it again with numpy.save(FILE, positions)")


def _largest_letter(names: npt.NDArray[Any]) -> int:
    """As a number: Python makes no text of one beyond Unicode, and says so with a `SystemError`."""
    letters = np.ascontiguousarray(names.astype(names.dtype.newbyteorder("="))).view(np.uint32)
    return int(letters.max(initial=0))


def _key(file: Path, keys: Sequence[str]) -> str:
    """Name of the array to read."""
    with zipfile.ZipFile(file) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
    found = [key for key in keys if key in names] or (names if len(names) == 1 else [])
    if not found:
        got = f"got {len(names)}: {first(names)}" if names else "got none"
        raise DataSetError(f"{file}: expected one array, or one named {' or '.join(keys)}, {got}")
    return found[0]


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Our words for what reading a file meets."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataSetError(
            f"{file}: no such file", tip="a list is a text file, an .npy or an .npz, or ranges such as 0:100"
        ) from error
    except OSError as error:
        raise DataSetError(f"{file}: {error.strerror or 'cannot be read'}") from error
    except UnicodeDecodeError as error:
        tip = "write one position, range or id per line, or use numpy.save"
        raise DataSetError(f"{file}: expected text, .npy or .npz, got another kind of file", tip=tip) from error
    except (zipfile.BadZipFile, NotImplementedError, SyntaxError, tokenize.TokenError) as error:
        raise DataSetError(f"{file}: expected an .npz file, got one that is damaged or truncated") from error


def _form(values: npt.NDArray[Any]) -> str:
    return f"{values.dtype} of shape {values.shape}"
