"""Differences on the same samples against naive references and simulation."""

import numpy as np
import pytest
from scipy.stats import norm

from mi_audit.metrics.comparing import COMPARABLE, paired_delong, paired_difference, paired_rates
from mi_audit.metrics.table import measure


def correlated(n, shift_a, shift_b, seed=0, shared=0.9):
    rng = np.random.default_rng(seed)
    is_member, common = np.arange(n) % 2 == 0, rng.normal(size=n)
    own = np.sqrt(1 - shared**2)
    a, b = (shared * common + own * rng.normal(size=n) + shift * is_member for shift in (shift_a, shift_b))
    return a, b, is_member


@pytest.mark.parametrize("metric", COMPARABLE)
def test_the_value_is_the_difference_of_both_numbers(metric):
    a, b, is_member = correlated(12_000, 0.6, 0.4)
    found = paired_difference(metric, a, 0.3, b, 0.1, is_member)
    expected = measure(a, 0.3, is_member)[metric].value - measure(b, 0.1, is_member)[metric].value
    assert found.value == pytest.approx(expected, abs=1e-12)
    assert found.low <= found.value <= found.high
    back = paired_difference(metric, b, 0.1, a, 0.3, is_member)
    assert back.value == pytest.approx(-found.value, abs=1e-12)
    tolerance = 0.004 if metric.startswith("tpr") else 1e-12
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low), abs=tolerance)


@pytest.mark.parametrize("metric", COMPARABLE)
def test_a_score_does_not_differ_from_itself(metric):
    a, _, is_member = correlated(10_000, 0.6, 0.4)
    found = paired_difference(metric, a, 0.3, a, 0.3, is_member)
    assert found.value == 0
    assert found.low <= 0 <= found.high


@pytest.mark.parametrize("metric", ["auc", "balanced_accuracy", "tpr_at_fpr.0.01"])
def test_pairing_is_counted(metric):
    """Two scores that share most of their noise: far narrower than the two intervals would allow."""
    a, b, is_member = correlated(6000, 0.6, 0.6, shared=0.99)
    found = paired_difference(metric, a, 0.3, b, 0.3, is_member)
    single = measure(a, 0.3, is_member)[metric]
    assert found.high - found.low < 0.6 * (single.high - single.low)


def slow_paired_variance(a, b, is_member):
    """DeLong's structural components as a double loop over pairs."""

    def kernel(score):
        return np.sign(score[is_member][:, None] - score[~is_member][None, :]) / 2 + 0.5

    difference = kernel(a) - kernel(b)
    m, n = difference.shape
    return difference.mean(axis=1).var(ddof=1) / m + difference.mean(axis=0).var(ddof=1) / n


@pytest.mark.parametrize("decimals", [8, 0])
def test_paired_delong_is_its_definition(decimals):
    a, b, is_member = correlated(300, 0.8, 0.5)
    a, b = a.round(decimals), b.round(decimals)
    found = paired_delong(a, b, is_member)
    sd = np.sqrt(slow_paired_variance(a, b, is_member))
    assert found.difference.high - found.difference.value == pytest.approx(1.959964 * sd, rel=1e-6)
    assert found.p_value == pytest.approx(2 * norm.sf(abs(found.difference.value) / sd), rel=1e-9)


def test_newcombes_paired_example():
    """The first of Table II in Newcombe (1998, Statistics in Medicine 17: 2635), method 10."""
    counts = [36, 12, 2, 0]
    found = paired_rates(np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts))
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0569, 0.3404), abs=5.1e-5)


def test_decisions_that_never_flag_differ_by_no_more_than_wilson_allows():
    none = np.zeros(50, bool)
    highest = 1.959964**2 / (50 + 1.959964**2)
    found = paired_rates(none, none)
    assert (found.low, found.high) == pytest.approx((-highest, highest), rel=1e-6)


def test_the_tail_interval_is_that_of_resampling():
    a, b, is_member = correlated(4000, 1.0, 0.8)
    found = paired_difference("tpr_at_fpr.0.01", a, 0, b, 0, is_member)
    rng, k = np.random.default_rng(0), 20
    members, non_members = np.flatnonzero(is_member), np.flatnonzero(~is_member)
    naive = []
    for _ in range(1500):
        m, n = rng.choice(members, len(members)), rng.choice(non_members, len(non_members))
        recalls = [(score[m] > np.sort(score[n])[::-1][k]).mean() for score in (a, b)]
        naive.append(recalls[0] - recalls[1])
    assert (found.low, found.high) == pytest.approx(np.quantile(naive, [0.025, 0.975]), abs=0.006)


@pytest.mark.parametrize("metric", ["auc", "balanced_accuracy", "tpr_at_fpr.0.01"])
def test_a_true_difference_is_covered(metric):
    truth = {
        "auc": norm.cdf(0.6 / np.sqrt(2)) - norm.cdf(0.4 / np.sqrt(2)),
        "balanced_accuracy": (norm.sf(0.2 - 0.6) - norm.sf(0.2 - 0.4)) / 2,
        "tpr_at_fpr.0.01": norm.sf(norm.isf(0.01) - 0.6) - norm.sf(norm.isf(0.01) - 0.4),
    }[metric]
    runs = [correlated(2400, 0.6, 0.4, seed) for seed in range(150)]
    found = [paired_difference(metric, a, 0.2, b, 0.2, is_member) for a, b, is_member in runs]
    assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.9


def test_what_cannot_be_compared_is_said():
    a, b, is_member = correlated(200, 0, 0)
    assert paired_difference("tpr_at_fpr.0.001", a, 0, b, 0, is_member).reason == "needs at least 4380 non-members"
    assert paired_difference("auc", a, 0, b, 0, np.ones(200, bool)).reason == "0 non-members"
    with pytest.raises(ValueError, match=r"expected one of auc.*precision\.member"):
        paired_difference("precision.member", a, 0, b, 0, is_member)
    with pytest.raises(ValueError, match="one score and one membership"):
        paired_difference("auc", a, 0, b[:-1], 0, is_member)
