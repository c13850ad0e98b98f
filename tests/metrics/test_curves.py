import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import roc_curve

from mi_audit.metrics import curves
from mi_audit.metrics.decisions import Decisions


@pytest.mark.parametrize("decimals", [1, 8], ids=["with ties", "without ties"])
def test_roc_points_are_points_of_scikit_learns_curve(decimals: int) -> None:
    rng = np.random.default_rng(0)
    is_member = rng.random(700) < 0.4
    score = np.round(rng.normal(size=700) + is_member, decimals)
    rates, recalls = curves.roc_points(score, is_member)
    fpr, tpr, _ = roc_curve(is_member, score, drop_intermediate=False)
    real = set(zip(fpr.round(12), tpr.round(12), strict=True))
    assert set(zip(rates.round(12), recalls.round(12), strict=True)) <= real
    assert len(rates) <= 151


def test_a_roc_point_is_the_best_recall_within_its_rate() -> None:
    rng = np.random.default_rng(1)
    is_member = np.arange(2000) < 1000
    score = rng.normal(size=2000) + is_member
    rates, recalls = curves.roc_points(score, is_member, 50)
    for rate in np.geomspace(1 / 1000, 1, 50):
        allowed = np.sort(score[~is_member])[::-1][int(np.floor(rate * 1000 + 1e-9)) :]
        best = (score[is_member] > allowed[0]).mean() if len(allowed) else 1.0
        assert recalls[rates <= rate + 1e-12][-1] == pytest.approx(best)


def test_roc_points_rise_to_the_corner_and_swap_when_the_sign_does() -> None:
    score, is_member = np.array([3.0, 3.0, 2.0, 1.0]), np.array([True, False, True, False])
    rates, recalls = curves.roc_points(score, is_member)
    assert (rates.tolist(), recalls.tolist()) == ([0.0, 0.5, 1.0], [0.0, 1.0, 1.0])
    rates, recalls = curves.roc_points(-score, is_member)
    assert (rates.tolist(), recalls.tolist()) == ([0.0, 0.5, 1.0], [0.0, 0.5, 1.0])


@pytest.mark.parametrize("constant", [0.0, np.inf, -np.inf])
def test_a_constant_score_has_the_two_corners_only(constant: float) -> None:
    rates, recalls = curves.roc_points(np.full(6, constant), np.arange(6) < 3)
    assert (rates.tolist(), recalls.tolist()) == ([0.0, 1.0], [0.0, 1.0])


def test_one_sample_a_side_is_enough_and_an_empty_side_is_not() -> None:
    rates, recalls = curves.roc_points(np.array([1.0, 0.0]), np.array([True, False]))
    assert (rates.tolist(), recalls.tolist()) == ([0.0, 1.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="expected members and non-members, got 2 and 0"):
        curves.roc_points(np.zeros(2), np.ones(2, bool))
    with pytest.raises(ValueError, match="NaN"):
        curves.roc_points(np.array([np.nan, 0.0]), np.array([True, False]))


def test_counts_are_numpys_and_hold_what_lies_beyond() -> None:
    values = np.random.default_rng(2).normal(size=500)
    edges = np.linspace(-5, 5, 21)
    assert (curves.counts(values, edges) == np.histogram(values, edges)[0]).all()
    assert curves.counts(np.array([-np.inf, -9.0, 9.0, 5.0, np.inf]), edges)[[0, -1]].tolist() == [2, 3]
    assert curves.counts(np.array([]), edges).sum() == 0


@pytest.mark.parametrize("scale", [1e-3, 1.0, 37.0, 1e6, 1e200])
def test_round_edges_are_few_round_and_cover_the_values(scale: float) -> None:
    values = np.random.default_rng(3).normal(size=2000) * scale
    edges = curves.round_edges(values)
    assert 2 <= len(edges) <= 41
    assert (np.diff(edges) > 0).all()
    low, high = np.quantile(values, [0.005, 0.995])
    assert edges[0] <= low
    assert edges[-1] >= high - 1e-9 * scale


def test_round_edges_of_one_value_make_one_bin_and_of_none_are_refused() -> None:
    assert len(curves.round_edges(np.array([3.0]))) == 2
    with pytest.raises(ValueError, match="finite"):
        curves.round_edges(np.array([np.inf, np.nan]))


def test_a_mean_of_fewer_than_three_samples_is_left_out() -> None:
    means, n = curves.means_by_class(np.array([1.0, 2.0, 6.0, 4.0, 5.0]), np.array([0, 0, 0, 2, 2]), 4)
    assert means == (3.0, None, None, None)
    assert n == (3, 0, 2, 0)


def test_precision_along_the_ratio_is_bayes_rule() -> None:
    decisions = Decisions(tp=80, fn=20, fp=30, tn=170)
    value, low, high = curves.along_the_ratio(decisions, 0.01)["precision.member"]
    assert value == pytest.approx(0.01 * 0.8 / (0.01 * 0.8 + 0.99 * 0.15))
    assert low is not None
    assert high is not None
    assert low < value < high
    value = curves.along_the_ratio(decisions, 0.01)["precision.non_member"][0]
    assert value == pytest.approx(0.99 * 0.85 / (0.99 * 0.85 + 0.01 * 0.2))


def test_the_band_holds_at_all_ratios_at_once_by_exact_enumeration() -> None:
    n, recall, alarms, priors = 12, 0.7, 0.3, (0.02, 0.5, 0.9)
    truth = [prior * recall / (prior * recall + (1 - prior) * alarms) for prior in priors]
    covered = 0.0
    for tp in range(n + 1):
        for fp in range(n + 1):
            decisions = Decisions(tp=tp, fn=n - tp, fp=fp, tn=n - fp)
            bands = [curves.along_the_ratio(decisions, prior)["precision.member"] for prior in priors]
            holds = all((low or 0) <= true <= (high or 0) for (_, low, high), true in zip(bands, truth, strict=True))
            covered += holds * binom.pmf(tp, n, recall) * binom.pmf(fp, n, alarms)
    assert covered >= 0.95


def test_nothing_flagged_is_undefined_in_value_and_bounded_by_the_box() -> None:
    value, low, high = curves.along_the_ratio(Decisions(tp=0, fn=9, fp=0, tn=9), 0.5)["precision.member"]
    assert value is None
    assert (low, high) == (0.0, 1.0)
