"""Cuts one signal (loss, max-confidence, entropy, modified-entropy) where it separates the known samples best."""

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np

from mi_audit.attacks import _payload
from mi_audit.attacks.interface import Attack, BoolArray, FittedAttack, FloatArray, Observations
from mi_audit.errors import OutputsError
from mi_audit.metrics import confidence, ranking

Signal = Literal["loss", "max-confidence", "entropy", "modified-entropy"]


@dataclass(frozen=True)
class FittedThreshold(FittedAttack):
    """A signal and where to cut it.

    Attributes:
        signal: which of the observations' signals is the score.
        threshold: flagged when the signal is above.
    """

    signal: str
    threshold: float

    def __post_init__(self) -> None:
        if self.signal not in confidence.SIGNALS:
            raise ValueError(f"expected a signal out of {', '.join(confidence.SIGNALS)}, got {self.signal!r}")

    def score(self, seen: Observations) -> FloatArray:
        """The signal itself, (n,).

        Raises:
            OutputsError: the target gives labels only, so that there are no signals.
        """
        return _signal(seen, self.signal)

    def to_bytes(self) -> bytes:
        """The signal's name and the threshold."""
        return _payload.pack("threshold", {"signal": self.signal, "threshold": self.threshold}, {})

    @classmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """The attack that `to_bytes` wrote.

        Raises:
            ContainerError: the bytes are not one.
        """
        with _payload.unpacking("threshold", payload) as (header, _):
            return cls(_payload.text(header["signal"]), _payload.number(header["threshold"]))


@dataclass(frozen=True)
class Threshold(Attack):
    """One threshold for all samples, at the best weighted balanced accuracy of the known ones (their Youden point).

    Yeom et al., CSF 2018 (loss); Salem et al., NDSS 2019 (max-confidence, entropy); Song & Mittal, USENIX Security 2021
    (modified-entropy).

    Attributes:
        signal: what is cut; its formulas are in `mi_audit.metrics.confidence`.
    """

    fitted: ClassVar[type[FittedAttack]] = FittedThreshold
    argument: ClassVar[str | None] = "signal"
    arguments: ClassVar[tuple[str, ...]] = confidence.SIGNALS

    signal: Signal = "loss"

    def fit(
        self,
        seen: Observations,
        is_member: BoolArray,
        weight: FloatArray,
        rng: np.random.Generator,  # noqa: ARG002 - the best threshold is no matter of chance
    ) -> FittedThreshold:
        """Choose the threshold; see `Attack.fit`."""
        return FittedThreshold(self.signal, ranking.best_threshold(_signal(seen, self.signal), is_member, weight))


def _signal(seen: Observations, name: str) -> FloatArray:
    if name not in seen.signals:
        raise OutputsError(
            "expected confidences to cut, got labels only", tip="only the naive attack needs no confidences"
        )
    return seen.signals[name]
