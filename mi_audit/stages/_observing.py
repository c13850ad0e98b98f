"""The long work: the target runs over every sample, and what an adversary would see goes into rows."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mi_audit.errors import OutputsError
from mi_audit.schema.finding import Finding
from mi_audit.stages import _forward
from mi_audit.stages._extraction import Extraction
from mi_audit.stages._journal import RowFormat, Rows
from mi_audit.stages.progress import Progress


@dataclass
class Observed:
    """How the run went.

    Attributes:
        batch_size: that it began with.
        findings: doubts raised on the way.
    """

    batch_size: int
    findings: list[Finding] = field(default_factory=list)


def row_formats(extraction: Extraction) -> dict[str, RowFormat]:
    """What is written for every sample, by name."""
    return {"outputs": RowFormat(extraction.target.n_classes, "<f4")}


def observe(extraction: Extraction, rows: Rows, progress: Progress) -> Observed:
    """Run the target over all samples that `rows` does not hold yet.

    Raises:
        OutputsError: the target returned NaN or infinity.
        OutputError: the rows cannot be written.
    """
    observed = Observed(extraction.options.batch_size or _automatic_batch_size(extraction))

    def smaller(size: int) -> None:
        note = Finding("batch-size-reduced", "note", f"memory ran out; the batch size was reduced to {size}")
        observed.findings.append(note)
        progress.say(note.message)

    if rows.n_done:
        progress.say(f"resuming: {rows.n_done:,} of {len(extraction):,} samples are there")
    progress.start("extracting", len(extraction), rows.n_done)
    blocks = _forward.forward(
        extraction.target, extraction.read, rows.n_done, len(extraction), observed.batch_size, smaller
    )
    for block in blocks:
        _check_finite(block, extraction.sample_id, rows.n_done)
        rows.append({"outputs": block})
        progress.advance(len(block))
    progress.finish()
    return observed


def _automatic_batch_size(extraction: Extraction) -> int:
    shape = extraction.data.shape
    assert shape is not None, "prepare gives every data set a geometry"
    return _forward.automatic_batch_size(extraction.target, shape)


def _check_finite(block: npt.NDArray[np.float32], sample_id: npt.NDArray[np.str_], n_before: int) -> None:
    bad = n_before + np.flatnonzero(~np.isfinite(block).all(axis=1))
    if len(bad):
        examples = ", ".join(sample_id[bad[:5]].tolist()) + (", ..." if len(bad) > 5 else "")
        n_seen = n_before + len(block)
        raise OutputsError(
            f"the target returned NaN or infinity for {len(bad):,} of the first {n_seen:,} samples: {examples}"
        )
