"""Member iff the target classifies the sample correctly: the gap attack, which every other has to beat."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from mi_audit.attacks import _payload
from mi_audit.attacks.interface import Attack, BoolArray, FittedAttack, FloatArray, Observations


@dataclass(frozen=True)
class FittedNaive(FittedAttack):
    """Scores 1 where the target is right and 0 where it is wrong."""

    threshold = 0.5

    def score(self, seen: Observations) -> FloatArray:
        """1 or 0 per sample, (n,)."""
        return seen.is_correct.astype(np.float64)

    def to_bytes(self) -> bytes:
        """A name and no state."""
        return _payload.pack("naive", {}, {})

    @classmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """The attack that `to_bytes` wrote.

        Raises:
            ContainerError: the bytes are not one.
        """
        with _payload.unpacking("naive", payload):
            return cls()


@dataclass(frozen=True)
class Naive(Attack):
    """Yeom et al., CSF 2018, section 3.2: balanced accuracy 1/2 + gap/2, FAR = the target's accuracy on non-members."""

    fitted: ClassVar[type[FittedAttack]] = FittedNaive
    is_fixed: ClassVar[bool] = True
    needs_confidences: ClassVar[bool] = False

    def fit(
        self,
        seen: Observations,  # noqa: ARG002 - nothing is fitted
        is_member: BoolArray,  # noqa: ARG002
        weight: FloatArray,  # noqa: ARG002
        rng: np.random.Generator,  # noqa: ARG002
    ) -> FittedNaive:
        """The attack as it is: nothing is fitted."""
        return FittedNaive()
