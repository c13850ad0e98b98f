"""The gate on the command line: verdicts and exit codes, policies, baselines, ``verify``, ``power``, ``selftest``."""

import json
from dataclasses import replace

import numpy as np
import pytest

import mi_audit
from mi_audit import store
from mi_audit.gate._policy_reading import parse
from mi_audit.gate.policy import preset
from mi_audit.metrics.tolerance import PRESETS
from mi_audit.stages import _gating
from mi_audit.stages._training_plan import TrainOptions
from mi_audit.stages.train_attack import train_attacks
from tests.stages import caches


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A leaking target's caches and their audit, and those of a target that leaks less on the very same samples."""
    folder = tmp_path_factory.mktemp("gate")
    for name, cache in (("leak", caches.cache("planted", 1500)), ("null", caches.cache("null", 1500))):
        store.write(folder / f"{name}.npz", cache)
        store.write(folder / f"{name}-attack.npz", train_attacks(cache, TrainOptions(attacks=("threshold:loss",))))
    return folder


def files(folder, name):
    return (folder / f"{name}.npz", folder / f"{name}-attack.npz", "--quiet")


@pytest.fixture
def audited(folder, command, tmp_path):
    """``a.npz``, the audit of the leaking target, which fails."""
    assert command("evaluate", *files(folder, "leak"), "--out", "a.npz").code == 1
    return tmp_path / "a.npz"


@pytest.mark.parametrize(("name", "word", "code"), [("leak", "FAIL", 1), ("null", "INCONCLUSIVE", 3)])
def test_the_verdict_is_the_first_line_the_json_and_the_exit_code(folder, command, name, word, code):
    done = command("evaluate", *files(folder, name), "--out", "a.npz")
    assert done.code == code
    assert done.stdout.startswith(word)
    assert all(len(line) <= 80 for line in done.stdout.splitlines()[:20])
    document = json.loads(command("evaluate", *files(folder, name), "--json").stdout)
    assert f'"outcome": "{word}"' in json.dumps(document)
    assert command("report", "a.npz").code == 0


def test_exit_zero_shows_the_verdict_and_exits_0(folder, command):
    done = command("evaluate", *files(folder, "leak"), "--exit-zero", "--fail-above", "auc=0.1")
    assert (done.code, done.stdout[:4]) == (0, "FAIL")


def test_the_worst_of_limits_and_verdict_is_the_exit_code(folder, command):
    assert command("evaluate", *files(folder, "null"), "--fail-above", "auc=0.1").code == 1
    assert command("evaluate", *files(folder, "null"), "--fail-above", "auc=0.9").code == 3
    assert command("evaluate", *files(folder, "null"), "--fail-above", "auc=0.9", "--policy", "none").code == 0


def test_the_paper_protocol_says_that_it_does_not_gate(folder, command, tmp_path):
    cache = mi_audit.read(folder / "leak.npz")
    options = TrainOptions(attacks=("naive",), protocol="paper")
    store.write(tmp_path / "p.npz", train_attacks(cache, options))
    done = command("evaluate", folder / "leak.npz", "p.npz")
    assert done.code == 0
    assert "no verdict: the protocol paper has none" in done.stderr
    done = command("evaluate", folder / "leak.npz", "p.npz", "--policy", "lenient")
    assert done.stdout.startswith("PASS: No attack of this suite")  # the naive attack, at equal accuracy


def test_a_policy_file_decides(folder, command, tmp_path):
    (tmp_path / "p.yaml").write_text("schema_version: 1\ntolerance: {auc: 0.99}\nminimum: {members: 100000}\n")
    done = command("evaluate", *files(folder, "null"), "--policy", "p.yaml", "--out", "a.npz")
    assert done.code == 3
    assert "the policy wants at least 100,000" in " ".join(done.stdout.split())
    assert mi_audit.read(tmp_path / "a.npz").statistics.alpha == 0.05


BAD = {
    "a typo": ("schema_version: 1\npresset: strict\n", "did you mean 'preset'"),
    "a limit outside its range": ("schema_version: 1\ntolerance: {auc: 1.5}\n", "from 0.5005 to 0.9999"),
    "an attack that did not run": (
        "schema_version: 1\npreset: standard\nrules: [{name: a, metric: auc, max: .6, attack: mlp}]\n",
        "which did not run",
    ),
    "an unknown control": ("schema_version: 1\npreset: standard\ncontrols: {required: [x]}\n", "no control"),
    "no text": (b"\xff\xfe\x00", "UTF-8"),
}


@pytest.mark.parametrize(("text", "told"), BAD.values(), ids=BAD.keys())
def test_a_bad_policy_is_2_and_named(folder, command, tmp_path, text, told):
    (tmp_path / "p.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    done = command("evaluate", *files(folder, "null"), "--policy", "p.yaml", "--out", "a.npz")
    assert done.code == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "a.npz").exists()


def test_a_policy_that_is_nowhere_is_2(folder, command):
    done = command("evaluate", *files(folder, "null"), "--policy", "standart")
    assert done.code == 2
    assert "did you mean 'standard'" in done.stderr


def test_an_expired_waiver_is_shown_and_does_not_count(folder, command, tmp_path):
    waiver = "waivers: [{{rule: {}, reason: known, approver: a@b, expires: {}}}]\n"
    for rule in ("tolerance/auc", "tolerance/tpr_at_fpr.0.01", "tolerance/tpr_at_fpr.0.001"):
        (tmp_path / "p.yaml").write_text("schema_version: 1\npreset: standard\n" + waiver.format(rule, "2001-01-01"))
        done = command("evaluate", *files(folder, "leak"), "--policy", "p.yaml")
        assert done.code == 1
    assert command("policy", "check", "p.yaml").code == 0
    assert "expired on 2001-01-01" in command("policy", "check", "p.yaml").stderr


def test_leakage_that_rose_over_the_baseline_fails(folder, command, tmp_path):
    loose = ("--policy", "p.yaml")
    (tmp_path / "p.yaml").write_text("schema_version: 1\ntolerance: {mu: 5.9}\n")
    before = command("evaluate", *files(folder, "null"), *loose, "--out", "before.npz")
    assert before.code in (0, 3)
    now = command("evaluate", *files(folder, "leak"), *loose, "--baseline", "before.npz")
    assert now.code == 1
    assert "against the baseline" in " ".join(now.stdout.split())
    back = command("evaluate", *files(folder, "null"), *loose, "--baseline", "before.npz")
    assert back.code == before.code


def test_a_baseline_that_does_not_belong_to_the_audit_is_2(folder, command, audited, tmp_path):
    audit = mi_audit.read(audited)
    samples = audit.samples
    others = {
        "aggregate": (replace(audit, samples=None), "keeps no samples"),
        "split": (replace(audit, samples=replace(samples, is_held_out=~samples.is_held_out)), "another split"),
        "sides": (replace(audit, samples=replace(samples, is_member=~samples.is_member)), "another membership"),
        "samples": (
            replace(audit, samples=replace(samples, sample_id=np.char.add("x", samples.sample_id))),
            "share no samples",
        ),
    }
    for name, (record, told) in others.items():
        store.write(tmp_path / f"{name}.npz", record)
        done = command("evaluate", *files(folder, "leak"), "--baseline", f"{name}.npz")
        assert (done.code, told in done.stderr) == (2, True), done.stderr
    assert command("evaluate", *files(folder, "leak"), "--baseline", "gone.npz").code == 2


def test_a_stored_audit_verifies(command, audited):
    done = command("verify", audited, "--policy", "standard")
    assert done.code == 0, done.stdout
    assert "FAIL, derived again" in done.stdout
    assert "not forgery" in done.stderr


def test_whatever_does_not_agree_is_a_mismatch(command, audited, tmp_path):
    audit = mi_audit.read(audited)
    assert command("verify", audited, "--policy", "strict").code == 1
    store.write(tmp_path / "b.npz", replace(audit, verdict=replace(audit.verdict, outcome="PASS")))
    done = command("verify", "b.npz")
    assert done.code == 1
    assert "says PASS, its numbers and policy give FAIL" in done.stdout
    content = bytearray(audited.read_bytes())
    place = content.index(audit.samples.score[audit.selected].tobytes())
    content[place] ^= 1
    (tmp_path / "c.npz").write_bytes(content)
    assert command("verify", "c.npz").code == 1
    assert command("verify", tmp_path / "gone.npz").code == 2


def test_verify_knows_the_model_file(command, demo, tmp_path):
    audit = demo[0] / "audit.npz"
    assert command("verify", audit, "--model", demo[0] / "digits.pt").code == 0
    (tmp_path / "other.pt").write_bytes(b"other")
    assert command("verify", audit, "--model", "other.pt").code == 1
    assert command("verify", audit, "--model", "gone.pt").code == 2


@pytest.mark.parametrize("name", PRESETS)
def test_a_policy_can_be_written_checked_and_shown(command, tmp_path, name):
    assert command("policy", "init", "--preset", name, "--out", "p.yaml").code == 0
    written = _gating.read_policy(str(tmp_path / "p.yaml"))
    assert replace(written, preset=name) == preset(name)
    assert written.digest() in command("policy", "check", "p.yaml").stdout
    shown = command("policy", "show", name).stdout
    assert preset(name).digest() in shown
    assert parse(shown, preset(name).required_controls) == preset(name)
    edited = (tmp_path / "p.yaml").read_text().replace(f"mu: {PRESETS[name]}", "mu: 0.7")
    (tmp_path / "p.yaml").write_text(edited)
    assert "custom policy, tolerance 0.700" in command("policy", "check", "p.yaml").stdout
    assert command("policy", "init", "--out", "p.yaml").code == 2


def test_power_needs_no_model(command):
    done = command("power", "--members", 5000, "--non-members", 5000)
    assert done.code == 0
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    found = json.loads(command("power", "--members", 500, "--non-members", 500, "--json").stdout)
    tail = found["power"][-1]
    assert (tail["measure"], tail["passing"]) == ("tpr_at_fpr.0.001", None)
    assert command("power", "--members", 0, "--non-members", 5).code == 2
    assert command("power", "--members", 10**12, "--non-members", 5).code == 2
