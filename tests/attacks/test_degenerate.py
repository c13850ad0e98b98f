"""Every attack on outputs that say nothing, on ties, saturated confidences, one class, and one sample a side."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mi_audit import plugins
from mi_audit.attacks.interface import Attack, Observations, observe
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.stages._training_plan import TrainOptions
from mi_audit.stages.evaluate import EvaluateOptions, evaluate
from mi_audit.stages.train_attack import train_attacks
from tests.attacks.samples import balanced
from tests.stages.caches import cache

ALL = (
    *("threshold:loss", "threshold:entropy", "threshold:modified-entropy", "threshold:margin"),
    *("threshold:output-gradient", "class-conditional:median", "class-conditional:rank"),
    *("logistic-regression", "random-forest", "xgboost", "mlp"),
)
every_attack = pytest.mark.parametrize("name", ALL)


def attack_of(text: str) -> Attack:
    name, _, form = text.partition(":")
    cls: type[Attack] = plugins.plugin_class("attacks", name)
    attack: Attack = plugins.load("attacks", name, {str(cls.argument): form} if form else {})
    return attack


def of_outputs(outputs: np.ndarray, is_member: np.ndarray, kind: str = "logits") -> FeatureCache:
    """A cache of one true class, the first."""
    n = len(outputs)
    return replace(
        cache("null", n_side=n // 2, n_classes=outputs.shape[1]),
        outputs=outputs.astype(np.float32),
        outputs_kind=kind,
        is_member=is_member,
        label=np.zeros(n, np.int64),
        predicted=outputs.argmax(axis=1),
    )


def seen_of(made: FeatureCache) -> Observations:
    return observe(made, np.arange(len(made.label)), "summary")


def alternating(n: int) -> np.ndarray:
    return np.arange(n) % 2 == 0


@every_attack
def test_outputs_that_are_the_same_for_all_give_one_score_and_one_decision(name):
    made = of_outputs(np.tile([1.0, 0.0, -1.0], (80, 1)), alternating(80))
    fitted = attack_of(name).fit(seen_of(made), made.is_member, balanced(made.is_member), np.random.default_rng(0))
    score = fitted.score(seen_of(made))
    assert np.isfinite(score).all()
    assert len(np.unique(score)) == 1
    assert roc_auc_score(made.is_member, score) == 0.5


@every_attack
def test_ties_are_scored_alike_and_the_group_with_more_members_scores_larger(name):
    """Two answers in all, as of a black box that rounds: members get the sure one in 3 of 4 cases, others in 1 of 4."""
    is_member = alternating(400)
    is_sure = np.arange(400) // 2 % 4 < np.where(is_member, 3, 1)
    outputs = np.where(is_sure[:, None], [1.0, 0.0, 0.0], [0.6, 0.2, 0.2])
    made = of_outputs(outputs, is_member, "probabilities")
    fitted = attack_of(name).fit(seen_of(made), is_member, balanced(is_member), np.random.default_rng(0))
    score = fitted.score(seen_of(made))
    sure, unsure = np.unique(score[is_sure]), np.unique(score[~is_sure])
    assert len(sure) == len(unsure) == 1
    assert sure[0] > fitted.threshold >= unsure[0]
    assert roc_auc_score(is_member, score) == pytest.approx(0.75)


@every_attack
def test_a_leak_among_confidences_that_are_exactly_one_in_float32_is_found(name):
    rng = np.random.default_rng(0)
    is_member = alternating(600)
    outputs = np.zeros((600, 3))
    outputs[:, 0] = np.where(is_member, 45, 25) + 5 * rng.normal(size=600)
    made = of_outputs(outputs, is_member)
    confidence = np.exp(outputs[:, 0]).astype(np.float32) / np.exp(outputs).sum(axis=1).astype(np.float32)
    assert np.mean(confidence == 1) > 0.9
    fitted = attack_of(name).fit(seen_of(made), is_member, balanced(is_member), np.random.default_rng(0))
    score = fitted.score(seen_of(made))
    assert roc_auc_score(is_member, score) > 0.95
    assert np.mean((score > fitted.threshold) == is_member) > 0.9


@every_attack
def test_one_sample_a_side_is_enough(name):
    made = of_outputs(np.array([[3.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), np.array([True, False]))
    fitted = attack_of(name).fit(seen_of(made), made.is_member, np.ones(2), np.random.default_rng(0))
    assert np.isfinite(fitted.score(seen_of(made))).all()


@pytest.mark.parametrize("protocol", ["audit", "paper"])
def test_an_audit_of_a_target_that_says_nothing_is_one_half_throughout(protocol):
    made = of_outputs(np.tile([1.0, 0.0, -1.0], (400, 1)), alternating(400))
    options = TrainOptions(protocol=protocol, settings=("mlp.epochs=1",), search=0)
    audit = evaluate(made, train_attacks(made, options), EvaluateOptions())
    for attack in audit.attacks:
        metrics = audit.row(attack.label).metrics
        assert metrics["auc"].value == 0.5, attack.label
        assert metrics["balanced_accuracy"].value == 0.5, attack.label
