"""Features that come into a cache: those that the outputs' pass gave, and those that take passes of their own.

Each plug-in runs over all samples on its own, with a batch size of its own and a journal of its own, so that an
interruption, or another choice of features, loses nothing of what is done. What a cache holds already is kept.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from mi_audit.errors import MismatchError
from mi_audit.schema.arrays import Array
from mi_audit.schema.feature_cache import EVIDENCE, FeatureCache
from mi_audit.schema.finding import Finding
from mi_audit.stages import _forward
from mi_audit.stages._extraction import Extraction
from mi_audit.stages._feature_blocks import (
    blocks_of,
    bound_findings,
    feature_formats,
    is_about,
    missing_finding,
    spread,
    subsample_finding,
    without,
)
from mi_audit.stages._feature_plan import Planned
from mi_audit.stages._journal import Kept, Rows
from mi_audit.stages._residence import resident_pixels
from mi_audit.stages.progress import Progress
from mi_audit.target_model import Batch

# So many times what a feature works on at once: its stragglers then run alone for a small part of the time.
BATCHES_OF_SLOTS = 4
# Where a feature looks at few samples many have to be read to fill its slots, of so much memory at most.
IMAGE_BYTES = 64 << 20


@dataclass(frozen=True)
class Found:
    """What one plug-in gave for all samples of a cache.

    Attributes:
        plugin: its name.
        identity: as in `Planned`.
        values: {name: (n_samples, n_columns) float32}.
        columns: {name: names of its columns}.
        findings: about these values.
    """

    plugin: str
    identity: Mapping[str, Any]
    values: Mapping[str, Array]
    columns: Mapping[str, tuple[str, ...]]
    findings: tuple[Finding, ...]


def missing(features: Iterable[Planned], cache: FeatureCache) -> tuple[Planned, ...]:
    """The features of which the cache lacks a name, or has it with other options."""
    return tuple(one for one in features if missing_names(one, cache))


def missing_names(one: Planned, cache: FeatureCache) -> tuple[str, ...]:
    """What the cache lacks of one feature."""
    known = cache.provenance.get("features")
    identities = known if isinstance(known, Mapping) else {}
    return tuple(name for name in one.names if name not in cache.features or identities.get(name) != dict(one.identity))


def given(rows: Rows, one: Planned, is_member: npt.NDArray[np.bool_], is_kept: Kept = None) -> Found:
    """What finished rows hold of a feature.

    Args:
        rows: among them those of the feature.
        one: the feature.
        is_member: (n_kept,) bool.
        is_kept: (n_rows,) bool, ``None`` for all.
    """
    # Evidence is missing where it was not gathered, which is for its control to say.
    about = [name for name in one.names if not name.startswith(EVIDENCE)]
    counted = [missing_finding(rows, name, is_member, is_kept) for name in about]
    return Found(
        plugin=one.plugin,
        identity=one.identity,
        values={name: rows.finished(name, is_kept) for name in one.names},
        columns=one.bound.columns,
        findings=(*bound_findings(one.plugin, one.bound), *(each for each in counted if each is not None)),
    )


def computed(extraction: Extraction, cache: FeatureCache, one: Planned, rows: Rows, progress: Progress) -> Found:
    """Run one feature over all samples of a cache, beginning where an interrupted run stopped.

    Raises:
        MismatchError: the cache has other samples.
        OutputError: the rows cannot be written.
    """
    run = _FeatureRun(_kept(extraction, cache), cache, one, progress)
    identity = json.dumps({"names": sorted(one.names), **one.identity}, sort_keys=True)
    with rows.part(one.plugin, identity, len(cache.label), feature_formats(one.bound)) as part:
        run.fill(part)
        found = given(part, one, cache.is_member)
    return replace(found, findings=(*found.findings, *run.findings))


def chosen(one: Planned, label: Array, is_member: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """(n,) bool, for which samples a feature is computed."""
    found = one.bound.subsample(np.asarray(label), np.asarray(is_member))
    return np.ones(len(label), np.bool_) if found is None else found


def added(cache: FeatureCache, all_found: Iterable[Found]) -> FeatureCache:
    """The cache with features that are new, or have other options than before; all else in it stays as it is."""
    all_found = tuple(all_found)
    known = cache.provenance.get("features") or {}
    features, columns, identities = dict(cache.features), dict(cache.columns), dict(known)
    about = {*cache.features, *(str(each.get("plug-in")) for each in identities.values())}
    doubts = [finding for finding in cache.findings if not is_about(finding, about)]
    raised = [finding for finding in cache.findings if is_about(finding, about)]
    for found in all_found:
        features |= found.values
        columns |= found.columns
        identities |= {name: dict(found.identity) for name in found.values}
        stale = {found.plugin, *found.values}
        raised = [finding for finding in raised if not is_about(finding, stale)]
        raised += [finding for finding in found.findings if is_about(finding, stale)]
    return replace(
        cache,
        features=features,
        columns=columns,
        findings=(*doubts, *sorted(raised, key=lambda finding: finding.message)),
        provenance={**cache.provenance, "features": dict(sorted(identities.items()))},
    )


def only(found: Found, names: Iterable[str]) -> Found:
    """The same with some of its names: those that the cache lacks, so that the others keep their bytes."""
    kept = set(names)
    return replace(
        found,
        values={name: values for name, values in found.values.items() if name in kept},
        columns={name: columns for name, columns in found.columns.items() if name in kept},
        findings=tuple(each for each in found.findings if is_about(each, {found.plugin, *kept})),
    )


def _kept(extraction: Extraction, cache: FeatureCache) -> Extraction:
    """The extraction of the samples that are in the cache: those that could not be read are not."""
    is_kept = np.isin(extraction.sample_id, cache.sample_id)
    kept = extraction if is_kept.all() else extraction.keeping(is_kept)
    if not np.array_equal(kept.sample_id, cache.sample_id):
        raise MismatchError("the feature cache has other samples than the data", tip="choose another --out")
    return kept


class _FeatureRun:
    """One plug-in on its way over the samples of a cache."""

    def __init__(self, extraction: Extraction, cache: FeatureCache, one: Planned, progress: Progress) -> None:
        self._extraction, self._cache, self._one, self._progress = extraction, cache, one, progress
        self._device = _forward.device_of(extraction.target.module)
        self._label = torch.from_numpy(np.array(cache.label)).to(self._device)
        self._resident = resident_pixels(extraction, self._device)
        self._is_readable = np.ones(len(extraction), np.bool_)
        self._is_chosen = chosen(one, cache.label, cache.is_member)
        about = subsample_finding(one.plugin, self._is_chosen, cache.is_member)
        self.findings: list[Finding] = [] if about is None else [about]

    def fill(self, rows: Rows) -> None:
        """All rows that are not there yet."""
        n, bound = len(self._extraction), self._one.bound
        if rows.n_done:
            self._progress.say(f"resuming {self._one.plugin}: {rows.n_done:,} of {n:,} samples are there")
        self._progress.start(self._one.plugin, n, rows.n_done)
        if rows.n_done == n:  # what the plug-in has to say of how it computes is wanted all the same
            self._work(torch.as_tensor(self._read(0, min(2, n))).to(self._device), 0)
        blocks = _forward.blocks(
            self._work, self._read, self._device, rows.n_done, n, self._batch_size(), self._say_smaller
        )
        for block in blocks:
            stop = rows.n_done + len(block[self._one.names[0]])
            without(block, bound, self._is_readable[rows.n_done : stop])
            n_new = stop - rows.n_done
            rows.append(block)
            self._progress.advance(n_new)
        self._progress.finish()

    def _read(self, start: int, stop: int) -> npt.NDArray[np.uint8] | torch.Tensor:
        pixels, self._is_readable[start:stop] = self._extraction.attempt(start, stop)
        return pixels if self._resident is None else self._resident.read(start, stop)

    def _work(self, images: torch.Tensor, first: int) -> dict[str, npt.NDArray[np.generic]]:
        rows = slice(first, first + len(images))
        is_chosen = self._is_chosen[rows]
        if is_chosen.all():
            return self._observed(images, np.arange(rows.start, rows.stop))
        kept = np.flatnonzero(is_chosen)
        some = self._observed(images[torch.from_numpy(kept).to(images.device)], first + kept) if len(kept) else {}
        return spread(some, self._one.bound, is_chosen)

    def _observed(self, images: torch.Tensor, rows: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.generic]]:
        label, bound = self._label[torch.from_numpy(rows).to(self._device)], self._one.bound
        if bound.taps:
            batch = self._extraction.target.batch(images, label, bound.taps)
        else:
            logits = torch.from_numpy(np.array(self._cache.outputs[rows]))
            batch = Batch(images, label, logits.to(self._device))
        return blocks_of(bound, bound.compute(batch), len(images))

    def _batch_size(self) -> int:
        target, shape, bound = self._extraction.target, self._extraction.shape, self._one.bound
        if self._extraction.options.batch_size is not None:
            return self._extraction.options.batch_size
        if not bound.passes:
            return _forward.automatic_batch_size(target, shape)
        if bound.n_at_once is not None:
            share = max(float(self._is_chosen.mean()), 1 / len(self._is_chosen))
            most = max(1, IMAGE_BYTES // math.prod(shape))
            return max(1, min(most, int(BATCHES_OF_SLOTS * bound.n_at_once / share)))
        return _forward.automatic_graph_batch_size(target, shape)

    def _say_smaller(self, size: int) -> None:
        message = f"{self._one.plugin}: memory ran out; the batch size was reduced to {size}"
        self.findings.append(Finding("batch-size-reduced", "note", message))
        self._progress.say(message)
