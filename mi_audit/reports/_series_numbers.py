"""The numbers behind the curves over a series of checkpoints, a row per epoch."""

from collections.abc import Sequence
from typing import get_args

from mi_audit.reports import _format, _lookup, _series
from mi_audit.reports._series import Measure
from mi_audit.reports._table import Column, Row, Table
from mi_audit.schema import numerals
from mi_audit.schema.audit import Audit, Subset


def values(title: str, audits: Sequence[Audit], found: Sequence[Measure]) -> Table:
    """Every value of these measures with its interval, or why it cannot be estimated."""
    rows = tuple(
        Row(
            (
                _series.shown_epoch(audit),
                *(_format.with_interval(one.metric, one.values[i]) or _format.DASH for one in found),
            )
        )
        for i, audit in enumerate(audits)
    )
    return Table(title, (Column("epoch"), *(Column(one.name) for one in found)), rows)


def sizes(audits: Sequence[Audit]) -> Table:
    """How many held-out members and non-members each subset has: whose rates they are, and why some have none."""
    columns = [Column(f"{subset}: {side}") for subset in get_args(Subset) for side in ("members", "non-members")]
    rows = tuple(
        Row((_series.shown_epoch(audit), *(cell for subset in get_args(Subset) for cell in _sizes(audit, subset))))
        for audit in audits
    )
    return Table("Held-out samples behind the rates", (Column("epoch"), *columns), rows)


def _sizes(audit: Audit, subset: Subset) -> tuple[str, str]:
    row = _lookup.row(audit, audit.selected, subset)
    return (numerals.count(row.n_members), numerals.count(row.n_non_members)) if row else (_format.DASH, _format.DASH)


def ends(audits: Sequence[Audit], subset: Subset) -> str:
    """How many samples a subset has at the first and at the last epoch, in a sentence."""
    said = []
    for words, audit in (("first", audits[0]), ("last", audits[-1])):
        members, non_members = _sizes(audit, subset)
        said.append(f"at the {words} epoch {members} members and {non_members} non-members")
    return f"Held-out samples {', '.join(said)}."


def verdicts(audits: Sequence[Audit]) -> Table | None:
    """What the policy says about every epoch; ``None`` where no audit has a verdict."""
    if all(audit.verdict is None for audit in audits):
        return None
    rows = tuple(Row((_series.shown_epoch(audit), *_verdict(audit)), is_marked=audit is audits[-1]) for audit in audits)
    columns = (Column("epoch"), Column("verdict", is_text=True), Column("in words", is_text=True))
    return Table("Verdicts over the epochs", columns, rows)


def _verdict(audit: Audit) -> tuple[str, str]:
    if audit.verdict is None:
        return _format.DASH, "no policy was applied"
    return audit.verdict.outcome, audit.verdict.sentence
