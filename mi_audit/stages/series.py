"""Audits of all checkpoints of a training run, which share the loaded data."""

import glob
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mi_audit.errors import UsageError
from mi_audit.schema.audit import Audit
from mi_audit.stages import _epochs
from mi_audit.stages._extract_options import ExtractOptions
from mi_audit.stages._sources import open_data
from mi_audit.stages._training_plan import TrainOptions
from mi_audit.stages.audit import CACHE_DIR, audit
from mi_audit.stages.evaluate import EvaluateOptions
from mi_audit.stages.progress import Progress, Silence


def checkpoints(pattern: str) -> list[Path]:
    """The files that match, in the order of their epochs: by the numbers in their names, then by name.

    Raises:
        UsageError: there is none.
    """
    found = [Path(name) for name in glob.glob(str(Path(pattern).expanduser()))]  # noqa: PTH207 - also absolute ones
    files = sorted((path for path in found if path.is_file()), key=_natural)
    if not files:
        raise UsageError(f"no file matches --model {pattern}", tip="quote the pattern, so that the shell leaves it")
    return files


def audits(
    extract_options: ExtractOptions,
    train_options: TrainOptions,
    evaluate_options: EvaluateOptions,
    cache_dir: Path = CACHE_DIR,
    progress: Progress | None = None,
) -> Iterator[tuple[Path, Audit]]:
    """Each checkpoint that matches ``extract_options.model`` with its audit, as soon as that is made.

    The data set is opened once. Where the names tell the epochs apart, every audit knows its own.

    Args:
        extract_options: of the stage ``extract``, `model` being a pattern of files.
        train_options: of the stage ``train-attack``.
        evaluate_options: of the stage ``evaluate``.
        cache_dir: holds what was made, found again next time.
        progress: told about the work.

    Raises:
        UsageError: no file matches.
        MiAuditError: whatever stops the audit of one checkpoint; those before it have been given.
    """
    progress = progress or Silence()
    files = checkpoints(extract_options.model)
    epochs = _epochs.numbers([path.name for path in files])
    is_told = len(set(epochs) - {None}) == len(files)
    opened = open_data(extract_options.data, extract_options.data_request())
    for position, (path, epoch) in enumerate(zip(files, epochs, strict=True), start=1):
        progress.say(f"{position} of {len(files)}: {path}")
        options = replace(extract_options, model=str(path))
        made = audit(options, train_options, evaluate_options, cache_dir, progress, opened)
        yield path, _epochs.stamped(made, epoch) if is_told and epoch is not None else made


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """``epoch-9`` before ``epoch-10``; equal numbers by how they are written."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], str(path)
