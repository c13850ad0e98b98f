"""The tables about what attacks look at beside the outputs: which of it leaks most, and what it looks like."""

from typing import get_args

from mi_audit.reports import _format, _lookup
from mi_audit.reports._table import Column, Row, Table
from mi_audit.schema import numerals
from mi_audit.schema.audit import Audit, FeatureRow, Subset
from mi_audit.schema.trained_attacks import OUTPUTS, TrainedAttack

_LONGEST_NAME = 60
_OUTPUTS_ONLY = [OUTPUTS]


def sights(audit: Audit) -> Table | None:
    """The best attack on each thing that is looked at, per subset; ``None`` where that is the outputs alone."""
    best = _lookup.best_by_sight(audit)
    if list(best) in ([], _OUTPUTS_ONLY):
        return None
    columns = (
        Column("looks at", is_text=True),
        Column("subset", is_text=True),
        Column("balanced accuracy (95 % interval)", "balanced accuracy\n(95 % interval)"),
        Column("FAR"),
        Column("AUC"),
        Column("members", "memb.", is_essential=False),
        Column("non-members", "non-m.", is_essential=False),
        Column("attack", is_text=True, is_essential=False),
    )
    rows = [
        row
        for number, (name, attack) in enumerate(best.items())
        for row in _sight_rows(audit, name, attack, is_first=number == 0)
    ]
    notes = (
        "Of the attacks on each, the one that did best on the known samples. All: everything in one attack.",
        *_per_subset_notes(best),
    )
    return Table(
        "What leaks, by what an attack looks at, held-out samples, in %", columns, tuple(rows), notes, n_keys=2
    )


def _sight_rows(audit: Audit, name: str, attack: TrainedAttack, *, is_first: bool) -> list[Row]:
    rows: list[Row] = []
    for subset in get_args(Subset):
        found = _lookup.row(audit, attack.label, subset)
        if found is None:
            continue
        cells = (
            _format.shortened(name, _LONGEST_NAME),
            subset,
            _format.with_interval("balanced_accuracy", found.metrics.get("balanced_accuracy")),
            _format.point("false_alarm_rate", found.metrics.get("false_alarm_rate")),
            _format.point("auc", found.metrics.get("auc")),
            numerals.count(found.n_members),
            numerals.count(found.n_non_members),
            _format.shortened(attack.label.removesuffix(f" on {name}"), _LONGEST_NAME),
        )
        rows.append(Row(cells, attack.label == audit.selected and subset == "all", not rows and not is_first))
    return rows


def _per_subset_notes(best: dict[str, TrainedAttack]) -> tuple[str, ...]:
    apart = [name for name, attack in best.items() if attack.per_subset]
    if not apart:
        return ()
    names = _format.shortened(", ".join(apart), 4 * _LONGEST_NAME)
    return (f"One attack for correctly classified samples and one for the rest: {names}.",)


def values(audit: Audit) -> Table | None:
    """Members beside non-members; of a feature of several columns over all samples only, of a wide one nothing."""
    shown = [row for row in audit.features if _is_shown(row, audit)]
    if not shown:
        return None
    columns = (
        Column("feature", is_text=True),
        Column("subset", is_text=True),
        Column("mean on members", "mean ± SD\non members"),
        Column("mean on non-members", "mean ± SD on\nnon-members"),
        Column("members", "memb.", is_essential=False),
        Column("members without a value", "without\na value", is_essential=False),
        Column("non-members", "non-m.", is_essential=False),
        Column("non-members without a value", "without\na value", is_essential=False),
    )
    notes = ("Over the audited samples that have a value; ± is the standard deviation over samples.",)
    return Table("Features", columns, tuple(_value_row(row) for row in shown), notes, n_keys=2)


def _is_shown(row: FeatureRow, audit: Audit) -> bool:
    is_single = len({other.column for other in audit.features if other.feature == row.feature}) == 1
    if row.column is None:
        return row.subset == "all" and bool(row.n_missing_members or row.n_missing_non_members)
    return is_single or row.subset == "all"


def _value_row(row: FeatureRow) -> Row:
    name = row.feature if row.column is None else f"{row.feature} {row.column}"
    return Row(
        (
            _format.shortened(name, _LONGEST_NAME),
            row.subset,
            _format.measured(row.member),
            _format.measured(row.non_member),
            _n(row.member),
            numerals.count(row.n_missing_members),
            _n(row.non_member),
            numerals.count(row.n_missing_non_members),
        )
    )


def _n(numbers: object) -> str:
    n = getattr(numbers, "n", None)
    return _format.DASH if n is None else numerals.count(n)
