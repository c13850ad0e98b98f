import json

import numpy as np
import pytest

from mi_audit.schema.feature_cache import FeatureCache
from tests.schema.examples import feature_cache, same


def test_a_cache_comes_back_from_its_parts():
    cache = feature_cache()
    assert same(FeatureCache.from_parts(json.loads(json.dumps(cache.header())), cache.arrays()), cache)


@pytest.mark.parametrize("n", [0, 1])
def test_a_cache_of_hardly_any_samples_is_one(n):
    assert len(feature_cache(n).is_correct) == n


def test_what_the_target_got_right():
    cache = feature_cache(4, label=np.array([0, 1, 2, 0]), predicted=np.array([0, 2, 2, 1]))
    assert cache.is_correct.tolist() == [True, False, True, False]
    assert cache.n_classes == 3


def test_labels_only_caches_have_no_columns_of_outputs():
    cache = feature_cache(outputs=np.zeros((6, 0), np.float32), outputs_kind="labels")
    assert same(FeatureCache.from_parts(cache.header(), cache.arrays()), cache)
    with pytest.raises(ValueError, match=r"expected outputs of shape \(6, 0\)"):
        feature_cache(outputs_kind="labels")


def test_every_array_is_read_only():
    cache = feature_cache()
    assert not any(values.flags.writeable for values in cache.arrays().values())


def test_features_may_be_nan_where_extraction_failed():
    failed = {"gradient-norm:w": np.full((6, 2), np.nan, np.float32)}
    assert np.isnan(feature_cache(features=failed).features["gradient-norm:w"]).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"outputs": np.zeros((6, 4), np.float32)}, r"expected outputs of shape \(6, 3\), got \(6, 4\)"),
        ({"outputs": np.zeros((5, 3), np.float32)}, r"expected outputs of shape \(6, 3\), got \(5, 3\)"),
        ({"outputs": np.zeros((6, 3), np.int64)}, "expected outputs of dtype kind 'f'"),
        ({"outputs": np.full((6, 3), np.nan, np.float32)}, "expected finite outputs"),
        ({"outputs": np.full((6, 3), -np.inf, np.float32)}, "expected finite outputs"),
        ({"outputs_kind": "confidences"}, "expected outputs_kind"),
        ({"is_member": np.arange(6)}, "expected is_member of dtype kind 'b'"),
        ({"is_audited": np.ones(5, bool)}, "expected is_audited of shape"),
        ({"label": np.array([0, 1, 2, 0, 1, 3])}, "expected label from 0 to 2, got 0 to 3"),
        ({"label": np.array([0, 1, 2, 0, 1, -1])}, "expected label from 0 to 2, got -1 to 2"),
        ({"predicted": np.array([0, 1, 2, 0, 1, 3])}, "expected predicted from 0 to 2"),
        ({"label": np.zeros(6)}, "expected label of dtype kind 'i'"),
        ({"sample_id": np.array(["a", "b", "c", "d", "e", "a"])}, "unique"),
        ({"group": np.array(["a", "b", "a", "b", "a", "b"]), "is_member": np.arange(6) < 3}, "'a' among members and"),
        ({"group": np.array(["a"] * 5)}, r"expected group of shape \(6,\)"),
        ({"sample_id": np.arange(6)}, "expected sample_id of dtype kind 'U'"),
        ({"sample_id": np.array(["a"] * 6, dtype=object)}, "expected sample_id of dtype kind 'U'"),
        ({"columns": {}}, "expected columns for"),
        ({"columns": {"gradient-norm:w": ("l1",)}}, "expected features/gradient-norm:w of shape"),
        ({"features": {}}, "expected columns for"),
    ],
)
def test_an_invalid_cache_cannot_exist(changes, message):
    with pytest.raises(ValueError, match=message):
        feature_cache(**changes)
