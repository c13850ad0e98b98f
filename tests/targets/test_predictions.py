"""What a file of predictions may hold, and what it is refused for; as ``.npz``, the plainest of the forms."""

import re
from pathlib import Path

import numpy as np
import pytest

from mi_audit.errors import OutputsError, UsageError
from mi_audit.metrics import confidence
from mi_audit.plugins import load
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.targets.interface import TargetRequest
from tests.targets.predictions_files import assert_same, content, logits, opened, softmax, write_csv


def of(folder: Path, **changes: object) -> FeatureCache:
    np.savez(folder / "predictions.npz", **content(**changes))
    return opened(folder / "predictions.npz")


def test_logits_are_kept_as_they_are_and_the_largest_is_the_targets_class(tmp_path):
    cache = of(tmp_path)
    np.testing.assert_array_equal(cache.outputs, logits())
    np.testing.assert_array_equal(cache.predicted, logits().argmax(axis=1))
    assert cache.outputs_kind == "logits"
    assert cache.sample_id[[0, 11]].tolist() == ["train/0", "test/11"]
    assert cache.class_names == ("0", "1", "2")
    assert cache.is_audited.all()
    assert len(cache.provenance["target"]["file_digest"]) == 64


def test_probabilities_are_kept_as_they_are_and_give_the_signals_of_their_logits(tmp_path):
    cache = of(tmp_path, logits=None, probabilities=softmax(logits()))
    assert cache.outputs_kind == "probabilities"
    from_logits = confidence.signals(logits(), cache.label, "logits")
    for name, values in confidence.signals(cache.outputs, cache.label, cache.outputs_kind).items():
        np.testing.assert_allclose(values, from_logits[name], rtol=1e-4)


def test_probabilities_of_exactly_zero_and_one_stay_finite_and_are_counted(tmp_path):
    probabilities = softmax(logits())
    probabilities[:4] = [1, 0, 0]
    cache = of(tmp_path, logits=None, probabilities=probabilities)
    assert np.isfinite(confidence.loss(cache.outputs, cache.label, cache.outputs_kind)).all()
    assert any(finding.message.startswith("4 of 12 samples") for finding in cache.findings)


def test_predicted_alone_is_a_target_that_gives_labels_only(tmp_path):
    cache = of(tmp_path, logits=None, predicted=logits().argmax(axis=1))
    assert cache.outputs_kind == "labels"
    assert cache.outputs.shape == (12, 0)
    np.testing.assert_array_equal(cache.predicted, logits().argmax(axis=1))


@pytest.mark.parametrize(("kind", "second"), [("logits", 2.5), ("probabilities", 1 / (1 + np.exp(-2.5)))])
@pytest.mark.parametrize("axes", [1, 2])
def test_a_single_column_is_a_sigmoid_head_of_two_classes(tmp_path, kind, second, axes):
    outputs = np.full(12, second) if axes == 1 else np.full((12, 1), second)
    changes = {"logits": None, kind: outputs, "label": np.arange(12) % 2}
    cache = of(tmp_path, **changes)
    assert cache.n_classes == 2
    assert cache.predicted.tolist() == [1] * 12
    p = np.exp(confidence.log_confidences(cache.outputs, cache.outputs_kind))
    np.testing.assert_allclose(p[:, 1], 1 / (1 + np.exp(-2.5)), rtol=1e-6)
    assert any("that of class 1, of two" in finding.message for finding in cache.findings)


@pytest.mark.parametrize(
    "label",
    [
        np.arange(12, dtype=np.uint8) % 3,
        np.arange(12.0) % 3,
        np.array(["0", "1", "2"] * 4),
        np.array([" 0.0", "1.0", "2.0"] * 4),
        np.array([b"0", b"1", b"2"] * 4),
        (np.arange(12) % 3)[:, None],
    ],
    ids=str,
)
def test_labels_in_other_notations_are_the_same_classes(tmp_path, label):
    assert_same(of(tmp_path, label=label), of(tmp_path))


def test_names_as_labels_are_classes_in_sorted_order_and_it_is_said(tmp_path):
    cache = of(tmp_path, label=np.array(["dog", "cat", "owl"] * 4))
    assert cache.class_names == ("cat", "dog", "owl")
    assert cache.label.tolist() == [1, 0, 2] * 4
    assert any("names in label, sorted; logits are taken to be in that order" in f.message for f in cache.findings)


def test_class_names_in_the_file_say_which_column_is_which(tmp_path):
    names = np.array(["owl", "dog", "cat", "elk"])
    cache = of(tmp_path, logits=logits(12, 4), label=np.array(["dog", "cat", "owl"] * 4), class_names=names)
    assert cache.class_names == ("owl", "dog", "cat", "elk")
    assert cache.label.tolist() == [1, 2, 0] * 4


def test_names_of_predicted_classes_count_too(tmp_path):
    predicted = np.array(["dog", "elk", "cat"] * 4)
    cache = of(tmp_path, logits=None, label=np.array(["dog", "cat", "cat"] * 4), predicted=predicted)
    assert cache.class_names == ("cat", "dog", "elk")
    assert cache.is_correct.tolist() == [True, False, True] * 4


@pytest.mark.parametrize(
    "flags",
    [[1, 0], [1.0, 0.0], ["yes", "no"], ["True", "false"], ["1", "0"], ["1.0", "0.0"], ["member", "non-member"]],
    ids=str,
)
def test_membership_in_other_notations_is_the_same(tmp_path, flags):
    assert_same(of(tmp_path, is_member=np.repeat(np.array(flags), 6)), of(tmp_path))


def test_without_ids_samples_are_named_by_side_and_row_and_it_is_said(tmp_path):
    cache = of(tmp_path, sample_id=None)
    assert cache.sample_id[[0, 5, 6]].tolist() == ["members/0", "members/5", "non-members/6"]
    assert any("there is no sample_id" in finding.message for finding in cache.findings)


@pytest.mark.parametrize("ids", [np.arange(12) * 7, np.arange(12.0) * 7])
def test_numbers_as_ids_are_their_text(tmp_path, ids):
    assert of(tmp_path, sample_id=ids).sample_id[[0, 2]].tolist() == ["0", "14"]


@pytest.mark.parametrize("group", [np.arange(12) // 2, np.arange(12.0) // 2, (np.arange(12) // 2).astype(str)])
def test_groups_are_kept_as_text(tmp_path, group):
    cache = of(tmp_path, group=group)
    assert cache.group.tolist() == [str(number // 2) for number in range(12)]
    assert of(tmp_path).group is None
    again = opened(write_csv(tmp_path / "p.csv", content(group=(np.arange(12) // 2).astype(str))))
    np.testing.assert_array_equal(again.group, cache.group)


def test_a_group_on_both_sides_or_a_sample_without_one_is_refused_by_name(tmp_path):
    with pytest.raises(OutputsError, match="expected every group on one side, got anna, bo among"):
        of(tmp_path, group=np.array(["anna", "bo", "cy"] + ["dan"] * 3 + ["anna", "bo"] + ["eve"] * 4))
    with pytest.raises(OutputsError, match="expected a group for every sample, got none in row 3"):
        of(tmp_path, group=np.array(["a"] * 3 + [" "] + ["b"] * 2 + ["c"] * 6))


def test_probabilities_that_call_themselves_logits_are_noticed(tmp_path):
    slugs = [finding.slug for finding in of(tmp_path, logits=softmax(logits())).findings]
    assert "logits-look-like-probabilities" in slugs
    assert "logits-look-like-probabilities" not in [finding.slug for finding in of(tmp_path).findings]


def changed(values: np.ndarray, row: int, value: object) -> np.ndarray:
    values = values.copy()
    values[row] = value
    return values


P = softmax(logits())
REFUSED = {
    "no outputs": ({"logits": None}, "expected exactly one of logits, probabilities, predicted; got none"),
    "two kinds": ({"probabilities": P}, "exactly one of .*; got logits, probabilities"),
    "logits and predicted": ({"predicted": np.zeros(12, np.int64)}, "exactly one of .*; got logits, predicted"),
    "no label": ({"label": None}, "expected the columns label and is_member, got no label"),
    "no membership": ({"is_member": None}, "got no is_member"),
    "NaN": ({"logits": changed(logits(), 7, np.nan)}, r"got NaN or infinity for 1 of 12 samples: test/7"),
    "infinity": ({"logits": changed(logits(), 1, -np.inf)}, r"NaN or infinity for 1 of 12 samples: train/1"),
    "too large": ({"logits": changed(logits().astype(np.float64), 1, 1e300)}, "NaN or infinity for 1 of 12"),
    "many NaN": ({"logits": np.full((12, 3), np.nan)}, "12 of 12 samples: train/0, .*train/4, ..."),
    "percentages": ({"logits": None, "probabilities": 100 * P}, r"from 0 to 1, got .* outside for 12 of 12 samples"),
    "negative": ({"logits": None, "probabilities": changed(P, 2, [-0.1, 0.1, 1])}, "got -0.1 to .* train/2"),
    "sums": ({"logits": None, "probabilities": changed(P, 3, [0.5, 0.3, 0.1])}, r"first 0\.9\) for 1 of 12.*train/3"),
    "one side": ({"is_member": np.ones(12, np.bool_)}, "expected members and non-members, got members only"),
    "other side": ({"is_member": np.zeros(12, np.int64)}, "got non-members only"),
    "odd flags": ({"is_member": np.arange(12)}, "true or false, .* in is_member, got '2' in row 2"),
    "NaN flags": ({"is_member": changed(np.arange(12.0) % 2, 5, np.nan)}, "got 'nan' in row 5"),
    "ids twice": ({"sample_id": np.array(["a", "b", "c"] * 4)}, "every sample_id once, got 3 more than once: a, b, c"),
    "empty id": (
        {"sample_id": np.array(["a", " ", *"cdefghijkl"])},
        "expected an id for every sample, got none in row 1",
    ),
    "labels from 1": ({"label": 1 + np.arange(12) % 3}, "expected label from 0 to 2, got 3 in row 2"),
    "negative label": ({"label": np.arange(12) % 3 - 1}, "expected label from 0 to 2, got -1 in row 0"),
    "fractions": ({"label": np.arange(12) / 2}, "whole numbers or names in label, got 0.5 in row 1"),
    "few names": ({"label": np.array(["cat", "dog"] * 6)}, "as many names in label as classes in logits, got 2 and 3"),
    "unknown name": (
        {"label": np.array(["cat", "dog", "\x1b[31mowl"] * 4), "class_names": np.array(["cat", "dog", "elk"])},
        "expected classes of logits, got 'owl' in row 2",
    ),
    "class names": ({"class_names": np.array(["a", "b"])}, "one class name for each of 3 classes, got 2"),
    "huge label": ({"logits": None, "predicted": np.full(12, 10**12)}, "expected labels below 1,000,000"),
    "mixed": (
        {"logits": None, "predicted": np.array(["a", "b"] * 6)},
        "label and predicted both as numbers or both as names",
    ),
    "lengths": ({"is_member": np.array([True, False])}, "expected one is_member per label, got 2 for 12 labels"),
    "shape": ({"logits": logits(11)}, r"expected logits of shape \(12, n_classes\), one row per label, got \(11, 3\)"),
    "axes": ({"logits": np.zeros((12, 3, 1))}, r"expected logits of shape \(12, n_classes\)"),
    "one-hot": ({"label": np.eye(12)}, r"expected label of shape \(n,\), got \(12, 12\)"),
    "objects": ({"label": np.array([{}] * 12)}, "got an object array, which is never opened"),
    "text as logits": ({"logits": np.full((12, 3), "a")}, "expected numbers in logits, got text"),
    "two spellings": (
        {"label": None, "y": np.zeros(12), "target": np.zeros(12)},
        "expected the column label once, got y, target",
    ),
    "nothing": (dict.fromkeys(content()), "expected the columns label and is_member, got no label"),
    "no samples": ({name: values[:0] for name, values in content().items()}, "expected samples, got none"),
}


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED)
def test_what_makes_no_cache_is_one_line_with_a_tip(tmp_path, changes, message):
    with pytest.raises(OutputsError, match=message) as caught:
        of(tmp_path, **changes)
    assert str(caught.value).startswith(f"{tmp_path / 'predictions.npz'}: ")
    assert str(caught.value).isprintable()
    assert caught.value.tip


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"PK\x03\x04 and no more", "damaged, truncated or of another kind"),
        (b"\x93NUMPY\x01\x00", "expected named arrays, got a single one"),
        (b"\x80\x02}q\x00.", "expected .npz, .csv or .parquet, got a file of another kind"),
        (b"\x1f\x8b\x08", "a file of another kind"),
        (b"\xff\xfel\x00", "got UTF-16"),
        (b"", "got no label"),
        (b"hello", "got no label"),
    ],
)
def test_files_of_another_kind_are_refused(tmp_path, start, message):
    (tmp_path / "file").write_bytes(start)
    with pytest.raises(OutputsError, match=message) as caught:
        opened(tmp_path / "file")
    assert caught.value.tip


def test_files_that_cannot_be_opened_are_refused(tmp_path):
    with pytest.raises(OutputsError, match=re.escape(f"{tmp_path / 'gone.npz'}: no such file")):
        opened(tmp_path / "gone.npz")
    with pytest.raises(OutputsError, match="Is a directory"):
        opened(tmp_path)


def test_an_architecture_beside_predictions_is_refused():
    with pytest.raises(UsageError, match="names its network already"):
        load("targets", "predictions").open("p.npz", TargetRequest(n_classes=0, shape=None, arch="lenet"))


def test_every_truncation_of_a_file_is_a_refusal_and_no_traceback(tmp_path):
    np.savez_compressed(tmp_path / "whole.npz", **content())
    whole = (tmp_path / "whole.npz").read_bytes()
    for length in range(0, len(whole), 29):
        (tmp_path / "part.npz").write_bytes(whole[:length])
        with pytest.raises(OutputsError):
            opened(tmp_path / "part.npz")


def test_class_names_are_stripped_as_labels_are(tmp_path):
    names = np.array(["cat ", " dog", "ant"])
    arrays = content(
        class_names=names, label=names[np.arange(12) % 3], is_member=None, split=np.array(["train", "val"] * 6)
    )
    np.savez(tmp_path / "p.npz", **arrays)
    cache = opened(tmp_path / "p.npz")
    assert cache.class_names == ("cat", "dog", "ant")
    assert cache.label.tolist() == [0, 1, 2] * 4
    assert cache.is_member.tolist() == [True, False] * 6
