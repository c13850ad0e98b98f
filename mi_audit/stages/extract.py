"""The stage ``extract``: a target model and a data set become a feature cache."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from mi_audit.datasets._duplicates import exact_duplicates
from mi_audit.datasets.interface import Geometry, MembershipData, Side
from mi_audit.errors import OutputsError
from mi_audit.schema.arrays import Array, digest, row_blocks
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.finding import Finding
from mi_audit.stages import _forward, _split
from mi_audit.stages._extract_options import ExtractOptions
from mi_audit.stages._journal import RowJournal, Rows, RowsInMemory
from mi_audit.stages._provenance import versions
from mi_audit.stages._sources import open_data, open_target
from mi_audit.stages.progress import Progress, Silence
from mi_audit.store import FORMAT_VERSION
from mi_audit.target_model import TargetModel
from mi_audit.targets.interface import TargetRequest

DEFAULT_SIZE, DEFAULT_RESIZE = 224, 256


@dataclass(frozen=True)
class Extraction:
    """An extraction that is ready to run: target and data opened, samples selected, nothing computed yet.

    Attributes:
        options: what the user chose.
        target: in eval mode, on its device.
        data: all samples that were selected, of one geometry.
    """

    options: ExtractOptions
    target: TargetModel
    data: MembershipData

    @property
    def n_members(self) -> int:
        """How many members were selected."""
        return len(self.data.members)

    def __len__(self) -> int:
        return self.n_members + len(self.data.non_members)

    @cached_property
    def label(self) -> npt.NDArray[np.int64]:
        """(n,) int64, members first."""
        return np.concatenate([self.data.members.label, self.data.non_members.label])

    @cached_property
    def sample_id(self) -> npt.NDArray[np.str_]:
        """(n,) strings, members first."""
        return np.array([*self.data.members.sample_id, *self.data.non_members.sample_id])

    @cached_property
    def data_digest(self) -> str:
        """SHA-256 over pixels (of files: path, size and time of change), labels and ids of both sides."""
        parts = [self.data.members.images.digest(), self.data.non_members.images.digest()]
        parts += [digest(self.label), digest(self.sample_id), str(self.n_members)]
        return hashlib.sha256("|".join(parts).encode()).hexdigest()

    @cached_property
    def key(self) -> str:
        """Digest of all that determines the rows: weights, preprocessing, data, selection, number format."""
        identity = {
            "weights": self.target.weights_digest,
            "architecture": self.target.name,
            "preprocessing": self.target.preprocessing.digest(),
            "data": self.data_digest,
            "seed": self.options.seed,
            "dtype": "float32",
            "format_version": FORMAT_VERSION,
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    def read(self, start: int, stop: int) -> npt.NDArray[np.uint8]:
        """Images from `start` to `stop`, members first, (n, height, width, channels) uint8."""
        n = self.n_members
        parts = []
        if start < n:
            parts.append(self.data.members.images.read(start, min(stop, n)))
        if stop > n:
            parts.append(self.data.non_members.images.read(max(start, n) - n, stop - n))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def prepare(options: ExtractOptions) -> Extraction:
    """Open the target and the data set, select samples, and check that the two fit each other.

    Raises:
        InputError: something that cannot be opened or does not fit.
        UsageError: an unknown name.
    """
    device = _forward.resolve_device(options.device)
    data = open_data(options.data, options.data_request())
    request = TargetRequest(
        n_classes=data.n_classes,
        shape=data.shape,
        data_name=data.name,
        arch=options.arch,
        weights=options.weights,
        mean=options.mean,
        std=options.std,
        download=options.download,
        seed=options.seed,
    )
    target = open_target(options.model, request)
    data = replace(
        data,
        members=_selected(data.members, options.max_members, options.seed),
        non_members=_selected(data.non_members, options.max_non_members, options.seed),
    )
    target.module.eval().to(device)
    target.module.to(memory_format=torch.channels_last)
    return Extraction(options, target, data if data.shape else data.with_geometry(_geometry(target)))


def run(extraction: Extraction, rows: Rows | None = None, progress: Progress | None = None) -> FeatureCache:
    """Run the target over all samples that `rows` does not hold yet.

    Args:
        extraction: from `prepare`.
        rows: where rows go and where an interrupted run left some; memory when ``None``.
        progress: told about it.

    Raises:
        OutputsError: the target returned NaN or infinity.
        OutputError: the rows cannot be written.
    """
    progress = progress or Silence()
    rows = rows if rows is not None else RowsInMemory(len(extraction), extraction.target.n_classes)
    findings = [Finding("target-assumption", "note", note) for note in extraction.target.notes]
    batch_size = extraction.options.batch_size or _automatic_batch_size(extraction)

    def smaller(size: int) -> None:
        findings.append(Finding("batch-size-reduced", "note", f"memory ran out; the batch size was reduced to {size}"))
        progress.say(findings[-1].message)

    if rows.n_done:
        progress.say(f"resuming: {rows.n_done:,} of {len(extraction):,} samples are there")
    progress.start("extracting", len(extraction), rows.n_done)
    blocks = _forward.forward(extraction.target, extraction.read, rows.n_done, len(extraction), batch_size, smaller)
    for block in blocks:
        _check_finite(block, extraction.sample_id, rows.n_done)
        rows.append(block)
        progress.advance(len(block))
    progress.finish()
    return _cache(extraction, rows.finished(), findings, batch_size)


def journal(extraction: Extraction, folder: Path) -> RowJournal:
    """The rows of this extraction in `folder`, those of an interrupted run included."""
    return RowJournal(folder, extraction.key, len(extraction), extraction.target.n_classes)


def _selected(side: Side, maximum: int | None, seed: int) -> Side:
    return side.take(_split.selection(np.array(side.sample_id), maximum, seed))


def _geometry(target: TargetModel) -> Geometry:
    """The geometry that files of varying sizes are brought to: the target's, or the field's usual one."""
    preprocessing = target.preprocessing
    if preprocessing.size is None:
        return Geometry(DEFAULT_SIZE, DEFAULT_SIZE, DEFAULT_RESIZE, preprocessing.interpolation)
    return Geometry(*preprocessing.size, preprocessing.resize, preprocessing.interpolation)


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


def _cache(extraction: Extraction, outputs: Array, findings: list[Finding], batch_size: int) -> FeatureCache:
    is_member = np.arange(len(extraction)) < extraction.n_members
    is_audited = np.ones(len(extraction), np.bool_)
    is_duplicate = exact_duplicates(extraction.data.members.images, extraction.data.non_members.images)
    is_audited[extraction.n_members :] = ~is_duplicate
    if n_duplicates := int(is_duplicate.sum()):
        who = "1 non-member has" if n_duplicates == 1 else f"{n_duplicates:,} non-members have"
        message = f"{who} exactly the pixels of a member and left the audit"
        findings.append(Finding("exact-duplicates", "warning", message))
    predicted = [np.argmax(block, axis=1) for block in row_blocks(outputs)]
    return FeatureCache(
        outputs=outputs,
        outputs_kind="logits",
        is_member=is_member,
        is_audited=is_audited,
        label=extraction.label,
        predicted=np.concatenate(predicted).astype(np.int64),
        sample_id=extraction.sample_id,
        class_names=extraction.data.class_names,
        provenance=_provenance(extraction, batch_size),
        findings=tuple(findings),
    )


def _provenance(extraction: Extraction, batch_size: int) -> dict[str, Any]:
    options, target, data = extraction.options, extraction.target, extraction.data
    preprocessing = target.preprocessing
    return {
        "key": extraction.key,
        "target": {
            "spec": options.model,
            "architecture": target.name,
            "source": target.source,
            "weights_digest": target.weights_digest,
            "preprocessing": {
                "mean": list(preprocessing.mean),
                "std": list(preprocessing.std),
                "size": list(preprocessing.size) if preprocessing.size else None,
                "source": preprocessing.source,
            },
            "notes": list(target.notes),
        },
        "dataset": {
            "spec": options.data,
            "name": data.name,
            "n_members": len(data.members),
            "n_non_members": len(data.non_members),
            "digest": extraction.data_digest,
        },
        "options": {
            "max_members": options.max_members,
            "max_non_members": options.max_non_members,
            "batch_size": batch_size,
            "device": _forward.resolve_device(options.device).type,
        },
        "seed": options.seed,
        "versions": versions(),
    }
