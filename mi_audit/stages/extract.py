"""The stage ``extract``: a target model and a data set become a feature cache."""

from pathlib import Path

import torch

from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.stages import _forward
from mi_audit.stages._assembling import assembled
from mi_audit.stages._extract_options import ExtractOptions
from mi_audit.stages._extraction import Extraction
from mi_audit.stages._journal import RowJournal, Rows, RowsInMemory
from mi_audit.stages._observing import observe, row_formats
from mi_audit.stages._probing import Probing, geometry_for
from mi_audit.stages._selecting import selected
from mi_audit.stages._sources import open_data, open_target
from mi_audit.stages.progress import Progress, Silence
from mi_audit.targets.interface import TargetRequest

__all__ = ["ExtractOptions", "Extraction", "journal", "prepare", "run"]


def prepare(options: ExtractOptions) -> Extraction:
    """Open the target and the data set, select samples, and check that the two fit each other.

    Raises:
        InputError: something that cannot be opened or does not fit.
        UsageError: an unknown name.
    """
    device = _forward.resolve_device(options.device)
    whole = open_data(options.data, options.data_request())
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
    )
    target = open_target(options.model, request)
    target.module.eval().to(device)
    target.module.to(memory_format=torch.channels_last)
    if data.shape is None:
        data = data.with_geometry(geometry_for(target.preprocessing))
    return Extraction(options, target, data, (len(whole.members), len(whole.non_members)))


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
    return assembled(extraction, rows, observe(extraction, rows, progress or Silence()))


def journal(extraction: Extraction, folder: Path) -> RowJournal:
    """The rows of this extraction in `folder`, those of an interrupted run included."""
    return RowJournal(folder, extraction.key, len(extraction), row_formats(extraction))
