"""``--fail-above``: a limit on a point estimate, and what became of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mi_audit.errors import UsageError
from mi_audit.metrics.subsets import SUBSETS
from mi_audit.metrics.table import METRIC_ALIASES, METRICS
from mi_audit.plugins import did_you_mean
from mi_audit.schema.audit import AttackRow, LimitCheck, Subset
from mi_audit.schema.estimate import Estimate


@dataclass(frozen=True)
class Limit:
    """One limit as the user wrote it.

    Attributes:
        text: ``[ATTACK/SUBSET/]METRIC=X``.
        attack: label of an attack, or ``None`` for the selected one.
        subset: all, correct or misclassified.
        metric: its name in the table of metrics.
        limit: exceeded when the value is above, strictly.
    """

    text: str
    attack: str | None
    subset: Subset
    metric: str
    limit: float

    @classmethod
    def parse(cls, text: str) -> "Limit":
        """Read ``balanced_accuracy=0.6`` or ``xgboost/misclassified/false_alarm_rate=0.1``.

        Raises:
            UsageError: another form, an unknown metric or subset, a limit that is not a finite number.
        """
        path, equals, number = text.rpartition("=")
        parts = path.split("/")
        if not equals or len(parts) not in (1, 3):
            raise UsageError(
                f"expected --fail-above [ATTACK/SUBSET/]METRIC=X, got {text!r}",
                tip="for example --fail-above balanced_accuracy=0.6",
            )
        metric = METRIC_ALIASES.get(parts[-1], parts[-1])
        known = [entry.name for entry in METRICS]
        if metric not in known:
            raise UsageError(f"unknown metric {metric!r} in --fail-above", tip=did_you_mean(metric, known))
        attack, subset = (parts[0], parts[1]) if len(parts) == 3 else (None, "all")
        if subset not in SUBSETS:
            raise UsageError(f"unknown subset {subset!r} in --fail-above", tip=did_you_mean(subset, SUBSETS))
        return cls(text, attack, subset, metric, _finite(number, text))


def check(limit: Limit, selected: str, rows: Mapping[tuple[str, Subset], AttackRow]) -> LimitCheck:
    """Compare one limit with the held-out point estimate that it is about.

    Args:
        limit: from `Limit.parse`.
        selected: label of the selected attack, which a limit without an attack is about.
        rows: the held-out rows over all classes by attack and subset.

    Raises:
        UsageError: the limit is about an attack that did not run.
    """
    attack = limit.attack or selected
    if (attack, limit.subset) not in rows:
        labels = sorted({label for label, _ in rows})
        raise UsageError(f"--fail-above {limit.text}: no attack {attack!r} ran", tip=did_you_mean(attack, labels))
    value: Estimate = rows[attack, limit.subset].metrics[limit.metric]
    return LimitCheck(limit.text, attack, limit.subset, limit.metric, limit.limit, value, _outcome(value, limit.limit))


def _outcome(value: Estimate, limit: float) -> Literal["within", "exceeded", "not estimable"]:
    if value.value is None:
        return "not estimable"
    return "exceeded" if value.value > limit else "within"


def _finite(number: str, text: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"expected a number after the = of --fail-above, got {text!r}")
    return value
