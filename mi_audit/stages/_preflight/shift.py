"""Whether the two sides differ in more than membership."""

import numpy as np

from mi_audit.datasets._fingerprints import Fingerprints
from mi_audit.datasets._images import FileImages
from mi_audit.datasets._shift import shifts_of_headers, shifts_of_pixels
from mi_audit.datasets.interface import Side
from mi_audit.schema.finding import Finding
from mi_audit.stages._extraction import Extraction
from mi_audit.stages._selecting import stratified

N_HEADERS = 2000


def header_findings(extraction: Extraction) -> list[Finding]:
    """Differences in size, mode and type of the files, from the heads of some; none for arrays."""
    sides = extraction.data.members, extraction.data.non_members
    if not all(isinstance(side.images, FileImages) for side in sides):
        return []
    members, non_members = (_some(side, extraction.options.seed).headers() for side in sides)
    return [_finding(shift.what, shift.text) for shift in shifts_of_headers(members, non_members)]


def pixel_findings(extraction: Extraction, made: Fingerprints) -> list[Finding]:
    """Differences in colour and contrast.

    Args:
        extraction: whose images can all be read.
        made: fingerprints of all images, members first.
    """
    contrast = np.concatenate(
        [
            made.thumbnail[start : start + 65536].std(axis=1, dtype=np.float32)
            for start in range(0, len(extraction), 65536)
        ]
    )
    shifts = shifts_of_pixels(made.colour, contrast, extraction.label, extraction.is_member)
    return [_finding(shift.what, shift.text) for shift in shifts]


def _some(side: Side, seed: int) -> FileImages:
    images = side.images.take(stratified(np.array(side.sample_id), side.label, N_HEADERS, seed))
    assert isinstance(images, FileImages), "checked by the caller"
    return images


def _finding(what: str, text: str) -> Finding:
    message = f"members and non-members differ in {what}: {text}; what tells them apart need not be memory"
    return Finding(f"shift-in-{what.replace(' ', '-')}", "warning", message)
