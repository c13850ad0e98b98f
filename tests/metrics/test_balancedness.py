"""The sweep against the paper's Table 2, counted decisions, and actual resampling."""

import numpy as np
import pytest

from mi_audit.errors import UsageError
from mi_audit.metrics.balancedness import SWEEP_METRICS, Ratio, at_ratio, resampled, zero_r
from mi_audit.metrics.decisions import (
    Decisions,
    balanced_accuracy,
    false_alarm_rate,
    precision_member,
    precision_non_member,
    recall_member,
    recall_non_member,
)


@pytest.mark.parametrize(
    ("text", "prior"), [("5:1", 5 / 6), ("1:1", 0.5), ("1:5", 1 / 6), (" 2.5:1 ", 5 / 7), ("0.1", 0.1), ("1e-3", 1e-3)]
)
def test_ratios_and_priors_are_read(text, prior):
    ratio = Ratio.parse(text)
    assert ratio.label == text.strip()
    assert ratio.prior == pytest.approx(prior, rel=1e-15)


@pytest.mark.parametrize(
    "text", ["", "5", "0", "1", "-0.5", "5:0", "0:5", "-1:2", "1:2:3", "a:b", "nan", "inf:1", "1:"]
)
def test_what_is_no_ratio_is_refused(text):
    with pytest.raises(UsageError, match="expected members:non-members") as error:
        Ratio.parse(text)
    assert "5:1" in error.value.tip


def test_an_impossible_prior_cannot_exist():
    with pytest.raises(ValueError, match="share of members"):
        Ratio("all", 1.0)


@pytest.mark.parametrize(
    ("ratio", "printed", "non_member"), [("5:1", 87.30, 36.92), ("1:1", 57.68, 74.49), ("1:5", 21.41, 93.57)]
)
def test_the_papers_table_2(ratio, printed, non_member):
    """All three member precisions follow from the recall and FAR of its first row, to a tenth of a point.

    So do its non-member precisions, but for the 5:1 row, where 38.18 is printed and 36.92 follows.
    """
    numbers = at_ratio(0.8785, 0.6445, Ratio.parse(ratio).prior)
    assert 100 * numbers["precision.member"].value == pytest.approx(printed, abs=0.11)
    assert 100 * numbers["precision.non_member"].value == pytest.approx(non_member, abs=0.06)
    assert 100 * numbers["balanced_accuracy"].value == pytest.approx(61.70, abs=0.005)
    assert (numbers["recall.member"].value, numbers["false_alarm_rate"].value) == (0.8785, 0.6445)


@pytest.mark.parametrize(("ratio", "precision"), [("5:1", 5 / 6), ("1:1", 0.5), ("1:5", 1 / 6)])
def test_zero_r_is_right_as_often_as_there_are_members(ratio, precision):
    numbers = zero_r(Ratio.parse(ratio).prior)
    assert numbers["precision.member"].value == pytest.approx(precision, rel=1e-15)
    assert [numbers[name].value for name in SWEEP_METRICS[1:]] == [1, None, 0, 0.5, 1]
    assert numbers["precision.non_member"].reason == "0 not flagged"


def test_the_measured_ratio_gives_the_measured_numbers():
    d = Decisions(tp=70, fn=30, fp=12, tn=8)
    numbers = at_ratio(0.7, 0.6, prior=100 / 120)
    functions = (
        precision_member,
        recall_member,
        precision_non_member,
        recall_non_member,
        balanced_accuracy,
        false_alarm_rate,
    )
    assert tuple(numbers) == SWEEP_METRICS
    for name, function in zip(SWEEP_METRICS, functions, strict=True):
        assert numbers[name].value == pytest.approx(function(d).value, rel=1e-14), name


def test_an_attack_that_flags_nobody_has_no_precision():
    assert at_ratio(0.0, 0.0, 0.5)["precision.member"].reason == "0 flagged"


@pytest.mark.parametrize("arguments", [(1.1, 0.5, 0.5), (0.5, -0.1, 0.5), (0.5, 0.5, 0.0), (0.5, 0.5, 1.0)])
def test_impossible_rates_are_refused(arguments):
    with pytest.raises(ValueError, match="between 0 and 1"):
        at_ratio(*arguments)


def test_subsampling_follows_the_law_of_actual_subsampling():
    d = Decisions(tp=60, fn=20, fp=25, tn=15)
    n_resamples = 20_000
    drawn = resampled(d, 1 / 3, n_resamples, np.random.default_rng(0))
    assert (drawn.n_members, drawn.n_non_members) == (20, 40)

    rng = np.random.default_rng(1)
    members = rng.permuted(np.tile(np.arange(80) < 60, (n_resamples, 1)), axis=1)[:, :20]
    tp, fp = members.sum(axis=1), 25  # all 40 non-members stay
    actual = {"precision.member": tp / (tp + fp), "recall.member": tp / 20, "precision.non_member": 15 / (35 - tp)}
    for name, values in actual.items():
        spread = drawn.spreads[name]
        assert spread.mean == pytest.approx(values.mean(), abs=5 * values.std() / n_resamples**0.5), name
        assert spread.sd == pytest.approx(values.std(), rel=0.03), name
    assert drawn.spreads["false_alarm_rate"].mean == pytest.approx(25 / 40)
    assert drawn.spreads["false_alarm_rate"].sd == pytest.approx(0, abs=1e-12)


def test_the_spread_of_recall_has_its_closed_form():
    """Hypergeometric variance: p q / n times (N - n) / (N - 1)."""
    drawn = resampled(Decisions(tp=300, fn=100, fp=10, tn=40), 0.5, 40_000, np.random.default_rng(5))
    recall = drawn.spreads["recall.member"]
    assert drawn.n_members == drawn.n_non_members == 50
    assert recall.mean == pytest.approx(0.75, abs=0.002)
    assert recall.sd == pytest.approx((0.75 * 0.25 / 50 * 350 / 399) ** 0.5, rel=0.02)


@pytest.mark.parametrize(
    ("n_members", "n_non_members", "ratio", "size"),
    [
        (50, 10, "5:1", (50, 10)),
        (50, 10, "1:1", (10, 10)),
        (50, 10, "1:5", (2, 10)),
        (10, 50, "5:1", (10, 2)),
        (25_000, 5_000, "0.1", (556, 5_000)),
        (3, 9, "0.25", (3, 9)),
        (50, 4, "1:5", (0, 0)),
    ],
)
def test_subsamples_are_as_large_as_the_data_allow(n_members, n_non_members, ratio, size):
    d = Decisions(tp=n_members, fn=0, fp=0, tn=n_non_members)
    drawn = resampled(d, Ratio.parse(ratio).prior, 2, np.random.default_rng(0))
    assert (drawn.n_members, drawn.n_non_members) == size


@pytest.mark.parametrize(
    ("d", "reason"),
    [
        (Decisions(0, 0, 3, 3), "0 members"),
        (Decisions(3, 3, 0, 0), "0 non-members"),
        (Decisions(5, 5, 1, 0), "too few samples for this ratio"),
    ],
)
def test_a_ratio_that_the_data_cannot_make_is_undefined(d, reason):
    drawn = resampled(d, 0.1, 10, np.random.default_rng(0))
    assert tuple(drawn.spreads) == SWEEP_METRICS
    for spread in drawn.spreads.values():
        assert (spread.mean, spread.sd, spread.n_defined, spread.reason) == (None, None, 0, reason)


def test_resamples_without_flags_do_not_count_as_zero_precision():
    never = resampled(Decisions(0, 20, 0, 20), 0.5, 10, np.random.default_rng(0)).spreads["precision.member"]
    assert (never.mean, never.n_defined, never.reason) == (None, 0, "0 flagged in 10 of 10 resamples")
    seldom = resampled(Decisions(1, 199, 0, 20), 0.5, 1000, np.random.default_rng(0)).spreads["precision.member"]
    assert seldom.mean == 1
    assert 60 < seldom.n_defined < 140  # the one flagged member is drawn with probability 20 / 200


def test_the_same_seed_gives_the_same_spread():
    d = Decisions(60, 20, 25, 15)
    first, second = (resampled(d, 0.3, 50, np.random.default_rng(3)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("prior", "n_resamples"), [(0.0, 10), (1.0, 10), (0.5, 1)])
def test_resampling_refuses_what_has_no_spread(prior, n_resamples):
    with pytest.raises(ValueError, match="expected 0 < prior < 1"):
        resampled(Decisions(5, 5, 5, 5), prior, n_resamples, np.random.default_rng(0))
