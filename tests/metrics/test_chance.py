"""The permutation test: its level over many attacks, its statistic, and what it is blind to."""

import numpy as np
import pytest

from mi_audit.metrics.chance import max_t


def noise(n, n_attacks, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=n) for _ in range(n_attacks)], rng.permutation(n) < n // 2, rng.integers(4, size=n)


def test_twelve_useless_attacks_are_chance_in_95_of_100_runs():
    found = [max_t(*noise(200, 12, seed), np.random.default_rng(seed), 99) for seed in range(300)]
    rejected = np.mean([min(one.p_value for one in run) <= 0.05 for run in found])
    assert 0.02 <= rejected <= 0.085


def test_a_real_leak_among_noise_is_found_and_only_it():
    scores, is_member, label = noise(600, 5)
    scores[2] = scores[2] + 0.8 * is_member
    found = max_t(scores, is_member, label, np.random.default_rng(0))
    assert found[2].p_value == 1 / 1000
    assert min(one.p_value for i, one in enumerate(found) if i != 2) > 0.05


def test_z_is_the_rank_sum_in_its_permutation_law():
    """Against brute permutation of one class."""
    (score,), is_member, _ = noise(80, 1)
    score = score.round(1)  # ties
    (found,) = max_t([score], is_member, np.zeros(80, int), np.random.default_rng(0), 1)
    ranks = np.array([(score < s).sum() + (score == s).sum() / 2 for s in score])
    rng = np.random.default_rng(1)
    sums = [ranks[rng.permutation(is_member)].sum() for _ in range(20_000)]
    assert found.z == pytest.approx((ranks[is_member].sum() - np.mean(sums)) / np.std(sums), abs=0.05)


def test_the_wrong_sign_is_no_evidence():
    scores, is_member, label = noise(600, 1)
    (found,) = max_t([-(scores[0] + is_member)], is_member, label, np.random.default_rng(0), 99)
    assert found.z < -5
    assert found.p_value == 1


def test_other_shares_of_classes_are_no_evidence():
    rng = np.random.default_rng(0)
    is_member = np.arange(2000) < 1000
    label = (rng.random(2000) < np.where(is_member, 0.8, 0.2)).astype(int)
    (found,) = max_t([label + 0.1 * rng.normal(size=2000)], is_member, label, rng, 199)
    assert abs(found.z) < 3
    assert found.p_value > 0.01


def test_samples_without_a_score_add_nothing():
    scores, is_member, _ = noise(400, 1)
    label = np.arange(400) % 2
    partly = np.where(label == 0, scores[0] + is_member, np.nan)
    (found,) = max_t([partly], is_member, label, np.random.default_rng(0), 99)
    kept = label == 0
    (alone,) = max_t([partly[kept]], is_member[kept], label[kept], np.random.default_rng(0), 99)
    assert found.z == pytest.approx(alone.z, rel=1e-9)


def test_constant_scores_and_one_sided_classes_have_no_z():
    is_member = np.arange(10) < 5
    (found,) = max_t([np.zeros(10)], is_member, np.zeros(10, int), np.random.default_rng(0), 9)
    assert found == (0, 1)
    (found,) = max_t([np.arange(10.0)], is_member, is_member.astype(int), np.random.default_rng(0), 9)
    assert found == (0, 1)
    assert max_t([], is_member, np.zeros(10, int), np.random.default_rng(0)) == ()


def test_the_seed_decides_and_shapes_are_checked():
    case = noise(100, 3)
    assert max_t(*case, np.random.default_rng(5), 49) == max_t(*case, np.random.default_rng(5), 49)
    with pytest.raises(ValueError, match="scores"):
        max_t([np.zeros(3)], np.zeros(4, bool), np.zeros(4, int), np.random.default_rng(0))
    with pytest.raises(ValueError, match="permutation"):
        max_t(*case, np.random.default_rng(5), 0)
