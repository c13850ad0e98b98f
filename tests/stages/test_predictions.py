"""The audit of predictions is the audit of the target that made them; what needs a model says so."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mi_audit
from mi_audit.errors import DataSetError, OutputsError, UsageError
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.stages._extract_options import ExtractOptions
from mi_audit.stages._predictions import extracted
from mi_audit.stages._training_plan import TrainOptions
from mi_audit.stages.evaluate import EvaluateOptions, evaluate
from mi_audit.stages.train_attack import train_attacks
from tests.stages.caches import cache as made_cache
from tests.targets.predictions_files import content, softmax, write_csv

QUICK = ("naive", "threshold", "logistic-regression", "xgboost")


@pytest.fixture(scope="module")
def target(demo_checkpoint, tmp_path_factory) -> FeatureCache:
    """What the demo's target answers."""
    folder = tmp_path_factory.mktemp("target")
    mi_audit.audit(
        str(demo_checkpoint), "digits", arch="lenet_32_64_200", attacks=["naive"], cache_dir=folder, max_members=400
    )
    return mi_audit.read(next(folder.rglob("features.npz")))


def predictions_of(cache: FeatureCache, path: Path, **changes: object) -> Path:
    """The answers as a user would save them; with only the samples that are audited, since images show duplicates."""
    arrays = {
        "logits": cache.outputs,
        "label": cache.label,
        "is_member": cache.is_member,
        "sample_id": cache.sample_id,
    } | changes
    arrays = {name: values for name, values in arrays.items() if values is not None}
    if path.suffix == ".csv":
        return write_csv(path, arrays)
    np.savez(path, **arrays)
    return path


def numbers(audit: mi_audit.schema.audit.Audit) -> list[object]:
    return [audit.selected, audit.rows, audit.accuracy, audit.confidence, audit.sweep]


@pytest.mark.parametrize("suffix", [".npz", ".csv"])
def test_predictions_give_exactly_the_audit_of_the_model_that_made_them(target, tmp_path, suffix):
    assert target.is_audited.all()
    file = predictions_of(target, tmp_path / f"p{suffix}")
    audit = mi_audit.audit(f"predictions:{file}", attacks=QUICK, cache_dir=tmp_path / "cache")
    trained = train_attacks(target, TrainOptions(attacks=QUICK))
    assert numbers(audit) == numbers(evaluate(target, trained, EvaluateOptions()))


def test_probabilities_give_nearly_the_audit_of_their_logits(target, tmp_path):
    probabilities = softmax(target.outputs).astype(np.float32)
    file = predictions_of(target, tmp_path / "p.npz", logits=None, probabilities=probabilities)
    audit = mi_audit.audit(f"predictions:{file}", attacks=QUICK, cache_dir=tmp_path / "cache")
    trained = train_attacks(target, TrainOptions(attacks=QUICK))
    whole = evaluate(target, trained, EvaluateOptions())
    assert audit.accuracy == whole.accuracy
    for attack in ("naive", "threshold:loss", "threshold:entropy", "logistic-regression"):
        ours, theirs = (one.row(attack).metrics["auc"].value for one in (audit, whole))
        assert ours == pytest.approx(theirs, abs=0.01)


def test_labels_alone_run_the_naive_attack_and_say_what_did_not_run(target, tmp_path):
    file = predictions_of(target, tmp_path / "p.npz", logits=None, predicted=target.predicted)
    for protocol in ("audit", "paper"):
        audit = mi_audit.audit(f"predictions:{file}", protocol=protocol, cache_dir=tmp_path / "cache")
        assert [attack.label for attack in audit.attacks] == ["naive"]
        assert any(f.slug == "attacks-skipped" and "mlp" in f.message for f in audit.findings)
        expected = evaluate(target, train_attacks(target, TrainOptions(attacks=("naive",))), EvaluateOptions())
        assert audit.row("naive", samples="full").metrics == expected.row("naive", samples="full").metrics
        assert not audit.confidence


def test_an_attack_that_was_asked_for_is_not_left_out_silently(target):
    labels = replace(target, outputs=np.empty((len(target.label), 0), np.float32), outputs_kind="labels")
    for attacks in (("mlp",), ("naive", "threshold")):
        with pytest.raises(OutputsError, match="needs confidences, got labels only"):
            train_attacks(labels, TrainOptions(attacks=attacks))


def test_the_papers_protocol_runs_on_probabilities(tmp_path):
    cache = made_cache("planted", n_side=150, n_classes=3, outputs_kind="probabilities")
    file = predictions_of(cache, tmp_path / "p.npz", logits=None, probabilities=cache.outputs)
    audit = mi_audit.audit(f"predictions:{file}", protocol="paper", search=0, cache_dir=tmp_path / "cache")
    assert audit.row("xgboost").metrics["balanced_accuracy"].value > 0.6


def cache_of(file: Path, **options: object) -> FeatureCache:
    return extracted(ExtractOptions(model=f"predictions:{file}", **options))


def test_fewer_samples_are_chosen_by_seed_and_id_and_not_by_their_order(tmp_path):
    arrays = content(60)
    order = np.random.default_rng(1).permutation(60)
    np.savez(tmp_path / "p.npz", **arrays)
    np.savez(tmp_path / "mixed.npz", **{name: values[order] for name, values in arrays.items()})
    few = cache_of(tmp_path / "p.npz", max_members=7, max_non_members=5)
    assert (int(few.is_member.sum()), int((~few.is_member).sum())) == (7, 5)
    mixed = cache_of(tmp_path / "mixed.npz", max_members=7, max_non_members=5)
    assert set(mixed.sample_id) == set(few.sample_id)
    other = cache_of(tmp_path / "p.npz", max_members=7, max_non_members=5, seed=1)
    assert set(other.sample_id) != set(few.sample_id)
    keys = {one.provenance["key"] for one in (few, mixed, other, cache_of(tmp_path / "p.npz"))}
    assert len(keys) == 4
    dataset = few.provenance["dataset"]
    assert (dataset["n_members"], dataset["n_non_members"]) == (7, 5)


def test_fewer_classes_are_whole_classes_and_the_outputs_keep_theirs(tmp_path):
    np.savez(tmp_path / "p.npz", **content(60, 6))
    few = cache_of(tmp_path / "p.npz", limit_classes=2)
    assert len(np.unique(few.label)) == 2
    assert len(few.label) == 20
    assert few.n_classes == 6


def test_a_choice_of_classes_without_one_side_is_refused(tmp_path):
    np.savez(tmp_path / "p.npz", **content(12, is_member=np.arange(12) % 3 == 0))
    with pytest.raises(DataSetError, match="one side only"):
        cache_of(tmp_path / "p.npz", limit_classes=1)


OPTIONS = {"arch": "lenet", "mean": (0.5,), "device": "cpu", "batch_size": 8, "download": True, "split": "train"}


@pytest.mark.parametrize(("name", "value"), OPTIONS.items())
def test_what_needs_a_model_or_images_is_named(name, value):
    with pytest.raises(UsageError, match=rf"--{name.replace('_', '-')} needs a model or images") as caught:
        ExtractOptions(model="predictions:p.npz", **{name: value})
    assert caught.value.tip == f"leave --{name.replace('_', '-')} out"


def test_data_is_required_except_with_predictions_which_forbid_it():
    with pytest.raises(UsageError, match="expected --model and --data"):
        ExtractOptions(model="net.pt")
    with pytest.raises(UsageError, match="brings its own samples, got --data digits"):
        ExtractOptions(model="predictions:p.npz", data="digits")
    with pytest.raises(UsageError, match="expected --model and --data"):
        ExtractOptions(model="", data="digits")


def test_a_changed_file_is_audited_anew_and_the_same_one_uses_what_there_is(tmp_path, target):
    said = []

    class Listening(mi_audit.stages.progress.Silence):
        def say(self, message: str) -> None:
            said.append(message)

    file = predictions_of(target, tmp_path / "p.npz")
    plan = (TrainOptions(attacks=("naive", "threshold:loss")), EvaluateOptions(), tmp_path / "cache", Listening())
    options = ExtractOptions(model=f"predictions:{file}")
    first, again = (mi_audit.stages.audit.audit(options, *plan) for _ in range(2))
    assert sum("using" in text for text in said) == 1
    assert first.rows == again.rows
    predictions_of(target, file, logits=-target.outputs)
    assert mi_audit.stages.audit.audit(options, *plan).accuracy != first.accuracy


def test_the_commands_take_predictions(tmp_path, target, monkeypatch, capsys):
    from mi_audit.cli._app import app

    monkeypatch.chdir(tmp_path)
    predictions_of(target, tmp_path / "p.csv")
    app(["extract", "--model", "predictions:p.csv", "--out", "f.npz"], standalone_mode=False)
    assert "predictions come without images" in capsys.readouterr().err
    app(["train-attack", "f.npz", "--attack", "naive,threshold:loss", "--out", "a.npz"], standalone_mode=False)
    app(["evaluate", "f.npz", "a.npz", "--json"], standalone_mode=False)
    three = json.loads(capsys.readouterr().out)
    arguments = ["evaluate", "--model", "predictions:p.csv", "--attack", "naive,threshold:loss", "--json"]
    app(arguments, standalone_mode=False)
    assert json.loads(capsys.readouterr().out) == three
    app(arguments[:-1], standalone_mode=False)
    assert "predictions (logits) on p.csv" in capsys.readouterr().out


def test_the_file_of_predictions_is_not_overwritten(tmp_path, target, monkeypatch):
    from mi_audit.cli._app import app
    from mi_audit.errors import OutputError

    monkeypatch.chdir(tmp_path)
    predictions_of(target, tmp_path / "p.npz")
    with pytest.raises(OutputError, match="would be overwritten"):
        app(["extract", "--model", "predictions:p.npz", "--out", "p.npz"], standalone_mode=False)
