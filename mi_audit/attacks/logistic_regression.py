"""Logistic regression on the summary of the confidences and on what is usual for the sample's class."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from mi_audit.attacks import _payload
from mi_audit.attacks._inputs import Encoding, standardisation, unit_mean
from mi_audit.attacks._options import require_positive
from mi_audit.attacks.interface import Attack, BoolArray, FittedAttack, FloatArray, Observations


@dataclass(frozen=True)
class FittedLogisticRegression(FittedAttack):
    """A linear function of the standardised columns.

    Attributes:
        encoding: makes the matrix (n, k).
        mean, factor: (k,) the standardisation ``(x - mean) * factor``.
        coefficient: (k,) of the standardised columns.
        intercept: (1,).
    """

    threshold = 0.5

    encoding: Encoding
    mean: FloatArray
    factor: FloatArray
    coefficient: FloatArray
    intercept: FloatArray

    def __post_init__(self) -> None:
        for name in ("mean", "factor", "coefficient"):
            values = _payload.finite(name, getattr(self, name), (self.encoding.n_columns,))
            object.__setattr__(self, name, values)
        object.__setattr__(self, "intercept", _payload.finite("intercept", self.intercept, (1,)))

    def score(self, seen: Observations) -> FloatArray:
        """Probability of being a member, (n,); see `FittedAttack.score`."""
        from scipy.special import expit

        standardised = (self.encoding.matrix(seen) - self.mean) * self.factor
        probability: FloatArray = expit(standardised @ self.coefficient + self.intercept)
        return probability

    def to_bytes(self) -> bytes:
        """The coefficients as arrays."""
        names = ("mean", "factor", "coefficient", "intercept")
        arrays = self.encoding.arrays() | {name: getattr(self, name) for name in names}
        return _payload.pack("logistic-regression", self.encoding.header(), arrays)

    @classmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """The attack that `to_bytes` wrote.

        Raises:
            ContainerError: the bytes are not one.
        """
        with _payload.unpacking("logistic-regression", payload) as (header, arrays):
            own = [arrays[name] for name in ("mean", "factor", "coefficient", "intercept")]
            return cls(Encoding.from_parts(header, arrays), *own)


@dataclass(frozen=True)
class LogisticRegression(Attack):
    """Logistic regression with an l2 penalty on standardised columns; the intercept is not penalised.

    Attributes:
        c: one over the strength of the penalty (scikit-learn's C) for weights of mean 1; larger fits closer.
    """

    fitted: ClassVar[type[FittedAttack]] = FittedLogisticRegression
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {"c": (0.003, 0.01, 0.03, 0.1, 1.0)}

    c: float = 0.1

    def __post_init__(self) -> None:
        require_positive(c=self.c)

    def fit(
        self,
        seen: Observations,
        is_member: BoolArray,
        weight: FloatArray,
        rng: np.random.Generator,  # noqa: ARG002 - the optimum is unique
    ) -> FittedLogisticRegression:
        """Minimise the penalised weighted log loss; see `Attack.fit`."""
        from sklearn.linear_model import LogisticRegression as Model

        encoding = Encoding.of(seen, weight)
        matrix = encoding.matrix(seen)
        mean, factor = standardisation(matrix, weight)
        # Newton steps on few columns: exact in about ten of them, where a quasi-Newton method stops early.
        model = Model(C=self.c, solver="newton-cholesky", max_iter=200)
        with warnings.catch_warnings():
            # On collinear columns the solver warns that it goes on with another one, which reaches the same optimum.
            warnings.simplefilter("ignore")
            model.fit((matrix - mean) * factor, is_member, sample_weight=unit_mean(weight))
        return FittedLogisticRegression(encoding, mean, factor, model.coef_[0], model.intercept_)
