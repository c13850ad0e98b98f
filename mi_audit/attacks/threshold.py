"""Cuts a signal (loss, max-confidence, entropy, ...) or a feature's column where it separates best."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np

from mi_audit.attacks import _payload
from mi_audit.attacks.interface import Attack, BoolArray, FittedAttack, FloatArray, Observations
from mi_audit.errors import DataSetError, MismatchError, OutputsError, UsageError
from mi_audit.metrics import confidence, ranking
from mi_audit.plugins import did_you_mean

_GUESSING = 0.5
_LARGEST = 1e300  # thresholds are finite

LAST_LAYER_GRADIENT = "last-layer-gradient"
PENULTIMATE = "layer:-1"  # the feature that this signal reads: the inputs of the last fully connected layer
SIGNALS = (*confidence.SIGNALS, *confidence.MORE_SIGNALS, LAST_LAYER_GRADIENT)

Signal = Literal[
    "loss",
    "max-confidence",
    "entropy",
    "modified-entropy",
    "log-odds",
    "margin",
    "output-gradient",
    "last-layer-gradient",
]


@dataclass(frozen=True)
class FittedThreshold(FittedAttack):
    """A signal, or a column of a feature, and where to cut it.

    Attributes:
        signal: which of the observations' signals is the score, where `column` is empty.
        threshold: flagged when the score is above.
        column: which column of the feature is looked at; empty for a signal.
        direction: 1 where members have larger values in the column, -1 where they have smaller ones.
        fill: what stands for a missing value of the column.
    """

    signal: str
    threshold: float
    column: str = ""
    direction: int = 1
    fill: float = 0.0

    def __post_init__(self) -> None:
        if self.signal not in SIGNALS:
            raise ValueError(f"expected a signal out of {', '.join(SIGNALS)}, got {self.signal!r}")
        if self.direction not in (1, -1):
            raise ValueError(f"expected a direction of 1 or -1, got {self.direction}")

    def score(self, seen: Observations) -> FloatArray:
        """The signal itself, or the column in its direction, (n,); NaN where the signal has no value.

        Raises:
            OutputsError: the target gives labels only, so that there are no signals.
            MismatchError: there is no such column, or not the layer that the signal reads.
        """
        if not self.column:
            return _signal(seen, self.signal)
        try:
            values = _column(seen, self.column)
        except UsageError as error:
            raise MismatchError(str(error)) from error
        return self.direction * np.where(np.isnan(values), self.fill, values)

    def to_bytes(self) -> bytes:
        """The name of the signal or column, and the threshold."""
        header: dict[str, Any] = {"signal": self.signal, "threshold": self.threshold}
        if self.column:
            header |= {"column": self.column, "direction": self.direction, "fill": self.fill}
        return _payload.pack("threshold", header, {})

    @classmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """The attack that `to_bytes` wrote.

        Raises:
            ContainerError: the bytes are not one.
        """
        with _payload.unpacking("threshold", payload) as (header, _):
            signal, threshold = _payload.text(header["signal"]), _payload.number(header["threshold"])
            return cls(signal, threshold, *_column_parts(header))


@dataclass(frozen=True)
class Threshold(Attack):
    """One threshold for all samples, at the best weighted balanced accuracy of the known ones (their Youden point).

    Yeom et al., CSF 2018 (loss); Salem et al., NDSS 2019 (max-confidence, entropy); Song & Mittal, USENIX Security 2021
    (modified-entropy); Carlini et al., S&P 2022 (log-odds). ``last-layer-gradient`` is minus the logarithm of the norm
    of the loss's gradient with respect to weights and biases of the last fully connected layer,
    ||p - e_y|| sqrt(||h||^2 + 1) with h its inputs: exact, without a backward pass, from the feature ``layer:-1``.
    ``output-gradient`` is its first factor alone.

    Of a column nobody knows beforehand on which side members are: that is learned on the known samples, as the side of
    1/2 on which the AUC of the column lies. A missing value counts as their median.

    Attributes:
        signal: what is cut; the formulas of all others are in `mi_audit.metrics.confidence`.
        column: the column of a feature that is cut instead; empty for a signal.
    """

    fitted: ClassVar[type[FittedAttack]] = FittedThreshold
    argument: ClassVar[str | None] = "signal"
    arguments: ClassVar[tuple[str, ...]] = confidence.SIGNALS
    more_arguments: ClassVar[tuple[str, ...]] = (*confidence.MORE_SIGNALS, LAST_LAYER_GRADIENT)
    column_argument: ClassVar[str | None] = "column"

    signal: Signal = "loss"
    column: str = ""

    @property
    def has_fixed_score(self) -> bool:
        """True of a signal, whose direction is known beforehand; that of a column is learned."""
        return not self.column

    @property
    def reads(self) -> tuple[str, ...]:
        """The layer whose inputs the gradient is of; nothing for other signals."""
        return (PENULTIMATE,) if self.signal == LAST_LAYER_GRADIENT and not self.column else ()

    def fit(
        self,
        seen: Observations,
        is_member: BoolArray,
        weight: FloatArray,
        rng: np.random.Generator,  # noqa: ARG002 - the best threshold is no matter of chance
    ) -> FittedThreshold:
        """Choose the threshold, and the direction of a column; see `Attack.fit`.

        Raises:
            UsageError: the features have no such column, or several.
            DataSetError: the signal has a value on one side only.
        """
        if not self.column:
            return self._of_signal(_signal(seen, self.signal), is_member, weight)
        values = _column(seen, self.column)
        is_there = ~np.isnan(values)
        fill = float(np.median(values[is_there])) if is_there.any() else 0.0
        filled = np.where(is_there, values, fill)
        order = ranking.auc(filled, is_member).value
        direction = -1 if order is not None and order < _GUESSING else 1
        threshold = ranking.best_threshold(direction * filled, is_member, weight)
        return FittedThreshold(self.signal, threshold, self.column, direction, fill)

    def _of_signal(self, values: FloatArray, is_member: BoolArray, weight: FloatArray) -> FittedThreshold:
        is_there = ~np.isnan(values)
        if len(np.unique(is_member[is_there])) < len(np.unique(is_member)):
            raise DataSetError(f"{self.signal} has no value for any known sample of one side")
        threshold = ranking.best_threshold(values[is_there], is_member[is_there], weight[is_there])
        return FittedThreshold(self.signal, threshold)


def _signal(seen: Observations, name: str) -> FloatArray:
    if not seen.signals:
        raise OutputsError(
            "expected confidences to cut, got labels only", tip="only the naive attack needs no confidences"
        )
    return _last_layer_gradient(seen) if name == LAST_LAYER_GRADIENT else seen.signals[name]


def _last_layer_gradient(seen: Observations) -> FloatArray:
    """-log(||p - e_y|| sqrt(||h||^2 + 1)), (n,); NaN where h is missing.

    Raises:
        MismatchError: h is not there, or is pooled over positions, so that the gradient does not follow from it.
    """
    columns = seen.feature_columns.get(PENULTIMATE, ())
    if not columns or not columns[0].startswith("unit-"):
        found = "pooled over positions" if columns else "not there"
        raise MismatchError(
            f"{LAST_LAYER_GRADIENT} needs the inputs of the last layer, and {PENULTIMATE} is {found}",
            tip=f"add --features {PENULTIMATE}" if not columns else "--attack threshold:output-gradient needs none",
        )
    squares = (seen.features[PENULTIMATE] ** 2).sum(axis=1)
    score: FloatArray = seen.signals["output-gradient"] - 0.5 * np.log1p(squares)
    return score


def _column(seen: Observations, name: str) -> FloatArray:
    """The one column of this name, infinities cut off.

    Raises:
        UsageError: there is none, or there are several.
    """
    names = [(feature, column) for feature, columns in seen.feature_columns.items() for column in columns]
    found = [(feature, column) for feature, column in names if column == name]
    if len(found) != 1:
        tip = did_you_mean(name, {column for _, column in names})
        raise UsageError(f"expected one column {name!r} to cut, got {len(found)}", tip=tip)
    feature = found[0][0]
    values = seen.features[feature][:, seen.feature_columns[feature].index(name)]
    return np.clip(values, -_LARGEST, _LARGEST)


def _column_parts(header: Mapping[str, Any]) -> tuple[str, int, float]:
    """Column, direction and fill; of a signal, none."""
    if "column" not in header:
        return "", 1, 0.0
    direction = _payload.number(header["direction"])
    return _payload.text(header["column"]), int(direction), _payload.number(header["fill"])
