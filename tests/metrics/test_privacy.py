"""Lower bounds on epsilon and mu: nothing on noise, and no more than the truth where it is known."""

import math

import numpy as np
import pytest

from mi_audit.metrics.ordering import Ordering
from mi_audit.metrics.privacy import contradicts, privacy_bound


def bounds_of(score, is_member, seed=0, **options):
    return privacy_bound(Ordering.of(score, is_member, np.random.default_rng(seed)), **options)


def test_noise_has_no_epsilon_in_95_of_100_runs():
    is_member = np.arange(4000) % 2 == 0
    found = [bounds_of(np.random.default_rng(seed).normal(size=4000), is_member) for seed in range(400)]
    assert np.mean([one.epsilon == 0 for one in found]) >= 0.95
    assert np.mean([one.mu == 0 for one in found]) >= 0.95


@pytest.mark.parametrize("epsilon", [0.5, 2.0])
def test_randomised_response_stays_below_its_epsilon(epsilon):
    """Every sample answers its membership truthfully with probability e^eps / (1 + e^eps): exactly eps, delta 0."""
    is_member = np.arange(20_000) % 2 == 0
    truthful = math.exp(epsilon) / (1 + math.exp(epsilon))
    found = []
    for seed in range(100):
        tells = np.random.default_rng(seed).random(20_000) < truthful
        found.append(bounds_of(np.where(tells, is_member, ~is_member).astype(float), is_member, seed).epsilon)
    assert np.mean([one <= epsilon for one in found]) >= 0.95
    assert np.median(found) > 0.3 * epsilon


def test_a_gaussian_mechanism_stays_below_its_mu_in_both_directions():
    is_member = np.arange(20_000) % 2 == 0
    noise = [np.random.default_rng(seed).normal(size=20_000) for seed in range(100)]
    found = [bounds_of(one + 1.0 * is_member, is_member).mu for one in noise]
    assert np.mean([one <= 1.0 for one in found]) >= 0.95
    assert np.median(found) > 0.8


def test_memorised_members_are_found_from_either_end():
    """1 % of members stand out at the top; or 1 % of non-members at the bottom: the same epsilon."""
    rng = np.random.default_rng(0)
    score, is_member = rng.normal(size=20_000), np.arange(20_000) % 2 == 0
    top = np.where(is_member & (np.arange(20_000) < 200), 10.0, score)
    assert bounds_of(top, is_member).epsilon > 1
    assert bounds_of(-top, ~is_member) == bounds_of(top, is_member)
    assert bounds_of(-top, is_member).epsilon == 0


def test_a_claim_is_contradicted_by_what_exceeds_it():
    is_member = np.arange(20_000) % 2 == 0
    ordering = Ordering.of(is_member + np.linspace(0, 0.5, 20_000), is_member)
    assert contradicts(ordering, epsilon=3.0, delta=1e-5)
    assert not contradicts(ordering, epsilon=9.0, delta=1e-5)
    assert not contradicts(ordering, epsilon=0.0, delta=0.9999)


def test_few_samples_and_constant_scores_say_nothing():
    assert bounds_of(np.arange(6.0), np.arange(6) > 2) == (0, 0)
    assert bounds_of(np.zeros(20_000), np.arange(20_000) % 2 == 0) == (0, 0)
    with pytest.raises(ValueError, match="alpha"):
        bounds_of(np.arange(6.0), np.arange(6) > 2, alpha=1.0)
