"""Features on the command line: named, set, listed, added to a file, and refused where they make no sense."""

import numpy as np
import pytest

from mi_audit import store


def arguments(checkpoint, *more):
    return ("--model", checkpoint, "--data", "digits", "--max-members", 60, "--max-non-members", 60, *more)


def test_extract_adds_to_a_file_and_says_what_it_does(command, demo_checkpoint):
    first = command("extract", *arguments(demo_checkpoint, "--features", "layer:-1"), "--out", "a.npz")
    assert first.code == 0
    assert "a.npz: 120 samples, 10 classes, layer:-1" in first.stderr
    more = ("--features", "outputs,gradient-norm", "--features", "boundary-distance")
    settings = ("--set", "boundary-distance.step=angle", "--set", "gradient-norm.kernel=eager")
    second = command("extract", *arguments(demo_checkpoint, *more, *settings), "--out", "a.npz")
    assert second.code == 0
    assert "using a.npz" in second.stderr
    assert "gradient-norm:w, gradient-norm:x: about 1.5 passes forward and backward for each of 120" in second.stderr
    cache = store.read("a.npz")
    assert sorted(cache.features) == ["boundary-distance", "gradient-norm:w", "gradient-norm:x", "layer:-1"]
    assert cache.provenance["features"]["boundary-distance"]["options"]["step"] == "angle"


def test_evaluate_takes_settings_of_features_and_of_attacks(command, demo_checkpoint):
    of_both = ("--set", "boundary-distance.step=angle", "--set", "logistic-regression.c=0.5")
    asked = ("--features", "boundary-distance", "--attack", "logistic-regression", *of_both)
    for said in ("boundary-distance: 120", "using"):  # the second run finds everything
        done = command("evaluate", *arguments(demo_checkpoint, *asked), "--exit-zero")
        assert done.code == 0, done.stderr
        assert said in done.stderr
    assert done.stderr.count("using") == 2
    wanted = ("--features", "layer:-1", "--attack", "naive", "--exit-zero")
    grown = command("evaluate", *arguments(demo_checkpoint, *wanted))
    assert grown.code == 0, grown.stderr
    assert "extracting" not in grown.stderr


def test_the_library_takes_them_too(demo_checkpoint, tmp_path):
    import mi_audit

    mi_audit.audit(
        str(demo_checkpoint),
        "digits",
        attacks=("logistic-regression",),
        features=("boundary-distance",),
        settings=("boundary-distance.step=angle", "logistic-regression.c=0.5"),
        max_members=40,
        max_non_members=40,
        cache_dir=tmp_path / "cache",
    )
    (path,) = (tmp_path / "cache").glob("*/features.npz")
    cache = mi_audit.read(path)
    assert cache.provenance["features"]["boundary-distance"]["options"]["step"] == "angle"
    assert np.isfinite(cache.features["boundary-distance"]).all()


@pytest.mark.parametrize(
    ("asked", "message", "tip"),
    [
        (("--features", "gradient-nrom"), "unknown feature 'gradient-nrom'", "did you mean 'gradient-norm'"),
        (("--features", "layer:cnv1"), "the model has no module 'cnv1'", "did you mean 'conv1'"),
        (("--set", "boundary-distance.step=angle"), "no feature that was asked for", "add --features boundary-d"),
        (("--set", "mlp.width=3"), "no feature that was asked for", "there is: boundary-distance"),
    ],
)
def test_what_is_not_there_is_refused_with_a_tip(command, demo_checkpoint, asked, message, tip, tmp_path):
    done = command("extract", *arguments(demo_checkpoint, *asked), "--out", "a.npz")
    assert done.code == 2
    assert message in done.stderr
    assert tip in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_setting_of_neither_a_feature_nor_an_attack_is_refused(command, demo_checkpoint):
    done = command("evaluate", *arguments(demo_checkpoint, "--set", "boundary-distnace.step=angle"))
    assert done.code == 2
    assert "did you mean 'boundary-distance'" in done.stderr


def test_predictions_have_no_features(command):
    done = command("extract", "--model", "predictions:a.csv", "--features", "gradient-norm", "--out", "a.npz")
    assert done.code == 2
    assert "--features needs a model or images" in done.stderr


def test_features_are_listed_with_what_they_are(command):
    lines = command("list", "features").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["outputs", "boundary-distance", "gradient-norm", "layer"]
    assert all(len(line.split()) > 3 for line in lines)


def test_layers_are_listed_at_80_columns(command, demo_checkpoint):
    done = command("list", "layers", "--model", demo_checkpoint)
    assert done.code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["layer", "type", "shape", "columns", "bytes"]
    assert lines[1].split()[0] == "-1"
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (("layers",), "expected --model"),
        (("features", "--model", "net.pt"), "--model is for the layers of a network"),
        (("layers", "--model", "net.pt", "--weights", "best"), "expected --weights"),
        (("layer",), "did you mean 'layers'"),
    ],
)
def test_a_list_that_cannot_be_made_says_what_is_missing(command, typed, message):
    done = command("list", *typed)
    assert done.code == 2
    assert message in done.stderr
