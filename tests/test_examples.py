"""Every example runs, and its own assertions hold."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

import mi_audit
from mi_audit import store
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.stages._training_plan import TrainOptions
from mi_audit.stages.train_attack import train_attacks
from tests.stages import caches

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_library_example(tmp_path):
    script = EXAMPLES / "audit_in_python.py"
    done = run([sys.executable, script, tmp_path], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "balanced accuracy" in done.stdout
    assert re.search(r"^ +60 +100.00%", done.stdout, re.MULTILINE)  # by then it knows its members by heart
    for page in ("audit.html", "epochs.html"):
        assert (tmp_path / page).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    cells = re.findall(r"^# %% (.+)$", script.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(cells) == len(set(cells)) == 10


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
    assert f"**{verdict}" in (tmp_path / "release-audit.md").read_text(encoding="utf-8")
    assert mi_audit.read(tmp_path / "release-audit.npz").verdict.outcome == verdict


@pytest.mark.parametrize("arguments", [("standard", "gone.npz", "attack.npz"), ("standart", "gone.npz", "attack.npz")])
def test_the_gate_is_closed_when_the_audit_cannot_run(tmp_path, arguments):
    (tmp_path / "release-audit.npz").write_text("of an earlier run")
    assert run_gate(tmp_path, *arguments).returncode == 2


@pytest.mark.parametrize("arguments", [(), ("standard",)])
def test_the_gates_say_what_they_expect(tmp_path, arguments):
    done = run_gate(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("expected POLICY ARGUMENTS-OF-EVALUATE..., for example standard --model")
    done = run(["bash", EXAMPLES / "pre_commit_gate.sh", *arguments], tmp_path)
    assert (done.returncode, done.stderr) == (2, "expected DATA POLICY [CHECKPOINT...]\n")


def test_the_policy_reads_and_has_a_rule_of_every_kind(tmp_path):
    done = run(["mi-audit", "policy", "check", EXAMPLES / "policy.yaml"], tmp_path)
    assert done.returncode == 0, done.stderr
    rules = yaml.safe_load((EXAMPLES / "policy.yaml").read_text(encoding="utf-8"))["rules"]
    assert {"max", "min"} <= {key for rule in rules for key in rule}
    assert {rule.get("severity", "error") for rule in rules} == {"error", "warning"}
    assert {rule.get("compare", "upper") for rule in rules} == {"upper", "lower", "point"}
    assert {"selected", "any", "naive"} == {rule.get("attack", "selected") for rule in rules}


def test_the_waiver_of_the_policy_has_expired_and_its_rule_counts_again(tmp_path):
    paths = tmp_path / "features.npz", tmp_path / "attack.npz"
    cache = caches.cache("gap", 3000)
    store.write(paths[0], cache)
    store.write(paths[1], train_attacks(cache, TrainOptions(attacks=("naive", "threshold:loss"))))
    done = run(["mi-audit", "evaluate", *paths, "--policy", EXAMPLES / "policy.yaml", "--out", "audit.npz"], tmp_path)
    assert done.returncode == 1, done.stderr
    rules = {rule.rule: rule for rule in mi_audit.read(tmp_path / "audit.npz").verdict.rules}
    broken = rules["generalisation gap below 10 points"]
    assert broken.outcome == "broken"
    assert "expired 2026-03-31" in broken.waiver
    assert rules["minimum/members"].outcome != "broken"


PASSING = "schema_version: 1\ntolerance: {mu: 6}\n"
FAILING = "schema_version: 1\npreset: lenient\nrules: [{name: no alarms, metric: false_alarm_rate, max: 0.01}]\n"
POLICIES = {"PASS": (PASSING, 0), "FAIL": (FAILING, 1), "INCONCLUSIVE": ("schema_version: 1\npreset: strict\n", 3)}


@pytest.mark.parametrize("verdict", [*POLICIES, "could not run"])
def test_the_workflow_reports_every_release_and_lets_it_through_on_a_pass_only(tmp_path, demo_checkpoint, verdict):
    workflow = yaml.safe_load((EXAMPLES / "github-actions.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["audit"]
    policy, code = POLICIES.get(verdict, (PASSING, 2))
    (tmp_path / "policy.yaml").write_text(policy, encoding="utf-8")
    values = {"MODEL": demo_checkpoint if verdict in POLICIES else "gone.pt", "DATA": "digits", "POLICY": "policy.yaml"}
    assert set(values) <= set(job["env"])
    summary = tmp_path / "summary.md"
    caches_of_all = {"MI_AUDIT_CACHE_DIR": demo_checkpoint.parent / "caches"}
    codes, shown = run_steps(job["steps"], tmp_path, values | caches_of_all | {"GITHUB_STEP_SUMMARY": summary})
    assert codes == {"Policy": 0, "Audit": code, "Report": 0}
    uploaded = [step for step in job["steps"] if step.get("uses", "").startswith("actions/upload-artifact@")]
    assert [step["if"] for step in uploaded] == ["always()"]
    made = [tmp_path / name for name in uploaded[0]["with"]["path"].split()]
    if verdict not in POLICIES:
        assert not any(path.exists() for path in (*made, summary))
        assert "gone.pt" in shown
        return
    assert all(path.stat().st_size for path in made)
    assert ElementTree.parse(tmp_path / "audit.xml").getroot().tag == "testsuites"
    assert f"**{verdict}" in summary.read_text(encoding="utf-8")
    assert ("::error" in shown) == (verdict == "FAIL")
    assert mi_audit.read(tmp_path / "audit.npz").samples is None  # artefacts name no member


def test_the_workflow_pins_its_actions_and_puts_no_expression_into_a_shell():
    workflow = yaml.safe_load((EXAMPLES / "github-actions.yml").read_text(encoding="utf-8"))
    assert "release" in workflow[True]  # YAML 1.1 reads the key `on` as a truth value
    assert workflow["permissions"] == {"contents": "read"}
    for step in workflow["jobs"]["audit"]["steps"]:
        assert re.fullmatch(r"actions/[a-z-]+@v\d+", step.get("uses", "actions/x@v1"))
        assert "${{" not in step.get("run", "")


def run_steps(steps: list[dict[str, Any]], folder: Path, values: dict[str, Any]) -> tuple[dict[str, int], str]:
    """Run the steps that are ours as GitHub's runner does: after a failure only those that say always()."""
    codes: dict[str, int] = {}
    shown = ""
    for step in steps:
        if "run" not in step or step["run"].startswith("pip install"):
            continue
        if any(codes.values()) and step.get("if") != "always()":
            continue
        done = run(["bash", "-e", "-c", step["run"]], folder, values)
        codes[step["name"]], shown = done.returncode, shown + done.stdout + done.stderr
    return codes, shown


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """A git repository that runs the hook of the configuration, as pre-commit would, on every staged checkpoint."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "somebody")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "somebody@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    shutil.copy(EXAMPLES / "pre_commit_gate.sh", tmp_path)
    return tmp_path


def hook_of_the_configuration() -> dict[str, Any]:
    config = yaml.safe_load((EXAMPLES / "pre-commit-config.yaml").read_text(encoding="utf-8"))
    (hook,) = config["repos"][0]["hooks"]
    return hook


@pytest.mark.parametrize("verdict", POLICIES)
def test_a_checkpoint_is_committed_only_if_it_passes(repository, demo_checkpoint, verdict):
    policy, code = POLICIES[verdict]
    (repository / "policy.yaml").write_text(policy, encoding="utf-8")
    hook = hook_of_the_configuration()
    assert len(hook["args"]) == 2
    git_hook = repository / ".git" / "hooks" / "pre-commit"
    git_hook.parent.mkdir(exist_ok=True)
    git_hook.write_text(f"#!/bin/sh\nexec {hook['entry']} digits policy.yaml\n", encoding="utf-8")
    git_hook.chmod(0o755)
    assert commit(repository, "policy.yaml").returncode == 0  # no checkpoint, no audit
    shutil.copy(demo_checkpoint, repository / "net.pt")
    assert commit(repository, "net.pt").returncode == (1 if code else 0)  # git's own code for a refused commit
    said = run(["git", "log", "--format=%H", "--", "net.pt"], repository)
    assert bool(said.stdout) == (verdict == "PASS")


def test_the_hook_audits_what_is_staged_and_exits_with_the_worst_verdict(repository, demo_checkpoint):
    (repository / "fail.yaml").write_text(FAILING, encoding="utf-8")
    shutil.copy(demo_checkpoint, repository / "a net.pt")
    shutil.copy(demo_checkpoint, repository / "other.pth")
    hook = hook_of_the_configuration()
    assert all(re.search(hook["files"], name) for name in ("a net.pt", "other.pth"))
    run(["git", "add", "."], repository)
    (repository / "a net.pt").write_text("changed after it was staged", encoding="utf-8")
    entry = [*hook["entry"].split(), "digits"]
    done = run([*entry, "fail.yaml", "a net.pt", "other.pth"], repository)
    assert done.returncode == 1, done.stderr
    assert [line.partition(": ")[2][:4] for line in done.stdout.splitlines()] == ["FAIL", "FAIL"]
    run(["git", "add", "."], repository)
    assert run([*entry, "fail.yaml"], repository).returncode == 2
    assert run([*entry, "misspelt.yaml"], repository).returncode == 2


def commit(folder: Path, name: str) -> CompletedProcess[str]:
    run(["git", "add", name], folder)
    return run(["git", "commit", "--quiet", "-m", "more"], folder)


def test_every_example_has_a_test():
    elsewhere = {"plugin", "founding_paper.py", "founding_paper.md"}  # tests/test_example_*.py
    here = {"audit_in_python.py", "gate_release.sh", "policy.yaml", "github-actions.yml"}
    hooks = {"pre-commit-config.yaml", "pre_commit_gate.sh"}
    pictures = {"report.png"}  # of the README, whose test says that it is there
    assert {
        path.name for path in EXAMPLES.iterdir() if path.name != "__pycache__"
    } == elsewhere | here | hooks | pictures


def run_gate(folder: Path, *arguments: object) -> CompletedProcess[str]:
    return run(["bash", EXAMPLES / "gate_release.sh", *arguments], folder)


def run(command: Sequence[object], folder: Path, more: Mapping[str, Any] | None = None) -> CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path} | {name: str(value) for name, value in (more or {}).items()}
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
