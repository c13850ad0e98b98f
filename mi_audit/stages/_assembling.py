"""From rows to the feature cache, with what made it."""

from typing import Any

import numpy as np

from mi_audit.datasets._duplicates import exact_duplicates
from mi_audit.schema.arrays import row_blocks
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.finding import Finding
from mi_audit.stages import _forward
from mi_audit.stages._extraction import Extraction
from mi_audit.stages._journal import Rows
from mi_audit.stages._observing import Observed
from mi_audit.stages._provenance import versions


def assembled(extraction: Extraction, rows: Rows, observed: Observed) -> FeatureCache:
    """The feature cache that finished rows make.

    Args:
        extraction: what was run.
        rows: all there.
        observed: how the run went.
    """
    outputs = rows.finished("outputs")
    is_audited = np.ones(len(extraction), np.bool_)
    is_duplicate = exact_duplicates(extraction.data.members.images, extraction.data.non_members.images)
    is_audited[extraction.n_members :] = ~is_duplicate
    findings = [Finding("target-assumption", "note", note) for note in extraction.target.notes]
    findings += observed.findings
    if n_duplicates := int(is_duplicate.sum()):
        who = "1 non-member has" if n_duplicates == 1 else f"{n_duplicates:,} non-members have"
        message = f"{who} exactly the pixels of a member and left the audit"
        findings.append(Finding("exact-duplicates", "warning", message))
    predicted = [np.argmax(block, axis=1) for block in row_blocks(outputs)]
    return FeatureCache(
        outputs=outputs,
        outputs_kind="logits",
        is_member=extraction.is_member,
        is_audited=is_audited,
        label=extraction.label,
        predicted=np.concatenate(predicted).astype(np.int64),
        sample_id=extraction.sample_id,
        class_names=extraction.data.class_names,
        provenance=provenance(extraction, observed.batch_size),
        findings=tuple(findings),
    )


def provenance(extraction: Extraction, batch_size: int) -> dict[str, Any]:
    """What made the cache, as JSON values."""
    options = extraction.options
    return {
        "key": extraction.key,
        "target": _target(extraction),
        "dataset": _dataset(extraction),
        "options": {
            "max_members": options.max_members,
            "max_non_members": options.max_non_members,
            "limit_classes": options.limit_classes,
            "expect_accuracy": None if options.expect_accuracy is None else list(options.expect_accuracy),
            "batch_size": batch_size,
            "device": _forward.resolve_device(options.device).type,
        },
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
        "preprocessing": {
            "mean": list(preprocessing.mean),
            "std": list(preprocessing.std),
            "size": list(preprocessing.size) if preprocessing.size else None,
            "source": preprocessing.source,
        },
        "notes": list(target.notes),
    }


def _dataset(extraction: Extraction) -> dict[str, Any]:
    data = extraction.data
    n_members, n_non_members = extraction.n_available or (len(data.members), len(data.non_members))
    return {
        "spec": extraction.options.data,
        "name": data.name,
        "n_members": len(data.members),
        "n_non_members": len(data.non_members),
        "digest": extraction.data_digest,
        "selection": {
            "rule": "drawn by seed, stratified by class",
            "n_members_available": n_members,
            "n_non_members_available": n_non_members,
            "n_classes_with_samples": len(np.unique(extraction.label)),
        },
    }
