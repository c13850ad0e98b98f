"""What attacks look at, on the command line: of files, and in one shot, where it is extracted as well."""

import json

import numpy as np
import pytest

import mi_audit

QUICK = ("--attack", "naive,logistic-regression")


def arguments(checkpoint, *more, n=120):
    return ("--model", checkpoint, "--data", "digits", "--max-members", n, "--max-non-members", n, *more)


def labels(path) -> list[str]:
    return [attack.label for attack in mi_audit.read(path).attacks]


def test_in_one_shot_what_attacks_look_at_is_extracted_too(command, demo_checkpoint, tmp_path):
    asked = arguments(demo_checkpoint, *QUICK, "--on", "outputs,gradient-norm:w", "--out", "a.npz")
    done = command("evaluate", *asked)
    assert done.code in (0, 1, 3), done.stderr
    assert labels(tmp_path / "a.npz") == [
        "naive",
        "logistic-regression",
        "logistic-regression on gradient-norm:w",
    ]
    again = command("evaluate", *asked)
    assert again.stderr.count("using .mi-audit/") == 2
    assert again.stdout == done.stdout


def test_all_means_what_this_run_asked_for_whatever_earlier_runs_left(command, demo_checkpoint, tmp_path):
    asked = (*QUICK, "--on", "all", "--features", "gradient-norm:x", "--out")
    command("evaluate", *arguments(demo_checkpoint, *asked, "a.npz"))
    (first,) = (attack for attack in mi_audit.read(tmp_path / "a.npz").attacks if attack.name != "naive")
    assert (first.label, first.on) == ("logistic-regression on all", ("outputs", "gradient-norm:x"))
    grown = command("evaluate", *arguments(demo_checkpoint, *QUICK, "--on", "layer:-1", "--quiet"))
    assert grown.code in (0, 1, 3), grown.stderr
    again = command("evaluate", *arguments(demo_checkpoint, *asked, "b.npz"))
    assert again.stderr.count("using .mi-audit/") == 2
    assert mi_audit.read(tmp_path / "a.npz").rows == mi_audit.read(tmp_path / "b.npz").rows


def test_a_feature_that_no_attack_looks_at_does_not_train_them_anew(command, demo_checkpoint):
    command("evaluate", *arguments(demo_checkpoint, *QUICK, "--quiet"))
    grown = command("evaluate", *arguments(demo_checkpoint, *QUICK, "--features", "layer:-1"))
    assert grown.stderr.count("using .mi-audit/") == 2
    assert "training attacks" not in grown.stderr


def test_a_signal_that_reads_a_layer_brings_it(command, demo_checkpoint, tmp_path):
    asked = ("--attack", "threshold:last-layer-gradient", "--out", "a.npz")
    done = command("evaluate", *arguments(demo_checkpoint, *asked))
    assert done.code in (0, 1, 3), done.stderr
    assert mi_audit.read(tmp_path / "a.npz").attacks[0].on == ("outputs", "layer:-1")


def test_apart_by_subset_on_request(command, demo_checkpoint, tmp_path):
    for flag, expected in (("--per-subset", True), ("--subsets-together", False)):
        done = command("evaluate", *arguments(demo_checkpoint, *QUICK, "--on", "layer:-1", flag, "--out", "a.npz"))
        assert done.code in (0, 1, 3), done.stderr
        flags = {attack.label: attack.per_subset for attack in mi_audit.read(tmp_path / "a.npz").attacks}
        assert flags == {"naive": False, "logistic-regression on layer:-1": expected}


def test_of_files_the_feature_has_to_be_there_and_the_tip_says_how(command, demo_checkpoint, tmp_path):
    assert command("extract", *arguments(demo_checkpoint, "--features", "gradient-norm:w"), "--out", "f.npz").code == 0
    missing = command("train-attack", "f.npz", "--out", "a.npz", *QUICK, "--on", "layer:-1")
    assert missing.code == 2
    assert "extract ... --features layer:-1" in " ".join(missing.stderr.split())
    for on, expected in (
        (("--on", "gradient-norm"), ["naive", "logistic-regression on gradient-norm:w"]),
        (("--on", "all"), ["naive", "logistic-regression on all"]),
    ):
        done = command("train-attack", "f.npz", "--out", "a.npz", *QUICK, *on)
        assert done.code == 0, done.stderr
        assert labels(tmp_path / "a.npz") == expected
        assert command("evaluate", "f.npz", "a.npz", "--quiet").code in (0, 1, 3)


@pytest.mark.parametrize(
    ("asked", "message", "tip"),
    [
        (("--on", "gradient-nrom"), "unknown feature 'gradient-nrom'", "did you mean 'gradient-norm'"),
        (("--on", "all"), "nothing is observed but outputs", "add --features"),
        (("--attack", "nave"), "unknown", "did you mean 'naive'"),
    ],
)
def test_what_cannot_be_looked_at_is_refused_before_anything_is_extracted(
    command, demo_checkpoint, asked, message, tip
):
    done = command("evaluate", *arguments(demo_checkpoint, *asked))
    assert done.code == 2
    assert message in done.stderr
    assert tip in done.stderr
    assert "extracting" not in done.stderr


def test_predictions_have_nothing_beside_outputs_to_look_at(command, tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"logits": rng.normal(size=(80, 3)), "label": np.arange(80) % 3, "is_member": np.arange(80) < 40}
    np.savez(tmp_path / "p.npz", **arrays)
    for asked in (("--on", "layer:-1"), ("--on", "all"), ("--attack", "threshold:last-layer-gradient")):
        done = command("evaluate", "--model", "predictions:p.npz", *asked)
        assert done.code == 2
        assert "needs a model or images" in done.stderr


def test_repeats_print_a_spread_and_never_a_standard_error(command, demo_checkpoint, tmp_path):
    assert command("extract", *arguments(demo_checkpoint), "--out", "f.npz").code == 0
    done = command("train-attack", "f.npz", "--out", "a.npz", *QUICK, "--repeats", 2)
    assert done.code == 0, done.stderr
    assert "everything again on 2 further splits" in done.stderr
    assert "on 2 further splits: mean" in done.stderr
    assert "SD over splits" in done.stderr
    assert "standard error" not in done.stderr
    assert len(mi_audit.read(tmp_path / "a.npz").spread) == 6
    refused = command("evaluate", "f.npz", "a.npz", "--repeats", 2)
    assert refused.code == 2
    assert "--repeats belongs to --model and --data" in refused.stderr


@pytest.mark.parametrize(
    ("on", "features"),
    [
        ("layer:-1", ["layer:-1"]),
        ("boundary-distance", ["boundary-distance"]),
        ("gradient-norm", ["gradient-norm:w", "gradient-norm:x"]),
    ],
)
def test_each_of_the_papers_feature_tables_is_one_command_that_says_what_is_empty(
    command, demo_checkpoint, tmp_path, on, features
):
    """Tables 5, 6 and 7 of Rezaei & Liu: per class and subset; the digits hardly have a misclassified member."""
    quick = {
        "layer:-1": ("--set", "mlp.epochs=2", "--set", "random-forest.n_estimators=10"),
        "boundary-distance": ("--set", "boundary-distance.max_steps=20"),  # too few for some samples
        "gradient-norm": (),
    }[on]
    asked = (
        "--protocol",
        "paper",
        "--search",
        0,
        "--known-fraction",
        0.5,
        "--on",
        on,
        *quick,
        "--out",
        "a.npz",
        "--json",
    )
    done = command("evaluate", *arguments(demo_checkpoint, *asked, n=890))
    assert done.code in (0, 1, 3), done.stderr
    audit = mi_audit.read(tmp_path / "a.npz")
    assert json.loads(done.stdout)
    own = [attack for attack in audit.attacks if attack.name != "naive"]
    assert sorted({attack.on[0] for attack in own}) == features
    assert all(attack.per_class and attack.per_subset for attack in own)
    assert {row.feature for row in audit.features} == set(features)
    for attack in own:
        row = audit.row(attack.label, "misclassified")
        assert row.metrics["balanced_accuracy"].value is None
        assert row.metrics["balanced_accuracy"].reason in ("0 members", "0 samples")
        assert audit.row(attack.label, "correct").metrics["balanced_accuracy"].value is not None
    slugs = {finding.slug for finding in audit.findings}
    assert "samples-not-scored" in slugs
    assert ("feature-missing" in slugs) == (on == "boundary-distance")


def test_a_feature_of_a_subsample_is_judged_on_the_subsample(command, demo_checkpoint, tmp_path):
    asked = (
        "--on",
        "label-only-distance",
        "--set",
        "label-only-distance.n=120",
        "--set",
        "label-only-distance.queries=60",
    )
    done = command("evaluate", *arguments(demo_checkpoint, *asked, "--attack", "logistic-regression", "--out", "a.npz"))
    assert done.code in (0, 1, 3), done.stderr
    audit = mi_audit.read(tmp_path / "a.npz")
    row = audit.row("logistic-regression on label-only-distance")
    assert 40 <= row.n_members + row.n_non_members <= 80  # half of the subsample is held out, of 400 samples
    found = {finding.slug: finding.message for finding in audit.findings}
    assert "of which it sees nothing" in found["samples-not-scored"]
    assert "leave these samples out" in found["feature-missing"]
