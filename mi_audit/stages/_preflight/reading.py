"""Images that cannot be read: up to a hundredth of a side leaves the audit, counted and named; more is an error."""

import numpy as np
import numpy.typing as npt

from mi_audit.datasets._images import N_NAMED, attempt, max_unreadable
from mi_audit.errors import DataSetError
from mi_audit.schema.finding import Finding
from mi_audit.stages._extraction import Extraction


def unreadable_findings(extraction: Extraction, is_readable: npt.NDArray[np.bool_]) -> list[Finding]:
    """One finding about all images that cannot be read, or none.

    Args:
        extraction: all samples.
        is_readable: (n,) bool, members first; true for those that nobody has tried yet.

    Raises:
        DataSetError: more than a hundredth of a side; it says how many and which.
    """
    n_members = extraction.n_members
    for name, side in (("members", is_readable[:n_members]), ("non-members", is_readable[n_members:])):
        n_bad = int((~side).sum())
        if n_bad > max_unreadable(len(side)):
            rows = np.flatnonzero(~side) + (0 if name == "members" else n_members)
            message = f"expected readable images, got {n_bad:,} of {len(side):,} {name} that are not: "
            raise DataSetError(
                message + _named(extraction, rows), tip="repair these files, or take them out of the folder"
            )
    rows = np.flatnonzero(~is_readable)
    if not len(rows):
        return []
    who = "1 image" if len(rows) == 1 else f"{len(rows):,} images"
    message = f"{who} of {len(is_readable):,} cannot be read and left the audit: {_named(extraction, rows)}"
    return [Finding("unreadable-images", "warning", message)]


def _named(extraction: Extraction, rows: npt.NDArray[np.int64]) -> str:
    """The first few, with what is wrong with each; they are tried again, so that a resumed run says the same."""
    texts = []
    for row in rows[:N_NAMED].tolist():
        side, at = extraction.at(row)
        _, failures = attempt(side.images, at, at + 1)
        texts += list(failures.values()) or [str(extraction.sample_id[row])]
    return ", ".join(texts) + ", ..." * (len(rows) > N_NAMED)
