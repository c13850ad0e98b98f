"""Whether the images alone tell members from non-members, without the target: then the audit measures a shift."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from mi_audit.controls._auc import auc_test, within_class_test
from mi_audit.controls._blind import blind_scores
from mi_audit.controls.interface import TOLERATED_AUC, Control, Evidence, float_rows
from mi_audit.schema.control import ControlResult
from mi_audit.schema.feature_cache import EVIDENCE

THUMBNAIL = f"{EVIDENCE}thumbnail"
MAX_OF_A_SIDE, MIN_OF_A_SIDE = 10_000, 20


@dataclass(frozen=True)
class BlindBaseline(Control):
    """A classifier of membership that never sees the target (methods C6).

    Cross-fitted on thumbnails, colours, contrast and detail. A one-sided test of an AUC above .52, over all pairs and
    over the pairs within a class, Bonferroni over the two: another mix of classes is found by the first, another source
    of the images by both.
    """

    evidence: ClassVar[tuple[str, ...]] = (THUMBNAIL,)
    is_test: ClassVar[bool] = True

    def check(self, evidence: Evidence) -> ControlResult:
        """Cross-fit, and test how well it does; see `Control.check`."""
        if lacking := self.lacking(evidence):
            return lacking
        rows = _drawn(evidence, self.slug)
        columns = float_rows(evidence.cache, THUMBNAIL)[rows]
        rows, columns = rows[np.isfinite(columns).all(axis=1)], columns[np.isfinite(columns).all(axis=1)]
        is_member, label = evidence.cache.is_member[rows], evidence.cache.label[rows]
        if min(is_member.sum(), (~is_member).sum()) < MIN_OF_A_SIDE:
            return self.result("not applicable", f"fewer than {MIN_OF_A_SIDE} samples on a side")
        group = None if evidence.cache.group is None else evidence.cache.group[rows]
        score = blind_scores(columns, is_member, group, evidence.rng(self.slug))
        pooled = auc_test(score, is_member, TOLERATED_AUC)
        within = within_class_test(score, is_member, label, TOLERATED_AUC)
        tests = [test for test in (pooled, within) if test is not None]
        message = f"images alone, without the target, tell the sides apart with an AUC of {pooled}"
        if within is not None:
            message += f", within a class {within}"
        p_value = min(1.0, len(tests) * min(test.p_value for test in tests))
        return self.result("held", f"{message}; {TOLERATED_AUC:g} is tolerated", p_value)


def _drawn(evidence: Evidence, name: str) -> npt.NDArray[np.int64]:
    """Audited samples in order, at most so many of a side."""
    cache, rng = evidence.cache, evidence.rng(f"{name} rows")
    sides = [np.flatnonzero(cache.is_audited & side) for side in (cache.is_member, ~cache.is_member)]
    return np.sort(np.concatenate([rng.permutation(side)[:MAX_OF_A_SIDE] for side in sides]))
