"""The long work: the target runs over every sample, and what an adversary would see goes into rows."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from mi_audit.datasets._fingerprints import THUMBNAIL, Fingerprints, fingerprints
from mi_audit.errors import OutputsError
from mi_audit.schema.finding import Finding
from mi_audit.stages import _forward
from mi_audit.stages._extraction import Extraction
from mi_audit.stages._feature_blocks import blocks_of, feature_formats
from mi_audit.stages._journal import RowFormat, Rows
from mi_audit.stages._preflight.behaviour import behaviour_findings
from mi_audit.stages._preflight.reading import unreadable_findings
from mi_audit.stages._preflight.shift import header_findings
from mi_audit.stages._residence import resident_pixels
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
    """What is written for every sample, by name; ``hashes`` are exact, perceptual, and 1 for an image that was read.

    Features that the same pass gives are among them.
    """
    formats = {
        "outputs": RowFormat(extraction.target.n_classes, "<f4"),
        "hashes": RowFormat(3, "<u8"),
        "thumbnail": RowFormat(THUMBNAIL**2, "|u1"),
        "colour": RowFormat(3, "<f4"),
    }
    for each in extraction.free_features:
        formats |= feature_formats(each.bound)
    return formats


def kept_rows(rows: Rows) -> npt.NDArray[np.bool_] | None:
    """Which finished rows are of images that could be read; ``None`` for all."""
    is_readable = np.asarray(rows.finished("hashes")[:, 2] == 1)
    return None if is_readable.all() else is_readable


def fingerprints_of(rows: Rows, is_kept: npt.NDArray[np.bool_] | None) -> Fingerprints:
    """The fingerprints of all samples, or of those that are kept."""
    hashes = rows.finished("hashes", is_kept)
    thumbnail, colour = rows.finished("thumbnail", is_kept), rows.finished("colour", is_kept)
    return Fingerprints(np.array(hashes[:, 0]), np.array(hashes[:, 1]), thumbnail, colour)


def observe(extraction: Extraction, rows: Rows, progress: Progress) -> Observed:
    """Run the target over all samples that `rows` does not hold yet.

    Raises:
        DataSetError: too many images cannot be read.
        OutputsError: the target returned NaN or infinity, or is not in eval mode.
        OutputError: the rows cannot be written.
    """
    observed = Observed(extraction.options.batch_size or _automatic_batch_size(extraction))
    observed.findings += header_findings(extraction)
    observed.findings += behaviour_findings(extraction, observed.batch_size, progress)

    def smaller(size: int) -> None:
        note = Finding("batch-size-reduced", "note", f"memory ran out; the batch size was reduced to {size}")
        observed.findings.append(note)
        progress.say(note.message)

    if rows.n_done:
        progress.say(f"resuming: {rows.n_done:,} of {len(extraction):,} samples are there")
    progress.start("extracting", len(extraction), rows.n_done)
    reader = _Reader(extraction)
    device = _forward.device_of(extraction.target.module)
    blocks = _forward.blocks(
        _Pass(extraction, device), reader.read, device, rows.n_done, len(extraction), observed.batch_size, smaller
    )
    for block in blocks:
        is_readable, made = reader.noted(rows.n_done)
        block["outputs"][~is_readable] = 0
        _check_finite(block["outputs"], extraction.sample_id, rows.n_done)
        hashes = np.stack([made.exact, made.perceptual, is_readable.astype(np.uint64)], axis=1)
        rows.append({**block, "hashes": hashes, "thumbnail": made.thumbnail, "colour": made.colour})
        progress.advance(len(hashes))
    progress.finish()
    return observed


class _Pass:
    """One pass of the target: the outputs, and the features that it gives as well."""

    def __init__(self, extraction: Extraction, device: torch.device) -> None:
        self._target, self._features = extraction.target, extraction.free_features
        self._label = torch.from_numpy(extraction.label).to(device)
        self._taps = tuple(dict.fromkeys(tap for each in self._features for tap in each.bound.taps))

    def __call__(self, images: torch.Tensor, first: int) -> dict[str, npt.NDArray[np.generic]]:
        """The rows of some images, whose first is at position `first`."""
        batch = self._target.batch(images, self._label[first : first + len(images)], self._taps)
        made: dict[str, npt.NDArray[np.generic]] = {"outputs": batch.logits.cpu().numpy()}
        for each in self._features:
            made |= blocks_of(each.bound, each.bound.compute(batch), len(batch))
        return made


class _Reader:
    """Reads images ahead of the target, and notes what is kept of them besides."""

    def __init__(self, extraction: Extraction) -> None:
        self._extraction = extraction
        self._resident = resident_pixels(extraction, _forward.device_of(extraction.target.module))
        self._is_readable = np.ones(len(extraction), np.bool_)
        self._noted: dict[int, tuple[npt.NDArray[np.bool_], Fingerprints]] = {}

    def read(self, start: int, stop: int) -> npt.NDArray[np.uint8] | torch.Tensor:
        """Images from `start` to `stop`, on the device where all of them are; black where one cannot be read.

        Raises:
            DataSetError: too many cannot.
        """
        pixels, is_readable = self._extraction.attempt(start, stop)
        if not is_readable.all():
            self._is_readable[start:stop] = is_readable
            unreadable_findings(self._extraction, self._is_readable)
        self._noted[start] = is_readable, fingerprints(pixels)
        return pixels if self._resident is None else self._resident.read(start, stop)

    def noted(self, start: int) -> tuple[npt.NDArray[np.bool_], Fingerprints]:
        """Of the images that were read from `start`: which could be read, and their fingerprints. Once."""
        return self._noted.pop(start)


def _automatic_batch_size(extraction: Extraction) -> int:
    return _forward.automatic_batch_size(extraction.target, extraction.shape)


def _check_finite(block: npt.NDArray[np.generic], sample_id: npt.NDArray[np.str_], n_before: int) -> None:
    bad = n_before + np.flatnonzero(~np.isfinite(block.astype(np.float32, copy=False)).all(axis=1))
    if len(bad):
        examples = ", ".join(sample_id[bad[:5]].tolist()) + (", ..." if len(bad) > 5 else "")
        n_seen = n_before + len(block)
        raise OutputsError(
            f"the target returned NaN or infinity for {len(bad):,} of the first {n_seen:,} samples: {examples}"
        )
