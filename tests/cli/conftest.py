"""The command line as a user meets it: the installed console script, and the same program inside this process."""

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from mi_audit.__main__ import main

SCRIPT = Path(sys.executable).with_name("mi-audit")


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str


def run_script(*arguments: object, cwd: Path) -> Done:
    """Run the console script in a process of its own."""
    done = subprocess.run([SCRIPT, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run a command inside this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["mi-audit", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    before = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> tuple[Path, Done]:
    """The folder of one run of ``mi-audit demo`` through the console script, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    return folder / "run", run_script("demo", "--out", "run", cwd=folder)
