"""Every example runs, and its own assertions hold."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_library_example(tmp_path):
    script = EXAMPLES / "audit_in_python.py"
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "balanced accuracy" in done.stdout


@pytest.mark.parametrize(
    ("limit", "code", "sentence"), [("0.95", 0, "release:"), ("0.1", 1, "no release: the selected")]
)
def test_the_gate_lets_a_release_pass_or_not(demo_checkpoint, tmp_path, limit, code, sentence):
    done = run_gate(tmp_path, demo_checkpoint, "digits", limit)
    assert done.returncode == code, done.stderr
    assert sentence in done.stdout
    assert (tmp_path / "audit.md").exists()


def test_the_gate_is_closed_when_the_audit_cannot_run(tmp_path):
    done = run_gate(tmp_path, "gone.pt", "digits")
    assert done.returncode == 2
    assert "could not run" in done.stdout


def test_every_example_has_a_test():
    assert {path.name for path in EXAMPLES.iterdir()} == {"audit_in_python.py", "gate_a_release.sh"}


def run_gate(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", EXAMPLES / "gate_a_release.sh", *map(str, arguments)]
    return subprocess.run(
        command, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
    )
