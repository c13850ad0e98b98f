"""Whether the target answers an image alone as it does in a batch, and twice the same."""

from dataclasses import dataclass

import numpy as np

from mi_audit.controls.interface import FULL_TIP, Control, Evidence, float_rows
from mi_audit.schema.control import ControlResult
from mi_audit.schema.feature_cache import EVIDENCE

BATCH_OF_ONE = f"{EVIDENCE}batch-of-one"
# Of the largest logit, or of 1 where that is smaller; kernels that add in another order differ by about 1e-6 of it.
MAX_DIFFERENCE = 1e-3


@dataclass(frozen=True)
class BatchVariance(Control):
    """Batch invariance (methods C3): a few samples are always compared, more with the stored evidence."""

    def check(self, evidence: Evidence) -> ControlResult:
        """Read what was compared while extracting; see `Control.check`."""
        for slug in ("outputs-vary", "batch-dependent"):
            if message := evidence.finding(slug):
                return self.result("failed", message)
        if evidence.is_black_box:
            return self.result("not applicable", "there are answers only, and no model to ask again")
        if BATCH_OF_ONE not in evidence.cache.features:
            return self.result("held", f"8 samples alone, and a batch twice, gave the same outputs; more: {FULL_TIP}")
        difference = float_rows(evidence.cache, BATCH_OF_ONE)[:, 0]
        compared = difference[np.isfinite(difference)]
        if not len(compared):
            return self.result("held", "8 samples alone, and a batch twice, gave the same outputs; no more were drawn")
        largest = float(compared.max()) / max(1.0, float(np.abs(evidence.cache.outputs).max(initial=0.0)))
        message = (
            f"outputs of {len(compared):,} samples alone differ from those in a batch by {largest:.1g} of the largest"
        )
        return self.result("failed" if largest > MAX_DIFFERENCE else "held", message)
