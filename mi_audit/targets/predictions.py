"""A black box's answers in a file, predictions:FILE: npz, csv or parquet with logits, probabilities or predicted."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mi_audit.errors import OutputsError, UsageError
from mi_audit.metrics.confidence import look_like_probabilities
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.finding import Finding
from mi_audit.targets._assembling import refuse_arch
from mi_audit.targets._predictions import delimited, npz, parquet
from mi_audit.targets._predictions.checking import (
    checked_outputs,
    groups,
    membership,
    sample_ids,
)
from mi_audit.targets._predictions.classes import Classes, classes_of
from mi_audit.targets._predictions.table import Table, refuse
from mi_audit.targets.interface import TargetRequest, TargetSource

_Reader = Callable[[Path], Table]
_CONVERT = "write an .npz, a .csv or a .parquet"
# By what a file begins with; text begins with anything.
_FORMATS: dict[bytes, tuple[str, _Reader]] = {
    b"PK\x03\x04": ("npz", npz.read),
    b"PK\x05\x06": ("npz", npz.read),
    b"PAR1": ("parquet", parquet.read),
}
_BINARY = b"\x00"


@dataclass(frozen=True)
class Predictions(TargetSource):
    """A table with a row per sample; there is no model, and no images.

    ==========================  ==============================================================================
    exactly one of              ``logits``, ``probabilities`` (n, n_classes), or ``predicted`` (n,)
    ``label``                   (n,) the true classes: numbers from 0, or names
    ``is_member``               (n,) true and false, 1 and 0, yes and no, train and test
    ``sample_id``, optional     (n,) unique; without it samples are named by side and row
    ``group``, optional         (n,) what belongs together: one person, many samples
    ==========================  ==============================================================================

    In text and Parquet the outputs are one column per class (``logits_0`` or ``p0``, ...; ``logits_<class name>``; or
    the class names in ``label`` alone), or one column of lists. A single column is a sigmoid head: the logit, or the
    probability, of class 1 of two. `table_columns` has the other spellings.
    """

    def open(self, spec: str, request: TargetRequest) -> FeatureCache:
        """The feature cache of these predictions, all samples in the order of the file.

        Raises:
            OutputsError: a file that is not there or makes no such table; the message names the line or the samples.
            MissingLibraryError: a Parquet file, and no library that reads it.
            UsageError: no file was named, or ``--arch`` was given.
        """
        refuse_arch(f"predictions:{spec}", request)
        if not spec:
            raise UsageError("expected --model predictions:FILE, got no file", tip="an .npz, a .csv or a .parquet")
        path = Path(spec)
        file_format, read = _format_of(path)
        table = read(path)
        if not len(table):
            table.refuse("expected samples, got none")
        return _cache(table, file_format)


def _format_of(path: Path) -> tuple[str, _Reader]:
    """How to read a file, by its first bytes."""
    try:
        with path.open("rb") as file:
            start = file.read(4096)
    except OSError as error:
        raise OutputsError(
            f"{path}: {'no such file' if isinstance(error, FileNotFoundError) else error.strerror}",
            tip="--model predictions:FILE, an .npz, a .csv or a .parquet",
        ) from error
    for magic, found in _FORMATS.items():
        if start.startswith(magic):
            return found
    if start.startswith(b"\x93NUMPY"):
        refuse(path, "expected named arrays, got a single one", "numpy.savez(FILE, logits=..., label=..., ...)")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        refuse(path, "expected text in UTF-8, got UTF-16", "save it as CSV in UTF-8")
    if _BINARY in start or start.startswith(b"\x1f\x8b"):
        refuse(path, "expected .npz, .csv or .parquet, got a file of another kind", _CONVERT)
    return "csv", delimited.read


def _cache(table: Table, file_format: str) -> FeatureCache:
    is_member = membership(table)
    ids = sample_ids(table, is_member)
    classes = classes_of(table)
    if table.kind == "labels":
        assert classes.predicted is not None, "predicted is what this kind is about"
        outputs, predicted = np.empty((len(table), 0), np.float32), classes.predicted
    else:
        given = checked_outputs(table, ids)
        outputs, predicted = given.astype(np.float32), given.argmax(axis=1).astype(np.int64)
    return FeatureCache(
        outputs=outputs,
        outputs_kind=table.kind,
        is_member=is_member,
        is_audited=np.ones(len(table), np.bool_),
        label=classes.label,
        predicted=predicted,
        sample_id=ids,
        class_names=classes.names,
        provenance={"target": _target(table, file_format, classes), "dataset": {"name": table.path.name}},
        findings=(*_assumptions(table, classes), *_doubts(table, outputs)),
        group=groups(table, is_member),
    )


def _target(table: Table, file_format: str, classes: Classes) -> dict[str, object]:
    with table.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "source": f"predictions ({table.kind})",
        "format": file_format,
        "outputs_kind": table.kind,
        "file_digest": digest,
        "notes": list(classes.notes),
    }


def _assumptions(table: Table, classes: Classes) -> tuple[Finding, ...]:
    notes = list(classes.notes)
    if table.outputs is not None and table.outputs.shape[1] == 1:
        notes.append(f"the single column of {table.kind} is that of class {classes.names[1]}, of two")
    if not table.is_kind_told:
        notes.append(
            f"outputs are taken for {table.kind} by their values: their columns are named by the classes alone"
        )
    if table.sample_id is None:
        notes.append("samples are named by their row, since there is no sample_id: keep the rows in order")
    return tuple(Finding("target-assumption", "note", note) for note in notes)


def _doubts(table: Table, outputs: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> tuple[Finding, ...]:
    """What weakens an audit of these predictions."""
    missing = "duplicates of members among the non-members were not looked for: predictions come without images"
    doubts = [Finding("no-images", "note", missing)]
    if table.kind == "logits" and look_like_probabilities(outputs):
        message = "every row of logits lies from 0 to 1 and sums to 1: if these are probabilities, name them so"
        doubts.append(Finding("logits-look-like-probabilities", "warning", message))
    if table.kind == "probabilities" and (n := int((outputs == 0).any(axis=1).sum())):
        message = f"{n:,} of {len(table):,} samples have classes of probability exactly 0: rounding hides leakage"
        doubts.append(Finding("zero-probabilities", "note", message))
    return tuple(doubts)
