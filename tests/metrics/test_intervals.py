"""Intervals against scipy, published examples, and simulated coverage."""

import math

import numpy as np
import pytest
from scipy.stats import beta, binomtest, norm

from mi_audit.metrics.intervals import (
    clopper_pearson,
    newcombe,
    non_members_needed,
    tpr_box,
    weighted_mean,
    wilson,
)

COUNTS = [(0, 1), (1, 1), (0, 10), (10, 10), (1, 10), (3, 7), (50, 100), (999, 1000), (1234, 50_000)]


@pytest.mark.parametrize(("k", "n"), COUNTS)
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_scipy_agrees(k, n, level):
    test = binomtest(k, n)
    exact, score = test.proportion_ci(level, "exact"), test.proportion_ci(level, "wilson")
    assert clopper_pearson(k, n, level) == pytest.approx(tuple(exact), rel=1e-9, abs=1e-15)
    assert wilson(k, n, level) == pytest.approx(tuple(score), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("interval", [clopper_pearson, wilson])
def test_bounds_reach_the_ends_exactly(interval):
    assert {interval(0, n)[0] for n in range(1, 300)} == {0}
    assert {interval(n, n)[1] for n in range(1, 300)} == {1}


@pytest.mark.parametrize(
    ("k1", "n1", "k2", "n2", "low", "high"),
    [
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (6, 7, 2, 7, 0.0582, 0.8062),
        (5, 56, 0, 29, -0.0381, 0.1926),
        (0, 10, 0, 20, -0.1611, 0.2775),
        (0, 10, 0, 10, -0.2775, 0.2775),
        (10, 10, 0, 20, 0.6791, 1.0),
        (10, 10, 0, 10, 0.6075, 1.0),
    ],
)
def test_newcombes_own_examples(k1, n1, k2, n2, low, high):
    """Table II of Newcombe (1998), method 10."""
    assert newcombe(k1, n1, k2, n2) == pytest.approx((low, high), abs=5.1e-5)


def test_a_mean_of_one_proportion_is_that_proportion():
    assert weighted_mean(3, 10, 7, 9, weight=1) == pytest.approx(wilson(3, 10), rel=1e-14)
    assert weighted_mean(3, 10, 7, 9, weight=0) == pytest.approx(wilson(7, 9), rel=1e-14)


@pytest.mark.parametrize("interval", [clopper_pearson, wilson])
@pytest.mark.parametrize(("k", "n", "level"), [(0, 0, 0.95), (-1, 5, 0.95), (6, 5, 0.95), (1, 5, 0.0), (1, 5, 1.0)])
def test_impossible_counts_and_levels_are_refused(interval, k, n, level):
    with pytest.raises(ValueError, match="expected"):
        interval(k, n, level)


def brute_force_box(members, non_members, a, level):
    """The definition of the box, rank by rank, with scipy's distributions."""
    d, n, m = (1 - level) / 4, len(non_members), len(members)
    falling = np.sort(non_members)[::-1]
    low, high = 0.0, 1.0
    qualifying = [k for k in range(1, n + 1) if beta.cdf(a, k, n - k + 1) >= 1 - d]
    if qualifying:
        x = int((members > falling[qualifying[-1] - 1]).sum())
        low = beta.ppf(d, x, m - x + 1) if x else 0.0
    qualifying = [k for k in range(1, n + 1) if beta.cdf(a, k, n - k + 1) <= d]
    if qualifying:
        x = int((members >= falling[qualifying[0] - 1]).sum())
        high = beta.ppf(1 - d, x + 1, m - x) if x < m else 1.0
    return low, high


@pytest.mark.parametrize("n", [1, 5, 60, 437, 900])
@pytest.mark.parametrize("a", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("decimals", [8, 0])
def test_the_box_is_its_definition(n, a, decimals):
    rng = np.random.default_rng(n)
    members, non_members = rng.normal(0.7, 1, 200).round(decimals), rng.normal(0, 1, n).round(decimals)
    for level in (0.9, 0.95):
        box = tpr_box(members, non_members, a, level)
        assert (box.low, box.high) == pytest.approx(brute_force_box(members, non_members, a, level), rel=1e-9)


@pytest.mark.parametrize("a", [0.001, 0.01, 0.05, 0.3])
def test_the_box_resolves_exactly_from_the_number_of_non_members_needed(a):
    needed = non_members_needed(a)
    members = np.linspace(10, 20, 100)
    enough, too_few = tpr_box(members, np.arange(needed) / needed, a), tpr_box(members, np.arange(needed - 1.0), a)
    assert enough.is_resolvable
    assert enough.low > 0.9
    assert not too_few.is_resolvable
    assert too_few.low == 0


def test_one_sided_needs_are_the_published_ones():
    """About 370, 3,700 and 37,000 non-members at an error of 2.5 % for the false alarm rate."""
    assert [non_members_needed(a, level=0.9) for a in (0.01, 0.001, 0.0001)] == [368, 3688, 36887]


def test_the_box_covers_the_true_rate():
    """Gaussian leakage: the recall at a true FAR of 5 % is known. Nominal 95 %; the box promises at least that."""
    rng = np.random.default_rng(11)
    a, shift, n_runs = 0.05, 0.8, 300
    truth = norm.sf(norm.isf(a) - shift)
    boxes = [tpr_box(rng.normal(shift, 1, 400), rng.normal(0, 1, 400), a) for _ in range(n_runs)]
    covered = np.mean([box.low <= truth <= box.high for box in boxes])
    assert covered >= 0.97
    assert np.median([box.high - box.low for box in boxes]) < 0.35  # it covers without being vacuous


def test_a_binary_score_gives_a_valid_and_wide_box():
    """Recall 0.9 at FAR 0.5 says little about the recall at FAR 0.1: the upper bound must not pretend otherwise."""
    members, non_members = np.repeat([1.0, 0.0], [900, 100]), np.repeat([1.0, 0.0], [500, 500])
    box = tpr_box(members, non_members, 0.1)
    assert box.low == 0
    assert box.high > 0.9


def test_infinite_scores_rank_first_and_last():
    box = tpr_box(np.full(50, math.inf), np.linspace(0, 1, 1000), 0.01)
    assert box.low > 0.9
    assert tpr_box(np.full(50, -math.inf), np.linspace(0, 1, 1000), 0.01).high < 0.15


def test_an_empty_side_leaves_everything_open():
    assert tpr_box(np.zeros(0), np.zeros(1000), 0.01)[:2] == (0, 1)
    assert tpr_box(np.zeros(10), np.zeros(0), 0.01) == (0, 1, False)


@pytest.mark.parametrize(
    ("members", "a", "level"), [([np.nan], 0.1, 0.95), ([0.0], 0.0, 0.95), ([0.0], 1.0, 0.95), ([0.0], 0.1, 1.0)]
)
def test_the_box_refuses_what_it_cannot_bound(members, a, level):
    with pytest.raises(ValueError, match="expected"):
        tpr_box(np.array(members), np.zeros(10), a, level)
