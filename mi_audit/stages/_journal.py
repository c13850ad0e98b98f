"""Where extracted rows go while extraction runs: a folder that survives an interruption, or memory.

``OUT.part/`` holds the raw rows and a journal that says how many of them are whole and what they belong to. Rows are
made durable before the journal counts them, so whatever happens between two writes, the journal never promises a row
that is not there. A journal of other weights, other data or other options has another key, and is started anew.
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from mi_audit.errors import OutputError
from mi_audit.schema.arrays import Array

SECONDS_BETWEEN_COMMITS = 1.0


ROWS_AT_ONCE = 4096
Blocks = Mapping[str, npt.NDArray[np.generic]]
Kept = npt.NDArray[np.bool_] | None


@dataclass(frozen=True)
class RowFormat:
    """What one kind of rows looks like.

    Attributes:
        n_columns: numbers in a row.
        dtype: as numpy writes it, ``"<f4"``.
    """

    n_columns: int
    dtype: str = "<f4"

    @property
    def n_bytes(self) -> int:
        """Of one row."""
        return self.n_columns * np.dtype(self.dtype).itemsize


class Rows(Protocol):
    """Rows of several kinds that grow from the top together, one row of each kind per sample."""

    n_done: int

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def part(self, name: str, identity: str, n_rows: int, formats: Mapping[str, RowFormat]) -> "Rows":
        """Further rows that belong to these but grow on their own; `identity` says what they depend on besides."""
        ...

    def append(self, blocks: Blocks) -> None:
        """Add rows: equally many of every kind."""

    def finished(self, name: str, is_kept: Kept = None) -> Array:
        """All rows of one kind, once all are there, or those that are kept: (n_rows,) bool."""
        ...


class RowsInMemory:
    """Rows that are kept in memory and lost when the process ends."""

    def __init__(self, n_rows: int, formats: Mapping[str, RowFormat]) -> None:
        self._rows = {name: np.empty((n_rows, each.n_columns), each.dtype) for name, each in formats.items()}
        self.n_done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is kept."""

    def part(self, name: str, identity: str, n_rows: int, formats: Mapping[str, RowFormat]) -> "RowsInMemory":  # noqa: ARG002 - nothing to tell apart
        """Further rows."""
        return RowsInMemory(n_rows, formats)

    def append(self, blocks: Blocks) -> None:
        """Add rows."""
        n = _n_rows(blocks, self._rows)
        for name, block in blocks.items():
            self._rows[name][self.n_done : self.n_done + n] = block
        self.n_done += n

    def finished(self, name: str, is_kept: Kept = None) -> Array:
        """All rows of one kind, or those that are kept."""
        return self._rows[name] if is_kept is None else self._rows[name][is_kept]


class RowJournal:
    """Rows that are kept in a folder, and are found there again after an interruption.

    Args:
        folder: ``OUT.part``; made with mode 0700, since outputs tell who was a member.
        key: digest of everything that determines the rows.
        n_rows: of the whole.
        formats: of every kind of rows, by name; each has its own file.

    Raises:
        OutputError: the folder cannot be written, or another process is writing there.
    """

    def __init__(self, folder: Path, key: str, n_rows: int, formats: Mapping[str, RowFormat]) -> None:
        self.folder = folder
        self._identity = {
            "key": key,
            "n_rows": n_rows,
            "formats": {name: asdict(each) for name, each in formats.items()},
        }
        self._n_rows, self._formats = n_rows, dict(formats)
        self._last_commit = time.monotonic()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            self._lock = _locked(folder)
        except OSError as error:
            raise _unwritable(folder, error) from error
        try:
            self.n_done = self._resumable_rows()
            if self.n_done == 0:
                self._journal_path.unlink(missing_ok=True)
            self._files = self._opened()
        except OSError as error:
            os.close(self._lock)
            raise _unwritable(folder, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep what is there, also when an interruption is passing through."""
        try:
            if self.folder.exists():
                self._commit()
        except OSError as problem:
            if error is None:
                raise _unwritable(self.folder, problem) from problem
        finally:
            self._close_files()
            os.close(self._lock)

    def part(self, name: str, identity: str, n_rows: int, formats: Mapping[str, RowFormat]) -> "RowJournal":
        """Further rows in a folder of this folder, with a journal of their own: they outlive a new start of these.

        Raises:
            OutputError: the folder cannot be written.
        """
        key = f"{str(self._identity['key']).partition('|')[0]}|{identity}"  # without what else these rows depend on
        return RowJournal(self.folder / quote(name, safe=""), key, n_rows, formats)

    def append(self, blocks: Blocks) -> None:
        """Add rows; at most about a second of them is lost when the machine dies.

        Raises:
            OutputError: the disk is full, or gone.
        """
        n = _n_rows(blocks, self._formats)
        try:
            for name, block in blocks.items():
                self._files[name].write(np.ascontiguousarray(block, self._formats[name].dtype).data)
            self.n_done += n
            if time.monotonic() - self._last_commit > SECONDS_BETWEEN_COMMITS:
                self._commit()
        except OSError as error:
            raise _unwritable(self.folder, error) from error

    def finished(self, name: str, is_kept: Kept = None) -> Array:
        """All rows of one kind, or those that are kept: mapped from a file of them."""
        self._commit()
        path, row_format = self._rows_path(name), self._formats[name]
        shape = (self._n_rows, row_format.n_columns)
        if 0 in shape:
            return np.empty((shape[0] if is_kept is None else int(is_kept.sum()), shape[1]), row_format.dtype)
        rows = np.memmap(path, row_format.dtype, mode="r", shape=shape)
        if is_kept is None:
            return rows
        try:
            with path.with_suffix(".kept").open("wb") as file:
                for start in range(0, len(rows), ROWS_AT_ONCE):
                    block = slice(start, start + ROWS_AT_ONCE)
                    file.write(np.ascontiguousarray(rows[block][is_kept[block]]).data)
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        kept_shape = (int(is_kept.sum()), shape[1])
        if 0 in kept_shape:
            return np.empty(kept_shape, row_format.dtype)
        return np.memmap(path.with_suffix(".kept"), row_format.dtype, mode="r", shape=kept_shape)

    def remove(self) -> None:
        """The rows are in their file now: take the folder away."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _rows_path(self, name: str) -> Path:
        return self.folder / f"{quote(name, safe='')}.rows"

    @property
    def _journal_path(self) -> Path:
        return self.folder / "journal.json"

    def _resumable_rows(self) -> int:
        """How many whole rows of this very extraction are there."""
        try:
            journal = json.loads(self._journal_path.read_text(encoding="utf-8"))
            n_done = journal.pop("n_done")
            rows_there = [
                self._rows_path(name).stat().st_size // max(1, each.n_bytes) for name, each in self._formats.items()
            ]
        except (OSError, ValueError, AttributeError, KeyError, TypeError):
            return 0
        if journal != self._identity or type(n_done) is not int:
            return 0
        return max(0, min(n_done, *rows_there, self._n_rows))

    def _opened(self) -> dict[str, BinaryIO]:
        """The files of all kinds, each cut to the rows that are done."""
        opened: dict[str, BinaryIO] = {}
        with ExitStack() as on_error:
            for name, each in self._formats.items():
                path = self._rows_path(name)
                opened[name] = file = on_error.enter_context(path.open("r+b" if self.n_done else "w+b"))
                file.truncate(self.n_done * each.n_bytes)
                file.seek(0, os.SEEK_END)
            on_error.pop_all()
        return opened

    def _close_files(self) -> None:
        with ExitStack() as stack:
            for file in self._files.values():
                stack.callback(file.close)

    def _commit(self) -> None:
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())
        temporary = self._journal_path.with_suffix(".new")
        temporary.write_text(json.dumps(self._identity | {"n_done": self.n_done}), encoding="utf-8")
        temporary.replace(self._journal_path)
        self._last_commit = time.monotonic()


def _n_rows(blocks: Blocks, expected: Mapping[str, object]) -> int:
    """How many rows each of the blocks has."""
    counts = {len(block) for block in blocks.values()}
    if set(blocks) != set(expected) or len(counts) != 1:
        shapes = {name: block.shape for name, block in blocks.items()}
        raise ValueError(f"expected one block of equal length for each of {sorted(expected)}, got {shapes}")
    return counts.pop()


def _locked(folder: Path) -> int:
    """A descriptor of the folder that keeps other processes out of it until it is closed.

    Raises:
        OutputError: another process is writing there.
        OSError: the folder cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        tip = "wait for it and run the same command again, or choose another --out or --cache-dir"
        raise OutputError(f"{folder}: another mi-audit is writing there", tip=tip) from error
    except OSError:  # a file system without locks
        pass
    return descriptor


def _unwritable(folder: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    return OutputError(
        f"{folder}: cannot write the extracted rows ({reason})",
        tip="free some space or choose another --out, then run the same command again: it goes on where it stopped",
    )
