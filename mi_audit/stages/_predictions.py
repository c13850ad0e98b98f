"""The audit of a black box, whose answers are in a file: ``extract`` without a model and without images."""

import hashlib
import json
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mi_audit import plugins
from mi_audit.errors import DataSetError, UsageError
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.stages._preflight.accuracy import accuracy_findings
from mi_audit.stages._provenance import versions
from mi_audit.stages._selecting import drawn_classes, stratified
from mi_audit.store import FORMAT_VERSION

if TYPE_CHECKING:
    from mi_audit.stages._extract_options import ExtractOptions

PREFIX = "predictions:"
# What makes sense without a model and without images; everything else keeps its default.
_SENSIBLE = ("model", "max_members", "max_non_members", "limit_classes", "expect_accuracy", "declare", "seed")


def is_predictions(model: str) -> bool:
    """Whether ``--model`` names a file of predictions."""
    return model.startswith(PREFIX)


def check_options(options: "ExtractOptions") -> None:
    """Refuse what needs a model or images.

    Raises:
        UsageError: such an option was given; it is named.
    """
    if options.data:
        tip = "leave --data out: labels and membership are columns of the file"
        raise UsageError(f"{options.model} brings its own samples, got --data {options.data}", tip=tip)
    for field in fields(options):
        if field.name not in (*_SENSIBLE, "data") and getattr(options, field.name) != field.default:
            flag = "--set" if field.name == "feature_settings" else f"--{field.name.replace('_', '-')}"
            raise UsageError(
                f"{flag} needs a model or images, and {options.model} has neither", tip=f"leave {flag} out"
            )


def extracted(options: "ExtractOptions") -> FeatureCache:
    """The feature cache of the predictions that ``--model predictions:FILE`` names, samples selected.

    Raises:
        OutputsError: a file that is not there, or makes no cache.
        UsageError: an option that needs a model or images.
    """
    from mi_audit.targets.interface import TargetRequest

    check_options(options)
    source = plugins.load("targets", "predictions")
    cache: FeatureCache = source.open(options.model.removeprefix(PREFIX), TargetRequest(n_classes=0, shape=None))
    rows = _selected(cache, options)
    is_member = cache.is_member[rows]
    if is_member.all() or not is_member.any():
        raise DataSetError("expected members and non-members, got one side only", tip="raise --limit-classes")
    label, predicted = cache.label[rows], cache.predicted[rows]
    doubts = accuracy_findings(label, predicted, is_member, options.expect_accuracy, model=options.model)
    return replace(
        cache,
        **{name: getattr(cache, name)[rows] for name in _PER_SAMPLE},
        group=None if cache.group is None else cache.group[rows],
        provenance=_provenance(cache, is_member, options),
        findings=(*cache.findings, *doubts),
    )


_PER_SAMPLE = ("outputs", "is_member", "is_audited", "label", "predicted", "sample_id")


def _selected(cache: FeatureCache, options: "ExtractOptions") -> npt.NDArray[np.int64]:
    """Positions of the samples that were asked for, in the order of the file."""
    rows = np.arange(len(cache.label))
    if options.limit_classes is not None:
        members, non_members = cache.label[cache.is_member], cache.label[~cache.is_member]
        classes = drawn_classes(members, non_members, options.limit_classes, options.seed)
        rows = np.flatnonzero(np.isin(cache.label, classes))
    chosen = []
    for is_side, maximum in ((True, options.max_members), (False, options.max_non_members)):
        side = rows[cache.is_member[rows] == is_side]
        chosen.append(side[stratified(cache.sample_id[side], cache.label[side], maximum, options.seed)])
    return np.sort(np.concatenate(chosen))


def _provenance(cache: FeatureCache, is_member: npt.NDArray[np.bool_], options: "ExtractOptions") -> dict[str, Any]:
    target, dataset = cache.provenance["target"], cache.provenance["dataset"]
    selection = {name: getattr(options, name) for name in ("max_members", "max_non_members", "limit_classes")}
    identity = {
        "predictions": target["file_digest"],
        "format_version": FORMAT_VERSION,
        "seed": options.seed,
        **selection,
    }
    n_members = int(is_member.sum())
    return {
        "key": hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest(),
        "target": {"spec": options.model, **target},
        "dataset": {**dataset, "n_members": n_members, "n_non_members": len(is_member) - n_members},
        "options": {
            **selection,
            "expect_accuracy": None if options.expect_accuracy is None else list(options.expect_accuracy),
        },
        "seed": options.seed,
        "versions": versions(),
    }
