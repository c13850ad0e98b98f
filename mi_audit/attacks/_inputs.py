"""The matrix that a learned attack reads, made of observations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mi_audit.attacks import _payload
from mi_audit.attacks._feature_columns import LARGEST, NO_FEATURES, FeatureColumns
from mi_audit.attacks.interface import FloatArray, IntArray, Observations
from mi_audit.errors import MismatchError, OutputsError
from mi_audit.schema.arrays import Array, checked

CLASS_COLUMN = "class"

# A class's mean counts as if so many samples at the mean of all classes had been added: a class of one or two known
# samples would otherwise be described by those samples themselves.
_PRIOR_SAMPLES = 10.0

# A column that varies by less than this share of its size is rounding noise around a constant.
_CONSTANT = 1e-10


@dataclass(frozen=True)
class Encoding:
    """How observations become the matrix of a learned attack.

    A class's number means nothing as a quantity, so the column ``class`` is replaced by the means of all other columns
    over the known samples of that class, members and non-members alike: an attack can then judge a sample by what is
    usual for its class, with no more columns for a thousand classes than for ten. Where there is no such column, or
    only one class, the other columns stand alone. The columns of features come last, read as `FeatureColumns` says.

    Attributes:
        columns: k names of the observations' columns, in order.
        classes: (c,) int64, the classes that were seen, rising; empty where none is needed.
        class_means: (c + 1, k - 1) float64, the means of each, and last those of all samples, for a class not seen;
            (0, ...) where none is needed.
        features: how the columns of features are read.
    """

    columns: tuple[str, ...]
    classes: IntArray
    class_means: FloatArray
    features: FeatureColumns = NO_FEATURES

    def __post_init__(self) -> None:
        n_classes = len(self.classes)
        n_rows = n_classes + 1 if n_classes else 0
        object.__setattr__(self, "classes", checked("classes", self.classes, (None,), "i"))
        object.__setattr__(
            self, "class_means", _payload.finite("class_means", self.class_means, (n_rows, self._n_numeric))
        )
        if (np.diff(self.classes) <= 0).any():
            raise ValueError("expected rising classes")

    @classmethod
    def of(cls, seen: Observations, weight: FloatArray) -> Self:
        """The encoding for these known samples.

        Args:
            seen: n samples.
            weight: (n,) how much each counts in the means.

        Raises:
            OutputsError: there are no columns, because the target gives labels only and no features are looked at.
        """
        if not seen.columns and not seen.features:
            raise OutputsError(
                "expected confidences to learn from, got labels only", tip="only the naive attack needs no confidences"
            )
        numeric, features = _numeric(seen), FeatureColumns.of(seen)
        classes = np.unique(seen.label)
        if CLASS_COLUMN not in seen.columns or len(classes) == 1:
            return cls(seen.columns, np.empty(0, np.int64), np.empty((0, numeric.shape[1])), features)
        means = _class_means(numeric, np.searchsorted(classes, seen.label), weight)
        return cls(seen.columns, classes, means, features)

    @classmethod
    def from_parts(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """The encoding that `header` and `arrays` gave.

        Raises:
            KeyError, TypeError, ValueError: they make none.
        """
        features = FeatureColumns.from_parts(header, arrays)
        return cls(_payload.texts(header["columns"]), arrays["classes"], arrays["class_means"], features)

    def header(self) -> dict[str, Any]:
        """Everything that is not an array, as JSON values."""
        return {"columns": list(self.columns)} | self.features.header()

    def arrays(self) -> dict[str, Array]:
        """The arrays by name."""
        return {"classes": self.classes, "class_means": self.class_means} | self.features.arrays()

    @property
    def n_columns(self) -> int:
        """How many columns `matrix` makes."""
        return self._n_numeric * (2 if len(self.classes) else 1) + self.features.n_columns

    def matrix(self, seen: Observations) -> FloatArray:
        """The matrix (n, `n_columns`) of these samples.

        Raises:
            MismatchError: the observations have other columns.
            OutputsError: NaN or infinity in them, other than in features.
        """
        wanted = _all_columns(self.columns, self.features.columns)
        got = _all_columns(seen.columns, seen.feature_columns)
        if wanted != got:
            raise MismatchError(
                f"expected observations with the columns {_listed(wanted)}, got {_listed(got)}",
                tip="an attack scores what it was fitted on: the same features, and as many classes",
            )
        numeric = _numeric(seen)
        if not np.isfinite(numeric).all():
            raise OutputsError("expected finite observations, got NaN or infinity")
        means = self.class_means[self._rows(seen.label)] if len(self.classes) else np.empty((len(seen), 0))
        return np.hstack([numeric, means, self.features.matrix(seen)])

    @property
    def _n_numeric(self) -> int:
        return int(np.count_nonzero(_is_numeric(self.columns)))

    def _rows(self, label: IntArray) -> IntArray:
        """Where the means of these classes are; the last row for a class not seen."""
        nearest = np.minimum(np.searchsorted(self.classes, label), len(self.classes) - 1)
        return np.where(self.classes[nearest] == label, nearest, len(self.classes))


def standardisation(matrix: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean (k,) and factor (k,): ``(x - mean) * factor`` has weighted mean 0 and standard deviation 1 in each column.

    A constant column gets the factor 0.
    """
    mean = np.average(matrix, axis=0, weights=weight)
    deviation = np.sqrt(np.average((matrix - mean) ** 2, axis=0, weights=weight))
    is_constant = deviation <= _CONSTANT * np.abs(matrix).max(axis=0)
    factor = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=~is_constant)
    return mean, factor


def unit_mean(weight: FloatArray) -> FloatArray:
    """The weights scaled to mean 1, so that penalties mean the same whatever the scale of the weights."""
    scaled: FloatArray = weight / weight.mean()
    return scaled


def _class_means(numeric: FloatArray, group: IntArray, weight: FloatArray) -> FloatArray:
    """Weighted means (c + 1, k) per group number, drawn towards the mean of all, which is the last row."""
    overall = np.average(numeric, axis=0, weights=weight)
    totals = np.bincount(group, weight)
    sums = np.column_stack([np.bincount(group, weight * column) for column in numeric.T])
    prior = _PRIOR_SAMPLES * weight.mean()
    means = (sums + prior * overall) / (totals + prior)[:, None]
    return np.vstack([means, overall])


def _numeric(seen: Observations) -> FloatArray:
    """All columns but ``class``, (n, k), cut off at `LARGEST` on both ends; what is not finite stays so.

    Log-odds of finite float32 logits reach twice the largest float32.
    """
    numeric = seen.inputs[:, _is_numeric(seen.columns)]
    return np.where(np.isfinite(numeric), np.clip(numeric, -LARGEST, LARGEST), numeric)


def _is_numeric(columns: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    return np.array([name != CLASS_COLUMN for name in columns], dtype=bool)


def _all_columns(columns: tuple[str, ...], features: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Those of the outputs, then those of features as ``FEATURE COLUMN``."""
    return (*columns, *(f"{name} {column}" for name, names in features.items() for column in names))


def _listed(columns: tuple[str, ...]) -> str:
    shown = ", ".join(columns[:3])
    return shown if len(columns) <= 3 else f"{shown} and {len(columns) - 3} more"
