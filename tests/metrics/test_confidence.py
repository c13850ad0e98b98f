"""Confidences against a 400-digit reference, scipy and the textbook formulas, where each of those is precise."""

import decimal
import tracemalloc
from decimal import Decimal

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from scipy.stats import entropy
from sklearn.metrics import roc_auc_score

from mi_audit.errors import DataSetError, OutputsError
from mi_audit.metrics import confidence


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def logits(rng):
    return (rng.normal(size=(200, 12)) * 3).astype(np.float32)


@pytest.fixture
def label(rng):
    return rng.integers(0, 12, 200)


def reference(z, y):
    """Every number of one sample from its definition, with 400 decimal digits."""
    with decimal.localcontext() as context:
        context.prec = 400
        context.Emin = -999999
        exponentials = [Decimal(float(value)).exp() for value in z]
        total = sum(exponentials)
        p = [value / total for value in exponentials]
        rest = total - exponentials[y]
        modified = (1 - p[y]) * p[y].ln() + sum(p[j] * (1 - p[j]).ln() for j in range(len(p)) if j != y)
        return {
            "log-odds": float((exponentials[y] / rest).ln()),
            "loss": float(p[y].ln()),
            "max-confidence": float(max(p).ln()),
            "entropy": float(sum(value * value.ln() for value in p)),
            "modified-entropy": float(modified),
            "log-confidences": [float(value.ln()) for value in p],
            "margin": float((p[y] / max(p[j] for j in range(len(p)) if j != y)).ln()),
            "output-gradient": -float((sum((p[j] - (j == y)) ** 2 for j in range(len(p)))).sqrt().ln()),
        }


@pytest.mark.parametrize("phi", [-800, -745, -100, -30, -1, -1e-3, 0, 1e-3, 1, 17, 30, 40, 100, 350, 700, 740, 800])
@pytest.mark.parametrize("others", [[0.0], [0.0, 0.0, -3.0], [0.5, -20.0, 0.25]])
def test_every_number_keeps_its_relative_precision(phi, others):
    z = np.array([[*others, phi]], dtype=np.float32)
    y = np.array([len(others)])
    expected = reference(z[0], y[0])
    # Subnormal results (below 1e-307) have fewer digits, and below 5e-324 there is nothing left.
    close = {"rel": 1e-13, "abs": 1e-305}
    assert confidence.log_odds(z, y, "logits")[0] == pytest.approx(expected["log-odds"], rel=1e-13, abs=1e-15)
    assert confidence.loss(z, y, "logits")[0] == pytest.approx(-expected["loss"], **close)
    assert confidence.log_confidences(z, "logits")[0] == pytest.approx(expected["log-confidences"], **close)
    logarithms = {"rel": 1e-13, "abs": 1e-15}  # these cross 0
    for name, values in confidence.signals(z, y, "logits").items():
        bounds = logarithms if name in confidence.MORE_SIGNALS else close
        assert values[0] == pytest.approx(expected[name], **bounds), name


def test_ordinary_logits_agree_with_scipy(logits, label):
    rows = np.arange(len(label))
    log_p = log_softmax(logits.astype(np.float64), axis=1)
    p = np.exp(log_p)
    others = p.copy()
    others[rows, label] = 0
    np.testing.assert_allclose(confidence.log_confidences(logits, "logits"), log_p, rtol=1e-9)
    np.testing.assert_allclose(confidence.true_class_confidence(logits, label, "logits"), p[rows, label], rtol=1e-12)
    signals = confidence.signals(logits, label, "logits")
    assert tuple(signals) == (*confidence.SIGNALS, *confidence.MORE_SIGNALS)
    np.testing.assert_allclose(signals["loss"], log_p[rows, label], rtol=1e-9)
    np.testing.assert_allclose(signals["max-confidence"], log_p.max(axis=1), rtol=1e-9)
    np.testing.assert_allclose(signals["entropy"], -entropy(p, axis=1), rtol=1e-9)
    modified = (1 - p[rows, label]) * log_p[rows, label] + (others * np.log1p(-others)).sum(axis=1)
    np.testing.assert_allclose(signals["modified-entropy"], modified, rtol=1e-9)
    p_label = p[rows, label]
    np.testing.assert_allclose(signals["log-odds"], np.log(p_label) - np.log(others.sum(axis=1)), rtol=1e-9)
    np.testing.assert_allclose(signals["margin"], np.log(p_label / others.max(axis=1)), rtol=1e-9, atol=1e-12)
    norm = np.linalg.norm(p - np.eye(12)[label], axis=1)
    np.testing.assert_allclose(signals["output-gradient"], -np.log(norm), rtol=1e-9, atol=1e-12)


def test_signals_point_towards_members():
    """The second sample is more confidently right: larger in every signal (a peer's loss attack had this inverted)."""
    for values in confidence.signals(np.array([[1.0, 0, 0], [6, 0, 0]]), np.array([0, 0]), "logits").values():
        assert values[0] < values[1]


def test_only_signals_that_know_the_label_see_a_mistake():
    right, wrong = (confidence.signals(np.array([[6.0, 0, 0]]), np.array([y]), "logits") for y in (0, 1))
    assert right["loss"] > wrong["loss"]
    assert right["modified-entropy"] > wrong["modified-entropy"]
    assert all(right[name] > wrong[name] for name in confidence.MORE_SIGNALS)
    assert right["max-confidence"] == wrong["max-confidence"]
    assert right["entropy"] == wrong["entropy"]


@pytest.mark.parametrize("outputs_kind", ["logits", "probabilities"])
@pytest.mark.parametrize("y", [0, 1, 2])
def test_extremes_stay_finite(outputs_kind, y):
    outputs = np.array([[1000, 0, 0], [0, 1000, -1000]] if outputs_kind == "logits" else [[1, 0, 0], [0, 1, 0]])
    outputs = outputs.astype(np.float32)
    label = np.array([y, y])
    matrix, _ = confidence.summary(outputs, label, label, outputs_kind)
    assert np.isfinite(matrix).all()
    assert np.isfinite(confidence.log_confidences(outputs, outputs_kind)).all()
    assert all(np.isfinite(values).all() for values in confidence.signals(outputs, label, outputs_kind).values())


def test_saturated_float32_confidences_keep_their_order():
    z = np.zeros((50, 10), dtype=np.float32)
    z[:, 3] = np.linspace(20, 100, 50)
    label = np.full(50, 3)
    assert (softmax(z, axis=1)[:, 3] == 1).all()
    for values in (confidence.log_odds(z, label, "logits"), *confidence.signals(z, label, "logits").values()):
        assert (np.diff(values) > 0).all()


def test_loss_confidence_and_log_odds_rank_alike(logits, label, rng):
    is_member = rng.random(200) < 0.5
    aucs = {
        round(roc_auc_score(is_member, values), 12)
        for values in (
            confidence.log_odds(logits, label, "logits"),
            confidence.true_class_confidence(logits, label, "logits"),
            -confidence.loss(logits, label, "logits"),
        )
    }
    assert len(aucs) == 1


def test_a_constant_added_to_the_logits_changes_nothing(label):
    z = np.random.default_rng(1).integers(-9, 9, (200, 12)).astype(np.float64)
    np.testing.assert_array_equal(confidence.log_odds(z, label, "logits"), confidence.log_odds(z + 64, label, "logits"))


def test_probabilities_give_what_their_logits_give(logits, label):
    p = softmax(logits.astype(np.float64), axis=1)
    from_logits, columns = confidence.summary(logits, label, label, "logits")
    from_probabilities, _ = confidence.summary(p, label, label, "probabilities")
    np.testing.assert_allclose(from_probabilities, from_logits, rtol=1e-9, atol=1e-12)
    assert len(columns) == from_logits.shape[1]


def test_rows_that_do_not_sum_to_one_are_normalised():
    log_p = confidence.log_confidences(np.array([[0.2, 0.2], [0.3, 0.1]]), "probabilities")
    np.testing.assert_allclose(np.exp(log_p), [[0.5, 0.5], [0.75, 0.25]], rtol=1e-15)


def test_zero_probabilities_are_lifted_to_the_smallest_normal():
    p = np.array([[1, 0, 0]], dtype=np.float32)
    tiny = float(np.finfo(np.float32).tiny)
    assert confidence.log_odds(p, np.array([0]), "probabilities")[0] == pytest.approx(-np.log(2 * tiny), rel=1e-14)
    np.testing.assert_allclose(confidence.log_confidences(p, "probabilities")[0, 1:], np.log(tiny), rtol=1e-14)


def test_summary_columns_are_what_they_say(logits, label):
    predicted = logits.argmax(axis=1)
    matrix, columns = confidence.summary(logits, label, predicted, "logits")
    named = dict(zip(columns, matrix.T, strict=True))
    log_p = log_softmax(logits.astype(np.float64), axis=1)
    rows = np.arange(200)
    assert columns == confidence.summary_columns(12)
    np.testing.assert_allclose(named["log-confidence"], log_p[rows, label], rtol=1e-9)
    np.testing.assert_allclose(named["confidence"], np.exp(log_p[rows, label]), rtol=1e-12)
    np.testing.assert_array_equal(named["log-odds"], confidence.log_odds(logits, label, "logits"))
    np.testing.assert_allclose(named["entropy"], entropy(np.exp(log_p), axis=1), rtol=1e-9)
    np.testing.assert_array_equal(named["correct"], label == predicted)
    np.testing.assert_array_equal(named["class"], label)
    np.testing.assert_allclose(matrix[:, 6:16], np.sort(log_p, axis=1)[:, :1:-1], rtol=1e-9)
    log_p[rows, label] = -np.inf
    np.testing.assert_allclose(named["best-other"], log_p.max(axis=1), rtol=1e-9)
    assert 0 < named["correct"].mean() < 1


def test_few_classes_give_few_columns():
    matrix, columns = confidence.summary(np.zeros((1, 3)), np.array([2]), np.array([0]), "logits")
    assert columns[6:] == ("top-1", "top-2", "top-3", "class")
    assert matrix.shape == (1, 10)
    assert len(confidence.summary_columns(1000)) == 17


def test_correct_follows_the_prediction_of_the_target_and_not_the_first_maximum():
    matrix, columns = confidence.summary(np.zeros((1, 3)), np.array([2]), np.array([2]), "logits")
    assert matrix[0, columns.index("correct")] == 1


def test_blocks_do_not_show(logits, label, monkeypatch):
    whole = confidence.signals(logits, label, "logits")
    whole_summary, _ = confidence.summary(logits, label, label, "logits")
    monkeypatch.setattr(confidence, "_BLOCK_BYTES", 7 * 8 * 12)
    for name, values in confidence.signals(logits, label, "logits").items():
        np.testing.assert_array_equal(values, whole[name])
    np.testing.assert_array_equal(confidence.summary(logits, label, label, "logits")[0], whole_summary)


def test_memory_does_not_grow_with_the_outputs(tmp_path):
    outputs = np.lib.format.open_memmap(tmp_path / "outputs.npy", "w+", np.float32, (20_000, 500))
    label = np.zeros(20_000, dtype=np.int64)
    tracemalloc.start()
    confidence.signals(outputs, label, "logits")
    confidence.log_odds(outputs, label, "logits")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert outputs.size * 8 == 80_000_000
    assert peak < 12_000_000


def test_no_samples_give_no_numbers():
    outputs, label = np.zeros((0, 4), dtype=np.float32), np.zeros(0, dtype=np.int64)
    assert confidence.log_confidences(outputs, "logits").shape == (0, 4)
    assert confidence.log_odds(outputs, label, "logits").shape == (0,)
    assert confidence.summary(outputs, label, label, "logits")[0].shape == (0, 11)


@pytest.mark.parametrize(
    ("outputs", "outputs_kind", "message"),
    [
        ([[0.0, 1.0], [np.nan, 0.0]], "logits", "first in row 1"),
        ([[0.0, np.inf]], "logits", "first in row 0"),
        ([[-0.1, 1.1]], "probabilities", "expected probabilities, got -0.1"),
        ([[0.0, 1.0]], "labels", "got labels"),
        ([[1.0]], "logits", "n_classes >= 2"),
        ([1.0, 2.0], "logits", "n_classes >= 2"),
    ],
)
def test_outputs_that_cannot_be_read_are_refused(outputs, outputs_kind, message):
    with pytest.raises(OutputsError, match=message):
        confidence.log_confidences(np.array(outputs), outputs_kind)


def test_whole_numbers_are_no_outputs():
    with pytest.raises(OutputsError, match="floating-point"):
        confidence.log_confidences(np.array([[0, 1]]), "probabilities")


@pytest.mark.parametrize("label", [[0, 2], [-1, 0], [0], [0.0, 1.0]])
def test_labels_that_do_not_fit_are_refused(label):
    with pytest.raises(DataSetError):
        confidence.log_odds(np.zeros((2, 2)), np.array(label), "logits")


def test_probabilities_are_known_by_their_range_and_their_sums():
    p = np.array([[0.2, 0.8], [1.0, 0.0]])
    assert confidence.look_like_probabilities(p.astype(np.float32))
    assert not confidence.look_like_probabilities(p + np.array([[0.0, 0.1], [0.0, 0.0]]))
    assert not confidence.look_like_probabilities(np.array([[1.5, -0.5]]))
    assert not confidence.look_like_probabilities(np.empty((0, 2)))
