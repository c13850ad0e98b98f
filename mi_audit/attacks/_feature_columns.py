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

# Features of at most so many columns have theirs read on both scales; those of layers are many, and hardly ever heavy.
_NARROW = 16


@dataclass(frozen=True)
class FeatureColumns:
    """How m columns of features are read; all of it follows from the known samples.

    A column of heavy tails is read as sign(x) * log(1 + |x| / scale), which keeps the order of all samples; the scale
    is the first percentile of its sizes other than 0. What tells members apart may lie among the smallest values or
    among the largest, which a logarithm hardly tells apart: so a column of a narrow feature is read on its own scale
    too, cut off at the 99th percentile of its sizes (0 throughout for a column that is not heavy, so that the number of
    columns depends on the features alone). A missing value (NaN) is read as the median of the known samples.
    That a value is missing may itself tell something, so each feature adds a column that is 1 where any of its values
    is missing. Infinite values are cut off at `LARGEST`.

    Attributes:
        columns: {feature: names of its columns}, in order.
        scale: (m,) float64, that of the logarithm; 0 for a column that is read as it is.
        limit: (m,) float64, where the column's own scale is cut off; 0 for a column that is read once.
        fill: (m,) float64, what stands for a missing value.
    """

    columns: Mapping[str, tuple[str, ...]]
    scale: FloatArray
    limit: FloatArray
    fill: FloatArray

    def __post_init__(self) -> None:
        n = sum(map(len, self.columns.values()))
        for name in ("scale", "limit", "fill"):
            object.__setattr__(self, name, _payload.finite(f"feature_{name}", getattr(self, name), (n,)))
        if min(self.scale.min(initial=0), self.limit.min(initial=0)) < 0:
            raise ValueError("expected scales and limits of 0 or more")

    @classmethod
    def of(cls, seen: Observations) -> Self:
        """The reading for these known samples; repeats and weights change nothing but where the median falls."""
        raw = _cut_off(np.hstack(list(seen.features.values()))) if seen.features else np.empty((len(seen), 0))
        present = [column[~np.isnan(column)] for column in raw.T]
        scales = np.array([_scale_and_limit(column) for column in present]).reshape(-1, 2)
        fill = np.array([_median(column) for column in present])
        return cls(dict(seen.feature_columns), scales[:, 0].copy(), scales[:, 1].copy(), fill)

    @classmethod
    def from_parts(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> "FeatureColumns":
        """The reading that `header` and `arrays` gave; of nothing where they hold none.

        Raises:
            KeyError, TypeError, ValueError: they make none.
        """
        if "features" not in header:
            return NO_FEATURES
        names, columns = _payload.texts(header["features"]), header["feature_columns"]
        if not isinstance(columns, list):
            raise TypeError(f"expected a list of columns per feature, got {type(columns).__name__}")
        pairs = dict(zip(names, map(_payload.texts, columns), strict=True))
        return cls(pairs, *(arrays[f"feature_{name}"] for name in ("scale", "limit", "fill")))

    def header(self) -> dict[str, Any]:
        """Everything that is not an array, as JSON values; nothing where there are no features."""
        if not self.columns:
            return {}
        return {"features": list(self.columns), "feature_columns": [list(names) for names in self.columns.values()]}

    def arrays(self) -> dict[str, Array]:
        """The arrays by name; none where there are no features."""
        if not self.columns:
            return {}
        return {"feature_scale": self.scale, "feature_limit": self.limit, "feature_fill": self.fill}

    @property
    def n_columns(self) -> int:
        """How many columns `matrix` makes.

        One per column of a feature, one more per column of a narrow one, and one per feature for what is missing.
        """
        return len(self.fill) + int(self._is_narrow.sum()) + len(self.columns)

    @property
    def _is_narrow(self) -> npt.NDArray[np.bool_]:
        """(m,) whether a column belongs to a narrow feature."""
        widths = [len(names) for names in self.columns.values()]
        return np.repeat(np.array([width <= _NARROW for width in widths], np.bool_), widths)

    def matrix(self, seen: Observations) -> FloatArray:
        """The columns (n, `n_columns`) of these samples, which have to have the same features; finite."""
        if not self.columns:
            return np.empty((len(seen), 0))
        features = [_cut_off(seen.features[name]) for name in self.columns]
        raw, is_narrow = np.hstack(features), self._is_narrow
        filled = np.where(np.isnan(raw), self.fill, raw)
        is_missing = np.column_stack([np.isnan(values).any(axis=1) for values in features])
        own_scale = _cut(filled[:, is_narrow], self.limit[is_narrow])
        return np.hstack([_read(filled, self.scale), own_scale, is_missing.astype(np.float64)])


def _cut_off(values: FloatArray) -> FloatArray:
    return np.clip(values, -LARGEST, LARGEST)  # NaN stays


def _read(values: FloatArray, scale: FloatArray) -> FloatArray:
    is_log = scale > 0
    with np.errstate(over="ignore"):  # a sample may be far larger than all known ones; the quotient is cut off again
        sizes = np.minimum(np.abs(values[:, is_log]) / scale[is_log], np.finfo(np.float64).max)
    read = values.copy()
    read[:, is_log] = np.copysign(np.log1p(sizes), values[:, is_log])
    return read


def _cut(values: FloatArray, limit: FloatArray) -> FloatArray:
    """In units of the limit and from -1 to 1; 0 where there is none."""
    has_limit = limit > 0
    cut: FloatArray = np.clip(values, -limit, limit) / np.where(has_limit, limit, 1.0)
    return cut


def _scale_and_limit(column: FloatArray) -> tuple[float, float]:
    """Scale of the logarithm and limit without it; 0 where the column is read as it is."""
    sizes = np.abs(column[column != 0])
    if not len(sizes):
        return 0.0, 0.0
    lowest, low, high = np.percentile(sizes, (1, 10, 99))
    return (float(lowest), float(high)) if high > _HEAVY * low else (0.0, 0.0)


def _median(column: FloatArray) -> float:
    return float(np.median(column)) if len(column) else 0.0


NO_FEATURES = FeatureColumns({}, np.empty(0), np.empty(0), np.empty(0))


def is_uninformative(values: npt.NDArray[np.floating[Any]]) -> bool:
    """Whether a feature (n, k) is the same for all samples, or missing for all, so that nothing can be learned from it.

    >>> is_uninformative(np.array([[1.0, np.nan], [1.0, np.nan]]))
    True
    """
    if not len(values):
        return True
    is_missing = np.isnan(values)
    return bool(((values == values[0]) | (is_missing & is_missing[0])).all())
