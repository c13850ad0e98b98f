"""One line per attack and subset, for spreadsheets and data frames."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mi_audit.reports import _format, _lookup, _metrics
from mi_audit.reports.interface import Report
from mi_audit.schema.audit import AttackRow, Audit
from mi_audit.schema.estimate import Estimate

_BASELINES = ("balanced_accuracy", "false_alarm_rate")
_STARTS_A_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # noqa: RUF001 - spreadsheets take the wide ones too

_ABOUT = (
    "audit",
    "title",
    "protocol",
    "target_accuracy.member",
    "target_accuracy.non_member",
    "attack",
    "is_selected",
    "samples",
    "subset",
    "image_class",
    "class_name",
    "n_members",
    "n_non_members",
)
_BASELINE_COLUMNS = tuple(f"{baseline}.{key}" for baseline in ("naive", "zero_r") for key in _BASELINES)

_Cell = str | int | float | None


@dataclass(frozen=True)
class Csv(Report):
    """A table for spreadsheets: a header, then one line per audit, attack, subset and class.

    Every metric has three columns: its name as in the record (``precision.member``), ``NAME.low`` and ``NAME.high``.
    Numbers are rates in [0, 1] in full precision; what is undefined is empty, and ``not_estimable`` says why. Target
    accuracy is that on the full data set. Quoted as in RFC 4180, with lines that end in a bare newline. Text that a
    spreadsheet would run as a formula is preceded by an apostrophe.
    """

    def render(self, audits: Sequence[Audit], *, width: int = 80, color: bool = False) -> str:  # noqa: ARG002 - no terminal's
        """The table of all audits, one below the other."""
        keys = _metrics.ordered(key for audit in audits for row in audit.rows for key in row.metrics)
        lines = [_line(number, audit, row, keys) for number, audit in enumerate(audits, start=1) for row in audit.rows]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        header = (*_ABOUT, *dict(_metric_cells({}, keys)), *_BASELINE_COLUMNS, "not_estimable")
        writer.writerows([_safe(cell) for cell in line] for line in (header, *lines))
        return out.getvalue()


def _line(number: int, audit: Audit, row: AttackRow, keys: Sequence[str]) -> tuple[_Cell, ...]:
    """The cells of one row: about it, its metrics, the baselines on the same samples, what is not estimable."""
    target = _lookup.accuracy(audit)
    about: tuple[_Cell, ...] = (
        number,
        audit.title,
        audit.protocol,
        target.member.value if target else None,
        target.non_member.value if target else None,
        row.attack,
        "yes" if row.attack == audit.selected else "no",
        row.samples,
        row.subset,
        row.image_class,
        None if row.image_class is None else _lookup.class_name(audit, row.image_class),
        row.n_members,
        row.n_non_members,
    )
    baselines = [estimates.get(key) for estimates in (row.naive, row.zero_r) for key in _BASELINES]
    values = [estimate.value if estimate else None for estimate in baselines]
    return (*about, *dict(_metric_cells(row.metrics, keys)).values(), *values, _reasons(row.metrics, keys))


def _metric_cells(metrics: Mapping[str, Estimate], keys: Sequence[str]) -> Iterator[tuple[str, _Cell]]:
    """(column, cell) pairs: value and bounds of every metric, empty where there is none."""
    for key in keys:
        estimate = metrics.get(key)
        yield key, estimate.value if estimate else None
        yield f"{key}.low", estimate.low if estimate else None
        yield f"{key}.high", estimate.high if estimate else None


def _reasons(metrics: Mapping[str, Estimate], keys: Sequence[str]) -> str:
    undefined = [(key, metrics[key]) for key in keys if key in metrics and metrics[key].value is None]
    return "; ".join(f"{key}: {estimate.reason}" for key, estimate in undefined)


def _safe(cell: _Cell) -> _Cell:
    """Numbers as they are; text without control characters, and never a formula."""
    if not isinstance(cell, str):
        return cell
    seen = _format.visible(cell)
    return f"'{seen}" if seen.lstrip().startswith(_STARTS_A_FORMULA) else seen
