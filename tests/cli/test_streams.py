"""stdout and stderr that are closed, full, or that nobody reads: the exit code stays what it says."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import SCRIPT


def run(arguments, cwd, **streams):
    """Exit code and stderr of the console script with these streams."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    done = subprocess.run([SCRIPT, *map(str, arguments)], cwd=cwd, check=False, **streams)
    return done.returncode, (done.stderr or b"").decode()


@pytest.fixture
def unread():
    """A pipe whose reader is gone."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def gate(demo, limit):
    files = (demo[0] / "features.npz", demo[0] / "attack.npz")
    return ("evaluate", *files, "--quiet", "--policy", "none", "--fail-above", limit)


@pytest.mark.parametrize("arguments", [("--help",), ("list",), ("evaluate", "-h")])
def test_a_reader_that_went_away_is_no_error(tmp_path, unread, arguments):
    assert run(arguments, tmp_path, stdout=unread) == (0, "")


def test_a_gate_keeps_its_exit_code_when_nobody_reads(demo, tmp_path, unread):
    assert run(gate(demo, "auc=0.01"), tmp_path, stdout=unread, stderr=unread)[0] == 1
    assert run(gate(demo, "auc=0.99"), tmp_path, stdout=unread, stderr=unread)[0] == 0


def test_a_full_disk_behind_stdout_is_one_clear_error(demo, tmp_path):
    with Path("/dev/full").open("wb") as full:
        for arguments in (("list",), ("--help",), gate(demo, "auc=0.01")):
            code, stderr = run(arguments, tmp_path, stdout=full)
            assert code == 2
            assert stderr.startswith("error: stdout: cannot be written: No space left on device\ntip: ")
            assert "Traceback" not in stderr


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-", ">&- 2>&-"])
def test_an_error_that_cannot_be_told_is_still_2(tmp_path, redirection):
    command = f"'{SCRIPT}' report gone.npz {redirection}"
    assert subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, check=False).returncode == 2


def test_closed_streams_do_not_end_up_in_a_file(demo, tmp_path):
    files = f"'{demo[0] / 'features.npz'}' '{demo[0] / 'attack.npz'}'"
    command = f"'{SCRIPT}' evaluate {files} --exit-zero --out a.npz <&- >&- 2>&-"
    assert subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, check=False).returncode == 0
    assert (tmp_path / "a.npz").read_bytes() == (demo[0] / "audit.npz").read_bytes()


def reported_in_ascii(demo, folder, *options):
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    command = [SCRIPT, "report", demo[0] / "audit.npz", *options]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True).stdout


def test_tables_are_drawn_in_ascii_where_the_encoding_has_no_more(demo, tmp_path):
    shown = reported_in_ascii(demo, tmp_path)
    assert shown.isascii()
    assert b"?" not in shown.replace(b"relied on?", b"")
    assert b"-" * 40 in shown


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize("name", ["markdown", "junit", "html", "csv", "latex", "model-card", "checklist"])
def test_documents_have_the_same_bytes_whatever_the_encoding_of_stdout(demo, tmp_path, encoding, name):
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    command = [SCRIPT, "report", demo[0] / "audit.npz", "--format", name]
    subprocess.run([*command, "--out", "file"], cwd=tmp_path, env=environment, check=True, capture_output=True)
    shown = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True).stdout
    assert shown == (tmp_path / "file").read_bytes()
    assert shown.decode("utf-8")
