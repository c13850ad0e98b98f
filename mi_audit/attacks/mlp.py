"""A neural network with two hidden layers, 128 and 64 units; the founding paper's, on better inputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from mi_audit.attacks import _payload, _stack
from mi_audit.attacks._inputs import Encoding, standardisation, unit_mean
from mi_audit.attacks._options import require_count, require_positive
from mi_audit.attacks.interface import Attack, BoolArray, FittedAttack, FloatArray, IntArray, Observations
from mi_audit.errors import UsageError

HIDDEN = (128, 64)

_BLOCK_ROWS = 16384


@dataclass(frozen=True)
class FittedMLP(FittedAttack):
    """The trained layers.

    Attributes:
        encoding: makes the matrix (n, k).
        mean, factor: (k,) the standardisation ``(x - mean) * factor``.
        layers: weight (in, out) and bias (out,) of each layer, float32; ReLU between them, one logit at the end.
    """

    threshold = 0.5

    encoding: Encoding
    mean: FloatArray
    factor: FloatArray
    layers: tuple[_stack.Layer, ...]

    def __post_init__(self) -> None:
        n_in = self.encoding.n_columns
        for name in ("mean", "factor"):
            object.__setattr__(self, name, _payload.finite(name, getattr(self, name), (n_in,)))
        for number, (weight, bias) in enumerate(self.layers):
            _payload.finite(f"weight {number}", weight, (n_in, len(bias)))
            _payload.finite(f"bias {number}", bias, (len(bias),))
            n_in = len(bias)
        if not self.layers or n_in != 1:
            raise ValueError("expected layers that end in one logit")

    def score(self, seen: Observations) -> FloatArray:
        """Probability of being a member, (n,), the sigmoid of the logit; see `FittedAttack.score`."""
        from scipy.special import expit

        hidden = (self.encoding.matrix(seen) - self.mean) * self.factor
        blocks = [self._logit(hidden[first : first + _BLOCK_ROWS]) for first in range(0, len(hidden), _BLOCK_ROWS)]
        probability: FloatArray = expit(np.concatenate([np.empty(0), *blocks]))
        return probability

    def to_bytes(self) -> bytes:
        """The layers as arrays."""
        arrays = self.encoding.arrays() | {"mean": self.mean, "factor": self.factor}
        for number, (weight, bias) in enumerate(self.layers):
            arrays |= {f"weight_{number}": weight, f"bias_{number}": bias}
        return _payload.pack("mlp", self.encoding.header() | {"n_layers": len(self.layers)}, arrays)

    @classmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """The attack that `to_bytes` wrote.

        Raises:
            ContainerError: the bytes are not one.
        """
        with _payload.unpacking("mlp", payload) as (header, arrays):
            numbers = range(_payload.count(header["n_layers"]))
            layers = tuple((arrays[f"weight_{number}"], arrays[f"bias_{number}"]) for number in numbers)
            return cls(Encoding.from_parts(header, arrays), arrays["mean"], arrays["factor"], layers)

    def _logit(self, standardised: FloatArray) -> FloatArray:
        """(n,), in float64, so that a sample's score hardly depends on which others are scored with it."""
        hidden = standardised
        for weight, bias in self.layers[:-1]:
            hidden = np.maximum(hidden @ weight.astype(np.float64) + bias, 0)
        weight, bias = self.layers[-1]
        logit: FloatArray = (hidden @ weight.astype(np.float64) + bias)[:, 0]
        return logit


@dataclass(frozen=True)
class MLP(Attack):
    """Two hidden layers of 128 and 64 ReLU units and a sigmoid, trained with Adam on weighted cross-entropy.

    The founding paper (Rezaei & Liu, CVPR 2021) trains one per class on the bare confidence vector: 30 epochs,
    minibatches of 32, no scaling. The defaults here are for one network on the summary of all classes.

    Attributes:
        epochs: passes over the known samples.
        batch_size: samples per update.
        learning_rate: Adam's.
        weight_decay: decoupled from the gradient; an update shrinks every weight by its product with learning_rate.
        scale: standardise the inputs.
        device: where to train, ``cpu`` or ``cuda``; scoring needs neither.
    """

    fitted: ClassVar[type[FittedAttack]] = FittedMLP
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "epochs": (5, 10, 20),
        "learning_rate": (3e-4, 1e-3, 3e-3),
        "weight_decay": (0.0, 1.0, 3.0, 10.0),
    }
    paper_search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "epochs": (30,),
        "batch_size": (32,),
        "learning_rate": (1e-3,),
        "weight_decay": (0.0,),
        "scale": (False,),
    }
    paper_draws: ClassVar[int] = 1
    full_search_space: ClassVar[Mapping[str, Sequence[Any]]] = paper_search_space

    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 3.0
    scale: bool = True
    device: str = "cpu"

    def __post_init__(self) -> None:
        require_count(epochs=self.epochs, batch_size=self.batch_size)
        require_positive(learning_rate=self.learning_rate)
        if not self.weight_decay >= 0:
            raise ValueError(f"expected weight_decay of 0 or more, got {self.weight_decay}")

    def fit(self, seen: Observations, is_member: BoolArray, weight: FloatArray, rng: np.random.Generator) -> FittedMLP:
        """Train one network; see `Attack.fit`."""
        return self._fit_all([(seen, is_member, weight)], rng)[0]

    def fit_each(
        self,
        groups: Sequence[IntArray],
        seen: Observations,
        is_member: BoolArray,
        weight: FloatArray,
        rng: np.random.Generator,
    ) -> Sequence[FittedAttack]:
        """All networks at once, with the updates that each would make alone; see `Attack.fit_each`."""
        return self._fit_all([(seen.take(rows), is_member[rows], weight[rows]) for rows in groups], rng)

    def _fit_all(
        self, groups: Sequence[tuple[Observations, BoolArray, FloatArray]], rng: np.random.Generator
    ) -> list[FittedMLP]:
        encodings = [Encoding.of(seen, weight) for seen, _, weight in groups]
        scalings, samples = [], []
        for encoding, (seen, is_member, weight) in zip(encodings, groups, strict=True):
            matrix = encoding.matrix(seen)
            scaling = self._scaling(matrix, weight)
            scalings.append(scaling)
            samples.append(
                _stack.Samples(
                    _float32((matrix - scaling[0]) * scaling[1]), _float32(is_member), _float32(unit_mean(weight))
                )
            )
        rngs = [np.random.default_rng(seed) for seed in rng.integers(2**63, size=len(groups))]
        networks = _stack.train(samples, self._recipe(), rngs)
        if not all(np.isfinite(values).all() for layers in networks for layer in layers for values in layer):
            raise UsageError("mlp: the training diverged", tip="try a smaller --set mlp.learning_rate=...")
        return [
            FittedMLP(encoding, *scaling, layers)
            for encoding, scaling, layers in zip(encodings, scalings, networks, strict=True)
        ]

    def _recipe(self) -> _stack.Recipe:
        return _stack.Recipe(HIDDEN, self.epochs, self.batch_size, self.learning_rate, self.weight_decay, self.device)

    def _scaling(self, matrix: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
        if self.scale:
            return standardisation(matrix, weight)
        return np.zeros(matrix.shape[1]), np.ones(matrix.shape[1])


def _float32(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    return values.astype(np.float32)
