from dataclasses import replace

import numpy as np
import pytest

from mi_audit.attacks.interface import observe
from mi_audit.metrics import confidence
from tests.attacks.samples import feature_cache

CACHE = feature_cache(20, 4, lift=1.0, seed=0)
ROWS = np.array([7, 3, 30])


def test_the_summary_view_shows_the_rows_asked_for_in_their_order():
    seen = observe(CACHE, ROWS, "summary")
    assert seen.columns == confidence.summary_columns(4)
    assert seen.inputs.shape == (3, len(seen.columns))
    np.testing.assert_array_equal(seen.inputs[:, seen.columns.index("class")], CACHE.label[ROWS])
    np.testing.assert_array_equal(seen.label, CACHE.label[ROWS])
    np.testing.assert_array_equal(seen.is_correct, CACHE.outputs[ROWS].argmax(axis=1) == CACHE.label[ROWS])


def test_the_confidences_view_is_the_softmax_vector():
    seen = observe(CACHE, ROWS, "confidences")
    exponentials = np.exp(CACHE.outputs[ROWS].astype(np.float64))
    np.testing.assert_allclose(seen.inputs, exponentials / exponentials.sum(axis=1, keepdims=True), rtol=1e-12)
    assert seen.columns == ("confidence-0", "confidence-1", "confidence-2", "confidence-3")


def test_signals_are_the_same_in_both_views_and_one_per_row():
    summary, confidences = observe(CACHE, ROWS, "summary"), observe(CACHE, ROWS, "confidences")
    assert set(summary.signals) == {*confidence.SIGNALS, *confidence.MORE_SIGNALS}
    for name, values in summary.signals.items():
        assert values.shape == (3,)
        np.testing.assert_array_equal(values, confidences.signals[name])


@pytest.mark.parametrize("view", ["summary", "confidences"])
def test_labels_alone_show_only_whether_the_target_is_right(view):
    cache = replace(CACHE, outputs=np.empty((40, 0), np.float32), outputs_kind="labels")
    seen = observe(cache, ROWS, view)
    assert seen.columns == ()
    assert seen.inputs.shape == (3, 0)
    assert not seen.signals
    np.testing.assert_array_equal(seen.is_correct, CACHE.is_correct[ROWS])


def test_taking_positions_may_repeat_them_and_a_mask_works_too():
    seen = observe(CACHE, np.arange(40), "summary")
    taken = seen.take(np.array([5, 5, 2]))
    np.testing.assert_array_equal(taken.inputs, seen.inputs[[5, 5, 2]])
    np.testing.assert_array_equal(taken.signals["loss"], seen.signals["loss"][[5, 5, 2]])
    assert len(seen.take(np.arange(40) < 4)) == 4
