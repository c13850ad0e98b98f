"""Whether the same images lie on both sides: exact ones left the audit, near ones cap what can be measured."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mi_audit.controls.interface import Control, Evidence
from mi_audit.schema.control import ControlResult
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.numerals import in_percent

FALSE_ALARM_RATE = 0.001
# Above this share of non-members that are members in all but name, no rate of 0.1 % can be measured beyond 1 in 10.
MAX_SHARE = 0.01
# Outputs identify an image only where they hardly ever repeat among the members themselves.
_MIN_DISTINCT = 0.99
_BLOCK_ROWS = 8192


@dataclass(frozen=True)
class Duplicates(Control):
    """Samples on both sides (methods C5).

    If a share c of the non-members behaves like members, the true positive rate that is measured at a false alarm rate
    a is at most a / c. Images with equal pixels left the audit while extracting. Where a black box gave the answers
    nobody saw the images; but two samples of one class with the same outputs to the last bit are the same image,
    wherever outputs otherwise do not repeat.
    """

    def check(self, evidence: Evidence) -> ControlResult:
        """Count what left, and what stayed; see `Control.check`."""
        cache = evidence.cache
        n_left = int((~cache.is_audited & ~cache.is_member).sum())
        n_audited = int((cache.is_audited & ~cache.is_member).sum())
        n_same = _same_outputs(cache)
        if n_same > MAX_SHARE * n_audited:
            message = f"{n_same:,} of {n_audited:,} non-members have exactly the outputs of a member of their class"
            return self.result("failed", f"{message}: the same images lie on both sides{_cap(n_same, n_audited)}")
        told = [f"{n_left:,} non-members with the pixels of a member left the audit"] if n_left else []
        if near := evidence.finding("near-duplicates"):
            told.append(near)
        if evidence.is_black_box:
            told.append("there are answers only, so that images that look alike cannot be found")
        return self.result("held", "; ".join(told) or "no image lies on both sides")


def _same_outputs(cache: FeatureCache) -> int:
    """How many audited non-members have the outputs and the class of an audited member, to the last bit."""
    if cache.outputs_kind == "labels" or cache.n_classes < 3:
        return 0
    hashes = _hashes(cache)
    members = hashes[cache.is_audited & cache.is_member]
    if len(np.unique(members)) < _MIN_DISTINCT * len(members):
        return 0
    return int(np.isin(hashes[cache.is_audited & ~cache.is_member], members).sum())


def _hashes(cache: FeatureCache) -> npt.NDArray[np.uint64]:
    """(n,) of the bits of each row of outputs, and its class; equal rows have equal hashes."""
    odd = np.random.default_rng(0).integers(0, 2**63, cache.n_classes, np.uint64) * np.uint64(2) + np.uint64(1)
    parts = []
    for start in range(0, len(cache.label), _BLOCK_ROWS):
        block = np.ascontiguousarray(cache.outputs[start : start + _BLOCK_ROWS]) + np.float32(0)  # -0 becomes 0
        parts.append((block.view(np.uint32).astype(np.uint64) * odd).sum(axis=1, dtype=np.uint64))
    own = np.concatenate(parts) if parts else np.empty(0, np.uint64)
    return own ^ (cache.label.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))


def _cap(n: int, n_all: int) -> str:
    return (
        ", which caps the true positive rate that can be measured at a false alarm rate of "
        f"{in_percent(FALSE_ALARM_RATE, 1)} at {in_percent(FALSE_ALARM_RATE * n_all / n, 1)}"
    )
