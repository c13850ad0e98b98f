"""What single controls say, beyond what all of them promise."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from mi_audit import plugins
from mi_audit.controls._auc import auc_test, within_class_test
from mi_audit.controls._blind import blind_scores
from mi_audit.controls._declarations import DECLARATIONS
from mi_audit.controls.interface import TOLERATED_AUC, Evidence
from mi_audit.schema.control import ControlResult
from tests.controls.evidence import N_CLASSES, N_PIXELS, N_SIDE, evidence, found, provenance


def check(name: str, seen: Evidence) -> ControlResult:
    return plugins.load("controls", name).check(seen)


def black_box(seen: Evidence) -> Evidence:
    cache = dataclasses.replace(seen.cache, provenance={"target": {"file_digest": "1"}, "options": {}})
    return dataclasses.replace(seen, cache=cache)


def test_the_p_value_of_an_auc_is_about_the_limit_and_has_its_direction():
    rng = np.random.default_rng(0)
    is_member = np.arange(4000) < 2000
    score = rng.normal(size=4000) + 0.1 * is_member  # AUC Phi(.1 / sqrt 2) = .528
    tests = [auc_test(score * sign, is_member, 0.5) for sign in (1, -1)]
    assert tests[0].p_value < 0.01
    assert tests[1].p_value > 0.99
    assert tests[0].p_value + tests[1].p_value == pytest.approx(1, abs=1e-9)
    expected = stats.mannwhitneyu(score[is_member], score[~is_member], alternative="greater").pvalue
    assert tests[0].p_value == pytest.approx(expected, rel=0.1)


def test_a_separated_score_has_the_p_value_of_a_proportion_and_an_empty_side_none():
    is_member = np.array([True] * 5 + [False] * 7)
    assert auc_test(is_member.astype(float), is_member, 0.52).p_value == pytest.approx(0.52**5)
    assert auc_test(-is_member.astype(float), is_member, 0.52).p_value == 1
    assert auc_test(np.zeros(3), np.ones(3, bool), 0.52) is None


def test_within_classes_a_difference_between_classes_is_nothing_and_one_inside_is_seen():
    rng = np.random.default_rng(1)
    label = np.arange(4000) % 2
    is_member = rng.random(4000) < np.where(label == 0, 0.8, 0.2)
    by_class = label == 0
    score = by_class * 5.0 + rng.normal(size=4000)
    assert auc_test(score, is_member, 0.52).value > 0.7
    assert within_class_test(score, is_member, label, 0.52).p_value > 0.01
    assert within_class_test(score + is_member, is_member, label, 0.52).p_value < 1e-6
    assert within_class_test(score[by_class], is_member[by_class], label[by_class], 0.5).value == pytest.approx(
        auc_test(score[by_class], is_member[by_class], 0.5).value
    )


def test_within_classes_of_one_side_there_is_nothing_to_compare():
    assert within_class_test(np.arange(4.0), np.array([1, 1, 0, 0], bool), np.array([0, 0, 1, 1]), 0.5) is None


def test_blind_scores_find_a_shift_in_the_mean_and_one_in_the_spread_and_nothing_in_noise():
    rng = np.random.default_rng(2)
    is_member = np.arange(2000) < 1000
    noise = rng.normal(size=(2000, 10))
    moved, spread = noise + 0.3 * is_member[:, None], noise * np.where(is_member, 1.5, 1)[:, None]
    found_in = [
        auc_test(blind_scores(columns, is_member, None, np.random.default_rng(3)), is_member, 0.52)
        for columns in (noise, moved, spread)
    ]
    assert found_in[0].p_value > 0.01
    assert found_in[1].value > 0.7
    assert found_in[2].value > 0.6


def test_blind_scores_do_not_learn_a_group_by_heart():
    rng = np.random.default_rng(4)
    person = rng.normal(size=(40, 8))
    index = np.repeat(np.arange(40), 25)
    is_member = index % 2 == 0
    columns = person[index] + 0.05 * rng.normal(size=(1000, 8))
    group = np.array([f"person {number}" for number in index])
    by_group = auc_test(blind_scores(columns, is_member, group, np.random.default_rng(5)), is_member, 0.52)
    by_row = auc_test(blind_scores(columns, is_member, None, np.random.default_rng(5)), is_member, 0.52)
    assert by_row.value > 0.95
    assert by_group.value < 0.75


def test_constant_columns_tell_nothing():
    is_member = np.arange(100) < 50
    assert not blind_scores(np.ones((100, 3)), is_member, None, np.random.default_rng(0)).any()


def test_a_shift_within_classes_fails_the_blind_baseline_even_where_pooled_it_cancels():
    rng = np.random.default_rng(6)
    label = np.arange(2 * N_SIDE) % N_CLASSES
    is_member = np.arange(2 * N_SIDE) < N_SIDE
    columns = rng.normal(size=(2 * N_SIDE, N_PIXELS))
    columns[:, 0] += 0.6 * is_member
    columns[:, 1:3] += 3 * rng.normal(size=(N_CLASSES, 2))[label]
    result = check("blind-baseline", evidence(thumbnail=columns))
    assert result.p_value < 0.001
    assert "within a class" in result.message


def test_accuracy_is_tested_exactly_with_the_rounding_of_what_is_published():
    seen = evidence()
    n_correct = int(seen.cache.is_correct[~seen.cache.is_member].sum())
    accuracy = n_correct / N_SIDE
    for expected, nearest in ((accuracy, accuracy), (accuracy + 0.03, accuracy + 0.0295)):
        cache_changes = {"provenance": provenance(expect_accuracy=[expected])}
        result = check("expected-accuracy", evidence(cache_changes=cache_changes))
        assert result.p_value == pytest.approx(stats.binomtest(n_correct, N_SIDE, nearest).pvalue)


def test_two_expectations_are_two_tests():
    one, two = (
        check("expected-accuracy", evidence(cache_changes={"provenance": provenance(expect_accuracy=values)})).p_value
        for values in ([0.9], [0.99999, 0.9])
    )
    assert two < one <= 1


@pytest.mark.parametrize("slug", ["accuracy-at-chance", "predictions-collapsed"])
def test_a_target_that_looks_untrained_fails_whatever_was_expected(slug):
    assert check("expected-accuracy", evidence(cache_changes=found(slug))).outcome == "failed"


@pytest.mark.parametrize("slug", ["outputs-vary", "batch-dependent"])
def test_what_the_preflight_found_of_batches_fails(slug):
    assert check("batch-variance", evidence(cache_changes=found(slug))).outcome == "failed"


def test_batches_are_compared_relative_to_the_largest_logit():
    large = evidence().cache.outputs * np.float32(1e4)
    assert (
        check("batch-variance", evidence(outputs=large, batch_of_one=np.full((2 * N_SIDE, 1), 1.0))).outcome == "held"
    )


def test_near_duplicates_are_said_and_hold():
    result = check("duplicates", evidence(cache_changes=found("near-duplicates")))
    assert (result.outcome, result.message) == ("held", "near-duplicates was found")


def test_outputs_that_repeat_anyway_do_not_make_duplicates():
    rounded = np.round(evidence().cache.outputs).astype(np.float32)
    assert check("duplicates", evidence(outputs=rounded)).outcome == "held"


def test_the_same_outputs_in_another_class_are_no_duplicate():
    outputs = np.random.default_rng(3).normal(size=(2 * N_SIDE, N_CLASSES)).astype(np.float32)
    outputs[N_SIDE : N_SIDE + 40] = outputs[1:41]
    assert check("duplicates", evidence(outputs=outputs)).outcome == "held"


def test_black_boxes_lack_what_needs_images_and_model():
    seen = black_box(evidence(with_features=False))
    outcomes = {name: check(name, seen).outcome for name in plugins.names("controls")}
    assert {name for name, outcome in outcomes.items() if outcome == "no evidence"} == {
        "blind-baseline",
        "untrained-twin",
    }
    assert outcomes["batch-variance"] == outcomes["same-pipeline"] == "not applicable"
    assert "failed" not in outcomes.values()


def test_the_placebo_has_an_exact_p_value_between_a_thousandth_and_one():
    result = check("placebo", evidence(peeks=True))
    assert result.p_value == pytest.approx(1 / 1000)
    clean = [check("placebo", dataclasses.replace(evidence(n_side=100), seed=seed)).p_value for seed in range(20)]
    assert stats.kstest(clean, "uniform").pvalue > 0.001


def test_the_placebo_needs_an_attack_that_is_fitted():
    assert check("placebo", dataclasses.replace(evidence(), refit=None)).outcome == "not applicable"


@pytest.mark.parametrize(("n_side", "outcome"), [(600, "not applicable"), (1500, "held")])
def test_a_canary_is_planted_where_it_can_be_found(n_side, outcome):
    assert check("planted-canary", evidence(n_side=n_side)).outcome == outcome


def test_a_canary_is_found_above_scores_of_two_values():
    score = (np.arange(3000) % 3 == 0).astype(float)
    assert check("planted-canary", evidence(n_side=1500, score=score)).outcome == "held"


def test_a_twin_that_says_nothing_is_no_evidence():
    constant, broken = np.ones((2 * N_SIDE, N_CLASSES)), np.full((2 * N_SIDE, N_CLASSES), np.nan)
    assert {check("untrained-twin", evidence(twin=twin)).outcome for twin in (constant, broken)} == {"no evidence"}


def test_confident_logits_are_not_taken_for_saturated_ones_and_rounded_ones_are():
    outputs = evidence().cache.outputs
    assert check("saturation", evidence(outputs=outputs * np.float32(40))).outcome == "held"
    assert check("saturation", evidence(outputs=np.round(outputs).astype(np.float32))).outcome == "failed"


def test_probabilities_under_the_name_of_logits_are_asked_about():
    logits = evidence().cache.outputs
    saturated = np.eye(logits.shape[1], dtype=np.float32)[logits.argmax(axis=1)]
    result = check("saturation", evidence(outputs=saturated))
    assert result.outcome == "failed"
    assert "Are they probabilities?" in result.message
    assert "probabilities?" not in check("saturation", evidence(outputs=np.round(logits).astype(np.float32))).message


def test_probabilities_that_a_black_box_rounds_hold_with_their_ties_said():
    logits = evidence().cache.outputs
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    changes = {"outputs": np.round(p, 1).astype(np.float32), "outputs_kind": "probabilities"}
    result = check("saturation", evidence(cache_changes=changes))
    assert result.outcome == "held"
    assert "samples tie" in result.message


def test_a_feature_that_attacks_read_and_that_is_missing_everywhere_fails_and_a_constant_column_is_said():
    seen = evidence(
        cache_changes={
            "features": {"layer:-1": np.full((2 * N_SIDE, 1), np.nan, np.float32)},
            "columns": {"layer:-1": ("a",)},
        }
    )
    attack = dataclasses.replace(seen.trained.attacks[0], on=("layer:-1",))
    seen = dataclasses.replace(seen, trained=dataclasses.replace(seen.trained, attacks=(attack,)))
    assert check("constant-features", seen).outcome == "failed"
    outputs = evidence().cache.outputs.copy()
    outputs[:, 0] = -5
    result = check("constant-features", evidence(outputs=outputs))
    assert result.outcome == "held"
    assert "1 of 4 columns of outputs" in result.message


def test_attacks_by_class_need_samples_in_most_classes():
    assert check("too-few-samples", evidence(n_side=100, per_class=True)).outcome == "failed"
    assert check("too-few-samples", evidence(n_side=100)).outcome == "held"
    assert check("too-few-samples", evidence(per_class=True)).outcome == "held"


@pytest.mark.parametrize("fact", DECLARATIONS)
def test_every_declaration_is_said_by_a_control(fact):
    results = [check(name, evidence(declared=(fact,))) for name in ("contamination", "same-pipeline")]
    assert any(DECLARATIONS[fact] in result.message for result in results)


def test_sides_are_swapped_only_where_the_deficit_is_sure():
    outputs = evidence().cache.outputs.copy()
    few = evidence(n_side=12)
    assert check("sides-swapped", few).p_value > 0.01
    rolled = outputs.copy()
    rolled[N_SIDE:] = outputs[N_SIDE:, ::-1]
    outputs[:N_SIDE] = outputs[:N_SIDE, ::-1]
    assert check("sides-swapped", evidence(outputs=outputs)).p_value < 1e-6
    assert check("sides-swapped", evidence(outputs=rolled)).p_value > 0.5


def test_the_tolerated_auc_is_the_one_of_the_method():
    assert math.isclose(TOLERATED_AUC, 0.52)
