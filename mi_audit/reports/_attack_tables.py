"""The tables about the attacks: all of them, the subsets, the classes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

from mi_audit.reports import _format, _lookup, _metrics
from mi_audit.reports._table import Column, Row, Table
from mi_audit.schema import numerals
from mi_audit.schema.audit import AttackRow, Audit, Samples, Subset
from mi_audit.schema.estimate import Estimate

FEW_SAMPLES = 30

_LONGEST_NAME = 60

_ESSENTIAL = ("false_alarm_rate", "recall.member", "precision.member", "precision.non_member", "auc")
_FURTHER = ("recall.non_member", "f1.member", "f1.non_member", "tpr_at_fpr.0.01", "tpr_at_fpr.0.001")
_BALANCED_ACCURACY = Column("balanced accuracy (95 % interval)", "balanced accuracy\n(95 % interval)")
_WHICH = {"all": "held out", "correct": "classified correctly", "misclassified": "misclassified"}


def attacks(audit: Audit) -> Table:
    """Every attack on all held-out samples, the naive one also on all samples, and ZeroR."""
    headline = _lookup.headline(audit)
    learned = [
        row
        for row in audit.rows
        if (row.subset, row.samples, row.image_class) == ("all", "held-out", None) and row.attack != _lookup.NAIVE
    ]
    ratio = _format.ratio(headline.n_members, headline.n_non_members) if headline else ""
    rows = [Row((_label(row.attack), *_cells(row.metrics)), row.attack == audit.selected) for row in learned]
    rows += _baselines(audit, starts_group=bool(learned))
    metrics = [row.metrics for row in learned] + [_lookup.naive_metrics(audit)]
    sizes = f" ({_sides(headline)})" if headline else ""
    return Table(
        f"Attacks on held-out samples{sizes}, in %",
        _attack_columns(ratio),
        tuple(rows) if any(any(row.cells[1:]) for row in rows) else (),
        (*_attack_notes(audit), *_metrics.reasons(metrics, ("balanced_accuracy", *_ESSENTIAL, *_FURTHER))),
    )


def _attack_columns(ratio: str) -> tuple[Column, ...]:
    return (
        Column("attack", is_text=True),
        _BALANCED_ACCURACY,
        *(_metrics.METRICS[key].column() for key in _ESSENTIAL),
        Column("FAR, 95 % interval", "FAR\ninterval", is_essential=False),
        *(_metrics.METRICS[key].column(is_essential=False) for key in _FURTHER),
        Column(f"accuracy at {ratio}", f"acc.\nat {ratio}", is_essential=False),
    )


def _cells(metrics: Mapping[str, Estimate]) -> tuple[str, ...]:
    return (
        _format.with_interval("balanced_accuracy", metrics.get("balanced_accuracy")),
        *(_format.point(key, metrics.get(key)) for key in _ESSENTIAL),
        _format.interval("false_alarm_rate", metrics.get("false_alarm_rate")),
        *(_format.point(key, metrics.get(key)) for key in _FURTHER),
        _format.point("accuracy", metrics.get("accuracy")),
    )


def _baselines(audit: Audit, *, starts_group: bool) -> list[Row]:
    headline, is_marked = _lookup.headline(audit), audit.selected == _lookup.NAIVE
    rows = [Row((_lookup.NAIVE, *_cells(_lookup.naive_metrics(audit))), is_marked, starts_group)]
    rows += [Row((f"naive, {which}", *_cells(row.metrics))) for which, row in _naive_beyond_held_out(audit)]
    rows.append(Row(("ZeroR", *_cells(_without_intervals(headline.zero_r) if headline else {}))))
    return rows


def _naive_beyond_held_out(audit: Audit) -> list[tuple[str, AttackRow]]:
    """The naive attack on all samples and, where duplicates left the audit, on the audited ones."""
    wanted: tuple[tuple[str, Samples], ...] = (("all samples", "full"), ("all audited", "audited"))
    found = [(which, _lookup.row(audit, _lookup.NAIVE, samples=samples)) for which, samples in wanted]
    return [(which, row) for which, row in found if row is not None]


def _without_intervals(metrics: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """ZeroR's numbers follow from its rule, whatever the samples: an interval would say nothing."""
    return {key: replace(estimate, low=None, high=None) for key, estimate in metrics.items()}


def _attack_notes(audit: Audit) -> tuple[str, ...]:
    notes = ["The marked attack was chosen on the known samples, before any held-out sample was scored."]
    for which, row in _naive_beyond_held_out(audit):
        at_ratio = f"accuracy at {_format.ratio(row.n_members, row.n_non_members)}"
        notes.append(f"Naive, {which}: {_sides(row)}, {at_ratio}; nothing in it is fitted, so all may be scored.")
    skipped = {attack.n_classes_skipped for attack in audit.attacks if attack.per_class and attack.n_classes_skipped}
    if skipped:
        notes.append(f"{numerals.counted(max(skipped), 'class')} had too few samples for an attack of their own.")
    return tuple(notes)


def subsets(audit: Audit) -> Table:
    """The selected attack, naive and ZeroR on the held-out samples that the target got right and wrong."""
    columns = (
        Column("subset", is_text=True),
        Column("attack", is_text=True),
        Column("members", "memb."),
        Column("non-members", "non-m."),
        _BALANCED_ACCURACY,
        Column("FAR"),
        Column("AUC"),
    )
    found = [row for subset in get_args(Subset) if (row := _lookup.row(audit, audit.selected, subset)) is not None]
    rows = tuple(row for i, subset_row in enumerate(found) for row in _subset_rows(audit, subset_row, is_first=i == 0))
    notes = tuple(note for row in found for note in _size_notes(row))
    if found and found[0].subset == "all" and 0 in (found[0].n_members, found[0].n_non_members):
        notes = tuple(_size_notes(found[0]))
    return Table("Subsets of the held-out samples, in %", columns, rows, notes, n_keys=2)


def _subset_rows(audit: Audit, row: AttackRow, *, is_first: bool) -> list[Row]:
    naive = row.naive
    shown = {audit.selected: row.metrics, _lookup.NAIVE: naive, "ZeroR": _without_intervals(row.zero_r)}
    sizes = (numerals.count(row.n_members), numerals.count(row.n_non_members))
    return [
        Row(
            (
                row.subset,
                _label(label),
                *sizes,
                _format.with_interval("balanced_accuracy", metrics.get("balanced_accuracy")),
                _format.point("false_alarm_rate", metrics.get("false_alarm_rate")),
                _format.point("auc", metrics.get("auc")),
            ),
            starts_group=position == 0 and not is_first,
        )
        for position, (label, metrics) in enumerate(shown.items())
    ]


def _size_notes(row: AttackRow) -> list[str]:
    """What has to be said about a side with few samples or none."""
    which, kept = _WHICH[row.subset], "" if row.subset == "all" else "held-out "
    notes = []
    for n, side in ((row.n_members, "member"), (row.n_non_members, "non-member")):
        if n == 0:
            notes.append(f"No {kept}{side} is {which}: nothing can be said about telling the two sides apart.")
        elif n < FEW_SAMPLES:
            verb = "is" if n == 1 else "are"
            notes.append(f"Only {n} {kept}{side}{'' if n == 1 else 's'} {verb} {which}: too few to rely on.")
    return notes


def classes(audit: Audit, limit: int) -> Table | None:
    """The classes that leak most to the selected attack; ``None`` in an audit without rows per class."""
    rows = class_rows(audit)
    if not rows:
        return None
    estimable = [row for row in rows if leak(row) is not None]
    columns = (
        Column("class", is_text=True),
        Column("members", "memb."),
        Column("non-members", "non-m."),
        _BALANCED_ACCURACY,
        Column("FAR"),
        Column("AUC"),
        Column("naive balanced accuracy", "naive\nbal. acc."),
    )
    shown = estimable[:limit]
    title = f"Classes, by balanced accuracy of {_label(audit.selected)}, in %"
    return Table(
        title, columns, tuple(_class_row(audit, row) for row in shown), _class_notes(audit, rows, estimable, limit)
    )


def class_rows(audit: Audit) -> list[AttackRow]:
    """The rows per class of the selected attack on held-out samples, those that leak most first."""
    rows = [
        row
        for row in audit.rows
        if row.image_class is not None and (row.attack, row.subset, row.samples) == (audit.selected, "all", "held-out")
    ]
    return sorted(rows, key=_most_leaking_first)


def leak(row: AttackRow) -> float | None:
    """The balanced accuracy of a row, or ``None`` where it is undefined."""
    estimate = row.metrics.get("balanced_accuracy")
    return estimate.value if estimate else None


def _most_leaking_first(row: AttackRow) -> tuple[float, int]:
    return -(leak(row) or 0.0), row.image_class or 0


def _class_row(audit: Audit, row: AttackRow) -> Row:
    return Row(
        (
            _label(_lookup.class_name(audit, row.image_class or 0)),
            numerals.count(row.n_members),
            numerals.count(row.n_non_members),
            _format.with_interval("balanced_accuracy", row.metrics.get("balanced_accuracy")),
            _format.point("false_alarm_rate", row.metrics.get("false_alarm_rate")),
            _format.point("auc", row.metrics.get("auc")),
            _format.point("balanced_accuracy", row.naive.get("balanced_accuracy")),
        )
    )


def _class_notes(audit: Audit, rows: list[AttackRow], estimable: list[AttackRow], limit: int) -> tuple[str, ...]:
    notes = []
    if len(estimable) > limit:
        rest = numerals.counted(len(estimable) - limit, "class")
        notes.append(f"{rest} with less leakage not shown; the formats json and csv have them all.")
    if len(rows) > len(estimable):
        notes.append(f"{numerals.counted(len(rows) - len(estimable), 'class')} not estimable.")
    average = _lookup.class_average(audit, audit.selected)
    overall = average.metrics.get("balanced_accuracy") if average else None
    if overall is not None:
        n_classes = numerals.counted(overall.n, "class")
        notes.append(f"Balanced accuracy over {n_classes}: {_format.mean_sd(overall)} (SD over classes).")
    if len(estimable) > 1:
        notes.append("The top of a sorted list looks worse than it is: compare the intervals, not the order.")
    return tuple(notes)


def _label(attack: str) -> str:
    return _format.shortened(attack, _LONGEST_NAME)


def _sides(row: AttackRow) -> str:
    return f"{numerals.counted(row.n_members, 'member')}, {numerals.counted(row.n_non_members, 'non-member')}"
