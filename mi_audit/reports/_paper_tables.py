"""Tables 1 to 4 in the form of the founding paper, for audits under its protocol.

Rezaei & Liu, "On the Difficulty of Membership Inference Attacks". The ± of an attack's numbers is the standard
deviation over classes, not over runs; the ± of a confidence is over samples.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from mi_audit.reports import _format, _lookup, _metrics
from mi_audit.reports._sweep_tables import SWEPT, columns
from mi_audit.reports._table import Column, Row, Table
from mi_audit.schema import numerals
from mi_audit.schema.audit import Audit, ClassAverageRow, Subset, SweepRow

_TABLE_1 = (
    ("Attack acc.", "accuracy"),
    ("Precision", "precision.member"),
    ("Recall", "recall.member"),
    ("F1", "f1.member"),
    ("Bal. acc.", "balanced_accuracy"),
    ("FAR", "false_alarm_rate"),
)
_LONGEST_TITLE = 40


def tables(audits: Sequence[Audit]) -> tuple[Table, ...]:
    """Tables 1 to 4 over these audits."""
    return (_table_1(audits), _table_2(audits), _table_3(audits), _table_4(audits)) if audits else ()


def _table_1(audits: Sequence[Audit]) -> Table:
    """Targets side by side: accuracy of the target, then the attack averaged over classes."""
    heads = (Column("", is_text=True), *(Column(_format.visible(_title(audit))) for audit in audits))
    lines = [
        ("Train acc.", *(_target_accuracy(audit)[0] for audit in audits)),
        ("Test acc.", *(_target_accuracy(audit)[1] for audit in audits)),
    ]
    for label, key in _TABLE_1:
        lines.append((label, *(_average(_selected_average(audit), key) for audit in audits)))
    notes = (
        "± is the standard deviation over classes, not over runs. Attack acc. is plain accuracy at "
        + " and ".join(dict.fromkeys(_measured_ratio(audit) for audit in audits))
        + ".",
        *_missing_notes(audits),
    )
    rows = tuple(Row(line, starts_group=i == 2) for i, line in enumerate(lines))
    return Table("Table 1. Targets and their best attack, in %", heads, rows, notes)


def _table_2(audits: Sequence[Audit]) -> Table:
    """The balancedness sweep of the selected attack and of ZeroR, exact."""
    keys: tuple[str, ...] = ("Target", "Ratio", "Attack")
    rows = [row for audit in audits for row in _table_2_rows(audit)]
    if len(audits) == 1:
        keys, rows = keys[1:], [replace(row, cells=row.cells[1:]) for row in rows]
    heads = (*(Column(key, is_text=True) for key in keys), *columns(SWEPT))
    title = "Table 2. Balancedness of the evaluation set, in %"
    reasons = _metrics.reasons([row.exact for audit in audits for row in _table_2_sweep(audit)], SWEPT)
    return Table(title, heads, tuple(rows), (*_selected_notes(audits), *reasons), n_keys=len(keys))


def _table_2_sweep(audit: Audit) -> list[SweepRow]:
    return [row for row in audit.sweep if row.attack in (audit.selected, _lookup.ZERO_R)]


def _table_2_rows(audit: Audit) -> list[Row]:
    return [
        Row(
            (
                _title(audit),
                row.ratio,
                "ZeroR" if row.attack == _lookup.ZERO_R else "MI",
                *(_format.point(key, row.exact.get(key)) for key in SWEPT),
            ),
            starts_group=i == 0,
        )
        for i, row in enumerate(_table_2_sweep(audit))
    ]


def _table_3(audits: Sequence[Audit]) -> Table:
    """Balanced accuracy of the attack beside the naive one, averaged over classes."""
    heads = (Column("Target", is_text=True), Column("Train"), Column("Test"), Column("Attack"), Column("Naive"))
    rows = tuple(
        Row(
            (
                _title(audit),
                *_target_accuracy(audit),
                _average(_selected_average(audit), "balanced_accuracy"),
                _average(_lookup.class_average(audit, _lookup.NAIVE), "balanced_accuracy"),
            )
        )
        for audit in audits
    )
    notes = ("Train and test: accuracy of the target. Attack and naive: balanced accuracy, ± over classes.",)
    return Table("Table 3. The attack against the naive attack, in %", heads, rows, notes)


def _table_4(audits: Sequence[Audit]) -> Table:
    """The attack on all, correctly classified and misclassified samples."""
    heads: tuple[Column, ...] = (
        Column("Target", is_text=True),
        Column("Subset", is_text=True),
        Column("Accuracy"),
        Column("FAR"),
        Column("Classes", "n"),
        Column("Train confidence", "Train\nconfidence", is_essential=False),
        Column("Test confidence", "Test\nconfidence", is_essential=False),
    )
    rows = [
        _table_4_row(audit, subset, starts_group=i > 0 and subset == "all")
        for i, audit in enumerate(audits)
        for subset in get_args(Subset)
    ]
    title = "Table 4. Subsets, in %"
    if len(audits) == 1:
        title = f"Table 4. Subsets, {_title(audits[0])}, in %"
        heads, rows = heads[1:], [replace(row, cells=row.cells[1:]) for row in rows]
    notes = (
        "Accuracy is balanced accuracy. It and FAR: ± over the classes where they are estimable (n for accuracy).",
        "Confidence in the true class: ± over samples.",
        *(note for audit in audits for note in _not_estimable(audit)),
    )
    return Table(title, heads, tuple(rows), notes, n_keys=1 if len(audits) == 1 else 2)


def _table_4_row(audit: Audit, subset: Subset, *, starts_group: bool) -> Row:
    average, confidence = _lookup.class_average(audit, audit.selected, subset), _lookup.confidence(audit, subset)
    return Row(
        (
            _title(audit),
            subset,
            _average(average, "balanced_accuracy"),
            _average(average, "false_alarm_rate"),
            _n_classes(average),
            _format.mean_sd(confidence.member if confidence else None),
            _format.mean_sd(confidence.non_member if confidence else None),
        ),
        starts_group=starts_group,
    )


def _n_classes(average: ClassAverageRow | None) -> str:
    """How many classes the balanced accuracy is averaged over."""
    if average is None:
        return _format.DASH
    defined = average.metrics.get("balanced_accuracy")
    return numerals.count(defined.n) if defined else "0"


def _not_estimable(audit: Audit) -> list[str]:
    """One note on the classes that the accuracy of a subset leaves out, where there are any."""
    counts = {row.subset: row.n_classes_undefined for row in audit.class_averages if row.attack == audit.selected}
    left_out = {subset: undefined.get("balanced_accuracy", 0) for subset, undefined in counts.items()}
    parts = [f"{numerals.counted(n, 'class')} of {subset}" for subset, n in left_out.items() if n]
    return [f"{_title(audit)}: accuracy is not estimable for {', '.join(parts)}."] if parts else []


def _average(average: ClassAverageRow | None, key: str) -> str:
    return _format.mean_sd(average.metrics.get(key) if average else None)


def _selected_average(audit: Audit) -> ClassAverageRow | None:
    return _lookup.class_average(audit, audit.selected)


def _target_accuracy(audit: Audit) -> tuple[str, str]:
    found = _lookup.accuracy(audit)
    if found is None:
        return _format.DASH, _format.DASH
    return _format.point("accuracy", found.member), _format.point("accuracy", found.non_member)


def _title(audit: Audit) -> str:
    return _format.shortened(audit.title, _LONGEST_TITLE)


def _measured_ratio(audit: Audit) -> str:
    headline = _lookup.headline(audit)
    return _format.ratio(headline.n_members, headline.n_non_members) if headline else _format.DASH


def _selected_notes(audits: Sequence[Audit]) -> tuple[str, ...]:
    chosen = "; ".join(dict.fromkeys(f"{_title(audit)}: {_format.shortened(audit.selected, 60)}" for audit in audits))
    return (f"MI is the attack that was chosen on the known samples ({chosen}).",)


def _missing_notes(audits: Sequence[Audit]) -> tuple[str, ...]:
    """Classes that the averages leave out, and audits that hold no averages."""
    notes = []
    for audit in audits:
        average = _selected_average(audit)
        if average is None:
            notes.append(f"{_title(audit)}: holds no averages over classes; evaluate it again with --by-class.")
            continue
        undefined = average.n_classes_undefined.get("balanced_accuracy", 0)
        skipped = max(
            (attack.n_classes_skipped for attack in audit.attacks if attack.label == audit.selected), default=0
        )
        if undefined or skipped:
            parts = [f"{numerals.counted(undefined, 'class')} not estimable"] if undefined else []
            parts += [f"{numerals.counted(skipped, 'class')} skipped for too few samples"] if skipped else []
            notes.append(f"{_title(audit)}: {', '.join(parts)}.")
    return tuple(dict.fromkeys(notes))
