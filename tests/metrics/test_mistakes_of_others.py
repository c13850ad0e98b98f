"""Mistakes found in other membership-inference tools, each with a test that fails where it is made again.

What was measured in which tool is in the literature on their defects; here only what must hold.
"""

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mi_audit.metrics import confidence
from mi_audit.metrics.bootstrap import tail_bootstrap
from mi_audit.metrics.bounds import bound
from mi_audit.metrics.decisions import Decisions, balanced_accuracy, false_alarm_rate, false_discovery_rate
from mi_audit.metrics.ordering import Ordering
from mi_audit.metrics.privacy import privacy_bound
from mi_audit.metrics.ranking import auc, best_threshold, tpr_at_fpr


def sides(members, non_members):
    score = np.concatenate([members, non_members]).astype(np.float64)
    return score, np.arange(len(score)) < len(members)


def noise(seed, n=500):
    rng = np.random.default_rng(seed)
    return sides(rng.standard_normal(n), rng.standard_normal(n))


def test_the_loss_signal_is_higher_for_what_the_target_knows():
    """A negated confidence gives 1 - AUC, which any ceiling lets pass."""
    outputs = np.array([[9.0, 0.0], [5.0, 0.0], [1.0, 0.0], [0.0, 1.0]], np.float32)
    signals = confidence.signals(outputs, np.zeros(4, np.int64), "logits")
    for name in ("loss", "modified-entropy", "log-odds", "margin"):
        assert list(np.argsort(-signals[name])) == [0, 1, 2, 3], name
    assert auc(signals["loss"], np.array([True, True, False, False])).value == 1


def test_an_auc_below_a_half_is_reported_as_that():
    score, is_member = sides([0.0, 1.0], [2.0, 3.0])
    assert auc(score, is_member).value == 0


def test_ties_count_half_whatever_the_order_of_rows():
    """Keeping the first index of every tied group turned a gap attack of AUC .566 into .320."""
    rng = np.random.default_rng(0)
    score, is_member = sides(rng.random(4000) < 0.87, rng.random(4000) < 0.74)
    expected = 0.5 + (score[is_member].mean() - score[~is_member].mean()) / 2
    order = rng.permutation(len(score))
    for rows in (np.arange(len(score)), order, np.argsort(score), np.argsort(-score)):
        found = auc(score[rows], is_member[rows]).value
        assert found == pytest.approx(expected, abs=1e-12)
        assert found == pytest.approx(roc_auc_score(is_member, score), abs=1e-12)


def test_rounded_confidences_cost_nothing_but_their_ties():
    rng = np.random.default_rng(1)
    score, is_member = sides(rng.beta(5, 1, 3000), rng.beta(3, 1, 3000))
    rounded = np.round(score, 2)
    assert auc(rounded, is_member).value == pytest.approx(roc_auc_score(is_member, rounded), abs=1e-12)
    assert auc(rounded, is_member).value == pytest.approx(auc(score, is_member).value, abs=0.005)


def test_a_tail_metric_does_not_depend_on_the_order_of_tied_rows():
    score, is_member = sides(np.repeat([1.0, 0.0], 500), np.repeat([1.0, 0.0], [100, 900]))
    found = {tpr_at_fpr(score[rows], is_member[rows], 0.01).value for rows in (slice(None), slice(None, None, -1))}
    assert found == {0.0}  # a hundred non-members share the highest score: no cut raises fewer alarms


def test_a_constant_score_is_worth_a_half_and_says_that_it_says_nothing():
    score, is_member = sides(np.ones(600), np.ones(600))
    assert auc(score, is_member).value == 0.5
    assert not bound("auc", score, is_member, 0.05, 0.05, np.random.default_rng(0)).is_informative


def test_epsilon_of_noise_is_nothing():
    """The largest ratio over all thresholds claims epsilon > 0 of noise in 72 to 98 % of runs."""
    found = [privacy_bound(Ordering.of(*noise(seed), np.random.default_rng(seed))).epsilon for seed in range(60)]
    assert sum(epsilon > 0 for epsilon in found) <= 6  # 5 % of 60 is 3


def test_epsilon_of_an_attack_that_is_never_wrong_is_finite_and_large():
    """Setting infinite values to 0 hides the strongest evidence."""
    score, is_member = sides(np.arange(5000) + 5000.0, np.arange(5000.0))
    epsilon = privacy_bound(Ordering.of(score, is_member)).epsilon
    assert math.isfinite(epsilon)
    assert epsilon > 4


def test_an_interval_of_noise_contains_a_half():
    """Choosing the threshold inside every bootstrap replicate leaves .5 out of 83 to 100 % of intervals."""
    missed = 0
    for seed in range(60):
        estimate = auc(*noise(seed, n=200))
        missed += not estimate.low <= 0.5 <= estimate.high
    assert missed <= 7


def test_the_descriptive_interval_is_of_the_rate_and_not_of_its_mean():
    """Percentiles of the mean of replicates cover 10 %, since it hardly moves."""
    score, is_member = noise(3, n=2000)
    tail = Ordering.of(score, is_member, np.random.default_rng(0)).tail()
    found = tail_bootstrap(tail, 0.01, np.random.default_rng(0))
    assert found.high - found.low > 0.004  # the standard error of a rate of 1 % of 2,000 alone is 0.002


@pytest.mark.parametrize("n", [200, 999])
def test_a_rate_below_what_the_samples_resolve_is_no_number(n):
    """Reading recall at FAR 0.1 % off 200 non-members gives anything from 0 to 12.5 %."""
    estimate = tpr_at_fpr(*noise(0, n=n), 0.001)
    assert estimate.value is None
    assert "needs at least" in estimate.reason


def test_the_auc_is_not_that_of_the_convex_hull():
    """The hull of a null ROC curve lies above chance: .551 in the mean at n = 100."""
    found = [auc(*noise(seed, n=100)).value for seed in range(200)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.01)


def test_entropy_needs_probabilities_only():
    probabilities = np.array([[0.7, 0.3], [0.5, 0.5]], np.float32)
    signals = confidence.signals(probabilities, np.zeros(2, np.int64), "probabilities")
    expected = (probabilities * np.log(probabilities)).sum(1)
    np.testing.assert_allclose(signals["entropy"], expected, rtol=1e-6)


def test_saturated_confidences_do_not_tie():
    """Clamping at 1e-30 or reading float32 confidences makes all members of an overfitted target alike."""
    outputs = np.stack([np.linspace(40, 300, 50), np.zeros(50)], axis=1).astype(np.float32)
    signals = confidence.signals(outputs, np.zeros(50, np.int64), "logits")
    for name in ("loss", "log-odds", "margin", "max-confidence"):
        assert len(np.unique(signals[name])) == 50, name


def test_a_threshold_is_not_chosen_by_accuracy_on_unequal_sides():
    """Raw accuracy at 5:1 is best served by calling everybody a member."""
    rng = np.random.default_rng(0)
    score, is_member = sides(rng.standard_normal(5000) + 0.5, rng.standard_normal(1000))
    decisions = Decisions.of(score, best_threshold(score, is_member), is_member)
    assert false_alarm_rate(decisions).value < 0.7
    assert balanced_accuracy(decisions).value > 0.57


def test_the_false_alarm_rate_is_not_the_false_discovery_rate():
    """One tool prints FP / (FP + TP) under the name FAR: .449 where the rate is .651."""
    decisions = Decisions(tp=90, fn=10, fp=60, tn=40)
    assert false_alarm_rate(decisions).value == 0.6
    assert false_discovery_rate(decisions).value == 0.4


def test_a_class_without_false_alarms_counts_as_zero_and_one_without_samples_does_not_count():
    """-1 for "missing" is dropped from means together with true zeros."""
    assert false_alarm_rate(Decisions(tp=3, fn=0, fp=0, tn=7)).value == 0
    assert false_alarm_rate(Decisions(tp=3, fn=0, fp=0, tn=0)).value is None
    assert (
        balanced_accuracy(Decisions(tp=3, fn=0, fp=0, tn=0)).value is None
    )  # not the recall of the side that is there
