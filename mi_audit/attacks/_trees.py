"""Binary decision trees as flat arrays, scored without the library that grew them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mi_audit.attacks import _payload
from mi_audit.attacks.interface import FloatArray, IntArray
from mi_audit.schema.arrays import Array, checked

# Walked at a time, so that the positions of a block stay in the cache whatever the numbers of samples and trees.
_BLOCK_ROWS = 16384
_BLOCK_WALKS = 65536

_LEAF = -1


@dataclass(frozen=True)
class Trees:
    """Decision trees, each with its root first and every child behind its parent.

    Attributes:
        starts: (n_trees + 1,) int64, where each tree's nodes start, and where the last one's end.
        feature: (n_nodes,) integer, the column that an inner node reads, -1 at a leaf.
        left, right: (n_nodes,) integer, positions of an inner node's children, counted from its tree's start; anything
            at a leaf.
        value: (n_nodes,) float64, an inner node's threshold (left when ``x <= threshold``) or a leaf's result.

    Raises:
        ValueError: the arrays make no trees: a walk from a root could leave its tree or come back to a node.
    """

    starts: IntArray
    feature: npt.NDArray[Any]
    left: npt.NDArray[Any]
    right: npt.NDArray[Any]
    value: FloatArray

    def __post_init__(self) -> None:
        n_nodes = len(self.value)
        object.__setattr__(self, "starts", checked("starts", self.starts, (None,), "i"))
        for name in ("feature", "left", "right"):
            object.__setattr__(self, name, checked(name, getattr(self, name), (n_nodes,), "i"))
        object.__setattr__(self, "value", _payload.finite("value", self.value, (n_nodes,)))
        starts = self.starts
        if len(starts) < 2 or starts[0] != 0 or starts[-1] != n_nodes or (starts[1:] <= starts[:-1]).any():
            raise ValueError("expected trees of one node or more that follow each other")
        self._check_children()

    @property
    def n_trees(self) -> int:
        """How many trees there are."""
        return len(self.starts) - 1

    def arrays(self) -> dict[str, Array]:
        """The arrays by name."""
        return {name: getattr(self, name) for name in ("starts", "feature", "left", "right", "value")}

    def mean(self, matrix: npt.NDArray[np.float32]) -> FloatArray:
        """Mean over the trees of the leaf that each row falls into.

        Args:
            matrix: (n, k) float32 without NaN, k above every number in `feature`.

        Returns:
            (n,) float64.
        """
        total = np.zeros(len(matrix))
        for first in range(0, len(matrix), _BLOCK_ROWS):
            rows = slice(first, first + _BLOCK_ROWS)
            block = np.ascontiguousarray(matrix[rows])
            n_trees = max(1, _BLOCK_WALKS // len(block))
            for tree in range(0, self.n_trees, n_trees):
                roots = self.starts[tree : min(tree + n_trees, self.n_trees)]
                # Tree after tree: `sum` would add in another order for a single row than for many, and where the mean
                # is close to the threshold the order decides.
                for values in self._leaf_values(block, roots):
                    total[rows] += values
        return total / self.n_trees

    def _leaf_values(self, matrix: npt.NDArray[np.float32], roots: IntArray) -> FloatArray:
        """(n_roots, n): what each row finds at the end of its walk from each root."""
        n, k = matrix.shape
        flat = matrix.ravel()
        first_cell = np.tile(np.arange(n) * k, len(roots))
        root = np.repeat(roots, n)
        node = root.copy()
        walking = np.flatnonzero(self.feature[node] != _LEAF)
        while len(walking):
            here = node[walking]
            goes_right = flat[first_cell[walking] + self.feature[here]] > self.value[here]
            there = root[walking] + np.where(goes_right, self.right[here], self.left[here])
            node[walking] = there
            walking = walking[self.feature[there] != _LEAF]
        return self.value[node].reshape(len(roots), n)

    def _check_children(self) -> None:
        """Children lie behind their parent in the same tree, so that every walk moves on and ends inside it."""
        sizes = np.diff(self.starts)
        position = np.arange(len(self.value)) - np.repeat(self.starts[:-1], sizes)
        size = np.repeat(sizes, sizes)
        is_inner = self.feature != _LEAF
        if (self.feature < _LEAF).any():
            raise ValueError("expected columns from 0 on, and -1 at leaves")
        for child in (self.left, self.right):
            if (is_inner & ((child <= position) | (child >= size))).any():
                raise ValueError("expected every child behind its parent in the same tree")


def from_sklearn(trees: Sequence[Any]) -> Trees:
    """The trees of a fitted scikit-learn forest of two classes; a leaf's value is its share of the second class.

    Args:
        trees: `sklearn.tree._tree.Tree` objects.
    """
    left, right, feature, threshold, counts = (
        np.concatenate([getattr(tree, name) for tree in trees])
        for name in ("children_left", "children_right", "feature", "threshold", "value")
    )
    is_leaf = left == _LEAF
    narrow = np.int16 if feature.max() < 2**15 else np.int32
    return Trees(
        np.cumsum([0, *(tree.node_count for tree in trees)], dtype=np.int64),
        np.where(is_leaf, _LEAF, feature).astype(narrow),
        left.astype(np.int32),
        right.astype(np.int32),
        np.where(is_leaf, counts[:, 0, 1] / counts[:, 0].sum(axis=1), threshold),
    )
