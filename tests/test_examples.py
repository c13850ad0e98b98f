"""Every example runs, and its own assertions hold."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import mi_audit
from mi_audit import store
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.stages._training_plan import TrainOptions
from mi_audit.stages.train_attack import train_attacks
from tests.stages import caches

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_library_example(tmp_path):
    script = EXAMPLES / "audit_in_python.py"
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "balanced accuracy" in done.stdout


@pytest.fixture(scope="module")
def audited(tmp_path_factory) -> Callable[[str], list[Path]]:
    """Features and attacks by the kind of their leakage, as the commands write them."""
    folder = tmp_path_factory.mktemp("audited")

    def files(name: str, cache: FeatureCache) -> list[Path]:
        paths = [folder / f"{name}-{part}.npz" for part in ("features", "attack")]
        store.write(paths[0], cache)
        store.write(paths[1], train_attacks(cache, TrainOptions(attacks=("threshold:loss",))))
        return paths

    def made(verdict: str) -> list[Path]:
        if verdict == "INVALID":  # the two sides were mistaken for each other
            leaking = caches.cache("gap", 1000)
            return files(verdict, replace(leaking, is_member=~leaking.is_member))
        kind, n_side = {"PASS": ("null", 12_000), "FAIL": ("planted", 2000), "INCONCLUSIVE": ("null", 300)}[verdict]
        return files(verdict, caches.cache(kind, n_side))

    return made


@pytest.mark.parametrize(("verdict", "code"), [("PASS", 0), ("FAIL", 1), ("INCONCLUSIVE", 3), ("INVALID", 3)])
def test_the_gate_lets_a_release_through_on_a_pass_only(audited, tmp_path, verdict, code):
    done = run_gate(tmp_path, "lenient", *audited(verdict))
    assert done.returncode == code, done.stdout + done.stderr
    assert f"release: {verdict}" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("release:") == (code == 0)
    assert f"**{verdict}" in (tmp_path / "audit.md").read_text(encoding="utf-8")
    assert mi_audit.read(tmp_path / "audit.npz").verdict.outcome == verdict


@pytest.mark.parametrize("arguments", [("standard", "gone.npz", "attack.npz"), ("standart", "gone.npz", "attack.npz")])
def test_the_gate_is_closed_when_the_audit_cannot_run(tmp_path, arguments):
    (tmp_path / "audit.npz").write_text("of an earlier run")
    assert run_gate(tmp_path, *arguments).returncode == 2


def test_every_example_has_a_test():
    assert {path.name for path in EXAMPLES.iterdir()} == {"audit_in_python.py", "gate_release.sh"}


def run_gate(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", EXAMPLES / "gate_release.sh", *map(str, arguments)]
    return subprocess.run(
        command, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
    )
