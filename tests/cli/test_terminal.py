"""What a terminal shows, in a real pseudo-terminal: its width, its colours, and its cursor after an interruption."""

import contextlib
import os
import signal
import struct
import subprocess
import time

import pytest

from tests.cli.conftest import SCRIPT

pty = pytest.importorskip("pty")
fcntl = pytest.importorskip("fcntl")
termios = pytest.importorskip("termios")

HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"


@contextlib.contextmanager
def on_a_terminal(arguments, cwd, columns, **environment):
    """A command on a terminal of its own, and a function that reads what it has printed until something is seen."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    known = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
    known |= {"TERM": "xterm"} | environment
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    process = subprocess.Popen([SCRIPT, *map(str, arguments)], cwd=cwd, env=known, start_new_session=True, **streams)
    os.close(theirs)
    seen = bytearray()

    def read(until=b"", seconds=120.0):
        end = time.monotonic() + seconds
        with contextlib.suppress(OSError):  # the other side is closed
            while not (until and until in seen) and time.monotonic() < end and (part := os.read(ours, 65536)):
                seen.extend(part)
        return bytes(seen)

    try:
        yield process, read
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def widest(shown: bytes) -> int:
    return max(len(line) for line in shown.decode().replace("\r", "").split("\n"))


@pytest.mark.parametrize(("columns", "least", "most"), [(50, 40, 50), (80, 70, 80), (132, 100, 132)])
def test_tables_are_as_wide_as_the_terminal(demo, tmp_path, columns, least, most):
    arguments = ("report", demo[0] / "audit.npz")
    with on_a_terminal(arguments, tmp_path, columns, TERM="dumb") as (_, read):
        assert least <= widest(read()) <= most


def test_what_the_user_says_about_the_width_comes_first(demo, tmp_path):
    with on_a_terminal(("report", demo[0] / "audit.npz"), tmp_path, 132, TERM="dumb", COLUMNS="60") as (_, read):
        assert widest(read()) <= 60


def test_a_terminal_without_a_name_gets_no_colours(demo, tmp_path):
    for term, is_colored in (("xterm", True), ("", False), ("dumb", False)):
        with on_a_terminal(("report", demo[0] / "audit.npz"), tmp_path, 80, TERM=term or "dumb") as (_, read):
            assert (b"\x1b[" in read()) == is_colored


def test_after_ctrl_c_the_cursor_is_back_and_the_message_is_the_last_line(demo, tmp_path):
    slow = ("extract", "--model", demo[0] / "digits.pt", "--data", "digits", "--features", "label-only-distance")
    with on_a_terminal((*slow, "--out", "features.npz"), tmp_path, 80) as (process, read):
        read(until=b"label-only-distance \x1b")
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)
        shown = read()
        assert process.wait(60) == 130
    assert shown.count(HIDE) == shown.count(SHOW) > 0
    last = shown.replace(SHOW, b"").decode().replace("\r", "").rstrip("\n").split("\n")[-1]
    assert last.startswith("interrupted: ")
    assert shown.endswith(b"\n")
