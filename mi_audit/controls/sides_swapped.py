"""Whether the target is more accurate on members than on non-members, as a trained network is."""

import math
from dataclasses import dataclass
from typing import ClassVar

from mi_audit.controls.interface import Control, Evidence
from mi_audit.schema.control import ControlResult
from mi_audit.schema.numerals import in_percent

MAX_DEFICIT = 0.02


@dataclass(frozen=True)
class SidesSwapped(Control):
    """A one-sided test of "accuracy on members is at least that on non-members, less two points".

    Both shares are taken with one success and one failure added (Agresti & Caffo, The American Statistician 2000), so
    that small sides and shares of 1 give no false certainty. Where it fails the two sides were swapped, or the target
    was trained on other samples.
    """

    is_test: ClassVar[bool] = True

    def check(self, evidence: Evidence) -> ControlResult:
        """Compare the two accuracies; see `Control.check`."""
        is_correct, is_member = evidence.cache.is_correct, evidence.cache.is_member
        sides = [(int(side.sum()), len(side)) for side in (is_correct[is_member], is_correct[~is_member])]
        if not all(n for _, n in sides):
            return self.result("not applicable", "one side has no samples")
        from scipy.special import ndtr

        shares = [((k + 1) / (n + 2), n + 2) for k, n in sides]
        sd = math.sqrt(sum(share * (1 - share) / n for share, n in shares))
        p_value = float(ndtr((shares[0][0] - shares[1][0] + MAX_DEFICIT) / sd))
        (k, n), (j, m) = sides
        message = (
            f"the target is right on {in_percent(k / n)} of {n:,} members and {in_percent(j / m)} of {m:,} non-members"
        )
        return self.result("held", message, p_value)
