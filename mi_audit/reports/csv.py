"""One line per attack and subset, for spreadsheets and data frames."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mi_audit.reports import _csv_lines, _format, _lookup, _metrics
from mi_audit.reports._csv_lines import Cell, Line
from mi_audit.reports._series import epoch_of
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
_FURTHER = ("not_estimable", "record", "name", "outcome", "message", "p_value", "epoch")


@dataclass(frozen=True)
class Csv(Report):
    """A table for spreadsheets: a header, then one line per audit, attack, subset and class.

    Every metric has three columns: its name as in the record (``precision.member``), ``NAME.low`` and ``NAME.high``.
    Numbers are rates in [0, 1] in full precision; what is undefined is empty, and ``not_estimable`` says why. Target
    accuracy is that on the full data set. Quoted as in RFC 4180, with lines that end in a bare newline. Text that a
    spreadsheet would run as a formula is preceded by an apostrophe.

    The column ``record`` says what a line is: ``attack`` for these; below them, where an audit has them, ``bound``
    (its low and high are one-sided), ``stratified``, ``class``, ``chance``, ``rule`` and ``control``.

    Attributes:
        per_sample: the list of samples instead, with their membership and scores; not for sharing.
    """

    per_sample: bool = False

    def render(self, audits: Sequence[Audit], *, width: int = 80, color: bool = False) -> str:  # noqa: ARG002 - no terminal's
        """The table of all audits, one below the other."""
        numbered = list(enumerate(audits, start=1))
        if self.per_sample:
            header = _csv_lines.sample_header(list(audits))
            return _written(header, (line for i, audit in numbered for line in _csv_lines.sample_lines(i, audit)))
        found = [key for audit in audits for row in audit.rows for key in row.metrics]
        keys = _metrics.ordered([*found, *(key for audit in audits for key in _csv_lines.keys(audit))])
        header = [*_ABOUT, *dict(_metric_cells({}, keys)), *_BASELINE_COLUMNS, *_FURTHER]
        return _written(header, (line for i, audit in numbered for line in _lines(i, audit, keys)))


def _written(header: Sequence[str], lines: Iterable[Line]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_safe(name) for name in header])
    writer.writerows([_safe(line.get(name)) for name in header] for line in lines)
    return out.getvalue()


def _lines(number: int, audit: Audit, keys: Sequence[str]) -> Iterator[Line]:
    """The rows of the attacks, then all else, each with what is true of the whole audit."""
    about = _about(number, audit)
    yield from (about | _of_row(audit, row, keys) for row in audit.rows)
    yield from (about | line for line in _csv_lines.lines(audit))


def _about(number: int, audit: Audit) -> Line:
    target = _lookup.accuracy(audit)
    return {
        "audit": number,
        "title": audit.title,
        "protocol": audit.protocol,
        "target_accuracy.member": target.member.value if target else None,
        "target_accuracy.non_member": target.non_member.value if target else None,
        "epoch": epoch_of(audit),
    }


def _of_row(audit: Audit, row: AttackRow, keys: Sequence[str]) -> Line:
    """The cells of one row: about it, its metrics, the baselines on the same samples, what is not estimable."""
    baselines = [estimates.get(key) for estimates in (row.naive, row.zero_r) for key in _BASELINES]
    values = [estimate.value if estimate else None for estimate in baselines]
    return {
        "record": "attack",
        "attack": row.attack,
        "is_selected": "yes" if row.attack == audit.selected else "no",
        "samples": row.samples,
        "subset": row.subset,
        "image_class": row.image_class,
        "class_name": None if row.image_class is None else _lookup.class_name(audit, row.image_class),
        "n_members": row.n_members,
        "n_non_members": row.n_non_members,
        **dict(_metric_cells(row.metrics, keys)),
        **dict(zip(_BASELINE_COLUMNS, values, strict=True)),
        "not_estimable": _reasons(row.metrics, keys),
    }


def _metric_cells(metrics: Mapping[str, Estimate], keys: Sequence[str]) -> Iterator[tuple[str, Cell]]:
    """(column, cell) pairs: value and bounds of every metric, empty where there is none."""
    for key in keys:
        estimate = metrics.get(key)
        yield key, estimate.value if estimate else None
        yield f"{key}.low", estimate.low if estimate else None
        yield f"{key}.high", estimate.high if estimate else None


def _reasons(metrics: Mapping[str, Estimate], keys: Sequence[str]) -> str:
    undefined = [(key, metrics[key]) for key in keys if key in metrics and metrics[key].value is None]
    return "; ".join(f"{key}: {estimate.reason}" for key, estimate in undefined)


def _safe(cell: Cell) -> Cell:
    """Numbers as they are; text without control characters, and never a formula."""
    if not isinstance(cell, str):
        return cell
    seen = _format.visible(cell)
    return f"'{seen}" if seen.lstrip().startswith(_STARTS_A_FORMULA) else seen
