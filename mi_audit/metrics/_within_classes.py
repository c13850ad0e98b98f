"""Placements of samples among the other side of their own class, for all classes in two sorts."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mi_audit.metrics._sides import split

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class WithinClasses:
    """AUC and DeLong's sums class by class.

    Attributes:
        image_class: (n_classes,) the classes that occur, rising.
        n_members: (n_classes,) whole numbers.
        n_non_members: (n_classes,) whole numbers.
        auc: (n_classes,) NaN where a side is empty.
        member_squares: (n_classes,) sum of squared deviations of the members' placements.
        non_member_squares: (n_classes,) likewise.
        tied: (n_classes,) tie correction of the null variance, 1 without ties and 0 for a constant score.
    """

    image_class: NDArray[np.int64]
    n_members: NDArray[np.int64]
    n_non_members: NDArray[np.int64]
    auc: FloatArray
    member_squares: FloatArray
    non_member_squares: FloatArray
    tied: FloatArray

    @classmethod
    def of(
        cls, score: NDArray[np.floating[Any]], is_member: NDArray[np.bool_], label: NDArray[np.integer[Any]]
    ) -> Self:
        """Sort by class and score, then count.

        Args:
            score: (n,), larger = member.
            is_member: (n,) bool.
            label: (n,) whole numbers >= 0.

        Raises:
            ValueError: NaN, shapes that differ, or a membership that is not boolean.
        """
        split(score, is_member)
        classes, number = np.unique(label, return_inverse=True)
        by_score = np.argsort(np.asarray(score, np.float64), kind="stable")
        order = by_score[np.argsort(number[by_score].astype(np.int32), kind="stable")]
        own, members = number[order], np.asarray(is_member)[order]
        values = np.asarray(score, np.float64)[order]
        starts = np.ones(len(order), np.bool_)
        starts[1:] = (values[1:] != values[:-1]) | (own[1:] != own[:-1])
        n = len(classes)
        n_members = np.bincount(own[members], minlength=n)
        n_non_members = np.bincount(own[~members], minlength=n)
        share, sizes = _placements(members, own, starts, n_members, n_non_members)
        with np.errstate(invalid="ignore", divide="ignore"):
            auc = np.bincount(own[members], weights=share[members], minlength=n) / n_members
        auc[(n_members == 0) | (n_non_members == 0)] = np.nan
        deviations = np.square(share - np.nan_to_num(auc)[own])
        of_members, of_others = (np.bincount(own[side], deviations[side], n) for side in (members, ~members))
        total = (n_members + n_non_members).astype(np.float64)
        cubes = np.bincount(own[starts], weights=sizes**3 - sizes, minlength=n)
        tied = 1 - cubes / np.maximum(1.0, total**3 - total)
        return cls(
            classes.astype(np.int64),
            n_members,
            n_non_members,
            auc,
            of_members.astype(np.float64),
            of_others.astype(np.float64),
            tied,
        )

    def variance(self) -> FloatArray:
        """(n_classes,) DeLong's of each AUC; a side of one sample takes the mean spread of the other classes'."""
        m, n = self.n_members, self.n_non_members
        of_members = _spread(self.member_squares, m) / np.maximum(1, m)
        of_non_members = _spread(self.non_member_squares, n) / np.maximum(1, n)
        return np.asarray(of_members + of_non_members)

    def null_variance(self) -> FloatArray:
        """(n_classes,) where both sides are drawn alike: (M + N + 1) / (12 M N), times the tie correction."""
        m, n = np.maximum(1, self.n_members), np.maximum(1, self.n_non_members)
        return np.asarray((m + n + 1) / (12.0 * m * n) * self.tied)


def _placements(
    members: NDArray[np.bool_],
    own: NDArray[np.int64],
    starts: NDArray[np.bool_],
    n_members: NDArray[np.int64],
    n_non_members: NDArray[np.int64],
) -> tuple[FloatArray, FloatArray]:
    """Share of non-members below each member and of members above each non-member, and the sizes of ties."""
    cumulated = np.concatenate([[0], np.cumsum(members)])
    first = np.flatnonzero(starts)
    last = np.append(first[1:], len(members))
    tie = np.cumsum(starts) - 1
    class_of_tie = own[first]
    first_of_class = np.concatenate([[0], np.cumsum(n_members + n_non_members)])[:-1][class_of_tie]
    members_below = (cumulated[first] + cumulated[last]) / 2 - cumulated[first_of_class]
    others_below = (first + last) / 2 - first_of_class - members_below
    with np.errstate(invalid="ignore", divide="ignore"):
        below = (others_below / n_non_members[class_of_tie])[tie]
        above = (1 - members_below / n_members[class_of_tie])[tie]
    share: FloatArray = np.nan_to_num(np.where(members, below, above), posinf=0.0, neginf=0.0)
    return share, (last - first).astype(np.float64)


def _spread(squares: FloatArray, n: NDArray[np.int64]) -> FloatArray:
    """Variance within each class, of all classes together where one has a single sample."""
    several = n > 1
    pooled = squares[several].sum() / max(1, int((n[several] - 1).sum()))
    return np.where(several, squares / np.maximum(1, n - 1), pooled)
