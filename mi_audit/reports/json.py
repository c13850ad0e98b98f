"""One JSON document for programs, with every number in full precision."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mi_audit.reports import _lookup
from mi_audit.reports.interface import Report
from mi_audit.schema.audit import Audit

SCHEMA_VERSION = 1

_ALIASES = {"false_alarm_rate": "fpr"}


@dataclass(frozen=True)
class Json(Report):
    """One JSON document, ``{"schema_version": 1, "audits": [...]}``, whether there is one audit or there are several.

    The file ``audit.schema.json`` beside this module (JSON Schema, draft 2020-12) says what every property means. The
    document holds what the record holds, under the record's names, without its per-sample part.

    Attributes:
        per_sample: add the samples, with their membership and scores; not for sharing.
    """

    per_sample: bool = False

    def render(self, audits: Sequence[Audit], *, width: int = 80, color: bool = False) -> str:  # noqa: ARG002 - no terminal's
        """The document, in ASCII, indented."""
        content = {"schema_version": SCHEMA_VERSION, "audits": [self._audit(audit) for audit in audits]}
        return json.dumps(content, indent=2, allow_nan=False) + "\n"

    def _audit(self, audit: Audit) -> dict[str, Any]:
        samples = {"samples": _samples(audit)} if self.per_sample else {}
        return _audit(audit) | samples


def _samples(audit: Audit) -> dict[str, Any] | None:
    """Columns of equal length; a score that there is none of is null. ``None`` in an aggregate-only audit."""
    if audit.samples is None:
        return None
    names = ("sample_id", "is_member", "is_correct", "is_held_out", "label")
    columns: dict[str, Any] = {name: getattr(audit.samples, name).tolist() for name in names}
    scores = {label: [_finite(value) for value in values.tolist()] for label, values in audit.samples.score.items()}
    return columns | {"score": scores}


def _finite(value: float) -> float | None:
    """JSON has neither NaN, the score of a known sample, nor infinity."""
    return value if math.isfinite(value) else None


def _audit(audit: Audit) -> dict[str, Any]:
    """The record without its arrays; metrics nested by their first dot, free mappings in the order of their keys."""
    content = audit.header()
    for row, own in zip(content["rows"], audit.rows, strict=True):
        row["class_name"] = None if own.image_class is None else _lookup.class_name(audit, own.image_class)
        _nest(row, "metrics", "naive", "zero_r")
    for row in content["class_averages"]:
        _nest(row, "metrics", "n_classes_undefined", "naive")
    for row in content["sweep"]:
        _nest(row, "exact", "resampled")
    for attack in content["attacks"]:
        attack["options"] = _plain(attack["options"])
    content["provenance"] = _plain(content["provenance"])
    content["statistics"]["auc_stratified"] = dict(sorted(content["statistics"]["auc_stratified"].items()))
    if content["verdict"] is not None:
        content["verdict"]["policy"] = _plain(content["verdict"]["policy"])
    return content


def _nest(row: dict[str, Any], *names: str) -> None:
    for name in names:
        row[name] = _nested(row[name])


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """``{"precision.member": x}`` as ``{"precision": {"member": x}}``; the false alarm rate under both its names.

    A name whose part before the dot is a name itself, which none of ours is, stays as it is.
    """
    nested: dict[str, Any] = {}
    for name in sorted(flat):
        outer, dot, inner = name.partition(".")
        if dot and outer not in flat:
            nested.setdefault(outer, {})[inner] = flat[name]
        else:
            nested[name] = flat[name]
            if name in _ALIASES:
                nested[_ALIASES[name]] = flat[name]
    return nested


def _plain(value: Any) -> Any:
    """A free JSON value in the order of its keys; what JSON cannot say (infinity, NaN) as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value - value != 0:
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
