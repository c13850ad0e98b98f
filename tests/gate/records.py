"""Audits as a gate sees them: bounds, rows, controls and findings, made by hand."""

from dataclasses import replace
from typing import Any

from mi_audit.schema.audit import AttackRow, Audit
from mi_audit.schema.control import ControlResult
from mi_audit.schema.estimate import Estimate
from mi_audit.schema.statistics import BoundRow, Measure, Statistics
from tests.schema.examples import audit, trained_attack

MEASURES: tuple[Measure, ...] = ("auc", "tpr_at_fpr.0.01", "tpr_at_fpr.0.001")
CHANCE = {"auc": 0.5, "tpr_at_fpr.0.01": 0.01, "tpr_at_fpr.0.001": 0.001, "loss_tnr.0.001": 0.001}
CONTROL = ControlResult("duplicates", "held", "no image is on both sides")


def bound(
    attack: str = "mlp", measure: Measure = "auc", low: float = 0.0, high: float = 1.0, **changes: Any
) -> BoundRow:
    """Bounds around the value that guessing gives."""
    row = BoundRow(
        attack, "held-out", measure, 5000, 5000, CHANCE[measure], low, high, is_informative=True, n_needed=3700
    )
    return replace(row, **changes)


def within(attack: str = "mlp", factor: float = 1.2, **changes: Any) -> list[BoundRow]:
    """Bounds of an attack that is hardly better than guessing, in every measure."""
    return [bound(attack, each, CHANCE[each] / factor, CHANCE[each] * factor, **changes) for each in MEASURES]


def over(measure: Measure, low: float, attack: str = "mlp") -> list[BoundRow]:
    """The same, but for one measure that is at least `low`."""
    high = min(1.0, low * 1.2)
    return [
        replace(row, low=low, high=high, value=(low + high) / 2) if row.measure == measure else row
        for row in within(attack)
    ]


def row(attack: str = "mlp", subset: Any = "all", **metrics: Estimate) -> AttackRow:
    """A held-out row of 5,000 and 5,000 samples; a double underscore in a name stands for a dot."""
    numbers = {name.replace("__", "."): value for name, value in metrics.items()}
    return AttackRow(attack, "held-out", subset, None, 5000, 5000, numbers, {}, {})


def gated(bounds: list[BoundRow] | None = None, **changes: Any) -> Audit:
    """An audit whose selected attack is ``mlp``; one attack per label that has bounds, and the rows of each."""
    bounds = within() if bounds is None else bounds
    labels = list(dict.fromkeys(["mlp", *(bound.attack for bound in bounds)]))
    rows = tuple(row(label, balanced_accuracy=Estimate(0.55, 0.52, 0.58)) for label in labels)
    record = audit(
        attacks=tuple(trained_attack(label) for label in labels),
        selected="mlp",
        rows=rows,
        findings=(),
        limits=(),
        statistics=Statistics(bounds=tuple(bounds)),
        controls=(CONTROL,),
    )
    return replace(record, **changes)
