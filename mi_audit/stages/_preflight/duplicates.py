"""Images on both sides: the same pixels leave the audit, others that look alike are counted."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mi_audit.datasets._duplicates import exact_duplicates
from mi_audit.datasets._fingerprints import Fingerprints
from mi_audit.datasets._near_duplicates import near_duplicates
from mi_audit.schema.finding import Finding
from mi_audit.schema.numerals import in_percent
from mi_audit.stages._extraction import Extraction

# The false alarm rate at which the cap is said: the smallest that reports show.
FALSE_ALARM_RATE = 0.001


@dataclass(frozen=True)
class Duplicates:
    """What was found.

    Attributes:
        is_exact: (n_non_members,) bool, those with the pixels of a member.
        findings: about them, and about those that look like a member.
    """

    is_exact: npt.NDArray[np.bool_]
    findings: list[Finding]


def duplicates(extraction: Extraction, made: Fingerprints) -> Duplicates:
    """Non-members that are members in all but name.

    Args:
        extraction: whose images can all be read.
        made: fingerprints of all images, members first.
    """
    n = extraction.n_members
    images = extraction.data.members.images, extraction.data.non_members.images
    is_exact = exact_duplicates(*images, made.exact[:n], made.exact[n:])
    is_near = near_duplicates(made.perceptual[:n], made.perceptual[n:], made.thumbnail[:n], made.thumbnail[n:])
    n_exact, n_near, n_all = int(is_exact.sum()), int((is_near & ~is_exact).sum()), len(is_exact)
    findings = []
    if n_exact:
        message = f"{_who(n_exact, 'has', 'have')} exactly the pixels of a member and left the audit"
        findings.append(Finding("exact-duplicates", "warning", message + _cap(n_exact, n_all, "; left in, they would")))
    if n_near:
        message = f"{_who(n_near, 'looks', 'look')} very much like a member, and stayed in the audit"
        findings.append(
            Finding(
                "near-duplicates",
                "warning",
                message + _cap(n_near, n_all - n_exact, "; if the target knows them, they"),
            )
        )
    return Duplicates(is_exact, findings)


def _who(n: int, one: str, many: str) -> str:
    return f"1 non-member {one}" if n == 1 else f"{n:,} non-members {many}"


def _cap(n: int, n_all: int, who: str) -> str:
    """What a share c of non-members that behave like members does: at a measured rate a, at most a / c is seen."""
    share = n / n_all
    if share <= FALSE_ALARM_RATE:
        return ""
    return (
        f"{who} cap the true positive rate that can be measured at a false alarm rate of "
        f"{in_percent(FALSE_ALARM_RATE, 1)} at {in_percent(FALSE_ALARM_RATE / share, 1)}"
    )
