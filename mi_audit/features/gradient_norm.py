"""The loss gradient by the weights (:w), the image (:x), each layer (:layers)."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch

from mi_audit.errors import UsageError
from mi_audit.features import _moments
from mi_audit.features._engine import Kernel, SampleGradients
from mi_audit.features._sample_gradients import GradientSums
from mi_audit.features.interface import BoundFeature, Failure, Feature, Observed
from mi_audit.schema.finding import Finding
from mi_audit.target_model import Batch, TargetModel, channels_first

Part = Literal["w", "x", "layers"]
_NAME = "gradient-norm"


@dataclass(frozen=True)
class GradientNorm(Feature):
    """The gradient of the cross-entropy of the true label, reduced to seven numbers (Rezaei & Liu, CVPR 2021, Table 7).

    L1, L2, smallest and largest size, signed mean, skewness and excess kurtosis (biased, as in scipy) of all trainable
    parameters' gradient together, and of that of the image in [0, 1] pixels. A frozen parameter does not count; one
    that takes no part counts with zeros.

    Attributes:
        parts: which of ``"w"`` (parameters), ``"x"`` (image), ``"layers"`` (L2 norm of each layer's own parameters).
        dtype: ``"float64"`` for round-off far below what float32 leaves, at several times the cost.
        kernel: ``"fused"`` sums powers in C compiled on the spot, ``"eager"`` in PyTorch, ``"auto"`` as is there.
    """

    argument: ClassVar[str | None] = "parts"

    parts: tuple[str, ...] = ("w", "x")
    dtype: Literal["float32", "float64"] = "float32"
    kernel: Kernel = "auto"

    def __post_init__(self) -> None:
        for part in self.parts:
            if part not in get_args(Part):
                known = ", ".join(f"{_NAME}:{each}" for each in get_args(Part))
                raise UsageError(f"unknown feature {f'{_NAME}:{part}'!r}", tip=f"there is: {known}")

    def bind(self, target: TargetModel, shape: tuple[int, int, int]) -> "BoundGradientNorm":  # noqa: ARG002 - any shape
        """Copy the target and plan its layers; see `Feature.bind`."""
        return BoundGradientNorm(self, target)


class BoundGradientNorm(BoundFeature):
    """`GradientNorm` for one target."""

    passes = 1.5

    def __init__(self, feature: GradientNorm, target: TargetModel) -> None:
        self.parts = feature.parts
        dtype = getattr(torch, feature.dtype)
        self.gradients = SampleGradients(target, dtype, feature.kernel, keeps_squares="layers" in self.parts)
        self.dtype = dtype
        self.sizes = {name: each.numel() for name, each in target.module.named_parameters() if each.requires_grad}
        layers = tuple(dict.fromkeys(_layer_of(name) for name in self.sizes))
        names = {"w": _moments.STATISTICS, "x": _moments.STATISTICS, "layers": layers}
        self.columns = {f"{_NAME}:{part}": names[part] for part in self.parts}

    def compute(self, batch: Batch) -> Observed:
        """One forward and backward pass; see `BoundFeature.compute`."""
        pixels = channels_first(batch.images.permute(0, 3, 1, 2).to(self.dtype).div(255))
        sums = self.gradients(pixels, batch.label)
        of_part = {"w": self._of_parameters, "x": lambda sums: _of_image(sums, pixels), "layers": self._of_layers}
        values = {f"{_NAME}:{part}": of_part[part](sums).float() for part in self.parts}
        return Observed(values, tuple(failure for name in values for failure in _failures(name, values[name])))

    def findings(self) -> tuple[Finding, ...]:
        """Layers that took the general way."""
        return self.gradients.findings()

    def _of_parameters(self, sums: GradientSums) -> torch.Tensor:
        return _moments.statistics(sums.parameters, max(1, sum(self.sizes.values())), sums.scale)

    def _of_layers(self, sums: GradientSums) -> torch.Tensor:
        """(n, layers) L2 norms."""
        squares = dict.fromkeys(self.columns[f"{_NAME}:layers"], torch.zeros_like(sums.scale))
        for name, square in sums.squares.items():
            squares[_layer_of(name)] = squares[_layer_of(name)] + square
        return torch.stack([square.sqrt() * sums.scale for square in squares.values()], dim=1)


def _of_image(sums: GradientSums, pixels: torch.Tensor) -> torch.Tensor:
    return _moments.statistics(sums.image, pixels[0].numel(), sums.scale)


def _layer_of(name: str) -> str:
    """The module that owns a parameter; a parameter of the network itself is its own layer."""
    return name.rpartition(".")[0] or name


def _failures(name: str, values: torch.Tensor) -> list[Failure]:
    """Rows with something that is not a number; one copy to the host for the whole batch."""
    columns = values.isnan().cpu()
    rows = columns.any(1).nonzero().flatten().tolist()
    undefined = columns[:, :5].any(1).tolist()
    return [
        Failure(name, row, "gradient is not finite" if undefined[row] else "all gradients are equal") for row in rows
    ]
