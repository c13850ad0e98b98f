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
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from mi_audit.errors import OutputError
from mi_audit.schema.arrays import Array

SECONDS_BETWEEN_COMMITS = 1.0


class Rows(Protocol):
    """Rows of float32 that grow from the top."""

    n_done: int

    def append(self, block: npt.NDArray[np.float32]) -> None:
        """Add rows."""

    def finished(self) -> Array:
        """All rows, once all are there."""
        ...


class RowsInMemory:
    """Rows that are kept in memory and lost when the process ends."""

    def __init__(self, n_rows: int, n_columns: int) -> None:
        self._rows = np.empty((n_rows, n_columns), np.float32)
        self.n_done = 0

    def append(self, block: npt.NDArray[np.float32]) -> None:
        """Add rows."""
        self._rows[self.n_done : self.n_done + len(block)] = block
        self.n_done += len(block)

    def finished(self) -> Array:
        """All rows."""
        return self._rows


class RowJournal:
    """Rows that are kept in a folder, and are found there again after an interruption.

    Args:
        folder: ``OUT.part``; made with mode 0700, since outputs tell who was a member.
        key: digest of everything that determines the rows.
        n_rows, n_columns: of the whole.

    Raises:
        OutputError: the folder cannot be written, or another process is writing there.
    """

    def __init__(self, folder: Path, key: str, n_rows: int, n_columns: int) -> None:
        self.folder = folder
        self._identity = {"key": key, "n_rows": n_rows, "n_columns": n_columns}
        self._shape = (n_rows, n_columns)
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
            self._file = self._rows_path.open("r+b" if self.n_done else "w+b")
            self._file.truncate(self.n_done * n_columns * 4)
            self._file.seek(0, os.SEEK_END)
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
            self._file.close()
            os.close(self._lock)

    def append(self, block: npt.NDArray[np.float32]) -> None:
        """Add rows; at most about a second of them is lost when the machine dies.

        Raises:
            OutputError: the disk is full, or gone.
        """
        try:
            self._file.write(np.ascontiguousarray(block, np.float32).data)
            self.n_done += len(block)
            if time.monotonic() - self._last_commit > SECONDS_BETWEEN_COMMITS:
                self._commit()
        except OSError as error:
            raise _unwritable(self.folder, error) from error

    def finished(self) -> Array:
        """All rows, mapped from the file."""
        self._commit()
        if 0 in self._shape:
            return np.empty(self._shape, np.float32)
        return np.memmap(self._rows_path, np.float32, mode="r", shape=self._shape)

    def remove(self) -> None:
        """The rows are in their file now: take the folder away."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _rows_path(self) -> Path:
        return self.folder / "outputs.f32"

    @property
    def _journal_path(self) -> Path:
        return self.folder / "journal.json"

    def _resumable_rows(self) -> int:
        """How many whole rows of this very extraction are there."""
        try:
            journal = json.loads(self._journal_path.read_text(encoding="utf-8"))
            n_done = journal.pop("n_done")
            rows_there = self._rows_path.stat().st_size // (4 * max(1, self._shape[1]))
        except (OSError, ValueError, AttributeError, KeyError, TypeError):
            return 0
        if journal != self._identity or type(n_done) is not int:
            return 0
        return max(0, min(n_done, rows_there, self._shape[0]))

    def _commit(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        temporary = self._journal_path.with_suffix(".new")
        temporary.write_text(json.dumps(self._identity | {"n_done": self.n_done}), encoding="utf-8")
        temporary.replace(self._journal_path)
        self._last_commit = time.monotonic()


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
