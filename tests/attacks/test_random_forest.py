from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from mi_audit import plugins, store
from mi_audit.attacks import random_forest
from mi_audit.attacks._inputs import Encoding, unit_mean
from mi_audit.attacks.random_forest import FittedRandomForest, RandomForest
from mi_audit.errors import ContainerError, UsageError
from tests.attacks.samples import balanced, leaky

SEEN, IS_MEMBER = leaky(300, lift=1.0, seed=0)
WEIGHT = np.random.default_rng(1).uniform(0.5, 2, len(IS_MEMBER))
HELD_OUT, _ = leaky(300, lift=1.0, seed=5)


def reference(attack: RandomForest, **options: object) -> np.ndarray:
    """Probabilities of scikit-learn's own forest on the same matrix, with the same seed."""
    encoding = Encoding.of(SEEN, WEIGHT)
    model = RandomForestClassifier(
        attack.n_estimators,
        max_depth=attack.max_depth,
        min_samples_split=attack.min_samples_split,
        min_samples_leaf=attack.min_samples_leaf,
        random_state=int(np.random.default_rng(7).integers(2**31)),
        **options,
    )
    model.fit(encoding.matrix(SEEN), IS_MEMBER, sample_weight=unit_mean(WEIGHT))
    return model.predict_proba(encoding.matrix(HELD_OUT))[:, 1]


@pytest.mark.parametrize(
    ("attack", "options"),
    [
        (RandomForest(n_estimators=20), {"max_samples": 600}),
        (
            RandomForest(n_estimators=20, max_samples=100, max_features="all"),
            {"max_samples": 100, "max_features": None},
        ),
        (RandomForest(n_estimators=20, max_samples=None, min_samples_leaf=1), {}),
        (
            RandomForest(n_estimators=20, max_depth=3, min_samples_split=50, max_features="log2"),
            {"max_features": "log2"},
        ),
    ],
)
def test_scores_equal_those_of_the_library(attack, options):
    fitted = attack.fit(SEEN, IS_MEMBER, WEIGHT, np.random.default_rng(7))
    np.testing.assert_allclose(fitted.score(HELD_OUT), reference(attack, **options), atol=1e-12, rtol=0)


def test_a_single_sample_scores_as_it_does_among_many():
    fitted = RandomForest(n_estimators=20).fit(SEEN, IS_MEMBER, WEIGHT, np.random.default_rng(7))
    assert fitted.score(HELD_OUT.take(np.array([17])))[0] == fitted.score(HELD_OUT)[17]


def test_the_nodes_stay_within_their_bound(monkeypatch):
    attack = RandomForest(n_estimators=20, min_samples_leaf=1)
    free = attack.fit(SEEN, IS_MEMBER, WEIGHT, np.random.default_rng(0))
    assert len(free.trees.value) > 800
    monkeypatch.setattr(random_forest, "MAX_NODES", 800)
    bounded = attack.fit(SEEN, IS_MEMBER, WEIGHT, np.random.default_rng(0))
    assert 600 < len(bounded.trees.value) <= 800
    halves = [np.arange(300), np.arange(300, 600)]
    both = attack.fit_each(halves, SEEN, IS_MEMBER, WEIGHT, np.random.default_rng(0))
    assert sum(len(forest.trees.value) for forest in both) <= 800


def test_a_bound_that_is_not_reached_changes_nothing(monkeypatch):
    attack = RandomForest(n_estimators=20)
    before = attack.fit(SEEN, IS_MEMBER, WEIGHT, np.random.default_rng(0)).to_bytes()
    monkeypatch.setattr(random_forest, "MAX_NODES", 2 * 20 * (600 // attack.min_samples_leaf))
    assert attack.fit(SEEN, IS_MEMBER, WEIGHT, np.random.default_rng(0)).to_bytes() == before


def test_leaves_that_could_be_the_only_node_are_fine():
    # A bootstrap below twice the smallest leaf cannot be split at all.
    fitted = RandomForest(n_estimators=3, max_samples=30).fit(SEEN, IS_MEMBER, WEIGHT, np.random.default_rng(0))
    assert len(fitted.trees.value) == 3
    assert len(set(fitted.score(HELD_OUT))) == 1


def test_trees_that_read_a_column_too_many_are_refused():
    fitted = RandomForest(n_estimators=3).fit(SEEN, IS_MEMBER, balanced(IS_MEMBER), np.random.default_rng(0))
    header, arrays = store.from_bytes(fitted.to_bytes())
    n_columns = fitted.encoding.n_columns
    feature = np.where(arrays["feature"] < 0, arrays["feature"], n_columns).astype(np.int16)
    with pytest.raises(ContainerError, match=f"read {n_columns} columns"):
        FittedRandomForest.from_bytes(store.to_bytes(header, arrays | {"feature": feature}))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("n_estimators", "0"),
        ("max_samples", "0"),
        ("max_features", "half"),
        ("max_depth", "-1"),
        ("min_samples_split", "1"),
        ("min_samples_leaf", "0"),
        ("min_samples_leaf", "few"),
    ],
)
def test_options_out_of_range_are_refused(option, value):
    with pytest.raises(UsageError, match=option):
        plugins.load("attacks", "random-forest", {option: value})


def test_options_that_may_be_none_can_be_set_to_it():
    attack = plugins.load("attacks", "random-forest", {"max_samples": "none", "max_depth": "none"})
    assert attack == replace(RandomForest(), max_samples=None, max_depth=None)
