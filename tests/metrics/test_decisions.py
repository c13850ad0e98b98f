"""Numbers from decisions against hand-made confusion matrices, scikit-learn and scipy's intervals."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, precision_recall_fscore_support

from mi_audit.metrics import decisions as of
from mi_audit.metrics.decisions import Decisions

BOTH_SIDES = (
    of.accuracy,
    of.balanced_accuracy,
    of.advantage,
    of.false_discovery_rate,
    of.precision_member,
    of.precision_non_member,
    of.f1_member,
    of.f1_non_member,
)


def test_a_confusion_matrix_worked_out_by_hand():
    # 10 members, 8 flagged; 5 non-members, 2 flagged.
    d = Decisions(tp=8, fn=2, fp=2, tn=3)
    values = {
        of.recall_member: 8 / 10,
        of.miss_rate: 2 / 10,
        of.recall_non_member: 3 / 5,
        of.false_alarm_rate: 2 / 5,
        of.precision_member: 8 / 10,
        of.precision_non_member: 3 / 5,
        of.false_discovery_rate: 2 / 10,
        of.accuracy: 11 / 15,
        of.balanced_accuracy: 0.7,
        of.advantage: 0.4,
        of.f1_member: 0.8,
        of.f1_non_member: 0.6,
    }
    for function, value in values.items():
        assert function(d).value == pytest.approx(value, rel=1e-15), function.__name__


def test_false_alarms_are_not_false_discoveries():
    """One peer prints FP / (FP + TP) as FAR: .449 where the false alarm rate was .651."""
    d = Decisions(tp=800, fn=200, fp=651, tn=349)
    assert of.false_alarm_rate(d).value == 0.651
    assert of.false_discovery_rate(d).value == pytest.approx(0.4487, abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_scikit_learn_agrees(seed):
    rng = np.random.default_rng(seed)
    score, is_member = rng.integers(0, 6, 300).astype(float), rng.random(300) < 0.7
    d = Decisions.of(score, 2.0, is_member)
    flagged = score > 2
    precision, recall, f1, _ = precision_recall_fscore_support(is_member, flagged, labels=[False, True])
    pairs = [
        (of.precision_non_member, precision[0]),
        (of.precision_member, precision[1]),
        (of.recall_non_member, recall[0]),
        (of.recall_member, recall[1]),
        (of.f1_non_member, f1[0]),
        (of.f1_member, f1[1]),
        (of.balanced_accuracy, balanced_accuracy_score(is_member, flagged)),
        (of.accuracy, accuracy_score(is_member, flagged)),
    ]
    for function, expected in pairs:
        assert function(d).value == pytest.approx(expected, rel=1e-14), function.__name__


def test_swapping_the_sides_swaps_false_alarms_and_misses():
    score = np.array([0.9, 0.8, 0.3, 0.7, 0.1, 0.2, 0.4])
    is_member = np.array([True, True, True, False, False, False, False])
    d, swapped = Decisions.of(score, 0.5, is_member), Decisions.of(-score, -0.5, ~is_member)
    assert swapped == Decisions(tp=d.tn, fn=d.fp, fp=d.fn, tn=d.tp)
    assert of.false_alarm_rate(swapped) == of.miss_rate(d)
    assert of.miss_rate(swapped) == of.false_alarm_rate(d)
    assert of.precision_member(swapped) == of.precision_non_member(d)
    assert of.f1_member(swapped) == of.f1_non_member(d)
    assert of.balanced_accuracy(swapped).value == of.balanced_accuracy(d).value


def test_a_score_at_the_threshold_is_not_flagged():
    d = Decisions.of(np.array([0.5, 0.5, 0.6]), 0.5, np.array([True, False, True]))
    assert d == Decisions(tp=1, fn=1, fp=0, tn=1)


def test_float32_scores_are_compared_in_float64():
    """numpy rounds the threshold to float32 otherwise, and the sample it was read off is no longer flagged."""
    score = np.array([0.1], dtype=np.float32)
    below = float(np.nextafter(float(score[0]), -np.inf))
    assert not (score > below)[0]
    assert Decisions.of(score, below, np.array([True])).tp == 1


@pytest.mark.parametrize(
    ("d", "reason"),
    [
        (Decisions(0, 0, 3, 4), "0 members"),
        (Decisions(3, 4, 0, 0), "0 non-members"),
        (Decisions(0, 0, 0, 0), "0 samples"),
        (Decisions(0, 0, 0, 5), "0 members"),
        (Decisions(5, 0, 0, 0), "0 non-members"),
    ],
)
def test_numbers_of_both_sides_need_both_sides(d, reason):
    """A one-sided subset once became 100 % balanced accuracy at 0 % FAR in a published table."""
    for function in BOTH_SIDES:
        estimate = function(d)
        assert (estimate.value, estimate.low, estimate.reason) == (None, None, reason), function.__name__


def test_rates_of_one_side_need_only_that_side():
    no_members, no_non_members = Decisions(0, 0, 1, 3), Decisions(1, 3, 0, 0)
    assert of.false_alarm_rate(no_members).value == 0.25
    assert of.recall_non_member(no_members).value == 0.75
    assert of.recall_member(no_members).reason == of.miss_rate(no_members).reason == "0 members"
    assert of.recall_member(no_non_members).value == 0.25
    assert of.false_alarm_rate(no_non_members).reason == of.recall_non_member(no_non_members).reason == "0 non-members"


def test_precision_needs_decisions_of_that_kind():
    never, always = Decisions(0, 5, 0, 5), Decisions(5, 0, 5, 0)
    assert of.precision_member(never).reason == of.false_discovery_rate(never).reason == "0 flagged"
    assert of.precision_non_member(always).reason == "0 not flagged"
    assert of.f1_member(never).value == of.f1_non_member(always).value == 0
    assert of.balanced_accuracy(never).value == of.balanced_accuracy(always).value == 0.5


def test_one_sample_a_side():
    d = Decisions.of(np.array([1.0, 0.0]), 0.5, np.array([True, False]))
    assert of.balanced_accuracy(d).value == 1
    assert of.balanced_accuracy(d).low < 0.65
    assert of.recall_member(d).low == pytest.approx(0.025)


def test_intervals_of_rates_are_scipys_exact_ones():
    d = Decisions(tp=30, fn=12, fp=7, tn=40)
    cases = {
        of.recall_member: (30, 42),
        of.miss_rate: (12, 42),
        of.false_alarm_rate: (7, 47),
        of.recall_non_member: (40, 47),
        of.precision_member: (30, 37),
        of.precision_non_member: (40, 52),
        of.false_discovery_rate: (7, 37),
        of.accuracy: (70, 89),
    }
    for function, (k, n) in cases.items():
        for level in (0.95, 0.8):
            expected = binomtest(k, n).proportion_ci(level, method="exact")
            estimate = function(d, level)
            assert (estimate.low, estimate.high) == pytest.approx(tuple(expected), rel=1e-9), function.__name__


def test_balanced_accuracy_is_advantage_on_another_scale():
    d = Decisions(tp=56, fn=14, fp=48, tn=32)  # Newcombe's first example: 56/70 - 48/80
    advantage, balanced = of.advantage(d), of.balanced_accuracy(d)
    assert (advantage.low, advantage.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    for a, b in ((advantage.value, balanced.value), (advantage.low, balanced.low), (advantage.high, balanced.high)):
        assert b == pytest.approx((1 + a) / 2, rel=1e-14)


def test_accuracy_at_a_prior_meets_its_special_cases():
    d = Decisions(tp=80, fn=20, fp=5, tn=15)
    assert of.accuracy_at(d, 100 / 120).value == pytest.approx(of.accuracy(d).value, rel=1e-15)
    assert of.accuracy_at(d, 0.5) == of.balanced_accuracy(d)
    assert of.accuracy_at(d, 1).value == of.recall_member(d).value
    assert of.accuracy_at(d, 0).value == of.recall_non_member(d).value
    assert of.accuracy_at(Decisions(0, 0, 1, 1), 0.5).reason == "0 members"
    with pytest.raises(ValueError, match="weight from 0 to 1"):
        of.accuracy_at(d, 1.5)


def test_counts_are_whole_and_not_negative():
    assert type(Decisions(np.int64(1), 0, 0, 0).tp) is int
    with pytest.raises(ValueError, match="fp >= 0"):
        Decisions(0, 0, -1, 0)
    with pytest.raises(TypeError):
        Decisions(0.5, 0, 0, 0)


@pytest.mark.parametrize(
    ("score", "threshold", "is_member", "message"),
    [
        ([np.nan, 1.0], 0.5, [True, False], "got 1 NaN among 2"),
        ([0.0, 1.0], np.nan, [True, False], "expected a threshold"),
        ([0.0, 1.0], 0.5, [1, 0], "boolean"),
        ([0.0, 1.0], 0.5, [True], "one score and one membership"),
        ([[0.0, 1.0]], 0.5, [[True, False]], "one score and one membership"),
    ],
)
def test_what_cannot_be_counted_is_refused(score, threshold, is_member, message):
    with pytest.raises(ValueError, match=message):
        Decisions.of(np.array(score), threshold, np.array(is_member))
