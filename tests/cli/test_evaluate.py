"""``evaluate``: of two files and of a model, its exit codes, and what goes to which stream."""

import json

import numpy as np
import pytest
import torch

import mi_audit
from tests.cli.conftest import run_script

TARGET = ("--arch", "lenet_32_64_200", "--data", "digits")
QUICK = ("--attack", "naive,threshold:loss,logistic-regression")


@pytest.fixture(scope="module")
def folder(demo):
    return demo[0]


def test_one_shot_gives_the_numbers_of_the_three_stages_and_keeps_its_caches(folder, tmp_path):
    arguments = ("evaluate", "--model", folder / "digits.pt", *TARGET, "--out", "a.npz", "--exit-zero")
    first = run_script(*arguments, cwd=tmp_path)
    assert first.code == 0, first.stderr
    stages, one_shot = mi_audit.read(folder / "audit.npz"), mi_audit.read(tmp_path / "a.npz")
    assert stages.rows == one_shot.rows
    again = run_script(*arguments, cwd=tmp_path)
    assert again.stderr.count("using .mi-audit/") == 2
    assert again.stdout == first.stdout
    assert (tmp_path / ".mi-audit").stat().st_mode & 0o777 == 0o700


def test_a_cache_that_is_found_is_told_as_this_run_came_by_it(folder, command, tmp_path):
    first = command("evaluate", "--model", folder / "digits.pt", "--data", "digits", "--attack", "naive", "--exit-zero")
    assert first.code == 0, first.stderr
    content = torch.load(folder / "digits.pt", weights_only=True)
    torch.save({"model_ema": content["state_dict"]}, tmp_path / "average.pt")
    second = command("evaluate", "--model", "average.pt", "--data", "digits", "--attack", "naive", "--exit-zero")
    assert second.stderr.count("using .mi-audit/") == 2
    assert "digits.pt" not in second.stdout
    assert "average.pt on digits" in second.stdout
    assert "averaged weights (EMA)" in " ".join(second.stdout.split())


def test_notes_and_accuracy_are_told_before_attacks_are_trained_unless_quiet(folder, command):
    asked = ("evaluate", "--model", folder / "digits.pt", "--data", "digits", "--attack", "naive", "--exit-zero")
    told, _, work = command(*asked).stderr.partition("training attacks")
    assert "note: tried on 512 samples" in told
    assert "accuracy: 100.0 % on members, 98.4 % on non-members; if you know another, check --mean/--std" in told
    assert "accuracy:" not in work
    assert "accuracy:" not in command(*asked, "--expect-accuracy", ".984").stderr
    assert command(*asked, "--quiet").stderr == ""


def test_labels_of_other_images_are_told_to_be_hopeless_before_attacks_are_trained(folder, command, tmp_path):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (600, 8, 8, 1), np.uint8), rng.integers(0, 10, 600)
    np.savez(tmp_path / "noise.npz", images=images, labels=labels, is_member=np.arange(600) < 300)
    of_target = ("--model", folder / "digits.pt", "--arch", "lenet_32_64_200", "--mean", "0", "--std", "1")
    done = command("evaluate", *of_target, "--data", "noise.npz", "--attack", "naive")
    assert done.code == 3
    told = done.stderr.partition("training attacks")[0]
    assert "not clearly above the" in told
    assert told.count("Ctrl-C stops it now") == 2


def test_the_library_takes_the_same_road(folder, tmp_path):
    audit = mi_audit.audit(str(folder / "digits.pt"), "digits", arch="lenet_32_64_200", cache_dir=tmp_path / "cache")
    assert audit.rows == mi_audit.read(folder / "audit.npz").rows


def test_json_prints_one_document_and_nothing_else_on_stdout(folder, command):
    done = command("evaluate", folder / "features.npz", folder / "attack.npz", "--json", "--exit-zero")
    assert done.code == 0
    document = json.loads(done.stdout)
    assert "scoring" in done.stderr
    assert document


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ("balanced_accuracy=0.999", 0),
        ("balanced_accuracy=0.1", 1),
        ("naive/misclassified/balanced_accuracy=0.9", 3),
        ("naive/misclassified/balanced_accuracy=0.9,balanced_accuracy=0.1", 1),
    ],
)
def test_limits_decide_the_exit_code_after_everything_is_written(folder, command, tmp_path, limit, code):
    files = (folder / "features.npz", folder / "attack.npz")
    done = command("evaluate", *files, "--policy", "none", "--fail-above", limit, "--out", "a.npz", "--quiet")
    assert done.code == code
    assert done.stdout
    assert mi_audit.read(tmp_path / "a.npz").limits
    assert command("report", "a.npz").code == 0


def test_aggregate_only_leaves_the_samples_out(folder, command, tmp_path):
    files = (folder / "features.npz", folder / "attack.npz")
    assert command("evaluate", *files, "--aggregate-only", "--exit-zero", "--out", "a.npz").code == 0
    assert mi_audit.read(tmp_path / "a.npz").samples is None
    assert b"members/" not in (tmp_path / "a.npz").read_bytes()
    assert command("report", "a.npz").stdout == command("report", folder / "audit.npz").stdout


def test_rows_per_class_on_request(folder, command, tmp_path):
    files = (folder / "features.npz", folder / "attack.npz")
    assert command("evaluate", *files, "--by-class", "--exit-zero", "--out", "a.npz").code == 0
    classes = {row.image_class for row in mi_audit.read(tmp_path / "a.npz").rows}
    assert classes == {None, *range(10)}


def test_ratios_of_the_sweep(folder, command, tmp_path):
    files = (folder / "features.npz", folder / "attack.npz")
    assert command("evaluate", *files, "--ratios", "9:1,0.01", "--exit-zero", "--out", "a.npz").code == 0
    assert {row.ratio for row in mi_audit.read(tmp_path / "a.npz").sweep} == {"9:1", "0.01"}


def test_a_seed_changes_the_split_and_nothing_else_does(folder, command, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        done = command("train-attack", folder / "features.npz", "--out", f"{name}.npz", *QUICK, "--seed", seed)
        assert done.code == 0
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert (tmp_path / "a.npz").read_bytes() != (tmp_path / "c.npz").read_bytes()


def test_the_paper_protocol_prints_its_four_tables(folder, command):
    done = command("train-attack", folder / "features.npz", "--out", "p.npz", "--protocol", "paper", "--search", "0")
    assert done.code == 0, done.stderr
    done = command("evaluate", folder / "features.npz", "p.npz")
    assert done.code == 0, done.stderr
    for number in range(1, 5):
        assert f"Table {number}" in done.stdout
