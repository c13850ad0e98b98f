"""The stage's part of controls: refitting, the family of tests, evidence on its way, facts declared."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn

from mi_audit.errors import UsageError
from mi_audit.schema.control import ControlResult
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.stages import extract
from mi_audit.stages._controls import FAMILY_LEVEL, controls, decided
from mi_audit.stages._declared import with_declared
from mi_audit.stages._extract_options import ExtractOptions
from mi_audit.stages._refitting import refitting
from mi_audit.stages._training_plan import TrainOptions
from mi_audit.stages.evaluate import EvaluateOptions, evaluate
from mi_audit.stages.train_attack import train_attacks
from tests.stages.caches import cache
from tests.stages.test_extract_features import extraction, written

EVIDENCE = {"evidence:thumbnail", "evidence:untrained-twin", "evidence:batch-of-one"}
CHEAP = TrainOptions(attacks=("threshold:loss",))


def with_evidence(made: FeatureCache, seed: int, shift: float = 0.0) -> FeatureCache:
    """The cache of a model that was run, with thumbnails and a twin of noise; a shift of the members is planted."""
    rng = np.random.default_rng([seed, 1])
    n = len(made.label)
    features = {
        "evidence:thumbnail": rng.normal(size=(n, 12)).astype(np.float32),
        "evidence:untrained-twin": rng.normal(size=(n, made.n_classes)).astype(np.float32),
    }
    members = np.flatnonzero(made.is_member)
    features["evidence:thumbnail"][members] += np.float32(shift)
    features["evidence:untrained-twin"][members, made.label[members]] += np.float32(4 * shift)
    columns = {name: tuple(str(i) for i in range(values.shape[1])) for name, values in features.items()}
    target = {**made.provenance["target"], "weights_digest": "0"}
    accuracy = float(made.is_correct.mean())
    provenance = {**made.provenance, "target": target, "options": {"expect_accuracy": [accuracy]}}
    return dataclasses.replace(made, features=features, columns=columns, provenance=provenance)


def outcomes(made: FeatureCache, options: TrainOptions = CHEAP) -> dict[str, str]:
    audit = evaluate(made, train_attacks(made, options), EvaluateOptions())
    return {result.slug: result.outcome for result in audit.controls}


def result(slug: str, p: float | None, outcome: str = "held") -> ControlResult:
    return ControlResult(slug, outcome, "said", p)


def test_the_family_fails_by_holm_and_results_without_a_p_value_stay():
    given = [result("a", 0.004), result("b", 0.002), result("c", 0.2), result("d", None), result("e", None, "failed")]
    assert [each.outcome for each in decided(given)] == ["failed", "failed", "held", "held", "failed"]
    given = [result("a", 0.004), result("b", 0.004), result("c", 0.2)]
    assert {each.outcome for each in decided(given)} == {"held"}
    assert decided([result("a", 0.01)])[0].outcome == "failed"
    assert decided([]) == ()


def test_an_audit_says_what_its_controls_found():
    assert Counter(outcomes(with_evidence(cache("null"), 0)).values()) == {"held": 13, "not applicable": 1}
    shifted = outcomes(with_evidence(cache("null"), 0, shift=0.5))
    assert {slug for slug, outcome in shifted.items() if outcome == "failed"} == {"blind-baseline", "untrained-twin"}


@pytest.mark.parametrize("options", [TrainOptions(attacks=("naive",)), TrainOptions(attacks=("mlp", "xgboost"))])
def test_controls_run_whatever_the_attacks_are(options):
    made = with_evidence(cache("planted", n_side=100), 0)
    found = outcomes(made, options)
    assert found["placebo"] == ("not applicable" if options.attacks == ("naive",) else "held")


def test_controls_run_for_attacks_by_class_and_for_labels_only():
    made = with_evidence(cache("planted", n_side=200), 0)
    assert outcomes(made, TrainOptions(attacks=("logistic-regression",), per_class=True))["placebo"] == "held"
    labels = dataclasses.replace(
        made, outputs=np.empty((400, 0), np.float32), outputs_kind="labels", features={}, columns={}
    )
    assert "failed" not in outcomes(labels, TrainOptions(attacks=("naive",))).values()


def test_a_refit_with_the_real_membership_finds_the_leak_and_scores_the_held_out_only():
    made = cache("planted")
    trained = train_attacks(made, TrainOptions(attacks=("xgboost",)))
    is_held_out = ~np.isin(made.sample_id, trained.known_id)
    refit = refitting(made, trained, is_held_out, 0)
    score = refit(made.is_member).score
    assert np.array_equal(np.isnan(score), ~is_held_out)
    own, other = score[is_held_out & made.is_member], score[is_held_out & ~made.is_member]
    assert own.mean() > other.mean()
    assert np.array_equal(score, refit(made.is_member).score, equal_nan=True)


def test_a_refit_prefers_the_selected_attack_but_one_that_needs_no_torch():
    made = cache("planted", n_side=60)
    trained = train_attacks(made, TrainOptions(attacks=("naive", "threshold:loss", "mlp")))
    for selected in ("naive", "mlp", "threshold:loss"):
        refit = refitting(made, dataclasses.replace(trained, selected=selected), made.is_audited, 0)
        assert refit(made.is_member).label == "threshold:loss"


def test_evaluating_a_cache_with_an_mlp_selected_still_needs_no_torch(monkeypatch):
    made = cache("planted", n_side=60)
    trained = train_attacks(made, TrainOptions(attacks=("threshold:loss", "mlp")))
    trained = dataclasses.replace(trained, selected="mlp")

    def refuse(*_args, **_named):
        raise AssertionError("torch was asked for")

    monkeypatch.setattr(torch, "from_numpy", refuse)
    evaluate(made, trained, EvaluateOptions())


def test_attacks_never_see_the_evidence():
    made = with_evidence(cache("null", n_side=100), 0, shift=9)
    assert made.observed == ()
    with pytest.raises(UsageError, match="outputs only"):
        train_attacks(made, TrainOptions(on=("all",)))
    for name in ("evidence", "evidence:thumbnail"):
        with pytest.raises(UsageError, match="holds no"):
            train_attacks(made, TrainOptions(on=(name,)))


def test_full_controls_store_their_evidence_and_nothing_else_is_said_of_it():
    made = extract.run(extraction(controls="full"))
    assert set(made.features) == EVIDENCE
    assert made.observed == ()
    assert not [finding for finding in made.findings if "evidence" in finding.message]
    assert np.isfinite(made.features["evidence:thumbnail"]).all()


def test_evidence_comes_into_a_cache_that_is_there_as_if_it_had_been_asked_for_at_once(tmp_path):
    path = tmp_path / "features.npz"
    written(path, "layer:-1")
    grown = written(path, "layer:-1", controls="full")
    whole = extract.run(extraction(("layer:-1",), controls="full"))
    assert set(grown.features) == {"layer:-1", *EVIDENCE}
    assert grown.observed == ("layer:-1",)
    for name, values in whole.features.items():
        np.testing.assert_allclose(grown.features[name], values, rtol=1e-5, atol=1e-6)


def test_a_target_that_needs_its_batch_fails_with_the_evidence():
    class Shy(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(108, 5)

        def forward(self, x):
            x = x.flatten(1)
            return self.head(x - x.mean(0))

    made = extract.run(extraction(controls="full", module=Shy(), feature_settings=("batch-of-one.every=1",)))
    assert outcomes(dataclasses.replace(made, findings=()))["batch-variance"] == "failed"
    assert np.isfinite(made.features["evidence:batch-of-one"]).all()


def test_facts_are_a_closed_list_and_kept_with_the_cache(tmp_path):
    fact = "non-members-used-for-selection"
    made = written(tmp_path / "features.npz", declare=(fact,))
    assert made.provenance["declared"] == [fact]
    assert with_declared(made, (fact,)) is made
    assert with_declared(made, ()).provenance["declared"] == []
    with pytest.raises(UsageError, match="unknown fact") as caught:
        ExtractOptions(model="a", data="b", declare=("non-member-used-for-selection",))
    assert fact in caught.value.tip
    with pytest.raises(UsageError, match="cheap or full"):
        ExtractOptions(model="a", data="b", controls="all")


def family_fails(seed: int, n_side: int) -> bool:
    """Whether any control fails in an audit with which nothing is wrong."""
    made = with_evidence(cache("null", n_side=n_side, seed=seed), seed)
    trained = train_attacks(made, CHEAP)
    is_held_out = ~np.isin(made.sample_id, trained.known_id)
    scores = {"threshold:loss": np.random.default_rng(seed).normal(size=len(is_held_out))}
    return "failed" in {result.outcome for result in controls(made, trained, scores, is_held_out)}


def test_with_nothing_wrong_the_family_of_tests_hardly_ever_fails():
    """30 audits; with a level of 1 % more than two failures have a probability of 0.3 %. More in the benchmark."""
    assert sum(family_fails(seed, n_side=60) for seed in range(30)) <= 2
    assert FAMILY_LEVEL == 0.01
