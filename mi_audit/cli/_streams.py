"""Standard streams that a shell may close, fill up or stop reading, made safe to write to."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO

from mi_audit.errors import OutputError


class _Stream(io.TextIOWrapper):
    """stdout or stderr. What its encoding lacks becomes a question mark, and a reader that went away is no error.

    Any other trouble of stdout is an `OutputError`; that of stderr has nobody left to be told to.
    """

    def write(self, text: str) -> int:
        """Write it, or drop it where nobody reads."""
        with self._dropping():
            super().write(text)
        return len(text)

    def write_utf8(self, text: str) -> None:
        """Write it in UTF-8 with bare newlines, whatever this stream's encoding, or drop it where nobody reads."""
        self.flush()
        with self._dropping():
            self.buffer.write(text.encode())

    def flush(self) -> None:
        """Hand it on, or drop it where nobody reads."""
        with self._dropping():
            super().flush()

    @contextlib.contextmanager
    def _dropping(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())  # takes what is still buffered, too
            os.close(nowhere)
            if self.fileno() == 1 and not isinstance(error, BrokenPipeError):
                tip = "send stdout elsewhere; what was written with --out is there"
                raise OutputError(f"stdout: cannot be written: {error.strerror}", tip=tip) from error


def write_document(text: str) -> None:
    """Write a document to stdout: to a file or pipe the bytes that a file of ours has, to a terminal its own."""
    if isinstance(sys.stdout, _Stream) and not sys.stdout.isatty():
        sys.stdout.write_utf8(text)
    else:
        sys.stdout.write(text)
    sys.stdout.flush()


def protect() -> None:
    """Put safe streams in place of this process's stdout and stderr; streams that others have replaced stay."""
    if sys.stdout is not sys.__stdout__ or sys.stderr is not sys.__stderr__:
        return
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # closed: the next file would take the number, and be written over by what prints
            os.open(os.devnull, os.O_RDWR)
    sys.stdout, sys.stderr = _safe(sys.stdout, 1), _safe(sys.stderr, 2)


def _safe(stream: TextIO | None, descriptor: int) -> _Stream:
    if not isinstance(stream, io.TextIOWrapper):
        return _Stream(os.fdopen(descriptor, "wb"), "utf-8", "replace")
    options = (stream.encoding, "replace", None, stream.line_buffering, stream.write_through)
    return _Stream(stream.detach(), *options)
