"""How the columns of features become columns that an attack can learn from, whatever their size and what is missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mi_audit.attacks import _payload
from mi_audit.attacks.interface import FloatArray, Observations
from mi_audit.schema.arrays import Array

# Forests and boosters read float32.
LARGEST = 1e30

# A column whose sizes reach over more than this factor, from their 10th to their 99th percentile, is read as a
# logarithm. Sizes of normal or exponential numbers reach over 20 and 44; gradients of a fitted network over 10**6.
_HEAVY = 1000.0


@dataclass(frozen=True)
class FeatureColumns:
    """How m columns of features are read; all of it follows from the known samples.

    A column of heavy tails is read as sign(x) * log(1 + |x| / scale), which keeps the order of all samples; the scale
    is the first percentile of its sizes other than 0. A missing value (NaN) is read as the median of the known samples.
    That a value is missing may itself tell something, so each feature adds a column that is 1 where any of its values
    is missing. Infinite values are cut off at `LARGEST`.

    Attributes:
        columns: {feature: names of its columns}, in order.
        scale: (m,) float64, that of the logarithm; 0 for a column that is read as it is.
        fill: (m,) float64, what stands for a missing value, after the logarithm.
    """

    columns: Mapping[str, tuple[str, ...]]
    scale: FloatArray
    fill: FloatArray

    def __post_init__(self) -> None:
        n = sum(map(len, self.columns.values()))
        for name in ("scale", "fill"):
            object.__setattr__(self, name, _payload.finite(f"feature_{name}", getattr(self, name), (n,)))
        if (self.scale < 0).any():
            raise ValueError("expected scales of 0 or more")

    @classmethod
    def of(cls, seen: Observations) -> Self:
        """The reading for these known samples; repeats and weights change nothing but where the median falls."""
        raw = _cut_off(np.hstack(list(seen.features.values()))) if seen.features else np.empty((len(seen), 0))
        scale = np.array([_scale(column[~np.isnan(column)]) for column in raw.T])
        read = _read(raw, scale)
        fill = np.array([_median(column[~np.isnan(column)]) for column in read.T])
        return cls(dict(seen.feature_columns), scale, fill)

    @classmethod
    def from_parts(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """The reading that `header` and `arrays` gave; of nothing where they hold none.

        Raises:
            KeyError, TypeError, ValueError: they make none.
        """
        if "features" not in header:
            return cls({}, np.empty(0), np.empty(0))
        names, columns = _payload.texts(header["features"]), header["feature_columns"]
        if not isinstance(columns, list):
            raise TypeError(f"expected a list of columns per feature, got {type(columns).__name__}")
        pairs = dict(zip(names, map(_payload.texts, columns), strict=True))
        return cls(pairs, arrays["feature_scale"], arrays["feature_fill"])

    def header(self) -> dict[str, Any]:
        """Everything that is not an array, as JSON values; nothing where there are no features."""
        if not self.columns:
            return {}
        return {"features": list(self.columns), "feature_columns": [list(names) for names in self.columns.values()]}

    def arrays(self) -> dict[str, Array]:
        """The arrays by name; none where there are no features."""
        return {"feature_scale": self.scale, "feature_fill": self.fill} if self.columns else {}

    @property
    def n_columns(self) -> int:
        """How many columns `matrix` makes: one per column of a feature, and one per feature for what is missing."""
        return len(self.fill) + len(self.columns)

    def matrix(self, seen: Observations) -> FloatArray:
        """The columns (n, `n_columns`) of these samples, which have to have the same features; finite."""
        if not self.columns:
            return np.empty((len(seen), 0))
        features = [_cut_off(seen.features[name]) for name in self.columns]
        read = _read(np.hstack(features), self.scale)
        is_missing = np.column_stack([np.isnan(values).any(axis=1) for values in features])
        return np.hstack([np.where(np.isnan(read), self.fill, read), is_missing.astype(np.float64)])


def _cut_off(values: FloatArray) -> FloatArray:
    return np.clip(values, -LARGEST, LARGEST)  # NaN stays


def _read(values: FloatArray, scale: FloatArray) -> FloatArray:
    is_log = scale > 0
    with np.errstate(over="ignore"):  # a sample may be far larger than all known ones; the quotient is cut off again
        sizes = np.minimum(np.abs(values[:, is_log]) / scale[is_log], np.finfo(np.float64).max)
    read = values.copy()
    read[:, is_log] = np.copysign(np.log1p(sizes), values[:, is_log])
    return read


def _scale(column: FloatArray) -> float:
    """Of the logarithm; 0 where the column is read as it is."""
    sizes = np.abs(column[column != 0])
    if not len(sizes):
        return 0.0
    lowest, low, high = np.percentile(sizes, (1, 10, 99))
    return float(lowest) if high > _HEAVY * low else 0.0


def _median(column: FloatArray) -> float:
    return float(np.median(column)) if len(column) else 0.0


def is_uninformative(values: npt.NDArray[np.floating[Any]]) -> bool:
    """Whether a feature (n, k) is the same for all samples, or missing for all, so that nothing can be learned from it.

    >>> is_uninformative(np.array([[1.0, np.nan], [1.0, np.nan]]))
    True
    """
    if not len(values):
        return True
    is_missing = np.isnan(values)
    return bool(((values == values[0]) | (is_missing & is_missing[0])).all())
