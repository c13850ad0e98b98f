"""What changes over the epochs of a series of checkpoints: the overfitting curves of the founding paper as numbers.

An audit knows its epoch from `provenance["series"]["epoch"]`, which `evaluate --model 'epoch-*.pt'` and
`report --by epoch` write there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from mi_audit.reports import _format, _lookup
from mi_audit.reports._attack_tables import FEW_SAMPLES
from mi_audit.reports._table import Column, Row, Table
from mi_audit.schema import numerals
from mi_audit.schema.audit import Audit, Subset
from mi_audit.schema.estimate import Estimate

BARS = "▁▂▃▄▅▆▇█"

_SHORT: dict[Subset, str] = {"all": "all", "correct": "correct", "misclassified": "miscl."}
_NAMES = {"balanced_accuracy": ("balanced accuracy", "bal. acc."), "false_alarm_rate": ("FAR", "FAR")}
_LONGEST_COURSE = 60


@dataclass(frozen=True)
class Measure:
    """One number of every audit in a series.

    Attributes:
        name: in words, ``"FAR, correct"``.
        heading: in the lines of a narrow column.
        metric: how it is printed, a name in the table of metrics.
        values: one per audit; ``None`` where the audit does not have it.
    """

    name: str
    heading: str
    metric: str
    values: tuple[Estimate | None, ...]


def epoch_of(audit: Audit) -> int | None:
    """The epoch of the checkpoint that was audited, where that is known."""
    found = _lookup.provenance(audit, "series", "epoch")
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def shown_epoch(audit: Audit) -> str:
    """The epoch in print; a dash where it is not known."""
    epoch = epoch_of(audit)
    return _format.DASH if epoch is None else numerals.count(epoch)


def measures(audits: Sequence[Audit]) -> tuple[Measure, ...]:
    """Accuracy of the target on both sides, then balanced accuracy and FAR of the selected attack on each subset."""
    return (*of_target(audits), *of_attack(audits, "balanced_accuracy"), *of_attack(audits, "false_alarm_rate"))


def of_target(audits: Sequence[Audit]) -> tuple[Measure, Measure]:
    """Accuracy of the target on members and on non-members."""
    targets = [_lookup.accuracy(audit) for audit in audits]
    members = tuple(target.member if target else None for target in targets)
    non_members = tuple(target.non_member if target else None for target in targets)
    return (
        Measure("accuracy on members", "accur.\nmembers", "accuracy", members),
        Measure("accuracy on non-members", "accur.\nnon-m.", "accuracy", non_members),
    )


def of_attack(audits: Sequence[Audit], metric: str) -> tuple[Measure, ...]:
    """Balanced accuracy or FAR of every audit's selected attack, a measure per subset."""
    name, short = _NAMES[metric]
    found = []
    for subset, short_subset in _SHORT.items():
        rows = [_lookup.row(audit, audit.selected, subset) for audit in audits]
        values = tuple(row.metrics.get(metric) if row else None for row in rows)
        found.append(Measure(f"{name}, {subset}", f"{short}\n{short_subset}", metric, values))
    return tuple(found)


def of_naive(audits: Sequence[Audit], metric: str) -> tuple[Measure, ...]:
    """Balanced accuracy or FAR of the naive attack on the same samples, a measure per subset."""
    name, short = _NAMES[metric]
    found = []
    for subset, short_subset in _SHORT.items():
        values = tuple(_lookup.naive_metrics(audit, subset).get(metric) for audit in audits)
        found.append(Measure(f"naive {name}, {subset}", f"naive\n{short}\n{short_subset}", metric, values))
    return tuple(found)


def tables(audits: Sequence[Audit]) -> tuple[Table, ...]:
    """A row per epoch, and the course of every measure in a line."""
    found = measures(audits)
    return _by_epoch(audits, found), _courses(found)


def verdicts(audits: Sequence[Audit]) -> str:
    """The verdicts in the order of the epochs, ``"PASS at epoch 1 to 4, FAIL at epoch 5."``; empty where none was."""
    judged = [(audit.verdict.outcome, shown_epoch(audit)) for audit in audits if audit.verdict is not None]
    runs = [(outcome, [epoch for _, epoch in own]) for outcome, own in groupby(judged, key=lambda pair: pair[0])]
    said = [f"{outcome} at epoch {' to '.join(dict.fromkeys((own[0], own[-1])))}" for outcome, own in runs]
    return _format.shortened(", ".join(said), 400) + "." if said else ""


def _by_epoch(audits: Sequence[Audit], found: Sequence[Measure]) -> Table:
    heads = (
        Column("epoch"),
        *(Column(measure.name, measure.heading) for measure in found),
        Column("verdict", is_text=True, is_essential=False),
        Column("selected attack", is_text=True, is_essential=False),
        Column("audit", is_text=True, is_essential=False),
    )
    rows = []
    for position, audit in enumerate(audits):
        cells = (
            shown_epoch(audit),
            *(_format.point(measure.metric, measure.values[position]) or _format.DASH for measure in found),
            audit.verdict.outcome if audit.verdict else _format.DASH,
            _format.shortened(audit.selected, 60),
            _format.shortened(audit.title, 80),
        )
        rows.append(Row(cells))
    notes = (
        *((said,) if (said := verdicts(audits)) else ()),
        "Accuracy of the target on all samples of each side; balanced accuracy and FAR of the selected attacks.",
        *_undefined(audits, found),
        *_few(audits),
    )
    return Table("Over the epochs, in %", heads, tuple(rows), notes)


def _undefined(audits: Sequence[Audit], found: Sequence[Measure]) -> tuple[str, ...]:
    """Why there are dashes: reasons with the epochs that they hold for."""
    epochs: dict[str, list[str]] = {}
    for measure in found:
        for audit, estimate in zip(audits, measure.values, strict=True):
            if estimate is not None and estimate.value is None:
                own = epochs.setdefault(f"{measure.name}: not estimable ({estimate.reason})", [])
                own.append(str(epoch_of(audit)))
    return tuple(
        f"{_format.DASH} {reason}, epoch {_format.shortened(', '.join(own), 80)}." for reason, own in epochs.items()
    )


def _few(audits: Sequence[Audit]) -> tuple[str, ...]:
    """Which numbers rest on too few samples to rely on: subsets with the epochs that it holds for."""
    epochs: dict[Subset, list[str]] = {}
    for audit in audits:
        for subset in _SHORT:
            row = _lookup.row(audit, audit.selected, subset)
            if row is not None and 0 < min(row.n_members, row.n_non_members) < FEW_SAMPLES:
                epochs.setdefault(subset, []).append(shown_epoch(audit))
    return tuple(
        f"Fewer than {FEW_SAMPLES} held-out samples on a side, too few to rely on: {subset}, epoch "
        f"{_format.shortened(', '.join(own), 80)}."
        for subset, own in epochs.items()
    )


def _courses(found: Sequence[Measure]) -> Table:
    heads = (
        Column("measure", is_text=True),
        Column("first"),
        Column("last"),
        Column("least"),
        Column("greatest"),
        Column("course", is_text=True, is_essential=False),
    )
    rows = tuple(_course_row(measure, i in (2, 5)) for i, measure in enumerate(found))
    notes = ("Each course is drawn between its own least and greatest value: compare shapes, not heights.",)
    return Table("First to last epoch, in %", heads, rows, notes)


def _course_row(measure: Measure, starts_group: bool) -> Row:
    known = [(each.value, each) for each in measure.values if each is not None and each.value is not None]
    ends = (measure.values[0], measure.values[-1]) if measure.values else (None, None)
    least, greatest = (pick(known, key=lambda pair: pair[0])[1] if known else None for pick in (min, max))
    cells = [_format.point(measure.metric, estimate) or _format.DASH for estimate in (*ends, least, greatest)]
    return Row(
        (measure.name, *cells, course([each.value if each else None for each in measure.values])),
        starts_group=starts_group,
    )


def course(values: Sequence[float | None]) -> str:
    """A line of bars between the least and the greatest value; a space where there is no value.

    Longer series are thinned out evenly; the last value always stays.

    >>> course([0.5, None, 0.75, 1.0])
    '▁ ▅█'
    """
    n = len(values)
    kept = list(values) if n <= _LONGEST_COURSE else [values[_at(i, n)] for i in range(_LONGEST_COURSE)]
    known = [value for value in kept if value is not None]
    if not known:
        return ""
    least, span = min(known), max(known) - min(known)
    return "".join(" " if value is None else _bar(value, least, span) for value in kept)


def _at(position: int, n: int) -> int:
    return round(position * (n - 1) / (_LONGEST_COURSE - 1))


def _bar(value: float, least: float, span: float) -> str:
    share = (value - least) / span if span else 0.0
    return BARS[min(len(BARS) - 1, int(share * len(BARS)))]
