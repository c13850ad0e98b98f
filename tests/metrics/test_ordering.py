"""Ranks, ties and tails against the plainest counting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mi_audit.metrics.ordering import Ordering


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=40))
def test_placements_are_counts_of_the_other_side(samples):
    score, is_member = np.array([float(s) for s, _ in samples]), np.array([m for _, m in samples])
    ordering = Ordering.of(score, is_member)
    doubled = np.empty(len(score), int)
    doubled[ordering.order] = ordering.doubled_placements()
    for i in range(len(score)):
        others = score[is_member != is_member[i]]
        assert doubled[i] == 2 * (others < score[i]).sum() + (others == score[i]).sum()


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 2**32 - 1))
def test_tails_count_what_lies_beyond(members, seed):
    is_member = np.array(members)
    score = np.random.default_rng(seed).permutation(len(members)).astype(float)
    ordering = Ordering.of(score, is_member)
    upper, lower = ordering.tail(), ordering.tail(swapped=True)
    falling = np.sort(score[~is_member])[::-1]
    assert upper.n_beyond.tolist() == [(score[is_member] > cut).sum() for cut in falling]
    rising = np.sort(score[is_member])
    assert lower.n_beyond.tolist() == [(score[~is_member] < cut).sum() for cut in rising]
    assert (upper.n_others, lower.n_others) == (is_member.sum(), (~is_member).sum())


def test_ties_are_broken_uniformly_and_the_seed_decides():
    is_member = np.array([True, False, False, False])
    ranks = [
        np.flatnonzero(Ordering.of(np.zeros(4), is_member, np.random.default_rng(s)).is_member)[0] for s in range(2000)
    ]
    assert np.bincount(ranks, minlength=4) == pytest.approx([500] * 4, abs=80)
    twice = [Ordering.of(np.zeros(50), np.arange(50) < 25, np.random.default_rng(3)).order for _ in range(2)]
    assert np.array_equal(*twice)


def test_breaking_ties_never_swaps_what_differs():
    score = np.repeat([3.0, 1.0, 2.0], 20)
    ordering = Ordering.of(score, np.arange(60) % 2 == 0, np.random.default_rng(0))
    assert (np.diff(score[ordering.order]) >= 0).all()


def test_a_constant_score_is_told():
    assert Ordering.of(np.zeros(3), np.array([True, False, True])).is_constant
    assert Ordering.of(np.zeros(0), np.zeros(0, bool)).is_constant
    assert not Ordering.of(np.array([0.0, 1.0]), np.array([True, False])).is_constant
