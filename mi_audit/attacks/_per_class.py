"""One attack per true class, made of any attack: the founding paper's arrangement."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from mi_audit.attacks import _payload
from mi_audit.attacks._nested import fitted_class, name_of, parts_of, row_of
from mi_audit.attacks._per_subset import FittedPerSubset, PerSubset
from mi_audit.attacks.interface import Attack, BoolArray, FittedAttack, FloatArray, IntArray, Observations
from mi_audit.errors import UsageError
from mi_audit.schema.arrays import checked

_NAME = "per-class"
_PER_SUBSET = "per-subset"


@dataclass(frozen=True)
class FittedPerClass(FittedAttack):
    """Fitted attacks side by side.

    Attributes:
        name: of the attack that was fitted per class.
        classes: (c,) int64, the classes that have one, rising; at least one.
        attacks: the attack of each.
        n_skipped: classes among the known samples that had too few of them.
    """

    threshold = 0.0

    name: str
    classes: IntArray
    attacks: tuple[FittedAttack, ...]
    n_skipped: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", checked("classes", self.classes, (len(self.attacks),), "i"))
        if not len(self.classes) or (np.diff(self.classes) <= 0).any():
            raise ValueError("expected rising classes")

    def score(self, seen: Observations) -> FloatArray:
        """How far the attack of the sample's class scores above its own threshold, (n,); NaN where a class has none.

        In IEEE arithmetic ``score > threshold`` exactly where ``score - threshold > 0``, so every decision is the one
        that the attack of the class would have made; see `FittedAttack.score`.
        """
        result = np.full(len(seen), np.nan)
        rows_of = _rows_by_class(seen.label)
        for number, attack in zip(self.classes.tolist(), self.attacks, strict=True):
            if number in rows_of:
                rows = rows_of[number]
                result[rows] = attack.score(seen.take(rows)) - attack.threshold
        return result

    def to_bytes(self) -> bytes:
        """The payloads of all attacks in a row, and where each ends."""
        arrays = {"classes": self.classes} | row_of([attack.to_bytes() for attack in self.attacks])
        return _payload.pack(_NAME, {"name": self.name, "n_skipped": self.n_skipped}, arrays)

    @classmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """The attacks that `to_bytes` wrote.

        Raises:
            ContainerError: the bytes are not one.
        """
        with _payload.unpacking(_NAME, payload) as (header, arrays):
            name = _payload.text(header["name"])
            read = FittedPerSubset.from_bytes if name == _PER_SUBSET else fitted_class(name).from_bytes
            attacks = tuple(read(part) for part in parts_of(arrays))
            return cls(name, arrays["classes"], attacks, _payload.count(header["n_skipped"]))


@dataclass(frozen=True)
class PerClass(Attack):
    """One attack for each true class, fitted on the known samples of that class alone (Rezaei & Liu, CVPR 2021).

    Attributes:
        attack: what is fitted.
        min_per_side: a class with fewer known members or non-members is skipped, and counted.
    """

    fitted: ClassVar[type[FittedAttack]] = FittedPerClass

    attack: Attack
    min_per_side: int = 15

    def fit(
        self, seen: Observations, is_member: BoolArray, weight: FloatArray, rng: np.random.Generator
    ) -> FittedPerClass:
        """Fit the attacks; see `Attack.fit`. `weight` should balance the sides within each class.

        Raises:
            UsageError: no class has enough samples.
        """
        rows_of = _rows_by_class(seen.label)
        kept = [number for number, rows in rows_of.items() if self._is_enough(is_member[rows])]
        if not kept:
            raise UsageError(
                f"expected a class with at least {self.min_per_side} known members and as many non-members, got none",
                tip="--one-for-all: one attack for all classes needs fewer samples",
            )
        attacks = self.attack.fit_each([rows_of[number] for number in kept], seen, is_member, weight, rng)
        name = _PER_SUBSET if isinstance(self.attack, PerSubset) else name_of(self.attack)
        return FittedPerClass(name, np.array(kept, dtype=np.int64), tuple(attacks), len(rows_of) - len(kept))

    def _is_enough(self, is_member: BoolArray) -> bool:
        n_members = int(np.count_nonzero(is_member))
        return min(n_members, len(is_member) - n_members) >= self.min_per_side


def _rows_by_class(label: IntArray) -> dict[int, IntArray]:
    """Positions of each class's samples, rising, by rising class."""
    order = np.argsort(label, kind="stable")
    classes, counts = np.unique(label, return_counts=True)
    ends = np.cumsum(counts)
    bounds = zip(classes.tolist(), ends - counts, ends, strict=True)
    return {number: order[start:end] for number, start, end in bounds}
