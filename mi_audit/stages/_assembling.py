"""From rows to the feature cache, with what made it."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mi_audit.errors import DataSetError
from mi_audit.schema.arrays import row_blocks
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.finding import Finding
from mi_audit.stages import _forward
from mi_audit.stages._extraction import Extraction
from mi_audit.stages._journal import Rows
from mi_audit.stages._observing import Observed, fingerprints_of, kept_rows
from mi_audit.stages._preflight.accuracy import accuracy_findings, kind_findings
from mi_audit.stages._preflight.duplicates import duplicates
from mi_audit.stages._preflight.reading import unreadable_findings
from mi_audit.stages._preflight.shift import pixel_findings
from mi_audit.stages._provenance import model_digest, versions

# Samples that could not be read are listed up to here.
N_LISTED = 100


def assembled(extraction: Extraction, rows: Rows, observed: Observed) -> FeatureCache:
    """The feature cache that finished rows make, without features.

    Args:
        extraction: what was run.
        rows: all there.
        observed: how the run went.

    Raises:
        DataSetError: no non-member is left, since all are members in all but name.
    """
    is_kept = kept_rows(rows)
    is_readable = np.ones(len(extraction), np.bool_) if is_kept is None else is_kept
    findings = [*_assumptions(extraction), *observed.findings, *unreadable_findings(extraction, is_readable)]
    kept = extraction if is_kept is None else extraction.keeping(is_readable)
    outputs, made = rows.finished("outputs", is_kept), fingerprints_of(rows, is_kept)
    predicted = np.concatenate([np.argmax(block, axis=1) for block in row_blocks(outputs)]).astype(np.int64)
    found = duplicates(kept, made)
    if found.is_exact.all():
        raise DataSetError(
            f"--data {extraction.options.data}: every non-member has exactly the pixels of a member",
            tip="non-members are images that the target was not trained on",
        )
    findings += found.findings + pixel_findings(kept, made)
    options = extraction.options
    findings += kind_findings(outputs)
    findings += accuracy_findings(kept.label, predicted, kept.is_member, options.expect_accuracy, model=options.model)
    return FeatureCache(
        outputs=outputs,
        outputs_kind="logits",
        is_member=kept.is_member,
        is_audited=np.concatenate([np.ones(kept.n_members, np.bool_), ~found.is_exact]),
        label=kept.label,
        predicted=predicted,
        sample_id=kept.sample_id,
        class_names=extraction.data.class_names,
        provenance=provenance(extraction, observed.batch_size, is_readable),
        findings=tuple(findings),
        group=kept.group,
    )


def found_again(cache: FeatureCache, extraction: Extraction) -> FeatureCache:
    """A cache of the same rows, told as this extraction came by them.

    The same weights may lie in another file, wrapped otherwise; the same samples may be named by another list.
    """
    was = cache.provenance
    dataset = {"spec": extraction.options.data, "name": extraction.data.name, "selection": _selection(extraction)}
    kept = [finding for finding in cache.findings if finding.slug not in _ASSUMED]
    return replace(
        cache,
        provenance={
            **was,
            "target": _target(extraction),
            "dataset": {**was["dataset"], **dataset},
            "options": {**was["options"], **_limits(extraction)},
        },
        findings=(*_assumptions(extraction), *kept),
    )


_NOTES = ("target-assumption", "membership-assumption")
_DOUBT = "normalisation-not-given"
_ASSUMED = (*_NOTES, _DOUBT)


def _assumptions(extraction: Extraction) -> list[Finding]:
    all_notes = zip(_NOTES, (extraction.target.notes, extraction.data.notes), strict=True)
    severity: Literal["error", "warning"] = "error" if extraction.target.is_guessed else "warning"
    doubts = [Finding(_DOUBT, severity, doubt) for doubt in extraction.target.doubts]
    return [*doubts, *(Finding(slug, "note", note) for slug, notes in all_notes for note in notes)]


def provenance(extraction: Extraction, batch_size: int, is_readable: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """What made the cache, as JSON values."""
    options = extraction.options
    return {
        "key": extraction.key,
        "target": _target(extraction),
        "dataset": _dataset(extraction, is_readable),
        "options": {
            **_limits(extraction),
            "expect_accuracy": None if options.expect_accuracy is None else list(options.expect_accuracy),
            "batch_size": batch_size,
            "device": _forward.resolve_device(options.device).type,
        },
        "features": {},
        **({"declared": sorted(set(options.declare))} if options.declare else {}),
        "seed": options.seed,
        "versions": versions(),
    }


def _target(extraction: Extraction) -> dict[str, Any]:
    target = extraction.target
    preprocessing = target.preprocessing
    return {
        "spec": extraction.options.model,
        "architecture": target.name,
        "source": target.source,
        "weights_digest": target.weights_digest,
        "model_digest": model_digest(extraction.options.model),
        "preprocessing": {
            "mean": list(preprocessing.mean),
            "std": list(preprocessing.std),
            "size": list(preprocessing.size) if preprocessing.size else None,
            "source": preprocessing.source,
        },
        "notes": list(target.notes),
    }


def _dataset(extraction: Extraction, is_readable: npt.NDArray[np.bool_]) -> dict[str, Any]:
    return {
        "spec": extraction.options.data,
        "name": extraction.data.name,
        "n_members": int((is_readable & extraction.is_member).sum()),
        "n_non_members": int((is_readable & ~extraction.is_member).sum()),
        "n_unreadable": int((~is_readable).sum()),
        "unreadable": extraction.sample_id[~is_readable][:N_LISTED].tolist(),
        "digest": extraction.data_digest,
        "selection": _selection(extraction),
    }


def _limits(extraction: Extraction) -> dict[str, Any]:
    return {name: getattr(extraction.options, name) for name in ("max_members", "max_non_members", "limit_classes")}


def _selection(extraction: Extraction) -> dict[str, Any]:
    data = extraction.data
    n_members, n_non_members = extraction.n_available or (len(data.members), len(data.non_members))
    return {
        "rule": "drawn by seed, stratified by class",
        "n_members_available": n_members,
        "n_non_members_available": n_non_members,
        "n_classes_with_samples": len(np.unique(extraction.label)),
    }
