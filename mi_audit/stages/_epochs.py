"""Which epoch of a training run an audit is about: from its record, the name of its checkpoint, or that of its file."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mi_audit.errors import UsageError
from mi_audit.schema.audit import Audit

_NAMED = re.compile(r"(?:epoch|ep|step|iter)[-_=. ]?(\d{1,15})(?!\d)", re.IGNORECASE)
_NUMBER = re.compile(r"(?<!\d)\d{1,15}(?!\d)")


def by_epoch(audits: Sequence[Audit], names: Sequence[str]) -> list[Audit]:
    """The audits of a series from the first epoch to the last, each with its epoch in ``provenance["series"]``.

    Args:
        audits: of the checkpoints of one training run.
        names: of their files, looked at where neither the record nor the name of the checkpoint tells.

    Raises:
        UsageError: the epochs cannot be told, or are not all different.
    """
    ways = ([_recorded(audit) for audit in audits], numbers([_source(audit) for audit in audits]), numbers(names))
    for found in ways:
        epochs = [epoch for epoch in found if epoch is not None]
        if len(set(epochs)) == len(audits):
            order = sorted(range(len(audits)), key=epochs.__getitem__)
            return [stamped(audits[position], epochs[position]) for position in order]
    tip = "name the checkpoints or the audits epoch-1, epoch-2, ..., and give each of them once"
    raise UsageError("expected audits of different epochs, which their names do not tell", tip=tip)


def stamped(audit: Audit, epoch: int) -> Audit:
    """The same audit, which knows its epoch."""
    return replace(audit, provenance=audit.provenance | {"series": {"epoch": epoch}})


def numbers(names: Sequence[str]) -> list[int | None]:
    """The number after "epoch" in every name; the last number in each where that word is not in all of them.

    >>> numbers(["net-10-epoch_2.pt", "net-10-epoch_12.pt"])
    [2, 12]
    """
    named = [_last(_NAMED, name) for name in names]
    return named if None not in named else [_last(_NUMBER, name) for name in names]


def _last(pattern: re.Pattern[str], name: str) -> int | None:
    stem = name.replace("\\", "/").rpartition("/")[2]
    stem = stem.rpartition(".")[0] or stem
    found = pattern.findall(stem)
    return int(found[-1]) if found else None


def _recorded(audit: Audit) -> int | None:
    found = _at(audit, "series", "epoch")
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _source(audit: Audit) -> str:
    found = _at(audit, "features", "target", "source")
    return found if isinstance(found, str) else ""


def _at(audit: Audit, *path: str) -> Any:
    found: Any = audit.provenance
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found
