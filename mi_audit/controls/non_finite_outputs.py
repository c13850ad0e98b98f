"""Whether every output and every score is a finite number."""

from dataclasses import dataclass

import numpy as np

from mi_audit.controls.interface import Control, Evidence
from mi_audit.schema.control import ControlResult


@dataclass(frozen=True)
class NonFiniteOutputs(Control):
    """Integrity of the numbers that the audit is made of (methods C1).

    A feature cache with outputs that are not finite cannot exist, so what may fail here are scores: infinite ones rank
    first or last whatever the sample, and a selected attack without any score decides nothing. A sample without a score
    (NaN), whose class has no attack of its own, is counted.
    """

    def check(self, evidence: Evidence) -> ControlResult:
        """Count what is not finite; see `Control.check`."""
        n_outputs = int((~np.isfinite(evidence.cache.outputs)).any(axis=1).sum())
        held_out = {label: score[evidence.is_held_out] for label, score in evidence.scores.items()}
        infinite = {label: int(np.isinf(score).sum()) for label, score in held_out.items() if np.isinf(score).any()}
        if n_outputs:
            return self.result("failed", f"outputs of {n_outputs:,} samples are not finite")
        if infinite:
            label, n = max(infinite.items(), key=lambda each: each[1])
            return self.result("failed", f"{label} scores {n:,} of {evidence.is_held_out.sum():,} samples as infinite")
        selected = held_out[evidence.trained.selected]
        n_missing = int(np.isnan(selected).sum())
        if len(selected) and n_missing == len(selected):
            return self.result("failed", f"{evidence.trained.selected} gives no held-out sample a score")
        message = f"outputs of {len(evidence.cache.label):,} samples are finite"
        if n_missing:
            message += (
                f"; {evidence.trained.selected} gives {n_missing:,} of {len(selected):,} held-out samples no score"
            )
        return self.result("held", message)
