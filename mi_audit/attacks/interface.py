"""What an attack sees, and what it gives back.

The polarity contract, for every attack: a member is the positive class, a larger score means "member", and a sample
is flagged when ``score > threshold``, strictly.
"""

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from mi_audit.metrics import confidence
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.trained_attacks import OUTPUTS, View

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Observations:
    """What the adversary sees of n samples.

    Attributes:
        inputs: (n, k) float64, the columns that a learned attack reads.
        columns: their k names.
        signals: {name: (n,) float64}, fixed formulas of the outputs, each larger for members.
        label: (n,) int64, the true class.
        is_correct: (n,) bool, whether the target is right.
        features: {name: (n, its columns) float64}, what is seen beside the outputs; NaN where it is missing.
        feature_columns: {name of a feature: names of its columns}.
    """

    inputs: FloatArray
    columns: tuple[str, ...]
    signals: Mapping[str, FloatArray]
    label: IntArray
    is_correct: BoolArray
    features: Mapping[str, FloatArray] = field(default_factory=dict)
    feature_columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: npt.NDArray[Any]) -> "Observations":
        """The samples at these positions (or under this mask), in order; positions may repeat."""
        signals = {name: values[rows] for name, values in self.signals.items()}
        features = {name: values[rows] for name, values in self.features.items()}
        return Observations(
            self.inputs[rows],
            self.columns,
            signals,
            self.label[rows],
            self.is_correct[rows],
            features,
            self.feature_columns,
        )


def observe(cache: FeatureCache, rows: IntArray, view: View, on: Sequence[str] = (OUTPUTS,)) -> Observations:
    """What an adversary with this view sees of these rows of a feature cache.

    Where the target gives labels only, or the outputs are not looked at, there are no inputs and no signals: just
    whether it is right, and the features.

    Args:
        cache: the feature cache.
        rows: (n,) positions.
        view: ``"summary"`` for the summary of the confidence vector, ``"confidences"`` for the whole softmax vector.
        on: what is looked at: ``"outputs"``, and names of features in the cache.
    """
    label, is_correct = cache.label[rows], cache.is_correct[rows]
    names = [name for name in on if name != OUTPUTS]
    features = {name: cache.features[name][rows].astype(np.float64) for name in names}
    feature_columns = {name: cache.columns[name] for name in names}
    if OUTPUTS not in on or cache.outputs_kind == "labels":
        return Observations(np.empty((len(rows), 0)), (), {}, label, is_correct, features, feature_columns)
    inputs, columns, signals = _of_outputs(cache, rows, view)
    return Observations(inputs, columns, signals, label, is_correct, features, feature_columns)


def _of_outputs(
    cache: FeatureCache, rows: IntArray, view: View
) -> tuple[FloatArray, tuple[str, ...], dict[str, FloatArray]]:
    """Inputs, their columns, and signals."""
    outputs, label, predicted = cache.outputs[rows], cache.label[rows], cache.predicted[rows]
    if view == "summary":
        inputs, columns = confidence.summary(outputs, label, predicted, cache.outputs_kind)
    else:
        inputs = np.exp(confidence.log_confidences(outputs, cache.outputs_kind))
        columns = tuple(f"confidence-{number}" for number in range(inputs.shape[1]))
    return inputs, columns, confidence.signals(outputs, label, cache.outputs_kind)


class FittedAttack(abc.ABC):
    """An attack after fitting. Scoring needs no torch."""

    threshold: float

    @abc.abstractmethod
    def score(self, seen: Observations) -> FloatArray:
        """(n,) float64 scores, larger = member; flagged when above `threshold`, strictly.

        NaN where the attack has nothing to say about a sample.

        Raises:
            InputError: other columns than it was fitted on, or inputs that are not finite.
        """

    @abc.abstractmethod
    def to_bytes(self) -> bytes:
        """The fitted state: no pickle, the same bytes for the same state."""

    @classmethod
    @abc.abstractmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """The fitted attack that `to_bytes` wrote.

        Raises:
            ContainerError: the bytes are not one, or would read outside their arrays.
        """


class Attack(abc.ABC):
    """An attack before fitting; its options are the fields of the subclass.

    Class attributes:
        fitted: the class of what `fit` returns, for reading payloads back.
        is_fixed: nothing is fitted or chosen, so that every sample may be scored.
        needs_confidences: it has nothing to say about a target that gives labels only.
        argument: the option that ``NAME:VALUE`` on the command line sets, or ``None``.
        arguments: the values that a bare ``NAME`` stands for, where there is an `argument`.
        more_arguments: further values that ``NAME:VALUE`` takes.
        column_argument: the option that ``NAME:VALUE`` sets on a feature, for an attack that reads one column of it;
            ``None`` for one that reads them all.
        search_space: {option: values to draw from} of the protocol ``audit``; empty where there is nothing to search.
        paper_search_space: the same for the protocol ``paper``, the founding paper's (Rezaei & Liu, CVPR 2021), kept
            affordable; an option with a single value is what the paper fixed.
        paper_draws: how many settings the founding paper drew.
        full_search_space: the founding paper's to the letter, whatever it costs.
    """

    fitted: ClassVar[type[FittedAttack]]
    is_fixed: ClassVar[bool] = False
    needs_confidences: ClassVar[bool] = True
    argument: ClassVar[str | None] = None
    arguments: ClassVar[tuple[str, ...]] = ()
    more_arguments: ClassVar[tuple[str, ...]] = ()
    column_argument: ClassVar[str | None] = None
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {}
    paper_search_space: ClassVar[Mapping[str, Sequence[Any]]] = {}
    paper_draws: ClassVar[int] = 0
    full_search_space: ClassVar[Mapping[str, Sequence[Any]]] = {}

    @property
    def has_fixed_score(self) -> bool:
        """Whether its scores are a formula, so that known samples may be ranked by them; a threshold may be fitted."""
        return self.is_fixed

    @property
    def reads(self) -> tuple[str, ...]:
        """Features that it reads beside the outputs, whatever else it is told to look at."""
        return ()

    @abc.abstractmethod
    def fit(
        self, seen: Observations, is_member: BoolArray, weight: FloatArray, rng: np.random.Generator
    ) -> FittedAttack:
        """Fit on samples whose membership is known.

        Args:
            seen: n samples, at least one on each side.
            is_member: (n,) bool.
            weight: (n,) how much each sample counts, for example to balance the two sides; only the ratios matter.
            rng: the only source of randomness.
        """

    def fit_each(
        self,
        groups: Sequence[IntArray],
        seen: Observations,
        is_member: BoolArray,
        weight: FloatArray,
        rng: np.random.Generator,
    ) -> Sequence[FittedAttack]:
        """One fitted attack per group of rows (a class each); subclasses that can fit them together do.

        Args:
            groups: for each group its positions in `seen`.
            seen: as for `fit`, and so are the others.
            is_member: (n,) bool.
            weight: (n,).
            rng: the only source of randomness.
        """
        return [self.fit(seen.take(rows), is_member[rows], weight[rows], rng) for rows in groups]
