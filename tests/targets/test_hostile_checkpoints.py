"""Every hostile checkpoint, opened in a process that notices whatever it would do: nothing comes of any of them."""

import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.targets.hostile_files import COMMAND, FORMS, HOSTILE, Runs, text, write_all

# Opens the files that it is given after the harmless ones before them have imported what opening needs. From then on
# a hook fails on imports, processes, sockets and files that are written; the two columns are how much memory was taken.
WATCHED = r"""
import encodings.cp437, encodings.raw_unicode_escape  # names in zip files, texts in pickles of protocol 0
import json, os, resource, sys
from pathlib import Path
from mi_audit.errors import CheckpointError
from mi_audit.targets._checkpoint.opening import open_state_dict

FORBIDDEN = ("os.", "subprocess.", "socket.", "shutil.", "ctypes.", "urllib.", "http.", "ftplib.", "webbrowser.",
             "pty.", "import", "marshal.", "code.", "exec", "compile", "pickle.find_class", "tempfile.")
HARMLESS = ("os.listdir", "os.scandir", "code.__new__")
events, watching = [], False

def watch(event, arguments):
    if not watching:
        return
    writes = event == "open" and (not isinstance(arguments[2], int) or arguments[2] & (os.O_WRONLY | os.O_RDWR))
    if writes or (event.startswith(FORBIDDEN) and event not in HARMLESS):
        events.append(f"{event} {arguments!r}"[:200])
        raise RuntimeError("a hostile file did something")

def outcome(path):
    try:
        opened = open_state_dict(Path(path))
    except CheckpointError as error:
        return str(error)
    return sorted(opened.state_dict)

sys.addaudithook(watch)
harmless, files = json.loads(sys.stdin.read())
for path in harmless:
    outcome(path)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
watching = True
said = {}
for path in files:
    events.clear()
    said[path] = [outcome(path), list(events)]
watching = False
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
json.dump([said, grown], sys.stdout)
"""


def opened_under_watch(folder: Path, files: list[str]) -> tuple[dict[str, tuple[object, list[str]]], int]:
    """What came of each file and what it tried, and by how many kB the memory of the process grew."""
    harmless = []
    for save_legacy in (False, True):
        harmless.append(f"harmless{save_legacy}.pt")
        state = {"state_dict": {"w": torch.ones(2)}, "module": torch.nn.Linear(1, 1)}
        torch.save(state, folder / harmless[-1], _use_new_zipfile_serialization=not save_legacy)
    before = sorted(folder.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-c", WATCHED], cwd=folder, input=json.dumps([harmless, files]),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr == ""
    assert sorted(folder.rglob("*")) == before
    said, grown = json.loads(done.stdout)
    return said, grown


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, tuple[object, list[str]]], int]:
    folder = tmp_path_factory.mktemp("hostile")
    return opened_under_watch(folder, [name for name, _ in write_all(folder)])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("row", HOSTILE)
def test_nothing_comes_of_it(row: str, form: str, outcomes: tuple[dict[str, tuple[object, list[str]]], int]) -> None:
    outcome, events = outcomes[0][f"{list(HOSTILE).index(row)}.{form}"]
    expected = "torch.save did not write" if form == "bare" else HOSTILE[row][1]
    assert events == []
    if isinstance(outcome, list):
        assert outcome == ["fc.weight"]
        assert re.fullmatch(expected, "")
    else:
        assert expected
        assert re.search(expected, str(outcome)), outcome
        assert str(outcome).isprintable()
        assert len(str(outcome)) < 300


def test_no_memory_is_taken(outcomes: tuple[dict[str, tuple[object, list[str]]], int]) -> None:
    assert outcomes[1] < 150_000


@pytest.mark.parametrize("protocol", range(6))
def test_real_pickles_recompiled_to_every_protocol(protocol: int, tmp_path: Path) -> None:
    import os
    import shutil

    functions = {"command": (os.system, COMMAND), "tree": (shutil.rmtree, "."), "eval": (eval, "1 + 1")}
    files = []
    for title, (function, argument) in functions.items():
        for form, save_legacy in (("zip", False), ("legacy", True)):
            files.append(f"{title}.{form}")
            content = {"state_dict": {"w": torch.ones(3)}, "extra": [Runs(function, argument)]}
            path = tmp_path / files[-1]
            torch.save(
                content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=not save_legacy,
            )  # fmt: skip
    said, _ = opened_under_watch(tmp_path, files)
    assert all(events == [] for _, events in said.values())
    refusals = ("runs code", "protocol", "is not a PyTorch")
    assert all(any(part in str(outcome) for part in refusals) for outcome, _ in said.values()), said


def test_the_watch_notices_what_a_careless_loader_would_run(tmp_path: Path) -> None:
    pickled = pickle.dumps(Runs(open, "written", "w"), 2)
    (tmp_path / "evil").write_bytes(pickled)
    watched = WATCHED.replace("open_state_dict(Path(path))", "__import__('pickle').loads(Path(path).read_bytes())")
    done = subprocess.run(
        [sys.executable, "-c", watched],
        cwd=tmp_path,
        input='[[], ["evil"]]',
        capture_output=True,
        text=True,
        check=False,
    )
    assert "a hostile file did something" in done.stderr
    assert not (tmp_path / "written").exists()
    assert text("a") == b"X\x01\x00\x00\x00a"
