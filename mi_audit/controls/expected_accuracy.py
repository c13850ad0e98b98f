"""Whether the target is as accurate as it is said to be (--expect-accuracy)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mi_audit.controls.interface import BoolArray, Control, Evidence
from mi_audit.schema.control import ControlResult
from mi_audit.schema.numerals import in_percent

# Accuracies are published with one decimal of a per cent.
ROUNDING = 0.0005
_NOT_A_TRAINED_TARGET = ("accuracy-at-chance", "predictions-collapsed")


@dataclass(frozen=True)
class ExpectedAccuracy(Control):
    """A binomial test of the accuracy against what was expected (methods C2), Bonferroni over the two sides.

    Outside of it weights, normalisation, batch statistics or the order of the classes are wrong. A target that is not
    above chance, or says one class only, fails whatever was expected.
    """

    is_test: ClassVar[bool] = True

    def check(self, evidence: Evidence) -> ControlResult:
        """Test the accuracy of each side that something is expected of; see `Control.check`."""
        for slug in _NOT_A_TRAINED_TARGET:
            if message := evidence.finding(slug):
                return self.result("failed", message)
        cache = evidence.cache
        expected = _by_side(cache.provenance.get("options", {}).get("expect_accuracy"))
        if not expected:
            return self.result("not applicable", "nobody said how accurate the target is; --expect-accuracy does")
        told, p_values = [], []
        for name, value in expected.items():
            is_correct = cache.is_correct[cache.is_member == (name == "members")]
            right = f"{in_percent(is_correct.mean())} of {len(is_correct):,} {name} are right"
            told.append(f"{right}, expected were {in_percent(value)}")
            p_values.append(_p_value(is_correct, value))
        return self.result("held", "; ".join(told), min(1.0, len(p_values) * min(p_values)))


def _by_side(expected: list[float] | None) -> dict[str, float]:
    if not expected:
        return {}
    return {"non-members": expected[0]} if len(expected) == 1 else {"members": expected[0], "non-members": expected[1]}


def _p_value(is_correct: BoolArray, expected: float) -> float:
    """Two-sided exact test against the nearest accuracy that is printed as the expected one."""
    from scipy.stats import binomtest

    n_correct, n = int(is_correct.sum()), len(is_correct)
    nearest = float(np.clip(n_correct / n, max(0.0, expected - ROUNDING), min(1.0, expected + ROUNDING)))
    return float(binomtest(n_correct, n, nearest).pvalue)
