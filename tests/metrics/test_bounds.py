"""One-sided bounds against the two-sided box, the closed form, and simulation."""

import math

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from mi_audit.metrics import delong
from mi_audit.metrics.bounds import MEASURES, auc_bound, bound
from mi_audit.metrics.intervals import tpr_box
from mi_audit.metrics.ordering import Ordering
from mi_audit.metrics.ranking import auc


def gaussian(n_members, n_non_members, shift, seed=0):
    rng = np.random.default_rng(seed)
    score = np.concatenate([rng.normal(shift, 1, n_members), rng.normal(0, 1, n_non_members)])
    return score, np.arange(n_members + n_non_members) < n_members


@pytest.mark.parametrize("a", [0.01, 0.001])
def test_without_ties_a_rate_is_bounded_by_the_box(a):
    score, is_member = gaussian(3000, 6000, 0.5)
    low_error, high_error = 0.05 / 3, 0.05
    found = bound(f"tpr_at_fpr.{a}", score, is_member, low_error, high_error, np.random.default_rng(1))
    lower, upper = (tpr_box(score[is_member], score[~is_member], a, 1 - 2 * x) for x in (low_error, high_error))
    assert (found.low, found.high) == pytest.approx((lower.low, upper.high), rel=1e-9)
    assert found.low < found.value < found.high
    assert found.bootstrap.value == found.value


def test_the_lower_end_is_the_upper_end_of_the_negated_sides():
    score, is_member = gaussian(6000, 3000, 0.5)
    found = bound("loss_tnr.0.001", score, is_member, 0.02, 0.05, np.random.default_rng(1))
    mirrored = bound("tpr_at_fpr.0.001", -score, ~is_member, 0.02, 0.05, np.random.default_rng(1))
    assert found[:5] == mirrored[:5]


def test_a_sign_mistake_does_not_hide():
    """Members far above: the upper end shows it, the lower end too; negated scores show nothing at either."""
    score, is_member = gaussian(6000, 6000, 4.0)
    rng = np.random.default_rng(0)
    for measure in MEASURES:
        assert bound(measure, score, is_member, 0.02, 0.05, rng).low > 0.45
        assert bound(measure, -score, is_member, 0.02, 0.05, rng).high < 0.1


def test_auc_bounds_are_the_ends_of_the_two_sided_interval():
    score, is_member = gaussian(300, 500, 0.4)
    found, both = bound("auc", score, is_member, 0.025, 0.025, np.random.default_rng(0)), auc(score, is_member)
    assert (found.value, found.low, found.high) == pytest.approx((both.value, both.low, both.high), rel=1e-12)
    assert found.value == pytest.approx(roc_auc_score(is_member, score), rel=1e-12)


def test_too_few_non_members_give_no_value_but_what_is_needed():
    found = bound("tpr_at_fpr.0.001", *gaussian(500, 500, 1.0), 0.05 / 3, 0.05, np.random.default_rng(0))
    assert (found.value, found.low, found.bootstrap) == (None, 0.0, None)
    assert found.n_needed == math.ceil(math.log(0.05 / 6) / math.log(0.999))
    assert found.high < 1


@pytest.mark.parametrize("measure", MEASURES)
def test_a_constant_score_is_uninformative_and_an_empty_side_leaves_everything_open(measure):
    rng = np.random.default_rng(0)
    flat = bound(measure, np.zeros(20_000), np.arange(20_000) % 2 == 0, 0.02, 0.05, rng)
    assert not flat.is_informative
    assert flat.low <= (0.5 if measure == "auc" else float(measure.split(".", 1)[1])) <= flat.high
    empty = bound(measure, np.arange(10.0), np.zeros(10, bool), 0.02, 0.05, rng)
    assert (empty.value, empty.low, empty.high) == (None, 0, 1)
    assert empty.is_informative


def test_ties_are_bounded_along_the_straight_line_through_them():
    """A binary score with recall 0.9 at FAR 0.5 has recall 0.018 at FAR 0.01 when ties are broken at random."""
    members, non_members = np.repeat([1.0, 0.0], [9000, 1000]), np.repeat([1.0, 0.0], [5000, 5000])
    score, is_member = np.concatenate([members, non_members]), np.arange(20_000) < 10_000
    runs = [bound("tpr_at_fpr.0.01", score, is_member, 0.05, 0.05, np.random.default_rng(s)) for s in range(40)]
    assert np.mean([run.low <= 0.018 for run in runs]) >= 0.9
    assert np.mean([run.high >= 0.018 for run in runs]) >= 0.9
    assert max(run.high for run in runs) < 0.05


def test_row_order_does_not_move_bounds_without_ties():
    score, is_member = gaussian(2000, 2000, 0.5)
    order = np.random.default_rng(5).permutation(4000)
    for measure in MEASURES:
        one = bound(measure, score, is_member, 0.02, 0.05, np.random.default_rng(0))
        other = bound(measure, score[order], is_member[order], 0.02, 0.05, np.random.default_rng(0))
        assert one == other


def test_one_sided_bounds_hold_at_their_level():
    """Gaussian shift: the truth is known. A lower bound at 5 % may be wrong in 5 % of runs, give or take simulation."""
    truth = {"auc": norm.cdf(0.5 / math.sqrt(2)), "tpr_at_fpr.0.01": norm.sf(norm.isf(0.01) - 0.5)}
    for measure, value in truth.items():
        runs = [
            bound(measure, *gaussian(800, 800, 0.5, seed), 0.05, 0.05, np.random.default_rng(seed))
            for seed in range(300)
        ]
        assert np.mean([run.low > value for run in runs]) <= 0.085
        assert np.mean([run.high < value for run in runs]) <= 0.085


def test_groups_are_what_the_auc_counts():
    """Every sample five times is one fifth of the evidence: the bounds of the groups are those of single samples."""
    score, is_member = gaussian(200, 300, 0.4)
    five, members_five, group = np.repeat(score, 5), np.repeat(is_member, 5), np.repeat(np.arange(500).astype(str), 5)
    single = bound("auc", score, is_member, 0.05, 0.05, np.random.default_rng(0))
    grouped = auc_bound(five, members_five, Ordering.of(five, members_five), 0.05, 0.05, group)
    assert grouped[:3] == pytest.approx(single[:3], rel=1e-9)


def test_groups_of_one_are_no_groups():
    score, is_member = gaussian(50, 60, 0.4)
    placed = delong.placements(score, is_member)
    names = np.arange(110).astype(str)
    assert delong.cluster_variance(placed, names[is_member], names[~is_member]) == pytest.approx(placed.variance())


@pytest.mark.parametrize(
    ("measure", "errors"), [("auc", (0.0, 0.1)), ("auc", (0.1, 1.0)), ("precision.member", (0.1, 0.1))]
)
def test_impossible_requests_are_refused(measure, errors):
    with pytest.raises(ValueError, match="expected"):
        bound(measure, np.arange(4.0), np.arange(4) < 2, *errors, np.random.default_rng(0))


def test_missing_scores_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        bound("auc", np.array([np.nan, 1.0]), np.array([True, False]), 0.1, 0.1, np.random.default_rng(0))
