"""Ctrl-C: the last whole state is kept, and the same command goes on from it to the same bytes."""

import json
import os
import signal
import subprocess
import time

import numpy as np

from tests.cli.conftest import SCRIPT, run_script


def test_an_interrupted_extraction_resumes_to_the_same_bytes(tmp_path):
    rng = np.random.default_rng(0)
    n = 1500  # several seconds of work, so that it cannot end between the first commit and the signal
    images, labels = rng.integers(0, 256, (n, 64, 64, 3), np.uint8), np.arange(n) % 5
    np.savez(tmp_path / "data.npz", images=images, labels=labels, is_member=np.arange(n) < n // 2)
    arguments = ["extract", "--model", "timm:resnet10t", "--data", "data.npz", "--batch-size", "4", "--out"]
    process = subprocess.Popen([SCRIPT, *arguments, "a.npz"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    journal = tmp_path / "a.npz.part" / "journal.json"
    deadline = time.monotonic() + 120
    while not (journal.exists() and json.loads(journal.read_text())["n_done"]):
        assert process.poll() is None, "the extraction ended before it could be interrupted"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert not (tmp_path / "a.npz").exists()
    assert 0 < json.loads(journal.read_text())["n_done"] < n
    resumed = run_script(*arguments, "a.npz", cwd=tmp_path)
    assert resumed.code == 0
    assert "resuming" in resumed.stderr
    whole = run_script(*arguments, "b.npz", cwd=tmp_path)
    assert whole.code == 0
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz", "data.npz"]


def test_being_told_to_end_is_being_interrupted(demo, command, monkeypatch, tmp_path):
    from mi_audit.stages import train_attack

    monkeypatch.setattr(train_attack, "train_attacks", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    done = command("train-attack", demo[0] / "features.npz", "--out", "a.npz")
    assert done.code == 130
    assert done.stderr.startswith("interrupted: ")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_demo_runs_no_further_command(command, monkeypatch):
    from mi_audit.stages import demo, extract

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "train_target", lambda *_: None)
    monkeypatch.setattr(extract, "prepare", interrupt)
    done = command("demo", "--out", "run")
    assert done.code == 130
    assert "train-attack" not in done.stderr
    assert "interrupted: " in done.stderr
