"""Signals beyond the default ones: their formulas against autograd and plain ranks, their signs, and where they end."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from mi_audit import plugins, store
from mi_audit.attacks.class_conditional import MIN_PER_CLASS, ClassConditional, FittedClassConditional
from mi_audit.attacks.interface import Observations, observe
from mi_audit.attacks.threshold import SIGNALS, FittedThreshold, Threshold
from mi_audit.errors import ContainerError, DataSetError, MismatchError, OutputsError, UsageError
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.stages._training_plan import TrainOptions, attacks_of, planned
from mi_audit.stages.evaluate import EvaluateOptions, evaluate
from mi_audit.stages.train_attack import train_attacks
from tests.attacks.samples import balanced, leaky, plain
from tests.stages.caches import cache

RNG = np.random.default_rng(0)
LAST = "last-layer-gradient"


def with_last_layer(n_side: int = 300, n_inputs: int = 6, n_classes: int = 4) -> tuple[FeatureCache, torch.nn.Linear]:
    """A cache whose outputs are those of a linear layer on the feature ``layer:-1``, and the layer."""
    made = cache("null", n_side=n_side)
    rng = np.random.default_rng(1)
    hidden = rng.normal(size=(2 * n_side, n_inputs)).astype(np.float32)
    hidden[np.arange(2 * n_side), made.label] += 2 + 2 * made.is_member
    torch.manual_seed(0)
    layer = torch.nn.Linear(n_inputs, n_classes)
    with torch.no_grad():
        layer.weight += 2 * torch.eye(n_classes, n_inputs)
        outputs = layer(torch.from_numpy(hidden)).numpy()
    units = tuple(f"unit-{number}" for number in range(n_inputs))
    found = replace(
        made,
        outputs=outputs,
        predicted=outputs.argmax(axis=1),
        features={"layer:-1": hidden},
        columns={"layer:-1": units},
    )
    return found, layer


def test_the_last_layer_gradient_is_that_of_autograd():
    made, layer = with_last_layer()
    seen = observe(made, np.arange(40), "summary", ("outputs", "layer:-1"))
    score = FittedThreshold(LAST, 0.0).score(seen)
    for row in range(40):
        hidden = torch.from_numpy(np.asarray(made.features["layer:-1"][row]).copy())
        exact = torch.nn.Linear(*reversed(layer.weight.shape)).double()
        exact.load_state_dict(layer.state_dict())
        loss = torch.nn.functional.cross_entropy(exact(hidden.double())[None], torch.tensor([int(made.label[row])]))
        gradients = torch.autograd.grad(loss, list(exact.parameters()))
        norm = torch.cat([gradient.flatten() for gradient in gradients]).norm().item()
        assert score[row] == pytest.approx(-np.log(norm), rel=1e-4, abs=1e-4)


def test_by_name_it_reads_the_layer_and_is_bound_to_it():
    made, _ = with_last_layer()
    options = TrainOptions(attacks=("threshold:loss", f"threshold:{LAST}"))
    trained = train_attacks(made, options)
    assert [(attack.label, attack.on, attack.has_fixed_score) for attack in trained.attacks] == [
        ("threshold:loss", ("outputs",), True),
        (f"threshold:{LAST}", ("outputs", "layer:-1"), True),
    ]
    assert "features/layer:-1" in trained.fitted_on
    row = evaluate(made, trained, EvaluateOptions()).row(f"threshold:{LAST}")
    assert row.metrics["auc"].value > 0.6


def test_without_the_layer_or_with_a_pooled_one_it_is_refused():
    with pytest.raises(UsageError, match="reads layer:-1, which the feature cache does not hold") as caught:
        train_attacks(cache("null"), TrainOptions(attacks=(f"threshold:{LAST}",)))
    assert "--features layer:-1" in caught.value.tip
    made, _ = with_last_layer()
    pooled = replace(made, columns={"layer:-1": tuple(f"mean-{number}" for number in range(6))})
    with pytest.raises(MismatchError, match="pooled over positions"):
        train_attacks(pooled, TrainOptions(attacks=(f"threshold:{LAST}",)))
    with pytest.raises(MismatchError, match="not there"):
        FittedThreshold(LAST, 0.0).score(leaky(5, 0.0, seed=0)[0])


def test_a_sample_without_activations_gets_no_score_and_does_not_move_the_threshold():
    made, _ = with_last_layer()
    hidden = np.asarray(made.features["layer:-1"]).copy()
    hidden[::7] = np.nan
    missing = replace(made, features={"layer:-1": hidden})
    seen = observe(missing, np.arange(len(hidden)), "summary", ("outputs", "layer:-1"))
    fitted = Threshold(LAST).fit(seen, made.is_member, balanced(made.is_member), RNG)
    is_there = ~np.isnan(hidden[:, 0])
    rest = seen.take(is_there)
    kept = Threshold(LAST).fit(rest, made.is_member[is_there], balanced(made.is_member)[is_there], RNG)
    assert fitted.threshold == kept.threshold
    np.testing.assert_array_equal(np.isnan(fitted.score(seen)), ~is_there)
    one_side = replace(
        seen, features={"layer:-1": np.where(made.is_member[:, None], np.nan, seen.features["layer:-1"])}
    )
    with pytest.raises(DataSetError, match="no value for any known sample of one side"):
        Threshold(LAST).fit(one_side, made.is_member, balanced(made.is_member), RNG)


def test_a_bare_name_runs_the_default_signals_only_and_every_other_by_name():
    labels = list(attacks_of(planned(TrainOptions(attacks=("threshold", "threshold:margin")))))
    assert labels == [
        *(f"threshold:{name}" for name in ("loss", "max-confidence", "entropy", "modified-entropy")),
        "threshold:margin",
    ]
    for name in SIGNALS:
        assert list(attacks_of(planned(TrainOptions(attacks=(f"threshold:{name}",))))) == [f"threshold:{name}"]


def test_log_odds_rank_as_the_loss_does_and_the_other_signals_do_not():
    seen, is_member = leaky(2000, 1.0, seed=0)
    aucs = {name: roc_auc_score(is_member, values) for name, values in seen.signals.items()}
    assert aucs["log-odds"] == aucs["loss"]
    assert len({round(aucs[name], 6) for name in ("loss", "margin", "output-gradient")}) == 3
    assert min(aucs.values()) > 0.5


@pytest.mark.parametrize("name", ["threshold:margin", "class-conditional"])
def test_labels_alone_are_refused_with_a_tip(name):
    made = replace(cache("null"), outputs=np.empty((1200, 0), np.float32), outputs_kind="labels")
    with pytest.raises(OutputsError, match="needs confidences, got labels only") as caught:
        train_attacks(made, TrainOptions(attacks=(name,)))
    assert "--attack naive" in caught.value.tip
    with pytest.raises(OutputsError, match="labels only"):
        ClassConditional().fit(plain(np.empty((2, 0))), np.array([True, False]), np.ones(2), RNG)


@pytest.mark.parametrize("name", ["threshold:margin", "threshold:output-gradient", "class-conditional:rank"])
def test_probabilities_give_what_their_logits_give(name):
    options = TrainOptions(attacks=(name,))
    aucs = []
    for kind in ("logits", "probabilities"):
        made = cache("planted", outputs_kind=kind)
        aucs.append(evaluate(made, train_attacks(made, options), EvaluateOptions()).row(name).metrics["auc"].value)
    assert aucs[0] == pytest.approx(aucs[1], abs=1e-3)
    assert aucs[0] > 0.6


def uneven(n_side: int = 1500, seed: int = 0) -> tuple[Observations, np.ndarray]:
    """Members are a little surer than non-members of their class; classes differ far more than that."""
    rng = np.random.default_rng(seed)
    label = np.arange(2 * n_side) % 5
    is_member = rng.permutation(2 * n_side) < n_side
    values = 6.0 * label + rng.normal(size=2 * n_side) + 1.0 * is_member
    signals = {"log-odds": values, "loss": -np.logaddexp(0, -values)}
    return Observations(np.empty((2 * n_side, 0)), (), signals, label, np.ones(2 * n_side, bool)), is_member


@pytest.mark.parametrize("against", ["median", "rank"])
def test_within_classes_a_leak_is_seen_that_a_threshold_for_all_classes_hardly_sees(against):
    seen, is_member = uneven()
    fitted = ClassConditional(against).fit(seen, is_member, balanced(is_member), RNG)
    other, truth = uneven(seed=1)
    score = fitted.score(other)
    assert roc_auc_score(truth, other.signals["loss"]) < 0.6
    assert roc_auc_score(truth, score) == pytest.approx(0.76, abs=0.02)  # Phi(1 / sqrt(2)) is .760
    assert np.mean((score > fitted.threshold) == truth) > 0.65


def test_ranks_are_conformal_p_values_and_ties_do_not_count_as_below():
    seen, is_member = uneven(200)
    signals = {"log-odds": np.round(seen.signals["log-odds"])}
    seen = replace(seen, signals=signals)
    fitted = ClassConditional("rank").fit(seen, is_member, balanced(is_member), RNG)
    score = fitted.score(seen)
    for row in range(0, 400, 13):
        own = signals["log-odds"][~is_member & (seen.label == seen.label[row])]
        p_value = (1 + (own >= signals["log-odds"][row]).sum()) / (1 + len(own))
        assert score[row] == pytest.approx(1 - p_value)


def test_a_class_with_few_known_non_members_is_compared_with_all_classes():
    seen, is_member = uneven(300)
    rare = (seen.label == 4) & ~is_member
    kept = ~rare
    kept[np.flatnonzero(rare)[: MIN_PER_CLASS - 1]] = True
    fitted = ClassConditional("median").fit(seen.take(kept), is_member[kept], np.ones(kept.sum()), RNG)
    score = fitted.score(seen)
    values, reference = seen.signals["log-odds"], kept & ~is_member
    np.testing.assert_array_equal(score[rare], values[rare] - np.median(values[reference]))
    unseen = replace(seen, label=np.full(len(seen), 77))
    np.testing.assert_array_equal(fitted.score(unseen), values - np.median(values[reference]))


@pytest.mark.parametrize("against", ["median", "rank"])
def test_one_non_member_and_one_class_are_enough_and_a_constant_score_flags_one_way(against):
    values = np.array([2.0, 2.0, 2.0])
    seen = Observations(np.empty((3, 0)), (), {"log-odds": values}, np.zeros(3, np.int64), np.ones(3, bool))
    fitted = ClassConditional(against).fit(seen, np.array([True, True, False]), np.ones(3), RNG)
    flagged = fitted.score(seen) > fitted.threshold
    assert flagged.all() or not flagged.any()


def test_its_score_is_fitted_so_no_known_sample_is_ranked_by_it():
    assert not ClassConditional().has_fixed_score
    trained = train_attacks(cache("planted"), TrainOptions(attacks=("class-conditional",)))
    assert [attack.label for attack in trained.attacks] == ["class-conditional:median", "class-conditional:rank"]
    assert not any(attack.has_fixed_score for attack in trained.attacks)


@pytest.mark.parametrize(
    "changes",
    [
        {"against": "mean"},
        {"label": np.array([1, 0, 0])},
        {"log_odds": np.array([3.0, 2.0, 1.0])},
        {"log_odds": np.array([1.0, np.nan, 2.0])},
        {"label": np.empty(0, np.int64), "log_odds": np.empty(0)},
        {"label": np.zeros(2, np.int64)},
    ],
)
def test_a_reference_that_was_changed_is_refused(changes):
    parts = {"against": "rank", "threshold": 0.5, "label": np.zeros(3, np.int64), "log_odds": np.arange(3.0)} | changes
    with pytest.raises(ValueError, match="expected"):
        FittedClassConditional(**parts)
    arrays = {name: parts.pop(name) for name in ("label", "log_odds")}
    with pytest.raises(ContainerError):
        FittedClassConditional.from_bytes(store.to_bytes({"attack": "class-conditional", **parts}, arrays))


def test_it_is_found_by_name():
    assert plugins.load("attacks", "class-conditional", {"against": "rank"}) == ClassConditional("rank")
