"""Numbers from scores against scikit-learn, pairwise counting and brute force."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import norm
from sklearn.metrics import roc_auc_score, roc_curve

from mi_audit.metrics.decisions import Decisions, balanced_accuracy, false_alarm_rate
from mi_audit.metrics.intervals import clopper_pearson, tpr_box
from mi_audit.metrics.ranking import auc, best_threshold, threshold_below, tpr_at_fpr
from mi_audit.metrics.subsets import naive_balanced_accuracy


def scores(seed, n=400, decimals=1):
    rng = np.random.default_rng(seed)
    is_member = rng.random(n) < 0.6
    return (rng.normal(size=n) + 0.4 * is_member).round(decimals), is_member


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_auc_is_scikit_learns(decimals):
    score, is_member = scores(3, decimals=decimals)
    assert auc(score, is_member).value == pytest.approx(roc_auc_score(is_member, score), rel=1e-14)
    assert auc(score.astype(np.float32), is_member).value == pytest.approx(roc_auc_score(is_member, score), abs=1e-3)


def test_auc_below_a_half_stays_below_a_half():
    """Reporting max(AUC, 1 - AUC) hides an inverted score; a peer's inverted loss attack gave 1 - .5885."""
    score, is_member = scores(3)
    assert auc(-score, is_member).value == pytest.approx(1 - auc(score, is_member).value, rel=1e-14)
    assert auc(-score, is_member).value < 0.5
    assert auc(np.array([0.0, 1.0]), np.array([True, False])).value == 0


def test_auc_of_the_gap_attack_is_its_balanced_accuracy():
    """A binary score has two tied groups. A peer that kept one index per group gave .320 for these accuracies."""
    is_member = np.repeat([True, False], 1000)
    is_correct = np.concatenate([np.arange(1000) < 869, np.arange(1000) < 736])
    assert auc(is_correct.astype(float), is_member).value == pytest.approx(naive_balanced_accuracy(0.869, 0.736))
    assert auc(np.zeros(2000), is_member).value == 0.5


def test_the_order_of_rows_does_not_show():
    """A peer dropped the row permutation, and a tied tail metric was .21 or .33 by input order."""
    score, is_member = scores(5, n=1000, decimals=0)
    members_first, members_last = np.argsort(~is_member, kind="stable"), np.argsort(is_member, kind="stable")
    for order in (members_first, members_last, np.random.default_rng(0).permutation(1000)):
        assert auc(score[order], is_member[order]) == auc(score, is_member)
        assert tpr_at_fpr(score[order], is_member[order], 0.1) == tpr_at_fpr(score, is_member, 0.1)
        assert best_threshold(score[order], is_member[order]) == best_threshold(score, is_member)
        weight = np.where(is_member, 0.1, 0.3)  # no binary fractions: their sums round by order
        assert best_threshold(score[order], is_member[order], weight[order]) == best_threshold(score, is_member, weight)


@pytest.mark.parametrize("decimals", [1, 8])
def test_the_interval_of_the_auc_is_delongs(decimals):
    score, is_member = scores(9, n=120, decimals=decimals)
    members, non_members = score[is_member], score[~is_member]
    wins = (members[:, None] > non_members) + 0.5 * (members[:, None] == non_members)
    area = wins.mean()
    per_member, per_non_member = wins.mean(axis=1), wins.mean(axis=0)
    sd = math.sqrt(per_member.var(ddof=1) / len(members) + per_non_member.var(ddof=1) / len(non_members))
    half_width = 1.959963984540054 * sd / (area * (1 - area))
    estimate = auc(score, is_member)
    assert estimate.value == pytest.approx(area, rel=1e-14)
    expected = (expit(logit(area) - half_width), expit(logit(area) + half_width))
    assert (estimate.low, estimate.high) == pytest.approx(expected, rel=1e-12)


def test_the_interval_of_the_auc_covers_the_truth():
    rng = np.random.default_rng(21)
    truth = norm.cdf(0.7 / math.sqrt(2))
    is_member = np.arange(140) < 80
    estimates = [auc(rng.normal(size=140) + 0.7 * is_member, is_member) for _ in range(400)]
    assert 0.92 <= np.mean([e.low <= truth <= e.high for e in estimates]) <= 0.98


@pytest.mark.parametrize(
    ("members", "non_members", "value", "k", "n"),
    [([2.0, 3.0, 4.0], [0.0, 1.0], 1.0, 2, 2), ([0.0] * 4, [0.0] * 6, 0.5, 2, 4), ([1.0], [0.0, 2.0], 0.5, 0.5, 1)],
)
def test_degenerate_rankings_have_exact_intervals(members, non_members, value, k, n):
    score = np.array(members + non_members)
    estimate = auc(score, np.arange(len(score)) < len(members))
    assert estimate.value == value
    assert (estimate.low, estimate.high) == pytest.approx(clopper_pearson(k, n))


def test_infinite_scores_rank_and_tie():
    score = np.array([math.inf, math.inf, -math.inf, -math.inf])
    assert auc(score, np.array([True, False, True, False])).value == 0.5
    assert auc(score, np.array([True, True, False, False])).value == 1


@pytest.mark.parametrize("decimals", [0, 1, 8])
@pytest.mark.parametrize("a", [0.05, 0.1, 0.29])
def test_tpr_at_fpr_is_read_off_the_whole_roc_curve(decimals, a):
    score, is_member = scores(13, n=2000, decimals=decimals)
    fpr, tpr, _ = roc_curve(is_member, score, drop_intermediate=False)
    estimate = tpr_at_fpr(score, is_member, a)
    assert estimate.value == pytest.approx(tpr[fpr <= a + 1e-12].max(), rel=1e-14)
    assert (estimate.low, estimate.high) == tpr_box(score[is_member], score[~is_member], a)[:2]
    assert estimate.low <= estimate.value <= estimate.high


def test_tpr_at_fpr_counts_its_false_alarms_exactly():
    """0.29 of 100 non-members is 29 false alarms, although 0.29 * 100 is 28.999...: one member sits between them."""
    non_members = np.arange(100.0)
    members = np.array([70.5, 0.0])
    estimate = tpr_at_fpr(np.concatenate([members, non_members]), np.arange(102) < 2, 0.29)
    assert (non_members > 70.5).sum() == 29
    assert estimate.value == 0.5


def test_tpr_at_fpr_says_how_many_non_members_it_needs():
    score, is_member = np.linspace(0, 1, 500), np.arange(500) >= 250
    estimate = tpr_at_fpr(score, is_member, 0.01)
    assert (estimate.value, estimate.low, estimate.reason) == (None, 0, "needs at least 437 non-members")
    assert tpr_at_fpr(-score, is_member, 0.01).high < 0.1  # what is known all the same


def test_tpr_at_fpr_of_a_perfect_and_of_a_constant_score():
    is_member = np.arange(1000) < 400
    assert tpr_at_fpr(is_member.astype(float), is_member, 0.01).value == 1
    assert tpr_at_fpr(np.ones(1000), is_member, 0.01).value == 0


@pytest.mark.parametrize(("is_member", "reason"), [([True] * 3, "0 non-members"), ([False] * 3, "0 members")])
def test_one_sided_rankings_are_undefined(is_member, reason):
    score, is_member = np.arange(3.0), np.array(is_member)
    assert auc(score, is_member).reason == reason
    assert tpr_at_fpr(score, is_member, 0.01).reason == reason
    with pytest.raises(ValueError, match=reason):
        best_threshold(score, is_member)


def test_nan_scores_are_refused():
    score, is_member = np.array([0.0, np.nan]), np.array([True, False])
    for function in (auc, best_threshold, lambda s, m: tpr_at_fpr(s, m, 0.1)):
        with pytest.raises(ValueError, match="1 NaN among 2"):
            function(score, is_member)


def test_a_rate_outside_its_range_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        tpr_at_fpr(np.arange(2.0), np.array([True, False]), 1.0)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-3, 3), st.booleans(), st.integers(0, 4)), min_size=2, max_size=25).filter(
        lambda rows: {m for _, m, w in rows if w} == {True, False}
    ),
    st.booleans(),
)
def test_best_threshold_is_the_best_of_all(rows, is_weighted):
    """Brute force in whole numbers: no other cut is more accurate, nor as accurate with fewer false alarms."""
    score, is_member, weight = (np.array(column) for column in zip(*rows, strict=True))
    weight = weight if is_weighted else np.ones(len(rows), dtype=int)
    chosen = best_threshold(score.astype(float), is_member, weight.astype(float) if is_weighted else None)

    def quality(threshold):
        tp, fp = (int(weight[(score > threshold) & side].sum()) for side in (is_member, ~is_member))
        return tp * int(weight[~is_member].sum()) - fp * int(weight[is_member].sum()), -fp

    assert quality(chosen) == max(quality(threshold_below(float(value))) for value in score)
    assert chosen in {threshold_below(float(value)) for value in score}


def test_best_threshold_is_what_decisions_apply():
    score = np.array([0.1, 0.2, 0.7, 0.3, 0.8, 0.9], dtype=np.float32)
    is_member = np.array([False, False, False, True, True, True])
    d = Decisions.of(score, best_threshold(score, is_member), is_member)
    assert balanced_accuracy(d).value == pytest.approx(5 / 6)
    assert false_alarm_rate(d).value == 0  # cutting below 0.3 has the same balanced accuracy and one false alarm


def test_weights_move_the_best_threshold():
    score, is_member = np.array([3.0, 2.0, 1.0, 0.0]), np.array([True, False, True, False])
    assert best_threshold(score, is_member) == threshold_below(3.0)
    assert best_threshold(score, is_member, np.array([1.0, 1.0, 9.0, 9.0])) == threshold_below(1.0)


def test_a_constant_score_flags_all():
    assert best_threshold(np.full(4, 0.5), np.array([True, False, True, False])) == threshold_below(0.5)


def test_thresholds_are_finite():
    is_member = np.array([True, True, False, False])
    above = best_threshold(np.array([math.inf, math.inf, 1.0, 0.0]), is_member)
    assert math.isfinite(above)
    assert above > 1
    # Here flagging everybody would be best, which no finite threshold does.
    assert best_threshold(np.array([-math.inf, -math.inf, 1.0, -math.inf]), is_member) == threshold_below(1.0)
    with pytest.raises(ValueError, match="above the lowest float"):
        best_threshold(np.full(4, -math.inf), is_member)


@pytest.mark.parametrize("weight", [[1.0, -1.0], [1.0, 0.0], [1.0], [1.0, np.nan]])
def test_weights_that_weigh_nothing_are_refused(weight):
    with pytest.raises(ValueError, match="weight"):
        best_threshold(np.arange(2.0), np.array([True, False]), np.array(weight))
