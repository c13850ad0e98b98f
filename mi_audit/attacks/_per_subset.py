"""One attack for what the target classifies correctly and one for the rest, made of any attack."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from mi_audit.attacks import _payload
from mi_audit.attacks._nested import fitted_class, name_of, parts_of, row_of
from mi_audit.attacks.interface import Attack, BoolArray, FittedAttack, FloatArray, IntArray, Observations
from mi_audit.schema.arrays import checked

_NAME = "per-subset"


@dataclass(frozen=True)
class FittedPerSubset(FittedAttack):
    """Fitted attacks side by side.

    Attributes:
        name: of the attack that was fitted.
        attacks: the attack on each subset that has one.
        subsets: (m,) int64, the subset of each: 1 for correctly classified, 0 for misclassified; rising.
    """

    threshold = 0.0

    name: str
    attacks: tuple[FittedAttack, ...]
    subsets: IntArray

    def __post_init__(self) -> None:
        if self.subsets.tolist() not in ([0], [1], [0, 1], []) or len(self.subsets) != len(self.attacks):
            raise ValueError("expected at most one attack per subset")

    def score(self, seen: Observations) -> FloatArray:
        """How far the attack of the sample's subset scores above its own threshold, (n,); NaN where there is none.

        Each decision is the one that the attack of the subset would have made; see `FittedAttack.score`.
        """
        result = np.full(len(seen), np.nan)
        for number, attack in zip(self.subsets.tolist(), self.attacks, strict=True):
            rows = np.flatnonzero(seen.is_correct == bool(number))
            if len(rows):
                result[rows] = attack.score(seen.take(rows)) - attack.threshold
        return result

    def to_bytes(self) -> bytes:
        """The payloads of both attacks in a row, and where each ends."""
        arrays = row_of([attack.to_bytes() for attack in self.attacks]) | {"subsets": self.subsets}
        return _payload.pack(_NAME, {"name": self.name}, arrays)

    @classmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """The attacks that `to_bytes` wrote.

        Raises:
            ContainerError: the bytes are not one.
        """
        with _payload.unpacking(_NAME, payload) as (header, arrays):
            name = _payload.text(header["name"])
            read = fitted_class(name).from_bytes
            attacks = tuple(read(part) for part in parts_of(arrays))
            return cls(name, attacks, checked("subsets", arrays["subsets"], (None,), "i"))


@dataclass(frozen=True)
class PerSubset(Attack):
    """One attack for each subset, fitted on its known samples alone (Rezaei & Liu, CVPR 2021, Tables 6 and 7).

    Whether the target is right tells much about membership. An attack that is fitted on all samples learns that first,
    and then calls all misclassified ones non-members; fitted on a subset alone it has to find what else there is.

    Attributes:
        attack: what is fitted.
        min_per_side: a subset with fewer known members or non-members gets no attack, and its samples no score.
    """

    fitted: ClassVar[type[FittedAttack]] = FittedPerSubset

    attack: Attack
    min_per_side: int = 5

    def fit(
        self, seen: Observations, is_member: BoolArray, weight: FloatArray, rng: np.random.Generator
    ) -> FittedPerSubset:
        """Fit the attacks; see `Attack.fit`. `weight` should balance the sides within each subset."""
        return self.fit_each([np.arange(len(seen))], seen, is_member, weight, rng)[0]

    def fit_each(
        self,
        groups: Sequence[IntArray],
        seen: Observations,
        is_member: BoolArray,
        weight: FloatArray,
        rng: np.random.Generator,
    ) -> list[FittedPerSubset]:
        """The attacks of all groups, fitted together where the attack can; see `Attack.fit_each`."""
        pieces = [
            (g, subset, rows[seen.is_correct[rows] == bool(subset)])
            for g, rows in enumerate(groups)
            for subset in (0, 1)
        ]
        kept = [piece for piece in pieces if self._is_enough(is_member[piece[2]])]
        fitted = self.attack.fit_each([rows for _, _, rows in kept], seen, is_member, weight, rng) if kept else []
        name = name_of(self.attack)
        return [
            FittedPerSubset(
                name,
                tuple(one for one, (of, _, _) in zip(fitted, kept, strict=True) if of == g),
                np.array([subset for of, subset, _ in kept if of == g], dtype=np.int64),
            )
            for g in range(len(groups))
        ]

    def _is_enough(self, is_member: BoolArray) -> bool:
        n_members = int(np.count_nonzero(is_member))
        return min(n_members, len(is_member) - n_members) >= self.min_per_side
