"""Predictive value: arithmetic, the base-rate row, and coverage."""

import numpy as np
import pytest

from mi_audit.metrics.decisions import Decisions
from mi_audit.metrics.priors import PRIORS, worth


def test_ten_to_one_is_worth_little_where_members_are_rare():
    decisions = Decisions(tp=500, fn=500, fp=50, tn=950)
    values = [worth(decisions, prior).ppv.value for prior in PRIORS]
    assert values == pytest.approx([10 / 11, 10 / 19, 10 / 109, 10 / 1009])
    assert worth(decisions, 0.01).lift.value == pytest.approx(100 * 10 / 109)


def test_the_interval_covers_at_every_prior():
    rng = np.random.default_rng(0)
    truth = 0.1 * 0.3 / (0.1 * 0.3 + 0.9 * 0.05)
    hits, alarms = rng.binomial(400, 0.3, 400), rng.binomial(400, 0.05, 400)
    found = [
        worth(Decisions(int(t), 400 - int(t), int(f), 400 - int(f)), 0.1).ppv for t, f in zip(hits, alarms, strict=True)
    ]
    assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.95


def test_no_alarm_has_no_value_but_bounds():
    found = worth(Decisions(0, 100, 0, 100), 0.1)
    assert found.ppv.reason == "0 flagged"
    assert (found.ppv.low, found.ppv.high) == (0, 1)


def test_no_false_alarm_may_be_worth_everything():
    found = worth(Decisions(50, 50, 0, 100), 0.001)
    assert found.ppv.value == 1 == found.ppv.high
    assert found.ppv.low < 0.02


def test_an_empty_side_is_undefined_and_a_prior_of_one_refused():
    assert worth(Decisions(0, 0, 1, 2), 0.1).ppv.reason == "0 members"
    with pytest.raises(ValueError, match="prior"):
        worth(Decisions(1, 1, 1, 1), 1.0)
