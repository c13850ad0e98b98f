"""The table names every metric once, and measures each of them."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from mi_audit.metrics.table import METRIC_ALIASES, METRICS, measure

NAMES = {
    "accuracy",
    "balanced_accuracy",
    "false_alarm_rate",
    "false_discovery_rate",
    "advantage",
    "precision.member",
    "precision.non_member",
    "recall.member",
    "recall.non_member",
    "f1.member",
    "f1.non_member",
    "auc",
    "tpr_at_fpr.0.01",
    "tpr_at_fpr.0.001",
}


def test_the_names_are_the_promised_ones():
    assert {metric.name for metric in METRICS} == NAMES
    assert len(METRICS) == len(NAMES)
    assert METRIC_ALIASES == {"fpr": "false_alarm_rate"}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_has_one_line_of_meaning(metric):
    assert 10 < len(metric.meaning) <= 80
    assert "\n" not in metric.meaning


def test_measure_fills_every_row():
    rng = np.random.default_rng(2)
    is_member = np.arange(12_000) < 7_000
    score = rng.normal(size=12_000) + is_member
    measured = measure(score, 0.5, is_member)
    assert list(measured) == [metric.name for metric in METRICS]
    # The expected numbers of a unit shift, within what 5,000 samples a side allow.
    known = {
        "accuracy": 0.6915,
        "balanced_accuracy": 0.6915,
        "false_alarm_rate": 0.3085,
        "false_discovery_rate": 5 * 0.3085 / (5 * 0.3085 + 7 * 0.6915),
        "advantage": 0.3829,
        "precision.member": 7 * 0.6915 / (5 * 0.3085 + 7 * 0.6915),
        "precision.non_member": 5 * 0.6915 / (5 * 0.6915 + 7 * 0.3085),
        "recall.member": 0.6915,
        "recall.non_member": 0.6915,
        "f1.member": 14 * 0.6915 / (14 * 0.6915 + 5 * 0.3085 + 7 * 0.3085),
        "f1.non_member": 10 * 0.6915 / (10 * 0.6915 + 5 * 0.3085 + 7 * 0.3085),
        "auc": 0.7602,
        "tpr_at_fpr.0.01": 0.0924,
        "tpr_at_fpr.0.001": 0.0183,
    }
    for name, value in known.items():
        assert measured[name].value == pytest.approx(value, abs=0.025), name
    assert measured["auc"].value == pytest.approx(roc_auc_score(is_member, score), rel=1e-14)
    assert measured["balanced_accuracy"].value == pytest.approx(balanced_accuracy_score(is_member, score > 0.5))


def test_every_interval_holds_its_estimate():
    rng = np.random.default_rng(4)
    is_member = np.arange(9_000) < 3_000
    for name, estimate in measure(rng.normal(size=9_000), 0.0, is_member).items():
        assert name.startswith("f1") or estimate.low <= estimate.value <= estimate.high, name


def test_an_empty_side_leaves_only_the_rates_of_the_other():
    measured = measure(np.arange(4.0), 1.5, np.zeros(4, dtype=bool))
    defined = {name: estimate.value for name, estimate in measured.items() if estimate.value is not None}
    assert defined == {"false_alarm_rate": 0.5, "recall.non_member": 0.5}
    assert {estimate.reason for estimate in measured.values()} == {None, "0 members"}


def test_naming_the_metrics_does_not_wait_for_scipy():
    code = "import sys, mi_audit.metrics.table; print([m for m in ('scipy', 'sklearn', 'torch') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
