"""What features gave, as rows that survive an interruption: values, and for each that is missing the reason."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch

from mi_audit.features.interface import BoundFeature, Observed
from mi_audit.schema.finding import Finding, Severity
from mi_audit.stages._journal import Kept, RowFormat, Rows

_REASON_BYTES = 96
_REASON, _RADIUS = "/reason", "/radius"

NOT_READ = "the image could not be read again"
NOT_FINITE = "not a finite number"
NOT_CHOSEN = "not in the subsample"

# Above this share of a side a finding is more than a note.
SHARE_WORTH_A_WARNING = 0.01


def feature_formats(bound: BoundFeature) -> dict[str, RowFormat]:
    """What is written of a feature for every sample: its values, why some are missing, how far a search went."""
    formats = {}
    for name, columns in bound.columns.items():
        formats[name] = RowFormat(len(columns), "<f4")
        formats[name + _REASON] = RowFormat(_REASON_BYTES, "|u1")
        formats[name + _RADIUS] = RowFormat(1, "<f4")
    return formats


def blocks_of(bound: BoundFeature, observed: Observed, n: int) -> dict[str, npt.NDArray[np.generic]]:
    """The rows of n samples; what is not finite becomes NaN and has a reason.

    Raises:
        TypeError: the plug-in gave other names, shapes or types than it promised.
    """
    if set(observed.values) != set(bound.columns):
        raise TypeError(f"expected the features {sorted(bound.columns)}, got {sorted(observed.values)}")
    reasons: dict[str, list[str]] = {name: [""] * n for name in bound.columns}
    blocks: dict[str, npt.NDArray[np.generic]] = {}
    for name, columns in bound.columns.items():
        blocks[name] = _values(name, observed.values[name], (n, len(columns)))
        blocks[name + _RADIUS] = np.full((n, 1), np.nan, np.float32)
    for failure in observed.failures:
        reasons[failure.feature][failure.row] = failure.reason
        if failure.radius is not None:
            blocks[failure.feature + _RADIUS][failure.row] = np.float32(failure.radius)
    for name, texts in reasons.items():
        for row in np.flatnonzero(~np.isfinite(blocks[name]).all(axis=1)).tolist():
            texts[row] = texts[row] or NOT_FINITE
        blocks[name][~np.isfinite(blocks[name])] = np.nan
        blocks[name + _REASON] = _encoded(texts)
    return blocks


def spread(
    blocks: dict[str, npt.NDArray[np.generic]], bound: BoundFeature, is_chosen: npt.NDArray[np.bool_]
) -> dict[str, npt.NDArray[np.generic]]:
    """The rows of all samples from those of the chosen ones; the others have no value, and that is no failure.

    Args:
        blocks: of the chosen samples; may be empty where none is.
        bound: the feature.
        is_chosen: (n,) bool.
    """
    found: dict[str, npt.NDArray[np.generic]] = {}
    n = len(is_chosen)
    for name, columns in bound.columns.items():
        found[name] = np.full((n, len(columns)), np.nan, np.float32)
        found[name + _RADIUS] = np.full((n, 1), np.nan, np.float32)
        found[name + _REASON] = _encoded([NOT_CHOSEN] * n)
    for name, values in blocks.items():
        found[name][is_chosen] = values
    return found


def without(
    blocks: dict[str, npt.NDArray[np.generic]], bound: BoundFeature, is_readable: npt.NDArray[np.bool_]
) -> None:
    """Mark the values of images that could not be read as missing, in place."""
    for name in bound.columns:
        blocks[name][~is_readable] = np.nan
        blocks[name + _REASON][~is_readable] = _encoded([NOT_READ])
        blocks[name + _RADIUS][~is_readable] = np.nan


def missing_finding(rows: Rows, name: str, is_member: npt.NDArray[np.bool_], is_kept: Kept = None) -> Finding | None:
    """How many members and non-members have no value (or not all of its columns), by reason; ``None`` for none."""
    reasons = np.asarray(rows.finished(name + _REASON, is_kept))
    radius = np.asarray(rows.finished(name + _RADIUS, is_kept))[:, 0]
    failed = np.flatnonzero(reasons.any(axis=1) & (reasons != _encoded([NOT_CHOSEN])).any(axis=1))
    if not len(failed):
        return None
    by_text: dict[str, list[int]] = {}
    for row in failed.tolist():
        by_text.setdefault(reasons[row].tobytes().rstrip(b"\0").decode(errors="replace"), []).append(row)
    told = [f"{_counted(is_member[at])}: {text}{_searched(radius[at])}" for text, at in sorted(by_text.items())]
    sides = [is_member, ~is_member]
    share = max(is_side[failed].sum() / max(1, is_side.sum()) for is_side in sides)
    severity: Severity = "warning" if share > SHARE_WORTH_A_WARNING else "note"
    return Finding("feature-missing", severity, f"{name}: no value for {'; for '.join(told)}")


def subsample_finding(
    plugin: str, is_chosen: npt.NDArray[np.bool_], is_member: npt.NDArray[np.bool_]
) -> Finding | None:
    """Of how many samples there are values at all; ``None`` where of all."""
    if is_chosen.all():
        return None
    message = f"{plugin}: computed for a subsample of {_counted(is_member[is_chosen])}"
    return Finding("feature-subsample", "note", message)


def bound_findings(plugin: str, bound: BoundFeature) -> list[Finding]:
    """What the plug-in says of how it computed, under its name."""
    return [Finding(each.slug, each.severity, f"{plugin}: {each.message}") for each in bound.findings()]


def is_about(finding: Finding, names: Mapping[str, object] | set[str]) -> bool:
    """Whether a finding was raised by a feature or plug-in of one of these names."""
    return finding.message.partition(": ")[0] in names


def _values(name: str, values: torch.Tensor, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    if tuple(values.shape) != shape or values.dtype != torch.float32:
        got = f"{tuple(values.shape)} {values.dtype}"
        raise TypeError(f"expected {name} of shape {shape} and type torch.float32, got {got}")
    return np.array(values.detach().cpu().numpy())


def _encoded(texts: list[str]) -> npt.NDArray[np.uint8]:
    """(n, bytes) uint8, zeros where there is no text."""
    fixed = np.array([text.encode()[:_REASON_BYTES] for text in texts], f"S{_REASON_BYTES}")
    return fixed.view(np.uint8).reshape(len(texts), _REASON_BYTES)


def _counted(is_member: npt.NDArray[np.bool_]) -> str:
    n_members, n_non_members = int(is_member.sum()), int((~is_member).sum())
    members = f"{n_members:,} member{'' if n_members == 1 else 's'}"
    return f"{members} and {n_non_members:,} non-member{'' if n_non_members == 1 else 's'}"


def _searched(radius: npt.NDArray[np.float32]) -> str:
    """How far the searches went, where there were any."""
    known = radius[np.isfinite(radius)]
    if not len(known):
        return ""
    low, high = f"{known.min():.3g}", f"{known.max():.3g}"
    return f" (searched up to a radius of {low if low == high else f'{low} to {high}'})"
