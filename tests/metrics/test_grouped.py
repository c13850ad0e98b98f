"""Intervals by group: copies add nothing, groups of one change nothing, and dependence is covered."""

import numpy as np
import pytest
from scipy.special import expit

from mi_audit.metrics.grouped import effective_size, with_groups
from mi_audit.metrics.table import measure

RATES = ("accuracy", "recall.member", "false_alarm_rate", "precision.member", "balanced_accuracy", "advantage", "auc")


def grouped(score, is_member, group):
    _, first = np.unique(group, return_index=True)
    stands = np.zeros(len(score), bool)
    stands[first] = True
    return with_groups(measure(score, 0.2, is_member), score, 0.2, is_member, group, stands)


def drawn(n, seed=0):
    rng = np.random.default_rng(seed)
    is_member = np.arange(n) % 2 == 0
    return rng.normal(size=n) + 0.5 * is_member, is_member


def test_copies_of_a_sample_add_nothing():
    score, is_member = drawn(400)
    group = np.arange(400).astype(str)
    alone, copied = grouped(score, is_member, group), grouped(*(np.repeat(x, 4) for x in (score, is_member, group)))
    for name in RATES:
        for end in ("value", "low", "high"):
            assert getattr(copied[name], end) == pytest.approx(getattr(alone[name], end), abs=1e-6), name
    plain = measure(np.repeat(score, 4), 0.2, np.repeat(is_member, 4))
    assert all(copied[name].high - copied[name].low > plain[name].high - plain[name].low for name in RATES)


def test_groups_of_one_are_samples():
    score, is_member = drawn(2000)
    found, plain = grouped(score, is_member, np.arange(2000).astype(str)), measure(score, 0.2, is_member)
    for name, estimate in plain.items():
        if estimate.low is not None:
            assert (found[name].low, found[name].high) == pytest.approx((estimate.low, estimate.high), abs=2e-4), name


@pytest.mark.parametrize("name", ["false_alarm_rate", "auc"])
def test_dependent_samples_are_covered(name):
    """Eight images of a person share most of what is random about them; members and non-members are alike."""
    held, held_by_samples = [], []
    truth = {"false_alarm_rate": 0.5, "auc": 0.5}[name]
    for seed in range(200):
        rng = np.random.default_rng(seed)
        group = np.repeat(np.arange(120), 8)
        score = 0.2 + rng.normal(size=120)[group] + 0.5 * rng.normal(size=960)
        is_member = group % 2 == 0
        by_group, by_sample = grouped(score, is_member, group.astype(str))[name], measure(score, 0.2, is_member)[name]
        held.append(by_group.low <= truth <= by_group.high)
        held_by_samples.append(by_sample.low <= truth <= by_sample.high)
    assert np.mean(held) >= 0.91
    assert np.mean(held_by_samples) < 0.75


def test_a_rate_of_one_counts_its_groups():
    assert effective_size(np.ones(12, bool), np.repeat(["a", "b", "c"], 4)) == 3
    assert effective_size(np.array([True, False]), np.array(["a", "a"])) == 1


def test_a_rate_that_groups_cannot_resolve_is_undefined():
    rng = np.random.default_rng(0)
    is_member, group = np.arange(2000) < 1000, np.array([str(i // 10) for i in range(2000)])
    found = grouped(expit(rng.normal(size=2000)), is_member, group)["tpr_at_fpr.0.01"]
    assert found.reason == "too few groups of non-members"


def test_an_empty_side_stays_undefined():
    found = grouped(np.arange(6.0), np.ones(6, bool), np.repeat(["a", "b", "c"], 2))
    assert found["auc"].reason == found["balanced_accuracy"].reason == "0 non-members"
    assert found["recall.member"].low is not None
