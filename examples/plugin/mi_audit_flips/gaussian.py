"""One normal law per side: a sample is scored by the ratio of its two densities."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from mi_audit import store
from mi_audit.attacks.interface import Attack, BoolArray, FittedAttack, FloatArray, Observations
from mi_audit.errors import ContainerError, MismatchError, OutputsError

_LARGEST = 1e6  # standard deviations; keeps squares finite


@dataclass(frozen=True)
class FittedGaussian(FittedAttack):
    """Two laws over d columns that were scaled to mean 0 and standard deviation 1.

    Attributes:
        columns: the d names.
        scale: (2, d) mean and standard deviation of each column over the known samples.
        means: (2, d) of non-members and of members.
        precisions: (2, d, d) inverse covariances, in the same order.
    """

    columns: tuple[str, ...]
    scale: FloatArray
    means: FloatArray
    precisions: FloatArray

    threshold = 0.0  # where both laws are as likely: the best cut for as many members as non-members

    def __post_init__(self) -> None:
        d = len(self.columns)
        for name, shape in (("scale", (2, d)), ("means", (2, d)), ("precisions", (2, d, d))):
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.float64 or not np.isfinite(array).all():
                raise ValueError(f"expected {name} of finite float64 in the shape {shape}")
        if not (np.linalg.slogdet(self.precisions)[0] > 0).all() or not (self.scale[1] > 0).all():
            raise ValueError("expected positive scales and covariances")

    def score(self, seen: Observations) -> FloatArray:
        """Ln of the density under the members' law minus that under the non-members', (n,).

        Raises:
            MismatchError: other columns than it was fitted on.
        """
        columns, values = _read(seen)
        if columns != self.columns:
            raise MismatchError(f"expected the columns {', '.join(self.columns)}, got {', '.join(columns)}")
        scaled = _scaled(values, self.scale)
        outside, inside = (_log_density(scaled, *law) for law in zip(self.means, self.precisions, strict=True))
        return inside - outside

    def to_bytes(self) -> bytes:
        """Names in the header, the numbers as arrays."""
        arrays = {"scale": self.scale, "means": self.means, "precisions": self.precisions}
        return store.to_bytes({"attack": "gaussian", "columns": list(self.columns)}, arrays)

    @classmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """The attack that `to_bytes` wrote.

        Raises:
            ContainerError: the bytes are not one.
        """
        header, arrays = store.from_bytes(payload)
        try:
            columns: Any = header["columns"] if header["attack"] == "gaussian" else None
            return cls(tuple(map(str, columns)), arrays["scale"], arrays["means"], arrays["precisions"])
        except (KeyError, TypeError, ValueError) as error:
            raise ContainerError(f"not a fitted gaussian: {error}") from error


@dataclass(frozen=True)
class Gaussian(Attack):
    """Quadratic discriminant analysis (Hastie et al., The Elements of Statistical Learning, section 4.3).

    Attributes:
        shrinkage: share of the identity in both covariances, above 0, so that they can be inverted.
    """

    fitted: ClassVar[type[FittedAttack]] = FittedGaussian
    needs_confidences: ClassVar[bool] = False  # a feature is enough

    shrinkage: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.shrinkage <= 1:
            raise ValueError(f"expected shrinkage above 0 and at most 1, got {self.shrinkage}")

    def fit(
        self,
        seen: Observations,
        is_member: BoolArray,
        weight: FloatArray,
        rng: np.random.Generator,  # noqa: ARG002 - both laws have closed forms
    ) -> FittedGaussian:
        """Weighted mean and covariance of each side; see `Attack.fit`.

        Raises:
            OutputsError: nothing is seen but labels.
        """
        columns, values = _read(seen)
        if not columns:
            raise OutputsError("expected confidences or a feature, got labels only", tip="--on flip-consistency")
        scale = _scale(values)
        laws = [_law(_scaled(values[side], scale), weight[side], self.shrinkage) for side in (~is_member, is_member)]
        means, precisions = (np.stack(parts) for parts in zip(*laws, strict=True))
        return FittedGaussian(columns, scale, means, precisions)


def _read(seen: Observations) -> tuple[tuple[str, ...], FloatArray]:
    """Names and values of all columns; without the number of the class, which is a name and no quantity."""
    kept = [at for at, name in enumerate(seen.columns) if name != "class"]
    features = [
        (f"{name}/{column}", at) for name, columns in seen.feature_columns.items() for at, column in enumerate(columns)
    ]
    names = (*(seen.columns[at] for at in kept), *(name for name, _ in features))
    beside = [seen.features[name.rpartition("/")[0]][:, [at]] for name, at in features]
    return names, np.hstack([seen.inputs[:, kept], *beside])


def _scale(values: FloatArray) -> FloatArray:
    """Mean and standard deviation of what is finite in each column; 0 and 1 where nothing is, or nothing varies."""
    is_there = np.isfinite(values)
    n = np.maximum(is_there.sum(axis=0), 1)
    filled = np.where(is_there, values, 0.0)
    mean = filled.sum(axis=0) / n
    sd = np.sqrt((np.where(is_there, values - mean, 0.0) ** 2).sum(axis=0) / n)
    return np.stack([mean, np.where(sd > 1e-12 * np.maximum(1, abs(mean)), sd, 1.0)])


def _scaled(values: FloatArray, scale: FloatArray) -> FloatArray:
    """In standard deviations from the mean; a value that is missing lies at the mean, and so says nothing."""
    deviations = np.where(np.isnan(values), 0.0, (values - scale[0]) / scale[1])
    return np.clip(deviations, -_LARGEST, _LARGEST)


def _law(values: FloatArray, weight: FloatArray, shrinkage: float) -> tuple[FloatArray, FloatArray]:
    """Mean (d,) and inverse covariance (d, d) of one side."""
    share = weight / weight.sum()
    mean = share @ values
    apart = values - mean
    covariance = (apart * share[:, None]).T @ apart
    return mean, np.linalg.inv((1 - shrinkage) * covariance + shrinkage * np.eye(len(mean)))


def _log_density(values: FloatArray, mean: FloatArray, precision: FloatArray) -> FloatArray:
    """Of the normal law, (n,)."""
    apart = values - mean
    squares = np.einsum("ij,jk,ik->i", apart, precision, apart)
    density: FloatArray = 0.5 * (np.linalg.slogdet(precision)[1] - squares - len(mean) * math.log(2 * math.pi))
    return density
