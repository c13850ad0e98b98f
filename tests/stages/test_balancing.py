"""Both sides get the same say, in every group, by each way of balancing."""

import numpy as np
import pytest

from mi_audit.stages._balancing import balanced

IS_MEMBER = np.array([True] * 10 + [False] * 2 + [True] * 3 + [False] * 6)
GROUP = np.array([0] * 12 + [1] * 9)


def say_of(group: int, balance: str, *, members: bool) -> float:
    rows, weight = balanced(IS_MEMBER, GROUP, balance, np.random.default_rng(0))
    return float(weight[(IS_MEMBER[rows] == members) & (GROUP[rows] == group)].sum())


@pytest.mark.parametrize("balance", ["weights", "undersample", "oversample"])
@pytest.mark.parametrize("group", [0, 1])
def test_sides_count_the_same_in_every_group(balance, group):
    assert say_of(group, balance, members=True) == pytest.approx(say_of(group, balance, members=False))


def test_weights_agree_with_scikit_learn():
    from sklearn.utils.class_weight import compute_sample_weight

    one_group = np.zeros(len(IS_MEMBER), int)
    _, weight = balanced(IS_MEMBER, one_group, "weights", np.random.default_rng(0))
    assert weight == pytest.approx(compute_sample_weight("balanced", IS_MEMBER))


def test_none_leaves_everything_as_it_is():
    rows, weight = balanced(IS_MEMBER, GROUP, "none", np.random.default_rng(0))
    assert rows.tolist() == list(range(21))
    assert set(weight) == {1.0}


def test_undersampling_keeps_the_smaller_side_and_repeats_nothing():
    rows, _ = balanced(IS_MEMBER, GROUP, "undersample", np.random.default_rng(0))
    assert len(set(rows)) == len(rows) == 2 * 2 + 2 * 3
    assert {10, 11, 12, 13, 14} <= set(rows)


def test_oversampling_keeps_every_sample_and_repeats_evenly():
    rows, _ = balanced(IS_MEMBER, GROUP, "oversample", np.random.default_rng(0))
    counts = np.bincount(rows, minlength=21)
    assert counts.min() == 1
    assert sorted(counts[10:12]) == [5, 5]
    assert sorted(counts[12:15]) == [2, 2, 2]


def test_a_group_with_one_side_is_left_alone_by_resampling():
    only_members = np.array([True, True])
    rows, _ = balanced(only_members, np.zeros(2, int), "undersample", np.random.default_rng(0))
    assert rows.tolist() == [0, 1]
