"""The edge between the program and the shell: exit codes, messages, files, and nothing else.

stdout carries the product, stderr everything else. 0 done, 1 over a limit, 2 could not run (a crash too), 3 no verdict,
130 interrupted.
"""

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from mi_audit.errors import MiAuditError, OutputError

EXCEEDED, COULD_NOT_RUN, NO_VERDICT, INTERRUPTED = 1, 2, 3, 130
KEPT = "interrupted: what was whole is kept; run the same command again to go on"
BUG_TIP = "this is a bug of mi-audit: please report it with the lines above"


_verbosity = {"is_verbose": False}
_closing: list[Callable[[], None]] = []


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Turn what goes wrong into messages and exit codes: our own errors into two lines, others into a traceback."""
    _verbosity["is_verbose"] = False
    try:
        with _closed():
            yield
    except MiAuditError as error:
        say(f"error: {error}")
        if error.tip:
            say(f"tip: {error.tip}")
        if _verbosity["is_verbose"]:
            traceback.print_exc()
        sys.exit(COULD_NOT_RUN)
    except KeyboardInterrupt:
        say(KEPT)
        sys.exit(INTERRUPTED)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:  # Typer turns Ctrl-C into this before it comes here
            say(KEPT)
        raise
    except MemoryError:
        say("error: memory ran out")
        say("tip: try a smaller --batch-size, or --max-members and --max-non-members")
        sys.exit(COULD_NOT_RUN)
    except Exception:
        traceback.print_exc()
        say(f"error: {BUG_TIP}")
        sys.exit(COULD_NOT_RUN)


@contextlib.contextmanager
def _closed() -> Iterator[None]:
    """Close what draws on the terminal before a message is printed below it, and at the end."""
    try:
        yield
    finally:
        while _closing:
            _closing.pop()()


def close_at_the_end(close: Callable[[], None]) -> None:
    """Have this called when the command ends, however it ends, before its last message."""
    _closing.append(close)


def be_verbose() -> None:
    """From now on, show where in the program an error arose."""
    _verbosity["is_verbose"] = True


def say(message: str) -> None:
    """One line on stderr, free of control characters, whatever a file or a class is called."""
    text = "".join(character if character.isprintable() else " " for character in message)
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the edge prints


def product(text: str) -> None:
    """Write the product to stdout.

    Raises:
        OutputError: it cannot be written; a reader that went away early is no error.
    """
    sys.stdout.write(text)
    sys.stdout.flush()


def width() -> int:
    """What ``COLUMNS`` says, or the columns of the terminal, or 80 where there is none; from 40 to 200."""
    said = os.environ.get("COLUMNS", "")
    columns = int(said) if said.isascii() and said.isdecimal() else 0
    if not columns:
        with contextlib.suppress(OSError, ValueError):  # no terminal; no file at all
            columns = os.get_terminal_size(sys.stdout.fileno()).columns
    return max(40, min(200, columns or 80))


def has_color() -> bool:
    """Whether stdout is a terminal that takes colour; ``NO_COLOR`` is honoured, and no ``TERM`` is a dumb one."""
    is_dumb = os.environ.get("TERM", "" if os.name == "nt" else "dumb") == "dumb"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and not is_dumb


def is_ascii() -> bool:
    """Whether stdout has an encoding without the characters that tables are drawn with."""
    try:
        "─▸•±".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return True
    return False


def write_text(path: Path, text: str, *, is_private: bool = False) -> None:
    """Write a report whole or not at all; unlike caches it is no secret, so it gets the permissions of any new file.

    Args:
        path: the file.
        text: its content.
        is_private: it holds the membership of samples, and is for its owner alone.

    Raises:
        OutputError: it cannot be written.
    """
    from mi_audit import store

    with store.replacing(path) as file:
        file.write(text.encode())
    if is_private:
        return
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)


def make_folder(path: Path) -> None:
    """Make a folder for what a command leaves behind, unless it is there.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot make this folder ({error.strerror})", tip="choose another --out") from error


def check_writable(path: Path, *inputs: Path) -> None:
    """Refuse an output before the long work that would be lost: no folder, or a file that is not ours to replace.

    Args:
        path: the output.
        inputs: what the command reads, none of which may be overwritten.

    Raises:
        OutputError: it cannot be written.
    """
    if path.exists() and any(os.path.exists(other) and path.samefile(other) for other in inputs):  # noqa: PTH110
        raise OutputError(f"{path}: is read by this command and would be overwritten", tip="choose another --out")
    if path.is_dir():
        raise OutputError(f"{path}: is a folder", tip=f"for example --out {path / 'out.npz'}")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist", tip=f"mkdir -p {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"{path}: the folder {path.parent} cannot be written", tip="choose another --out")


def check_container(path: Path, tip: str | None = None) -> None:
    """Refuse a name for a file of ours that others would take for a report.

    Raises:
        OutputError: it ends like one; the usual tip is the same name with ``.npz``.
    """
    from mi_audit.stages.report import SUFFIXES

    if path.suffix.lower() in (*SUFFIXES, ".pdf"):
        tip = tip or f"--out {path.with_suffix('.npz')}"
        raise OutputError(f"{path}: this command writes an .npz, and {path.suffix} is for reports", tip=tip)
