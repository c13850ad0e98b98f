"""What must hold for any scores: monotone maps, relabelling, wider errors, more data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mi_audit.metrics.bounds import MEASURES, bound
from mi_audit.metrics.decisions import Decisions
from mi_audit.metrics.priors import worth
from mi_audit.metrics.ranking import auc
from mi_audit.metrics.stratified import stratified_auc
from mi_audit.metrics.tolerance import limit

SCORES = st.lists(st.integers(-20, 20), min_size=4, max_size=40)


def halves(values):
    score = np.array(values, np.float64)
    return score, np.arange(len(score)) % 2 == 0


@given(SCORES)
def test_a_rising_map_of_the_scores_changes_no_ranking(values):
    score, is_member = halves(values)
    assert auc(score, is_member) == auc(np.expm1(score / 3), is_member)


@given(SCORES)
def test_swapping_the_sides_or_the_sign_mirrors_the_auc(values):
    score, is_member = halves(values)
    found = auc(score, is_member)
    for mirrored in (auc(-score, is_member), auc(score, ~is_member)):
        assert mirrored.value == pytest.approx(1 - found.value, abs=1e-12)
        assert (mirrored.low, mirrored.high) == pytest.approx((1 - found.high, 1 - found.low), abs=1e-9)


@given(SCORES, st.sampled_from(MEASURES), st.floats(0.001, 0.2))
@settings(deadline=None)
def test_a_smaller_error_never_gives_a_narrower_bound(values, measure, error):
    score, is_member = halves(values)
    wide, narrow = (bound(measure, score, is_member, e, e, np.random.default_rng(0)) for e in (error / 2, error))
    assert wide.low <= narrow.low + 1e-12
    assert wide.high >= narrow.high - 1e-12
    assert 0 <= wide.low <= wide.high <= 1


@given(SCORES, st.sampled_from(MEASURES))
@settings(deadline=None)
def test_bounds_hold_the_estimate(values, measure):
    score, is_member = halves(values)
    found = bound(measure, score, is_member, 0.05, 0.05, np.random.default_rng(0))
    if found.value is not None:
        assert found.low - 1e-12 <= found.value <= found.high + 1e-12


@given(SCORES)
def test_one_class_is_no_stratum(values):
    score, is_member = halves(values)
    within = stratified_auc(score, is_member, np.zeros(len(score), np.int64))
    assert within.value == pytest.approx(auc(score, is_member).value, abs=1e-12)


@given(st.integers(0, 50), st.integers(1, 50), st.floats(0.001, 0.5), st.floats(1.01, 1.9))
def test_an_alarm_is_worth_more_where_members_are_common(n_hits, n_alarms, prior, factor):
    decisions = Decisions(tp=n_hits, fn=50 - n_hits, fp=n_alarms, tn=50 - n_alarms)
    rare, common = worth(decisions, prior).ppv, worth(decisions, prior * factor).ppv
    for name in ("value", "low", "high"):
        assert getattr(rare, name) <= getattr(common, name) + 1e-12


@given(st.floats(0, 3), st.floats(0, 3))
def test_a_larger_tolerance_allows_more_of_everything(first, second):
    low, high = sorted((first, second))
    assert all(limit(measure, low) <= limit(measure, high) for measure in MEASURES)
