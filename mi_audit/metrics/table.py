"""The table of metrics: every number that a row of an audit carries, its name, and one line of what it means."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mi_audit.metrics import decisions as of_decisions
from mi_audit.metrics import ranking
from mi_audit.schema.estimate import Estimate


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: what JSON, `--fail-above` and `mi-audit list metrics` call it.
        needs: ``"decisions"``: `function` takes `Decisions`; ``"scores"``: it takes ``(score, is_member)``.
        function: returns an `Estimate`.
        meaning: one line for people.
    """

    name: str
    needs: Literal["decisions", "scores"]
    function: Callable[..., Estimate]
    meaning: str


METRICS = (
    Metric("accuracy", "decisions", of_decisions.accuracy, "right decisions among all; depends on the members' share"),
    Metric(
        "balanced_accuracy", "decisions", of_decisions.balanced_accuracy, "mean of the two recalls; guessing gives 50 %"
    ),
    Metric("false_alarm_rate", "decisions", of_decisions.false_alarm_rate, "FAR, fpr: non-members called members"),
    Metric(
        "false_discovery_rate",
        "decisions",
        of_decisions.false_discovery_rate,
        "non-members among those called members; depends on the members' share",
    ),
    Metric("advantage", "decisions", of_decisions.advantage, "member recall minus FAR; guessing gives 0"),
    Metric(
        "precision.member",
        "decisions",
        of_decisions.precision_member,
        "members among those called members; depends on the members' share",
    ),
    Metric(
        "precision.non_member",
        "decisions",
        of_decisions.precision_non_member,
        "non-members among those called non-members; depends on the members' share",
    ),
    Metric("recall.member", "decisions", of_decisions.recall_member, "TPR: members called members"),
    Metric("recall.non_member", "decisions", of_decisions.recall_non_member, "non-members called non-members: 1 - FAR"),
    Metric("f1.member", "decisions", of_decisions.f1_member, "harmonic mean of member precision and recall"),
    Metric(
        "f1.non_member", "decisions", of_decisions.f1_non_member, "harmonic mean of non-member precision and recall"
    ),
    Metric("auc", "scores", ranking.auc, "chance that a member scores above a non-member; guessing gives 0.5"),
    Metric("tpr_at_fpr.0.01", "scores", partial(ranking.tpr_at_fpr, a=0.01), "member recall where FAR is 1 %"),
    Metric("tpr_at_fpr.0.001", "scores", partial(ranking.tpr_at_fpr, a=0.001), "member recall where FAR is 0.1 %"),
)

METRIC_ALIASES = {"fpr": "false_alarm_rate"}


def measure(score: NDArray[np.floating[Any]], threshold: float, is_member: NDArray[np.bool_]) -> dict[str, Estimate]:
    """Every metric of `METRICS`, by name and in that order.

    Args:
        score: (n,), larger = member.
        threshold: fixed beforehand; a sample is flagged when its score is strictly above.
        is_member: (n,) bool.

    Raises:
        ValueError: NaN, shapes that differ, or a membership that is not boolean.
    """
    decisions = of_decisions.Decisions.of(score, threshold, is_member)
    return {
        metric.name: metric.function(decisions) if metric.needs == "decisions" else metric.function(score, is_member)
        for metric in METRICS
    }
