"""Whether the attack finds nothing in a network of random weights, which knows no sample."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mi_audit.controls._auc import auc_test
from mi_audit.controls.interface import TOLERATED_AUC, Control, Evidence
from mi_audit.schema.control import ControlResult
from mi_audit.schema.feature_cache import EVIDENCE

TWIN = f"{EVIDENCE}untrained-twin"
MIN_OF_A_SIDE = 10


@dataclass(frozen=True)
class UntrainedTwin(Control):
    """The attack refitted on the outputs of the target's architecture with random weights (methods C8).

    Its AUC on held-out samples is tested against .52, one-sided. What it finds beyond that lies in the images or in the
    mix of classes, and not in what the target remembers.
    """

    evidence: ClassVar[tuple[str, ...]] = (TWIN,)
    is_test: ClassVar[bool] = True

    def check(self, evidence: Evidence) -> ControlResult:
        """Refit on the twin's outputs; see `Control.check`."""
        if lacking := self.lacking(evidence):
            return lacking
        cache = evidence.cache
        outputs = cache.features[TWIN]
        if not np.isfinite(outputs).all():
            return self.result("no evidence", "the outputs of the network with random weights are not finite")
        if not (np.ptp(outputs, axis=0) > 1e-6 * np.abs(outputs).max(initial=0.0)).any():
            return self.result("no evidence", "the network with random weights says the same of every image")
        if evidence.refit is None:
            return self.result("not applicable", "no attack of this audit reads outputs")
        refitted = evidence.refit(cache.is_member, outputs)
        is_scored = ~np.isnan(refitted.score)
        is_member = cache.is_member[is_scored]
        if min(is_member.sum(), (~is_member).sum()) < MIN_OF_A_SIDE:
            return self.result("not applicable", f"fewer than {MIN_OF_A_SIDE} held-out samples on a side")
        test = auc_test(refitted.score[is_scored], is_member, TOLERATED_AUC)
        assert test is not None, "both sides are there"
        message = (
            f"{refitted.label} on a network with random weights has an AUC of {test}; {TOLERATED_AUC:g} is tolerated"
        )
        return self.result("held", message, test.p_value)
