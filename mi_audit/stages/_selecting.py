"""Which samples are extracted when not all are wanted: some classes, some samples of each, drawn by seed and id.

The draw inside a class depends on nothing but the seed and the ids of that class, so it does not change with the order
of the samples or with what other classes hold.
"""

from dataclasses import replace

import numpy as np

from mi_audit.datasets.interface import Int64Array, MembershipData, Side
from mi_audit.stages._split import positions_in_cells, seeded_keys


def selected(
    data: MembershipData, limit_classes: int | None, max_members: int | None, max_non_members: int | None, seed: int
) -> MembershipData:
    """The samples that are wanted; labels and class names stay as they are, a class may lose all its samples.

    Args:
        data: all samples.
        limit_classes: at most so many classes, those with samples on both sides first.
        max_members: at most so many of the members, shared out by class.
        max_non_members: the same of the non-members.
        seed: of both draws.

    Raises:
        DataSetError: no class has samples on both sides, and the limit leaves one side without any.
    """
    members, non_members = data.members, data.non_members
    if limit_classes is not None:
        classes = drawn_classes(members.label, non_members.label, limit_classes, seed)
        members, non_members = (
            side.take(np.flatnonzero(np.isin(side.label, classes))) if len(side) else side
            for side in (members, non_members)
        )
    members, non_members = _at_most(members, max_members, seed), _at_most(non_members, max_non_members, seed)
    return replace(data, members=members, non_members=non_members)


def drawn_classes(members: Int64Array, non_members: Int64Array, n_classes: int, seed: int) -> Int64Array:
    """Some classes drawn by seed, sorted: those that both sides have come first, then those that one side has.

    Args:
        members: labels of the members.
        non_members: labels of the non-members.
        n_classes: at most so many.
        seed: of the draw.
    """
    present = np.union1d(members, non_members)
    is_on_both = np.isin(present, members) & np.isin(present, non_members)
    order = np.lexsort((_class_keys(present, seed), ~is_on_both))
    return np.sort(present[order[:n_classes]])


def stratified(sample_id: np.ndarray, label: Int64Array, maximum: int | None, seed: int) -> Int64Array:
    """Positions of at most `maximum` samples, in their original order; every class gives its share of them.

    Shares are those of the largest remainder: within one sample of proportional, and together exactly `maximum`. Where
    remainders are equal the seed decides, and decides alike for both sides.

    Args:
        sample_id: (n,) strings.
        label: (n,) int64.
        maximum: ``None`` for all.
        seed: of the draw.
    """
    n = len(label)
    if maximum is None or maximum >= n:
        return np.arange(n)
    classes, index, size = np.unique(label, return_inverse=True, return_counts=True)
    share, remainder = np.divmod(size * maximum, n)
    first = np.lexsort((_class_keys(classes, seed), -remainder))[: maximum - int(share.sum())]
    share[first] += 1
    position, _ = positions_in_cells(seeded_keys(sample_id, seed + 2), label, np.zeros(n, np.bool_))
    return np.flatnonzero(position < share[index])


def _at_most(side: Side, maximum: int | None, seed: int) -> Side:
    if maximum is None or maximum >= len(side):
        return side
    return side.take(stratified(np.array(side.sample_id), side.label, maximum, seed))


def _class_keys(classes: Int64Array, seed: int) -> np.ndarray:
    """(n,) uint64: a seeded order of classes."""
    return seeded_keys(np.array([f"class/{number}" for number in classes.tolist()]), seed + 3)
