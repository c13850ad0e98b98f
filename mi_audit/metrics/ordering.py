"""Scores in rising order: sorted once, so that ranks, placements and tails cost one pass each."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mi_audit.metrics._sides import split


@dataclass(frozen=True)
class Ordering:
    """The samples of both sides from the lowest score to the highest.

    Attributes:
        order: (n,) positions in the arrays that were given.
        is_member: (n,) bool, in this order.
        starts_tie: (n,) bool, false where the score equals the one before.
    """

    order: NDArray[np.int64]
    is_member: NDArray[np.bool_]
    starts_tie: NDArray[np.bool_]

    @classmethod
    def of(
        cls, score: NDArray[np.floating[Any]], is_member: NDArray[np.bool_], rng: np.random.Generator | None = None
    ) -> Self:
        """Sort once. With `rng` equal scores stand in an order drawn uniformly, else in that of their positions.

        Args:
            score: (n,), larger = member.
            is_member: (n,) bool.
            rng: drawn from only where scores tie.

        Raises:
            ValueError: NaN, shapes that differ, or a membership that is not boolean.
        """
        split(score, is_member)
        values = np.asarray(score, dtype=np.float64)
        order = np.argsort(values)
        starts = _starts(values[order])
        if not starts.all():  # only now does it matter in which order a sort leaves equal scores
            before = np.arange(len(values)) if rng is None else rng.permutation(len(values))
            order = before[np.argsort(values[before], kind="stable")]
        return cls(order, np.asarray(is_member)[order], starts)

    @property
    def n_members(self) -> int:
        """How many members."""
        return int(np.count_nonzero(self.is_member))

    @property
    def n_non_members(self) -> int:
        """How many non-members."""
        return len(self.is_member) - self.n_members

    @property
    def is_constant(self) -> bool:
        """Whether all scores are one value: such a score tells nothing."""
        return int(np.count_nonzero(self.starts_tie)) <= 1

    def doubled_placements(self) -> NDArray[np.int64]:
        """Twice the number of samples of the other side below each sample, equals counted half. (n,), in this order."""
        cumulated = np.concatenate([[0], np.cumsum(self.is_member)])  # members among the first i
        first = np.flatnonzero(self.starts_tie)
        last = np.append(first[1:], len(self.is_member))
        members = cumulated[first] + cumulated[last]
        others = first + last - members
        if len(first) < len(self.is_member):
            tie = np.cumsum(self.starts_tie) - 1
            members, others = members[tie], others[tie]
        placed: NDArray[np.int64] = np.where(self.is_member, others, members)
        return placed

    def tail(self, *, swapped: bool = False) -> "Tail":
        """The ranks that the upper end is read from; `swapped` for the lower end with the sides exchanged."""
        ranks = np.flatnonzero(self.is_member if swapped else ~self.is_member)
        n_others = self.n_non_members if swapped else self.n_members
        # Of the n - 1 - r samples above rank r, those of the other side are what the own side leaves over.
        if swapped:
            return Tail(ranks - np.arange(len(ranks)), n_others)
        above_own = np.arange(len(ranks))  # 0 for the largest
        return Tail(len(self.is_member) - 1 - ranks[::-1] - above_own, n_others)


@dataclass(frozen=True)
class Tail:
    """One end of the ROC curve without ties: how many of the other side lie beyond each sample that sets a threshold.

    For the upper end the thresholds are the non-members from the largest down, and the others are members above; for
    the lower end they are the members from the smallest up, and the others are non-members below.

    Attributes:
        n_beyond: (n_thresholds,) whole numbers, not falling; ``n_beyond[k - 1]`` belongs to the k-th threshold.
        n_others: how many there are.
    """

    n_beyond: NDArray[np.int64]
    n_others: int

    @property
    def n_thresholds(self) -> int:
        """Non-members at the upper end, members at the lower one."""
        return len(self.n_beyond)

    def hits(self, k: int) -> int:
        """Of the others, how many lie beyond the k-th threshold, k from 1."""
        return int(self.n_beyond[k - 1])


def _starts(rising: NDArray[np.float64]) -> NDArray[np.bool_]:
    starts = np.ones(len(rising), np.bool_)
    np.not_equal(rising[1:], rising[:-1], out=starts[1:])
    return starts
