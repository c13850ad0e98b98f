"""Whether a leak that was planted is found, where there are samples enough to find it."""

from dataclasses import dataclass

import numpy as np

from mi_audit.controls.interface import Control, Evidence, FloatArray
from mi_audit.metrics.intervals import clopper_pearson, non_members_needed, tpr_box
from mi_audit.schema.control import ControlResult
from mi_audit.schema.numerals import in_percent

SHARE = 0.05
FALSE_ALARM_RATE = 0.01
# The bound of the box fails with at most this probability: one look of three at 5 %.
ERROR = 0.05 / 3


@dataclass(frozen=True)
class PlantedCanary(Control):
    """A known leak (methods C10): the scores of a random 5 % of the members are raised above all others.

    The recall at a false alarm rate of 1 % is then 5 % at least, and its lower bound must exceed 1 %. Whether the sizes
    allow that is not a matter of chance, since all canaries are above every threshold: where they do, the power is 1,
    and where they do not, the control is not applicable.
    """

    def check(self, evidence: Evidence) -> ControlResult:
        """Plant, and look; see `Control.check`."""
        score = evidence.scores[evidence.trained.selected]
        is_scored = evidence.is_held_out & ~np.isnan(score)
        is_member = evidence.cache.is_member[is_scored]
        members, non_members = score[is_scored][is_member], score[is_scored][~is_member]
        n_canaries = int(SHARE * len(members))
        if not _can_be_found(n_canaries, len(members), len(non_members)):
            message = f"{len(members):,} held-out members and {len(non_members):,} non-members are too few to find it"
            return self.result("not applicable", message)
        planted = members.copy()
        chosen = evidence.rng(self.slug).permutation(len(members))[:n_canaries]
        planted[chosen] = _above(members, non_members, n_canaries)
        low = tpr_box(planted, non_members, FALSE_ALARM_RATE, 1 - 2 * ERROR).low
        message = (
            f"{n_canaries:,} of {len(members):,} members were made known: the recall at a false alarm rate of "
            f"{in_percent(FALSE_ALARM_RATE, 0)} is then at least {in_percent(low)}"
        )
        return self.result("held" if low > FALSE_ALARM_RATE else "failed", message)


def _can_be_found(n_canaries: int, n_members: int, n_non_members: int) -> bool:
    """Whether so many members above all thresholds lift the lower bound above the false alarm rate."""
    if n_non_members < non_members_needed(FALSE_ALARM_RATE, 1 - 2 * ERROR) or not n_canaries:
        return False
    return clopper_pearson(n_canaries, n_members, 1 - ERROR)[0] > FALSE_ALARM_RATE


def _above(members: FloatArray, non_members: FloatArray, n: int) -> FloatArray:
    """(n,) different scores above all finite others."""
    both = np.concatenate([members, non_members])
    finite = both[np.isfinite(both)]
    top, spread = (float(finite.max()), float(np.ptp(finite))) if len(finite) else (0.0, 1.0)
    step = max(spread, abs(top) * 1e-6, 1.0)
    return top + step * (1 + np.arange(n) / n)
