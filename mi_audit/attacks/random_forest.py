"""A random forest on the summary of the confidences, stored as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np

from mi_audit.attacks import _payload
from mi_audit.attacks._inputs import Encoding, unit_mean
from mi_audit.attacks._options import require_count
from mi_audit.attacks._trees import Trees, from_sklearn
from mi_audit.attacks.interface import Attack, BoolArray, FittedAttack, FloatArray, IntArray, Observations

# All forests of one attack together (one, or one per class) hold at most so many nodes, 18 bytes each: 144 MB.
MAX_NODES = 8_000_000

_PAPER_SPACE: dict[str, Sequence[Any]] = {
    "max_samples": (None,),
    "max_features": ("sqrt",),  # and "auto", which was the same
    "max_depth": (20, 30, 40, 50, None),
    "min_samples_split": (2, 5, 10, 15, 20),
    "min_samples_leaf": (1, 2, 5, 10, 15),
}


@dataclass(frozen=True)
class FittedRandomForest(FittedAttack):
    """The trees; scores equal those of the scikit-learn forest they were taken from.

    Attributes:
        encoding: makes the matrix (n, k).
        trees: reading columns below k, with shares of members at the leaves.
    """

    threshold = 0.5

    encoding: Encoding
    trees: Trees

    def __post_init__(self) -> None:
        if self.trees.feature.max() >= self.encoding.n_columns:
            raise ValueError(f"expected trees that read {self.encoding.n_columns} columns, got more")

    def score(self, seen: Observations) -> FloatArray:
        """Mean over the trees of the share of members at the sample's leaf, (n,); see `FittedAttack.score`."""
        return self.trees.mean(self.encoding.matrix(seen).astype(np.float32))

    def to_bytes(self) -> bytes:
        """The trees as arrays."""
        arrays = self.encoding.arrays() | self.trees.arrays()
        return _payload.pack("random-forest", self.encoding.header(), arrays)

    @classmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """The attack that `to_bytes` wrote.

        Raises:
            ContainerError: the bytes are not one, or their trees could be walked out of or for ever.
        """
        with _payload.unpacking("random-forest", payload) as (header, arrays):
            trees = Trees(*(arrays[name] for name in ("starts", "feature", "left", "right", "value")))
            return cls(Encoding.from_parts(header, arrays), trees)


@dataclass(frozen=True)
class RandomForest(Attack):
    """A random forest (Breiman 2001), each tree grown on a bootstrap of the known samples.

    What separates members is smooth, so small bootstraps and large leaves are both quicker and better than the founding
    paper's fully grown trees; a fixed size of the bootstrap also keeps the trees small whatever the number of samples.

    Attributes:
        n_estimators: trees.
        max_samples: size of a bootstrap; ``None``, or more than there are, for as many as there are.
        max_features: columns that are tried at a split.
        max_depth: of a tree; ``None`` for no limit.
        min_samples_split: samples below which a node is not split.
        min_samples_leaf: samples that a leaf holds at least.

    Where the trees could have more than `MAX_NODES` nodes together, each keeps the leaves that separate most.
    """

    fitted: ClassVar[type[FittedAttack]] = FittedRandomForest
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "max_samples": (500, 2000, 8000),
        "max_features": ("sqrt", "all"),
        "min_samples_leaf": (5, 20, 50, 100),
    }
    paper_search_space: ClassVar[Mapping[str, Sequence[Any]]] = _PAPER_SPACE | {"n_estimators": (500,)}
    paper_draws: ClassVar[int] = 100
    full_search_space: ClassVar[Mapping[str, Sequence[Any]]] = _PAPER_SPACE | {
        "n_estimators": (500, 800, 1500, 2500, 5000)
    }

    n_estimators: int = 200
    max_samples: int | None = 2000
    max_features: Literal["sqrt", "log2", "all"] = "sqrt"
    max_depth: int | None = None
    min_samples_split: int = 2
    min_samples_leaf: int = 20

    def __post_init__(self) -> None:
        require_count(
            n_estimators=self.n_estimators,
            max_samples=self.max_samples,
            max_depth=self.max_depth,
            min_samples_leaf=self.min_samples_leaf,
        )
        if self.min_samples_split < 2:
            raise ValueError(f"expected min_samples_split of 2 or more, got {self.min_samples_split}")

    def fit(
        self, seen: Observations, is_member: BoolArray, weight: FloatArray, rng: np.random.Generator
    ) -> FittedRandomForest:
        """Grow the trees; see `Attack.fit`."""
        return self._fit(seen, is_member, weight, rng, MAX_NODES)

    def fit_each(
        self,
        groups: Sequence[IntArray],
        seen: Observations,
        is_member: BoolArray,
        weight: FloatArray,
        rng: np.random.Generator,
    ) -> list[FittedRandomForest]:
        """One forest per group, which share the bound on what is stored; see `Attack.fit_each`."""
        share = MAX_NODES // max(1, len(groups))
        return [self._fit(seen.take(rows), is_member[rows], weight[rows], rng, share) for rows in groups]

    def _fit(
        self,
        seen: Observations,
        is_member: BoolArray,
        weight: FloatArray,
        rng: np.random.Generator,
        max_nodes: int,
    ) -> FittedRandomForest:
        from sklearn.ensemble import RandomForestClassifier

        encoding = Encoding.of(seen, weight)
        n_bootstrap = min(len(seen), self.max_samples or len(seen))
        model = RandomForestClassifier(
            self.n_estimators,
            max_samples=n_bootstrap,
            max_features=None if self.max_features == "all" else self.max_features,
            max_depth=self.max_depth,
            min_samples_split=self.min_samples_split,
            min_samples_leaf=self.min_samples_leaf,
            max_leaf_nodes=self._max_leaves(n_bootstrap, max_nodes),
            n_jobs=-1,  # the trees' seeds are drawn beforehand, so that the number of jobs changes nothing
            random_state=int(rng.integers(2**31)),
        )
        model.fit(encoding.matrix(seen).astype(np.float32), is_member, sample_weight=unit_mean(weight))
        return FittedRandomForest(encoding, from_sklearn([tree.tree_ for tree in model.estimators_]))

    def _max_leaves(self, n_bootstrap: int, max_nodes: int) -> int | None:
        """Leaves of a tree with which all trees together hold at most `max_nodes` nodes; ``None`` where they do anyway.

        A tree of l leaves has 2 l - 1 nodes, and l is at most the size of its bootstrap over that of its smallest leaf.
        """
        bound = max(2, max_nodes // (2 * self.n_estimators))
        return bound if n_bootstrap / self.min_samples_leaf > bound else None
