import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from mi_audit import plugins, store
from mi_audit.attacks.interface import Observations
from mi_audit.attacks.naive import FittedNaive, Naive
from mi_audit.attacks.threshold import SIGNALS, FittedThreshold, Threshold
from mi_audit.errors import ContainerError, OutputsError, UsageError
from mi_audit.metrics import confidence
from tests.attacks.samples import balanced, leaky, plain

RNG = np.random.default_rng(0)


def signalled(values: list[float], signal: str = "loss") -> Observations:
    n = len(values)
    return Observations(
        np.empty((n, 0)), (), {signal: np.array(values, float)}, np.zeros(n, np.int64), np.ones(n, bool)
    )


def test_naive_balanced_accuracy_is_a_half_plus_half_the_gap():
    seen, is_member = leaky(500, lift=1.0, seed=0)
    decided = FittedNaive().score(seen) > FittedNaive().threshold
    gap = seen.is_correct[is_member].mean() - seen.is_correct[~is_member].mean()
    assert balanced_accuracy_score(is_member, decided) == pytest.approx(0.5 + gap / 2)
    assert gap > 0.1


def test_naive_is_fixed_and_needs_no_confidences():
    assert Naive.is_fixed
    seen = plain(np.empty((3, 0)))
    fitted = Naive().fit(seen, np.array([True, False, True]), np.ones(3), RNG)
    np.testing.assert_array_equal(fitted.score(seen), [1, 1, 1])


def test_the_threshold_is_the_best_of_all_that_could_be_set():
    seen, is_member = leaky(100, lift=1.0, seed=3)
    weight = np.random.default_rng(1).uniform(0.5, 2, len(is_member))
    fitted = Threshold("entropy").fit(seen, is_member, weight, RNG)

    def reached(threshold: float) -> float:
        return balanced_accuracy_score(is_member, seen.signals["entropy"] > threshold, sample_weight=weight)

    best = max(reached(value - 1e-12) for value in seen.signals["entropy"])
    assert reached(fitted.threshold) == pytest.approx(best, abs=1e-12)
    np.testing.assert_array_equal(fitted.score(seen), seen.signals["entropy"])


def test_a_sample_at_the_lowest_flagged_score_is_flagged():
    seen, is_member = signalled([1, 2, 3, 4]), np.array([False, False, True, True])
    fitted = Threshold("loss").fit(seen, is_member, balanced(is_member), RNG)
    np.testing.assert_array_equal(fitted.score(seen) > fitted.threshold, is_member)


def test_every_signal_is_an_argument():
    assert Threshold.argument == "signal"
    assert Threshold.arguments == confidence.SIGNALS
    for signal in SIGNALS:
        assert plugins.load("attacks", "threshold", {"signal": signal}).signal == signal
    with pytest.raises(UsageError, match="signal"):
        plugins.load("attacks", "threshold", {"signal": "margins"})


def test_labels_alone_cannot_be_cut():
    seen, is_member = plain(np.empty((2, 0))), np.array([True, False])
    with pytest.raises(OutputsError, match="labels only"):
        Threshold().fit(seen, is_member, np.ones(2), RNG)
    with pytest.raises(OutputsError, match="labels only"):
        FittedThreshold("loss", 0.0).score(seen)


@pytest.mark.parametrize("threshold", ["0.5", None, True, float("nan"), float("inf"), 10**400])
def test_a_threshold_that_is_no_finite_number_is_refused(threshold):
    header = {"attack": "threshold", "signal": "loss", "threshold": threshold}
    try:
        payload = store.to_bytes(header, {})
    except ValueError:
        return  # the container does not even write what is not JSON
    with pytest.raises(ContainerError, match="threshold"):
        FittedThreshold.from_bytes(payload)
