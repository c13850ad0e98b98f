"""Numbers from decisions: the confusion matrix of an attack, and what can be read off it.

Member is the positive class and a sample is flagged when ``score > threshold``, strictly. Every function takes
`Decisions` and returns an `Estimate`: undefined, with the reason, where a side is empty or nothing was flagged; never
0 or 1 by convention. The intervals hold for thresholds that were fixed before these samples were seen. Rates carry
Clopper-Pearson intervals; differences and means of two rates carry Newcombe's.
"""

from dataclasses import dataclass, fields
from operator import index
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mi_audit.metrics._sides import missing_side, split
from mi_audit.metrics.intervals import clopper_pearson, newcombe, weighted_mean
from mi_audit.schema.estimate import Estimate


@dataclass(frozen=True)
class Decisions:
    """The confusion matrix of one attack on one set of samples.

    Attributes:
        tp: members that were flagged.
        fn: members that were not.
        fp: non-members that were flagged.
        tn: non-members that were not.

    Raises:
        ValueError: a negative count.
        TypeError: a count that is not a whole number.
    """

    tp: int
    fn: int
    fp: int
    tn: int

    def __post_init__(self) -> None:
        for field in fields(self):
            count = index(getattr(self, field.name))  # a numpy integer becomes a Python one, so that JSON can hold it
            if count < 0:
                raise ValueError(f"expected {field.name} >= 0, got {count}")
            object.__setattr__(self, field.name, count)

    @classmethod
    def of(cls, score: NDArray[np.floating[Any]], threshold: float, is_member: NDArray[np.bool_]) -> Self:
        """Count the decisions ``score > threshold``; compared in float64, whatever the scores came in.

        Args:
            score: (n,), larger = member.
            threshold: the attack's; never NaN.
            is_member: (n,) bool.

        Raises:
            ValueError: NaN, shapes that differ, or a membership that is not boolean.

        >>> Decisions.of(np.array([0.9, 0.5, 0.5, 0.1]), 0.5, np.array([True, True, False, False]))
        Decisions(tp=1, fn=1, fp=0, tn=2)
        """
        if np.isnan(threshold):
            raise ValueError("expected a threshold, got NaN")
        members, non_members = split(score, is_member)
        tp = int(np.count_nonzero(members > threshold))
        fp = int(np.count_nonzero(non_members > threshold))
        return cls(tp=tp, fn=len(members) - tp, fp=fp, tn=len(non_members) - fp)

    @property
    def n_members(self) -> int:
        """TP + FN."""
        return self.tp + self.fn

    @property
    def n_non_members(self) -> int:
        """FP + TN."""
        return self.fp + self.tn

    @property
    def missing_side(self) -> str | None:
        """``"0 members"``, ``"0 non-members"`` or ``"0 samples"``; None where both sides are there."""
        return missing_side(self.n_members, self.n_non_members)


def recall_member(decisions: Decisions, level: float = 0.95) -> Estimate:
    """True positive rate: TP / (TP + FN)."""
    return _rate(decisions.tp, decisions.n_members, "0 members", level)


def miss_rate(decisions: Decisions, level: float = 0.95) -> Estimate:
    """Share of the members that were not flagged: FN / (TP + FN)."""
    return _rate(decisions.fn, decisions.n_members, "0 members", level)


def recall_non_member(decisions: Decisions, level: float = 0.95) -> Estimate:
    """True negative rate: TN / (FP + TN)."""
    return _rate(decisions.tn, decisions.n_non_members, "0 non-members", level)


def false_alarm_rate(decisions: Decisions, level: float = 0.95) -> Estimate:
    """FAR, the false positive rate: FP / (FP + TN)."""
    return _rate(decisions.fp, decisions.n_non_members, "0 non-members", level)


def precision_member(decisions: Decisions, level: float = 0.95) -> Estimate:
    """Share of members among the flagged, at the ratio of these samples: TP / (TP + FP)."""
    return _rate_of_both(decisions, decisions.tp, decisions.tp + decisions.fp, "0 flagged", level)


def precision_non_member(decisions: Decisions, level: float = 0.95) -> Estimate:
    """Share of non-members among those not flagged, at the ratio of these samples: TN / (TN + FN)."""
    return _rate_of_both(decisions, decisions.tn, decisions.tn + decisions.fn, "0 not flagged", level)


def false_discovery_rate(decisions: Decisions, level: float = 0.95) -> Estimate:
    """Share of non-members among the flagged, at the ratio of these samples: FP / (FP + TP). Not the FAR."""
    return _rate_of_both(decisions, decisions.fp, decisions.tp + decisions.fp, "0 flagged", level)


def accuracy(decisions: Decisions, level: float = 0.95) -> Estimate:
    """Share of right decisions, at the ratio of these samples: (TP + TN) / n. Means nothing without that ratio."""
    n = decisions.n_members + decisions.n_non_members
    return _rate_of_both(decisions, decisions.tp + decisions.tn, n, "0 samples", level)


def f1_member(decisions: Decisions) -> Estimate:
    """Harmonic mean of member precision and recall: 2 TP / (2 TP + FP + FN); 0 where no member was flagged."""
    return _f1(decisions, decisions.tp)


def f1_non_member(decisions: Decisions) -> Estimate:
    """Harmonic mean of non-member precision and recall: 2 TN / (2 TN + FP + FN); 0 where all of them were flagged."""
    return _f1(decisions, decisions.tn)


def balanced_accuracy(decisions: Decisions, level: float = 0.95) -> Estimate:
    """Mean of the two recalls, (TPR + TNR) / 2: the accuracy at 1:1, and (1 + advantage) / 2."""
    return accuracy_at(decisions, 0.5, level)


def accuracy_at(decisions: Decisions, prior: float, level: float = 0.95) -> Estimate:
    """Accuracy where members are the share `prior` of the samples: prior * TPR + (1 - prior) * TNR.

    Raises:
        ValueError: a prior outside [0, 1].
    """
    if reason := decisions.missing_side:
        return Estimate.undefined(reason)
    n_members, n_non_members = decisions.n_members, decisions.n_non_members
    low, high = weighted_mean(decisions.tp, n_members, decisions.tn, n_non_members, prior, level)
    value = prior * (decisions.tp / n_members) + (1 - prior) * (decisions.tn / n_non_members)
    return Estimate(value, low, high)


def advantage(decisions: Decisions, level: float = 0.95) -> Estimate:
    """TPR - FAR (Yeom et al., CSF 2018): 0 for guessing, 1 for certainty, negative for worse than guessing."""
    if reason := decisions.missing_side:
        return Estimate.undefined(reason)
    n_members, n_non_members = decisions.n_members, decisions.n_non_members
    low, high = newcombe(decisions.tp, n_members, decisions.fp, n_non_members, level)
    return Estimate(decisions.tp / n_members - decisions.fp / n_non_members, low, high)


def _rate(count: int, total: int, reason: str, level: float) -> Estimate:
    if total == 0:
        return Estimate.undefined(reason)
    return Estimate(count / total, *clopper_pearson(count, total, level))


def _rate_of_both(decisions: Decisions, count: int, total: int, reason: str, level: float) -> Estimate:
    """A rate that mixes the two sides: with one of them empty it would be 0 or 1 whatever the attack did."""
    if missing := decisions.missing_side:
        return Estimate.undefined(missing)
    return _rate(count, total, reason, level)


def _f1(decisions: Decisions, hits: int) -> Estimate:
    if reason := decisions.missing_side:
        return Estimate.undefined(reason)
    return Estimate(2 * hits / (2 * hits + decisions.fp + decisions.fn))
