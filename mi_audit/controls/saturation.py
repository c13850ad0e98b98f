"""Whether signals that rank alike by their formulas do so, and how many samples share their value."""

from dataclasses import dataclass

import numpy as np

from mi_audit.controls.interface import Control, Evidence, FloatArray
from mi_audit.metrics import confidence
from mi_audit.metrics.confidence import Outputs
from mi_audit.metrics.ranking import auc
from mi_audit.schema.control import ControlResult
from mi_audit.schema.numerals import in_percent

# Of two AUC; rounded probabilities have log-odds that are the same but for the last bit, which one of them may lose.
MAX_DIFFERENCE = {"logits": 1e-12, "probabilities": 1e-3}
# Logits are float32 numbers of many digits: where more than a tenth of the samples share theirs, they were rounded.
MAX_TIED_LOGITS = 0.1


@dataclass(frozen=True)
class Saturation(Control):
    """Redundancy (methods C13): loss and log-odds of the true class are the same ranking, so they have the same AUC.

    Confidences as float64 numbers reach 1 at log-odds of 37, which is why attacks do not read them; how far their AUC
    is from that of the log-odds is said. Probabilities that a black box rounds are what an adversary gets: ties are
    said, and do not fail; logits with ties do.
    """

    def check(self, evidence: Evidence) -> ControlResult:
        """Compare the rankings; see `Control.check`."""
        cache = evidence.cache
        if cache.outputs_kind == "labels":
            return self.result("not applicable", "the target gives labels only")
        rows = cache.is_audited
        outputs, label, is_member = cache.outputs[rows], cache.label[rows], cache.is_member[rows]
        log_odds = confidence.log_odds(outputs, label, cache.outputs_kind)
        losses = confidence.loss(outputs, label, cache.outputs_kind)
        p = confidence.true_class_confidence(outputs, label, cache.outputs_kind)
        values = [auc(score, is_member).value for score in (log_odds, -losses, p)]
        if any(value is None for value in values):
            return self.result("not applicable", "one side has no samples")
        by_odds, by_loss, by_p = (float(value or 0.0) for value in values)
        tied = _share_tied(log_odds)
        message = (
            f"AUC by log-odds {by_odds:.4f}, by loss {by_loss:.4f}, by confidence {by_p:.4f}; "
            f"{in_percent(tied, 1)} of samples tie"
        )
        is_rounded = cache.outputs_kind == "logits" and tied > MAX_TIED_LOGITS
        if abs(by_odds - by_loss) > MAX_DIFFERENCE[cache.outputs_kind] or is_rounded:
            return self.result("failed", f"{message}: {_why(outputs, cache.outputs_kind)}")
        return self.result("held", message)


def _why(outputs: Outputs, outputs_kind: str) -> str:
    """What spoils the ranking, or what the outputs seem to be instead of logits."""
    if outputs_kind == "logits" and confidence.look_like_probabilities(outputs):
        return (
            "every row of these logits lies from 0 to 1 and sums to 1. Are they probabilities? Then name them so "
            "(`probabilities` in a predictions file), or let the model return what comes before its softmax"
        )
    return "the outputs were rounded or cut off before they came here"


def _share_tied(values: FloatArray) -> float:
    """The share of values that another sample has as well."""
    _, counts = np.unique(values, return_counts=True)
    return float(counts[counts > 1].sum() / max(1, len(values)))
