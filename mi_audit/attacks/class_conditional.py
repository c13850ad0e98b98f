"""Cuts the log-odds relative to non-members of the same class: above their median, or their rank among them."""

from dataclasses import dataclass
from typing import ClassVar, Literal, Self, get_args

import numpy as np

from mi_audit.attacks import _payload
from mi_audit.attacks.interface import Attack, BoolArray, FittedAttack, FloatArray, IntArray, Observations
from mi_audit.errors import OutputsError
from mi_audit.metrics import ranking
from mi_audit.schema.arrays import checked

# A class with fewer known non-members is compared with those of all classes.
MIN_PER_CLASS = 10

Against = Literal["median", "rank"]


@dataclass(frozen=True)
class FittedClassConditional(FittedAttack):
    """What a sample is compared with, and where the comparison is cut.

    Attributes:
        against: see `ClassConditional`.
        threshold: flagged when the score is above.
        label: (m,) int64, the classes of the known non-members, rising; at least one.
        log_odds: (m,) float64, theirs, rising within each class.
    """

    against: str
    threshold: float
    label: IntArray
    log_odds: FloatArray

    def __post_init__(self) -> None:
        if self.against not in get_args(Against):
            raise ValueError(f"expected a comparison out of {', '.join(get_args(Against))}, got {self.against!r}")
        label = checked("label", self.label, (None,), "i")
        object.__setattr__(self, "label", label)
        object.__setattr__(self, "log_odds", _payload.finite("log_odds", self.log_odds, (len(label),)))
        steps, is_same = np.diff(self.log_odds), label[1:] == label[:-1]
        if not len(label) or (label[1:] < label[:-1]).any() or (steps[is_same] < 0).any():
            raise ValueError("expected non-members by rising class and, within each, by rising log-odds")

    def score(self, seen: Observations) -> FloatArray:
        """The log-odds minus the median of the class, or the share of the class that lies below, (n,).

        Raises:
            OutputsError: the target gives labels only.
        """
        values, pooled = _log_odds(seen), np.sort(self.log_odds)
        result = np.empty(len(seen))
        for number in np.unique(seen.label):
            rows = np.flatnonzero(seen.label == number)
            start, end = np.searchsorted(self.label, [number, number + 1])
            own = self.log_odds[start:end] if end - start >= MIN_PER_CLASS else pooled
            result[rows] = values[rows] - np.median(own) if self.against == "median" else _rank(values[rows], own)
        return result

    def to_bytes(self) -> bytes:
        """The comparison, the threshold, and the known non-members' log-odds."""
        header = {"against": self.against, "threshold": self.threshold}
        return _payload.pack("class-conditional", header, {"label": self.label, "log_odds": self.log_odds})

    @classmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """The attack that `to_bytes` wrote.

        Raises:
            ContainerError: the bytes are not one.
        """
        with _payload.unpacking("class-conditional", payload) as (header, arrays):
            against, threshold = _payload.text(header["against"]), _payload.number(header["threshold"])
            return cls(against, threshold, arrays["label"], arrays["log_odds"])


@dataclass(frozen=True)
class ClassConditional(Attack):
    """How sure the target is of a sample, compared with known non-members of its class.

    Classes are hard or easy whoever is a member; a threshold for all of them mistakes an easy class for members. The
    log-odds and the loss rank samples alike, so that the rank is that of both (Ye et al., CCS 2022, within classes).
    The log-odds have no bound, so a difference from a median means the same in a class of saturated confidences.

    Attributes:
        against: ``"median"`` for the distance above the class's median; ``"rank"`` for one minus the conformal p-value
            (1 + number of the class's that are at least as large) / (1 + their number), in steps as fine as that.
    """

    fitted: ClassVar[type[FittedAttack]] = FittedClassConditional
    argument: ClassVar[str | None] = "against"
    arguments: ClassVar[tuple[str, ...]] = get_args(Against)

    against: Against = "median"

    def fit(
        self,
        seen: Observations,
        is_member: BoolArray,
        weight: FloatArray,
        rng: np.random.Generator,  # noqa: ARG002 - the best threshold is no matter of chance
    ) -> FittedClassConditional:
        """Keep the non-members, and choose the threshold; see `Attack.fit`.

        The known non-members are ranked among themselves for this. That moves their ranks by one step at most; what an
        audit reports rests on held-out samples alone.
        """
        values, rows = _log_odds(seen), np.flatnonzero(~is_member)
        rows = rows[np.lexsort((values[rows], seen.label[rows]))]
        uncut = FittedClassConditional(self.against, 0.0, seen.label[rows], values[rows])
        threshold = ranking.best_threshold(uncut.score(seen), is_member, weight)
        return FittedClassConditional(self.against, threshold, uncut.label, uncut.log_odds)


def _log_odds(seen: Observations) -> FloatArray:
    if "log-odds" not in seen.signals:
        raise OutputsError(
            "expected confidences to compare, got labels only", tip="only the naive attack needs no confidences"
        )
    return seen.signals["log-odds"]


def _rank(values: FloatArray, reference: FloatArray) -> FloatArray:
    """One minus the conformal p-value of each, from rising reference values."""
    return np.searchsorted(reference, values, side="left") / (len(reference) + 1)
