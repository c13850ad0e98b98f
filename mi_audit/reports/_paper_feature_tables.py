"""Tables 5 to 7 in the form of the founding paper: layers, distance to the decision boundary, gradient norms.

Rezaei & Liu, "On the Difficulty of Membership Inference Attacks". The ± of an attack's numbers is the standard
deviation over classes, that of a distance or norm over samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from mi_audit.reports import _format, _lookup
from mi_audit.reports._table import Column, Row, Table
from mi_audit.schema import numerals
from mi_audit.schema.audit import Audit, ClassAverageRow, FeatureRow, Subset
from mi_audit.schema.trained_attacks import TrainedAttack

_LONGEST_NAME = 40
_NOT_COMPARABLE = (
    "FAR is the share of non-members that are called members. The paper's own code counts for this table the members "
    "that are called non-members, so its printed FAR is another number."
)
_SIDES = ("precision.member", "recall.member", "precision.non_member", "recall.non_member")


@dataclass(frozen=True)
class _Kind:
    """One of the paper's tables.

    Attributes:
        title: of the table.
        prefix: of the features that it is about.
        subsets: its rows.
        column: of the feature whose means stand beside the attack; ``None`` for none.
        notes: what has to be said.
    """

    title: str
    prefix: str
    subsets: tuple[Subset, ...]
    column: str | None
    notes: tuple[str, ...]


_APART: tuple[Subset, ...] = ("correct", "misclassified")
_KINDS = (
    _Kind("Table 5. Layers, in %", "layer:", get_args(Subset), None, ()),
    _Kind(
        "Table 6. Distance to the decision boundary, attack in %",
        "boundary-distance",
        _APART,
        "distance",
        ("Distance: L2, pixels in [0, 1], ± over samples; without those that never cross.", _NOT_COMPARABLE),
    ),
    _Kind(
        "Table 7. Gradient norms, attack in %",
        "gradient-norm",
        _APART,
        "l2",
        ("L2 norm of the gradient: ± over samples.", _NOT_COMPARABLE),
    ),
)


def tables(audits: Sequence[Audit]) -> tuple[Table, ...]:
    """Those of Tables 5 to 7 for which some audit has attacks."""
    return tuple(table for kind in _KINDS if (table := _table(kind, audits)) is not None)


def _table(kind: _Kind, audits: Sequence[Audit]) -> Table | None:
    lines = [
        (audit, name, attack, subset)
        for audit in audits
        for name, attack in _lookup.best_by_sight(audit).items()
        if name.startswith(kind.prefix)
        for subset in kind.subsets
    ]
    if not lines:
        return None
    has_target = len(audits) > 1
    rows: list[Row] = []
    for audit, name, attack, subset in lines:
        cells = (_format.shortened(name, _LONGEST_NAME), subset, *_cells(kind, audit, name, attack, subset))
        target = (_format.shortened(audit.title, _LONGEST_NAME),) if has_target else ()
        rows.append(Row((*target, *cells), starts_group=bool(rows) and subset == kind.subsets[0]))
    keys = ("Target", "Feature", "Subset") if has_target else ("Feature", "Subset")
    columns = (*(Column(key, is_text=True) for key in keys), *_columns(kind))
    notes = (
        "Accuracy is balanced accuracy. It and FAR: ± over the classes where they are estimable (n for accuracy).",
        "Pooled: over the samples of all classes. Naive: balanced accuracy on the same samples, ± over classes.",
        *kind.notes,
        *dict.fromkeys(_attack_note(name, attack) for _, name, attack, _ in lines),
    )
    return Table(kind.title, columns, tuple(rows), notes, n_keys=len(keys))


def _columns(kind: _Kind) -> tuple[Column, ...]:
    further = (
        Column("Pooled accuracy (95 % interval)", "Pooled accuracy\n(95 % interval)", is_essential=False),
        Column("AUC", is_essential=False),
        Column("Naive", is_essential=False),
        Column("Precision of members", "Precision\nmembers", is_essential=False),
        Column("Recall of members", "Recall\nmembers", is_essential=False),
        Column("Precision of non-members", "Precision\nnon-m.", is_essential=False),
        Column("Recall of non-members", "Recall\nnon-m.", is_essential=False),
    )
    evidence = (
        Column("Mean of members", "Train\nmean", is_essential=False),
        Column("Mean of non-members", "Test\nmean", is_essential=False),
        Column("Members with a value, without", "Train n,\nwithout", is_essential=False),
        Column("Non-members with a value, without", "Test n,\nwithout", is_essential=False),
    )
    return (Column("Accuracy"), Column("FAR"), Column("Classes", "n"), *further, *(evidence if kind.column else ()))


def _cells(kind: _Kind, audit: Audit, name: str, attack: TrainedAttack, subset: Subset) -> tuple[str, ...]:
    average, pooled = _lookup.class_average(audit, attack.label, subset), _lookup.row(audit, attack.label, subset)
    metrics = pooled.metrics if pooled else {}
    return (
        _average(average, "balanced_accuracy"),
        _average(average, "false_alarm_rate"),
        _n_classes(average),
        _format.with_interval("balanced_accuracy", metrics.get("balanced_accuracy")),
        _format.point("auc", metrics.get("auc")),
        _format.mean_sd(average.naive.get("balanced_accuracy") if average else None),
        *(_average(average, key) for key in _SIDES),
        *(_evidence(audit, name, kind.column, subset) if kind.column else ()),
    )


def _average(average: ClassAverageRow | None, key: str) -> str:
    return _format.mean_sd(average.metrics.get(key) if average else None)


def _n_classes(average: ClassAverageRow | None) -> str:
    defined = average.metrics.get("balanced_accuracy") if average else None
    return numerals.count(defined.n) if defined else "0"


def _evidence(audit: Audit, name: str, column: str, subset: Subset) -> tuple[str, ...]:
    """Means of both sides, and how many have a value and have none."""
    own = [row for row in audit.features if (row.feature, row.subset) == (name, subset)]
    found: FeatureRow | None = next((row for row in own if row.column == column), own[0] if own else None)
    if found is None:
        return (_format.DASH,) * 4
    counts = [
        f"{numerals.count(side.n if side else 0)}, {numerals.count(n_missing)}"
        for side, n_missing in (
            (found.member, found.n_missing_members),
            (found.non_member, found.n_missing_non_members),
        )
    ]
    return (_format.measured(found.member), _format.measured(found.non_member), *counts)


def _attack_note(name: str, attack: TrainedAttack) -> str:
    shown = _format.shortened(attack.label.removesuffix(f" on {name}"), _LONGEST_NAME)
    fitted = ", fitted on correctly classified and on misclassified samples apart" if attack.per_subset else ""
    skipped = f"; {numerals.counted(attack.n_classes_skipped, 'class')} had too few samples" * bool(
        attack.n_classes_skipped
    )
    return f"{_format.shortened(name, _LONGEST_NAME)}: {shown}, chosen on the known samples{fitted}{skipped}."
