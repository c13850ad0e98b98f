"""One attack per true class, made of any attack: the founding paper's arrangement."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from mi_audit import plugins
from mi_audit.attacks import _payload
from mi_audit.attacks.interface import Attack, BoolArray, FittedAttack, FloatArray, IntArray, Observations
from mi_audit.errors import UsageError
from mi_audit.schema.arrays import Array, checked

_NAME = "per-class"


@dataclass(frozen=True)
class FittedPerClass(FittedAttack):
    """Fitted attacks side by side.

    Attributes:
        name: of the attack that was fitted per class.
        classes: (c,) int64, the classes that have one, rising.
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
        if (np.diff(self.classes) <= 0).any():
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
        payloads = [attack.to_bytes() for attack in self.attacks]
        arrays: dict[str, Array] = {
            "classes": self.classes,
            "ends": np.cumsum([len(payload) for payload in payloads], dtype=np.int64),
            "payloads": np.frombuffer(b"".join(payloads), dtype=np.uint8),
        }
        return _payload.pack(_NAME, {"name": self.name, "n_skipped": self.n_skipped}, arrays)

    @classmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """The attacks that `to_bytes` wrote.

        Raises:
            ContainerError: the bytes are not one.
        """
        with _payload.unpacking(_NAME, payload) as (header, arrays):
            name = _payload.text(header["name"])
            read = _fitted_class(name).from_bytes
            attacks = tuple(read(part) for part in _parts(arrays["payloads"], arrays["ends"]))
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
        name = type(self.attack).__module__.rpartition(".")[2].replace("_", "-")
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


def _fitted_class(name: str) -> type[FittedAttack]:
    """What an attack of this name is after fitting.

    Raises:
        ValueError: there is no such attack here.
    """
    try:
        attack: type[Attack] = plugins.plugin_class("attacks", name)
    except UsageError as error:
        raise ValueError(f"there is no attack {name!r}") from error
    return attack.fitted


def _parts(blob: Array, ends: Array) -> list[bytes]:
    """The pieces of a row of bytes.

    Raises:
        ValueError: they do not follow each other from its start to its end.
    """
    ends, blob = checked("ends", ends, (None,), "i"), checked("payloads", blob, (None,), "u")
    starts = np.concatenate([[0], ends[:-1]])
    if not len(ends) or ends[-1] != len(blob) or (starts >= ends).any():
        raise ValueError("expected payloads that follow each other")
    return [blob[start:end].tobytes() for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
