"""The stage ``extract``: a target model and a data set become a feature cache."""

import json
from dataclasses import replace
from pathlib import Path

from mi_audit.datasets.interface import MembershipData
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.stages import _feature_plan, _forward, _growing
from mi_audit.stages._announcing import announce
from mi_audit.stages._assembling import assembled
from mi_audit.stages._extract_options import ExtractOptions
from mi_audit.stages._extraction import Extraction
from mi_audit.stages._journal import RowJournal, Rows, RowsInMemory
from mi_audit.stages._observing import kept_rows, observe, row_formats
from mi_audit.stages._probing import Probing, geometry_for
from mi_audit.stages._selecting import selected
from mi_audit.stages._sources import open_data, open_target
from mi_audit.stages.progress import Progress, Silence
from mi_audit.targets.interface import TargetRequest

__all__ = ["ExtractOptions", "Extraction", "grow", "growth_journal", "is_complete", "journal", "prepare", "run"]


def prepare(
    options: ExtractOptions, opened: MembershipData | None = None, progress: Progress | None = None
) -> Extraction:
    """Open the target and the data set, select samples, and check that the two fit each other.

    Args:
        options: what the user chose.
        opened: the data set of these options, where that is open already; audits of a series share it.
        progress: told what takes long.

    Raises:
        InputError: something that cannot be opened or does not fit.
        UsageError: an unknown name, or a feature of something that the target does not have.
    """
    asked = _feature_plan.wanted(options.observed, options.feature_settings)
    device = _forward.resolve_device(options.device)
    whole = open_data(options.data, options.data_request()) if opened is None else opened
    data = selected(whole, options.limit_classes, options.max_members, options.max_non_members, options.seed)
    request = TargetRequest(
        n_classes=data.n_classes,
        shape=data.shape,
        data_name=data.name,
        arch=options.arch,
        weights=options.weights,
        mean=options.mean,
        std=options.std,
        probe=Probing(data, options.seed),
        download=options.download,
        seed=options.seed,
        device=str(device),
        say=(progress or Silence()).say,
    )
    target = open_target(options.model, request)
    target.module.eval().to(device)
    target.module.to(memory_format=target.layout.memory_format)
    if data.shape is None:
        data = data.with_geometry(geometry_for(target.preprocessing))
    extraction = Extraction(options, target, data, (len(whole.members), len(whole.non_members)))
    return replace(extraction, features=_feature_plan.planned(asked, target, extraction.shape))


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
    rows = rows if rows is not None else RowsInMemory(len(extraction), row_formats(extraction))
    progress = progress or Silence()
    announce(extraction, extraction.features, len(extraction), progress)
    cache = assembled(extraction, rows, observe(extraction, rows, progress))
    is_kept = kept_rows(rows)
    found = [
        _growing.given(rows, one, cache.is_member, is_kept)
        if one.is_free
        else _growing.computed(extraction, cache, one, rows, progress)
        for one in extraction.features
    ]
    return _growing.added(cache, found)


def grow(
    extraction: Extraction, cache: FeatureCache, rows: Rows | None = None, progress: Progress | None = None
) -> FeatureCache:
    """A cache of the same key with the features that it lacks, or has with other options; the rest stays as it is.

    Args:
        extraction: from `prepare`.
        cache: made by an extraction of the same key.
        rows: where rows go, from `growth_journal`; memory when ``None``.
        progress: told about it.

    Returns:
        the cache itself where it lacks nothing.

    Raises:
        MismatchError: the cache has other samples.
        OutputError: the rows cannot be written.
    """
    rows, progress = rows if rows is not None else RowsInMemory(0, {}), progress or Silence()
    lacking = _growing.missing(extraction.features, cache)
    if not lacking:
        return cache
    announce(extraction, lacking, len(cache.label), progress)
    found = [
        _growing.only(_growing.computed(extraction, cache, one, rows, progress), _growing.missing_names(one, cache))
        for one in lacking
    ]
    return _growing.added(cache, found)


def is_complete(extraction: Extraction, cache: FeatureCache) -> bool:
    """Whether a cache of the same key holds every feature that was asked for."""
    return not _growing.missing(extraction.features, cache)


def journal(extraction: Extraction, folder: Path) -> RowJournal:
    """The rows of this extraction in `folder`, those of an interrupted run included."""
    free = {each.plugin: [*each.names, each.identity] for each in extraction.free_features}
    key = f"{extraction.key}|{json.dumps(free, sort_keys=True)}" if free else extraction.key
    return RowJournal(folder, key, len(extraction), row_formats(extraction))


def growth_journal(extraction: Extraction, folder: Path) -> RowJournal:
    """The rows of features alone in `folder`, those of an interrupted run included."""
    return RowJournal(folder, extraction.key, 0, {})
