"""What a hidden layer computes: :-1, :-2, ... or :NAME; see list layers."""

import re
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import nn

from mi_audit import plugins
from mi_audit.errors import UsageError
from mi_audit.features.interface import BoundFeature, Failure, Feature, Observed
from mi_audit.target_model import Batch, Tap, TargetModel

Pooling = Literal["none", "channels-first", "channels-last"]


@dataclass(frozen=True)
class Layer(Feature):
    """Activations from the pass that gives the outputs (Rezaei & Liu, CVPR 2021, Table 5).

    Vectors are kept as they are, in columns ``unit-0``, ...; maps and tokens are pooled to the mean and the maximum of
    each channel over positions, in columns ``mean-0``, ..., ``max-0``, ...

    Attributes:
        layers: ``"-1"`` is the input of the last fully connected layer, ``"-2"`` that of the one before, in the order
            in which they are called; any other text is the name of a module, whose output is kept.
    """

    argument: ClassVar[str | None] = "layers"

    layers: tuple[str, ...] = ("-1",)

    def bind(self, target: TargetModel, shape: tuple[int, int, int]) -> "BoundLayer":
        """Find the layers, and how wide they are, with one blank image; see `Feature.bind`."""
        return BoundLayer(target, shape, self.layers)


@dataclass(frozen=True)
class _Place:
    name: str
    tap: Tap
    pooling: Pooling


class BoundLayer(BoundFeature):
    """`Layer` for one target."""

    def __init__(self, target: TargetModel, shape: tuple[int, int, int], layers: tuple[str, ...]) -> None:
        device = next((each.device for each in target.module.parameters()), torch.device("cpu"))
        blank = torch.zeros((1, *shape), dtype=torch.uint8, device=device)
        called = _called_linears(target, blank)
        places = {name: _tap(target.module, called, name) for name in dict.fromkeys(layers)}
        try:
            batch = target.batch(blank, torch.zeros(1, dtype=torch.int64, device=device), tuple(places.values()))
        except ValueError as error:
            raise UsageError(str(error), tip="`mi-audit list layers --model SPEC` names the layers") from error
        self.places = [
            _Place(f"layer:{name}", tap, _pooling(target.module.get_submodule(tap.module), batch.activations[tap]))
            for name, tap in places.items()
        ]
        self.taps = tuple(dict.fromkeys(places.values()))
        self.columns = {
            place.name: _columns(place.pooling, _pooled(batch.activations[place.tap], place.pooling))
            for place in self.places
        }

    def compute(self, batch: Batch) -> Observed:
        """Pool what the taps saw; see `BoundFeature.compute`."""
        values = {place.name: _pooled(batch.activations[place.tap], place.pooling) for place in self.places}
        failures = []
        for name, columns in values.items():
            rows = (~columns.isfinite()).any(1).cpu().nonzero().flatten().tolist()
            columns[rows] = torch.nan
            failures += [Failure(name, row, "activations are not finite") for row in rows]
        return Observed(values, tuple(failures))


def _called_linears(target: TargetModel, blank: torch.Tensor) -> list[str]:
    """Names of the fully connected layers in the order of their (last) calls."""
    called: dict[str, None] = {}

    def note(name: str) -> None:
        called.pop(name, None)
        called[name] = None

    linears = {name: each for name, each in target.module.named_modules() if isinstance(each, nn.Linear)}
    hooks = [each.register_forward_pre_hook(lambda *_, name=name: note(name)) for name, each in linears.items()]
    try:
        with torch.no_grad():
            target(blank)
    finally:
        for hook in hooks:
            hook.remove()
    return list(called)


def _tap(module: nn.Module, called: list[str], name: str) -> Tap:
    """The place that a user means.

    Raises:
        UsageError: there are not so many fully connected layers, or no module of this name.
    """
    if re.fullmatch(r"-[0-9]{1,4}", name):
        if not 1 <= -int(name) <= len(called):
            there = "1 fully connected layer" if len(called) == 1 else f"{len(called)} fully connected layers"
            raise UsageError(f"layer:{name} is not there: the model calls {there}", tip="name a module: layer:NAME")
        return Tap(called[int(name)], "input")
    names = [known for known, _ in module.named_modules() if known]
    if name not in names:
        raise UsageError(f"the model has no module {name!r}", tip=plugins.did_you_mean(name, names))
    return Tap(name, "output")


def _pooling(module: nn.Module, activation: torch.Tensor) -> Pooling:
    """Convolutional maps have their channels first; tokens, and all that a fully connected layer sees, last."""
    if activation.ndim <= 2:
        return "none"
    is_last = activation.ndim == 3 or isinstance(module, nn.Linear) or type(module).forward is nn.LayerNorm.forward
    return "channels-last" if is_last else "channels-first"


def _pooled(activation: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """(n, n_columns) float32: as it is, or means and then maxima over positions."""
    activation = activation.detach().float()
    if pooling == "none":
        return activation.reshape(len(activation), -1).clone()
    positions = activation.flatten(1, -2) if pooling == "channels-last" else activation.flatten(2).transpose(1, 2)
    return torch.cat((positions.mean(1), positions.amax(1)), dim=1)


def _columns(pooling: Pooling, pooled: torch.Tensor) -> tuple[str, ...]:
    width = pooled.shape[1]
    if pooling == "none":
        return tuple(f"unit-{number}" for number in range(width))
    return tuple(f"{kind}-{number}" for kind in ("mean", "max") for number in range(width // 2))
