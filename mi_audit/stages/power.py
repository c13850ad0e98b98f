"""The stage ``power``: what so many samples can show under a policy, without any model."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mi_audit.errors import UsageError
from mi_audit.gate._text import named, shown
from mi_audit.gate.policy import Policy
from mi_audit.metrics.power import power as power_rows
from mi_audit.metrics.tolerance import limits
from mi_audit.schema.statistics import PowerRow

_HEADS = ("measure", "guessing", "detects", "limit", "fails from", "passes to", "n to pass")
_LARGEST = 10**9
_NOTES = (
    "All with 80 % power. detects: the smallest true value that is told from",
    "guessing; fails from: the smallest that makes a FAIL; passes to: the largest",
    "that still passes; n to pass: held-out members, and as many non-members, at",
    "which a model that leaks nothing passes. A dash: these samples cannot. Half of",
    "the audited samples are held out unless --known-fraction says otherwise. For",
    "one attack; a suite of several needs more samples to pass.",
)


def power(n_members: int, n_non_members: int, policy: Policy) -> tuple[PowerRow, ...]:
    """What these held-out samples can detect, fail and pass.

    Raises:
        UsageError: a side without samples, or with more than a billion.
    """
    if not (1 <= n_members <= _LARGEST and 1 <= n_non_members <= _LARGEST):
        message = f"expected from 1 to {_LARGEST:,} samples of each side, got {n_members:,} and {n_non_members:,}"
        raise UsageError(message, tip="mi-audit power --members 5000 --non-members 5000")
    return power_rows(n_members, n_non_members, policy.mu, policy.alpha, len(limits(policy.mu)))


def as_json(rows: Sequence[PowerRow], policy: Policy) -> dict[str, Any]:
    """The same as JSON values, with the policy that the limits come from."""
    return {"policy": policy.as_values(), "policy_digest": policy.digest(), "power": [asdict(row) for row in rows]}


def rendered(rows: Sequence[PowerRow]) -> str:
    """A table for people."""
    sizes = f"{rows[0].n_members:,} members and {rows[0].n_non_members:,} non-members, held out"
    cells = [_HEADS, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(_HEADS))]
    lines = ["  ".join(_justified(line, widths)) for line in cells]
    return "\n".join([sizes, "", *lines, "", *_NOTES]) + "\n"


def _justified(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]


def _cells(row: PowerRow) -> tuple[str, ...]:
    values = (row.chance, row.detectable, row.limit, row.failing, row.passing)
    figures = ("-" if value is None else shown(row.measure, value) for value in values)
    return (named(row.measure), *figures, "-" if row.n_needed is None else f"{row.n_needed:,}")
