"""One attack per subset: its decisions are those of the attack that was fitted on the subset alone."""

from dataclasses import replace

import numpy as np
import pytest

from mi_audit import store
from mi_audit.attacks._per_class import FittedPerClass, PerClass
from mi_audit.attacks._per_subset import FittedPerSubset, PerSubset
from mi_audit.attacks.interface import Observations
from mi_audit.attacks.logistic_regression import LogisticRegression
from mi_audit.attacks.mlp import MLP
from mi_audit.errors import ContainerError
from tests.attacks.samples import balanced, leaky

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def known() -> tuple[Observations, np.ndarray]:
    return leaky(300, 1.0, seed=1, offset=0.5)


def test_decisions_are_those_of_an_attack_on_the_subset_alone(known):
    seen, is_member = known
    weight = np.ones(len(seen))
    both = PerSubset(LogisticRegression()).fit(seen, is_member, weight, RNG)
    for subset in (seen.is_correct, ~seen.is_correct):
        alone = LogisticRegression().fit(seen.take(subset), is_member[subset], weight[subset], RNG)
        expected = alone.score(seen.take(subset)) - alone.threshold
        np.testing.assert_allclose(both.score(seen)[subset], expected, rtol=1e-9)


def test_a_subset_with_too_few_gets_no_attack(known):
    seen, is_member = known
    right = replace(seen, is_correct=seen.is_correct | (np.arange(len(seen)) > 20))
    fitted = PerSubset(LogisticRegression(), min_per_side=200).fit(right, is_member, np.ones(len(seen)), RNG)
    assert fitted.subsets.tolist() == [1]
    assert np.isnan(fitted.score(right)[~right.is_correct]).all()
    none = PerSubset(LogisticRegression(), min_per_side=999).fit(seen, is_member, np.ones(len(seen)), RNG)
    assert np.isnan(FittedPerSubset.from_bytes(none.to_bytes()).score(seen)).all()


@pytest.mark.parametrize("attack", [LogisticRegression(), MLP(epochs=1)])
def test_per_class_and_subset_comes_back_from_its_bytes(known, attack):
    seen, is_member = known
    fitted = PerClass(PerSubset(attack)).fit(seen, is_member, balanced(is_member), np.random.default_rng(0))
    again = FittedPerClass.from_bytes(fitted.to_bytes())
    score = fitted.score(seen)
    assert np.isfinite(score).all()
    np.testing.assert_array_equal(again.score(seen), score)
    assert again.to_bytes() == fitted.to_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"subsets": np.array([0, 2])},
        {"subsets": np.array([1, 0])},
        {"subsets": np.array([0])},
        {"subsets": np.array([0.0, np.nan])},
        {"ends": np.array([5, 3])},
        {"payloads": np.zeros(4, np.uint8)},
    ],
)
def test_a_payload_whose_parts_were_changed_is_refused(known, change):
    seen, is_member = known
    fitted = PerSubset(LogisticRegression()).fit(seen, is_member, np.ones(len(seen)), RNG)
    header, arrays = store.from_bytes(fitted.to_bytes())
    with pytest.raises(ContainerError):
        FittedPerSubset.from_bytes(store.to_bytes(header, arrays | change))
