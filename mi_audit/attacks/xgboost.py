"""Gradient-boosted trees (XGBoost) on the summary of the confidences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from mi_audit.attacks import _payload, _xgboost_model
from mi_audit.attacks._inputs import Encoding, unit_mean
from mi_audit.attacks._options import require_count, require_positive, require_share
from mi_audit.attacks.interface import Attack, BoolArray, FittedAttack, FloatArray, Observations

_PAPER_SPACE: dict[str, Sequence[Any]] = {
    "scale_pos_weight": (1, 5, 10, 50, 100),
    "min_child_weight": (1, 5, 10, 15),
    "subsample": (0.6, 0.8, 1.0),
    "colsample_bytree": (0.6, 0.8, 1.0),
    "max_depth": (3, 6, 9, 12),
    "n_estimators": (100,),  # this and the next are the library's defaults, which the paper left alone
    "learning_rate": (0.3,),
}

MAX_DEPTH = 64


@dataclass(frozen=True)
class FittedXGBoost(FittedAttack):
    """The model in XGBoost's own format.

    Attributes:
        encoding: makes the matrix (n, k).
        model: XGBoost's JSON.
    """

    threshold = 0.5

    encoding: Encoding
    model: bytes

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", _xgboost_model.checked(self.model, self.encoding.n_columns))

    def score(self, seen: Observations) -> FloatArray:
        """Probability of being a member, (n,), from the margin in float64; see `FittedAttack.score`."""
        from scipy.special import expit

        margin = _xgboost_model.margin(self.model, self.encoding.matrix(seen))
        probability: FloatArray = expit(margin)
        return probability

    def to_bytes(self) -> bytes:
        """The model as XGBoost writes it."""
        arrays = self.encoding.arrays() | {"model": np.frombuffer(self.model, dtype=np.uint8)}
        return _payload.pack("xgboost", self.encoding.header(), arrays)

    @classmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """The attack that `to_bytes` wrote.

        Raises:
            ContainerError: the bytes are not one, or their trees could be walked out of or for ever.
        """
        with _payload.unpacking("xgboost", payload) as (header, arrays):
            return cls(Encoding.from_parts(header, arrays), arrays["model"].tobytes())


@dataclass(frozen=True)
class XGBoost(Attack):
    """Gradient-boosted trees (Chen & Guestrin, KDD 2016), on histograms, with the log loss.

    Attributes:
        n_estimators: trees.
        max_depth: of a tree.
        learning_rate: how much of each tree is taken.
        min_child_weight: hessian that a leaf holds at least; about a quarter of its samples' weight.
        subsample: share of the samples that a tree sees.
        colsample_bytree: share of the columns that a tree sees.
        scale_pos_weight: extra weight of members.
    """

    fitted: ClassVar[type[FittedAttack]] = FittedXGBoost
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "max_depth": (2, 3, 4, 6),
        "n_estimators": (50, 100, 200),
        "learning_rate": (0.03, 0.05, 0.1),
        "min_child_weight": (1.0, 5.0, 20.0),
        "subsample": (0.5, 0.8),
        "colsample_bytree": (0.5, 0.8),
    }
    paper_search_space: ClassVar[Mapping[str, Sequence[Any]]] = _PAPER_SPACE
    paper_draws: ClassVar[int] = 50
    full_search_space: ClassVar[Mapping[str, Sequence[Any]]] = _PAPER_SPACE

    n_estimators: int = 100
    max_depth: int = 3
    learning_rate: float = 0.05
    min_child_weight: float = 5.0
    subsample: float = 0.5
    colsample_bytree: float = 0.5
    scale_pos_weight: float = 1.0

    def __post_init__(self) -> None:
        require_count(n_estimators=self.n_estimators, max_depth=self.max_depth)
        require_positive(scale_pos_weight=self.scale_pos_weight)
        require_share(
            learning_rate=self.learning_rate, subsample=self.subsample, colsample_bytree=self.colsample_bytree
        )
        if self.max_depth > MAX_DEPTH:
            raise ValueError(f"expected max_depth of at most {MAX_DEPTH}, got {self.max_depth}")
        if not self.min_child_weight >= 0:
            raise ValueError(f"expected min_child_weight of 0 or more, got {self.min_child_weight}")

    def fit(
        self, seen: Observations, is_member: BoolArray, weight: FloatArray, rng: np.random.Generator
    ) -> FittedXGBoost:
        """Boost the trees; see `Attack.fit`."""
        encoding = Encoding.of(seen, weight)
        parameters = {
            "max_depth": self.max_depth,
            "learning_rate": self.learning_rate,
            "min_child_weight": self.min_child_weight,
            "subsample": self.subsample,
            "colsample_bytree": self.colsample_bytree,
            "scale_pos_weight": self.scale_pos_weight,
            "seed": int(rng.integers(2**31)),
        }
        matrix = encoding.matrix(seen)
        model = _xgboost_model.boost(matrix, is_member, unit_mean(weight), parameters, self.n_estimators)
        return FittedXGBoost(encoding, model)
