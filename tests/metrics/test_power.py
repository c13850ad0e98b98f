"""What sample sizes can show: published figures, simulation, and monotonicity."""

import math

import numpy as np
import pytest

from mi_audit.metrics.bounds import bound
from mi_audit.metrics.power import exceeding, n_to_resolve, power, staying


@pytest.mark.parametrize(
    ("n_members", "n_non_members", "detected", "failed", "auc"),
    [
        (1000, 1000, None, None, 0.532),
        (5000, 5000, 0.0035, 0.0151, 0.514),
        (10_000, 10_000, 0.0027, 0.0136, 0.510),
        (50_000, 10_000, 0.0020, 0.0119, 0.508),
        (50_000, 50_000, 0.0017, 0.0116, None),
    ],
)
def test_simulated_figures_are_met(n_members, n_non_members, detected, failed, auc):
    """Methods, section 9.9: recall at FAR 0.1 % told from chance and from ten times chance, and the AUC, at 5 %."""
    sizes = n_members, n_non_members
    for limit, expected in ((0.001, detected), (0.01, failed)):
        found = exceeding("tpr_at_fpr.0.001", limit, *sizes, 0.05)
        assert found == (None if expected is None else pytest.approx(expected, abs=0.00015))
    if auc is not None:
        assert exceeding("auc", 0.5, *sizes, 0.05) == pytest.approx(auc, abs=0.0006)


@pytest.mark.parametrize("measure", ["tpr_at_fpr.0.01", "auc"])
def test_simulation_fails_and_passes_at_the_stated_power(measure):
    n, error = 3000, 0.05
    limit = {"tpr_at_fpr.0.01": 0.05, "auc": 0.6}[measure]
    failing, passing = exceeding(measure, limit, n, n, error), staying(measure, limit, n, n, error)
    shares = {}
    for name, value in (("failing", failing), ("passing", passing)):
        runs = []
        for seed in range(300):
            rng = np.random.default_rng(seed)
            score, is_member = rng.random(2 * n), np.arange(2 * n) < n
            if measure == "auc":
                score[is_member] **= 1 / value - 1  # Lehmann: AUC = value
            else:
                share = (value - 0.01) / 0.99
                score[np.flatnonzero(is_member)[rng.random(n) < share]] += 1
            runs.append(bound(measure, score, is_member, error, error, rng))
        shares[name] = np.mean([run.low > limit if name == "failing" else run.high <= limit for run in runs])
    assert shares["failing"] == pytest.approx(0.8, abs=0.09)
    assert shares["passing"] == pytest.approx(0.8, abs=0.09)


def test_more_samples_show_more():
    few, many = power(5000, 5000, 0.545), power(50_000, 50_000, 0.545)
    for less, more in zip(few, many, strict=True):
        assert more.chance < more.detectable < less.detectable
        assert more.limit < more.failing < less.failing
        assert less.passing < more.passing < more.limit
        assert less.n_needed == more.n_needed


def test_what_cannot_be_shown_is_none():
    row = power(200, 200, 0.545)[2]
    assert row.measure == "tpr_at_fpr.0.001"
    assert (row.detectable, row.failing, row.passing) == (None, None, None)
    assert row.n_needed > 3000
    assert power(1, 1, 0.545)[0].passing is None


def test_the_number_needed_is_enough_and_a_fifth_less_is_not():
    for row in power(1000, 1000, 0.545):
        assert staying(row.measure, row.limit, row.n_needed, row.n_needed, 0.05) >= row.chance
        fewer = int(0.8 * row.n_needed)
        assert staying(row.measure, row.limit, fewer, fewer, 0.05) is None


def test_the_closer_to_the_limit_the_more_samples():
    needs = [n_to_resolve("tpr_at_fpr.0.001", value, 0.0055) for value in (0.001, 0.003, 0.005)]
    assert needs == sorted(needs)
    needs = [n_to_resolve("auc", value, 0.65) for value in (0.66, 0.7, 0.8)]
    assert needs == sorted(needs, reverse=True)
    assert n_to_resolve("auc", 0.65, 0.65) is None
    assert n_to_resolve("tpr_at_fpr.0.001", 0.0054999, 0.0055) is None


def test_the_lower_end_swaps_the_sides():
    assert exceeding("loss_tnr.0.001", 0.001, 9000, 4000, 0.05) == exceeding(
        "tpr_at_fpr.0.001", 0.001, 4000, 9000, 0.05
    )


@pytest.mark.parametrize("sizes", [(0, 10), (10, 0)])
def test_an_empty_side_is_refused(sizes):
    with pytest.raises(ValueError, match="expected samples"):
        power(*sizes, 0.545)
    with pytest.raises(ValueError, match="alpha"):
        power(10, 10, 0.545, alpha=math.nan)
