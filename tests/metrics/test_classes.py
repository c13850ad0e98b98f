"""Numbers within classes against class-by-class counting, and what shrinkage and Holm promise."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score

from mi_audit.metrics._within_classes import WithinClasses
from mi_audit.metrics.classes import FEWEST, class_leaks, holm, shrunk_aucs
from mi_audit.metrics.ranking import auc
from mi_audit.metrics.stratified import stratified_auc


def drawn(n, n_classes, shift=0.5, seed=0, decimals=8):
    rng = np.random.default_rng(seed)
    label, is_member = rng.integers(n_classes, size=n), rng.random(n) < 0.4
    return (rng.normal(size=n) + shift * is_member + label).round(decimals), is_member, label


@pytest.mark.parametrize("decimals", [8, 0])
def test_classes_are_counted_one_by_one(decimals):
    score, is_member, label = drawn(900, 5, decimals=decimals)
    within = WithinClasses.of(score, is_member, label)
    for i, one in enumerate(within.image_class):
        own = label == one
        alone = auc(score[own], is_member[own])
        assert within.auc[i] == pytest.approx(roc_auc_score(is_member[own], score[own]), rel=1e-12)
        leak = class_leaks(score, is_member, label)[i]
        assert (leak.auc.low, leak.auc.high) == pytest.approx((alone.low, alone.high), rel=1e-9)
        test = mannwhitneyu(
            score[own & is_member],
            score[own & ~is_member],
            alternative="greater",
            use_continuity=False,
            method="asymptotic",
        )
        # The null variance counts ties over n (n^2 - 1), as scipy's does.
        assert leak.p_value == pytest.approx(test.pvalue, rel=1e-6)


def test_the_stratified_auc_is_the_weighted_mean():
    score, is_member, label = drawn(900, 5)
    pairs, values = [], []
    for one in range(5):
        own = label == one
        pairs.append((is_member & own).sum() * (~is_member & own).sum())
        values.append(roc_auc_score(is_member[own], score[own]))
    assert stratified_auc(score, is_member, label).value == pytest.approx(np.average(values, weights=pairs), rel=1e-12)


def test_one_class_is_the_plain_auc():
    score, is_member, _ = drawn(500, 1)
    found, plain = stratified_auc(score, is_member, np.zeros(500, int)), auc(score, is_member)
    assert (found.value, found.low, found.high) == pytest.approx((plain.value, plain.low, plain.high), rel=1e-9)


def test_other_shares_of_classes_are_no_leak():
    """Scores tell the class and nothing else; members are mostly of class 1."""
    rng = np.random.default_rng(0)
    is_member = np.arange(4000) < 2000
    label = (rng.random(4000) < np.where(is_member, 0.8, 0.2)).astype(int)
    score = label + 0.1 * rng.normal(size=4000)
    assert auc(score, is_member).value > 0.7
    found = stratified_auc(score, is_member, label)
    assert found.low < 0.5 < found.high


def test_the_stratified_interval_covers():
    truth = 0.6381631950841185  # Phi(0.5 / sqrt 2)
    runs = [stratified_auc(*drawn(600, 12, seed=seed)) for seed in range(200)]
    assert 0.91 <= np.mean([run.low <= truth <= run.high for run in runs]) <= 0.99


def test_classes_of_one_sample_on_a_side_still_have_an_interval():
    is_member = np.tile([True, False], 30)
    found = stratified_auc(np.random.default_rng(0).normal(size=60), is_member, np.repeat(np.arange(30), 2))
    assert 0 < found.low < found.value < found.high < 1


def test_no_class_with_both_sides_is_undefined():
    found = stratified_auc(np.arange(4.0), np.array([True, True, False, False]), np.array([0, 0, 1, 1]))
    assert found.reason == "no class has samples of both sides"


def test_small_classes_are_left_out():
    is_member = np.tile([True, False], FEWEST)
    label = np.zeros(2 * FEWEST, int)
    score = np.arange(2.0 * FEWEST)
    assert len(class_leaks(score, is_member, label)) == 1
    assert class_leaks(score[1:], is_member[1:], label[1:]) == ()
    assert class_leaks(np.zeros(0), np.zeros(0, bool), np.zeros(0, int)) == ()


def test_a_constant_score_leaks_nothing():
    (leak,) = class_leaks(np.zeros(100), np.arange(100) % 2 == 0, np.zeros(100, int))
    assert (leak.auc.value, leak.p_value) == (0.5, 0.5)


def test_shrinkage_pulls_noise_to_the_mean_and_leaves_what_is_clear():
    variance, n = np.full(20, 0.02**2), np.full(20, 500)
    noise = np.clip(0.55 + 0.01 * np.random.default_rng(0).normal(size=20), 0, 1)
    assert np.ptp(shrunk_aucs(noise, variance, n)) == 0
    clear = np.where(np.arange(20) < 10, 0.5, 0.9)
    pulled = shrunk_aucs(clear, variance, n)
    assert pulled == pytest.approx(clear, abs=0.01)
    assert (np.abs(pulled - 0.7) <= np.abs(clear - 0.7) + 0.02).all()


def test_shrinkage_survives_perfect_and_single_classes():
    n = np.array([40, 40, 40])
    assert np.isfinite(shrunk_aucs(np.array([1.0, 0.0, 0.5]), np.zeros(3), n)).all()
    assert shrunk_aucs(np.array([0.7]), np.array([0.01]), np.array([40])) == pytest.approx([0.7])


def test_holm_keeps_the_family_at_its_level():
    """Where no class leaks, some class does by Holm in at most about 5 % of runs."""
    runs = [class_leaks(*drawn(1500, 10, shift=0.0, seed=seed)) for seed in range(300)]
    assert np.mean([min(leak.p_holm for leak in run) < 0.05 for run in runs]) <= 0.085


def test_holm_is_no_smaller_than_p_and_keeps_the_order():
    p = np.random.default_rng(0).random(50)
    corrected = holm(p)
    assert (corrected >= p).all()
    assert (np.diff(corrected[np.argsort(p)]) >= 0).all()
