"""Whether the weights of a checkpoint fit a network, told from names and shapes before anything is built in memory.

The network is laid out twice without memory (on torch's meta device), for other numbers of classes and channels. What
differs between the two outlines is the head and the input layer; their sizes are then read from the checkpoint.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import nn

from mi_audit.targets._build import Blueprint, Shape, WithoutInitialisation, build, built_in
from mi_audit.targets._catalogue import ARCHITECTURES, recognised

Tensors = Mapping[str, torch.Tensor]

_CLASSES = (7, 11)
_CHANNELS = (1, 3)
_COMMON_SIDES = (28, 32, 8, 16, 64, 96, 128, 224)
# Batches seen in training; absent from files that PyTorch before 0.4.1 wrote, and of no use in inference.
_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class Free:
    """A dimension that the checkpoint decides: so many times the number of classes or of channels."""

    of: str
    times: int


@dataclass(frozen=True)
class Fit:
    """How the tensors of a checkpoint lie on a network.

    Attributes:
        blueprint: of the network.
        size: (height, width) of the images that it was laid out for.
        n_tensors: of the network that are in the checkpoint, of the right shape.
        missing: names that the network has and the checkpoint has not.
        unexpected: names that the checkpoint has and the network has not.
        wrong_shape: names in both, each with both shapes.
        n_classes, n_channels: of the checkpoint, as far as it fits.
    """

    blueprint: Blueprint
    size: tuple[int, int]
    n_tensors: int
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    wrong_shape: tuple[str, ...]
    n_classes: int
    n_channels: int

    @property
    def is_whole(self) -> bool:
        """Whether every tensor has its place."""
        return not (self.missing or self.unexpected or self.wrong_shape)

    @property
    def share(self) -> float:
        """Tensors that fit, of all that either side names."""
        n_all = self.n_tensors + len(self.missing) + len(self.unexpected) + len(self.wrong_shape)
        return self.n_tensors / n_all if n_all else 0.0


def fit(blueprint: Blueprint, tensors: Tensors, size: tuple[int, int] | None) -> Fit:
    """How the tensors lie on the network, laid out for images of this size.

    Where the weights of a network depend on the size and do not fit this one, the common sizes are tried.
    """
    sizes = [size or blueprint.own_size]
    if blueprint.depends_on_size:
        sizes += [(side, side) for side in _COMMON_SIDES]
    fits = (_fit_at(blueprint, tensors, one) for one in sizes)
    first = next(fits)
    return first if first.is_whole else next((other for other in fits if other.is_whole), first)


def nearest_built_in(tensors: Tensors, size: tuple[int, int] | None) -> Fit:
    """The built-in network on which most of the tensors fit."""
    # To lay out every network takes too long: what the names say, or else the small ones.
    found = recognised({name: tuple(tensor.shape) for name, tensor in tensors.items()})
    fits = [fit(built_in(architecture), tensors, size) for architecture in found or ARCHITECTURES[:5]]
    return max(fits, key=lambda one: one.share)


def loaded(found: Fit, tensors: Tensors, seed: int) -> nn.Module:
    """The network with the weights of the checkpoint.

    Raises:
        ValueError: the checkpoint does not fit whole.
    """
    if not found.is_whole:
        raise ValueError(f"expected weights that fit {found.blueprint.name} whole")
    with WithoutInitialisation():
        module = build(found.blueprint, found.n_classes, (*found.size, found.n_channels), seed)
    # The network's own state dict carries the versions of its modules, which some of torchvision's ask for. Every
    # tensor of it is replaced, except for the counters that old files lack.
    weights = module.state_dict()
    weights.update(tensors)
    module.load_state_dict(weights, strict=True)
    return module


def fit_as_built(blueprint: Blueprint, module: nn.Module, tensors: Tensors, n_classes: int, n_channels: int) -> Fit:
    """How the tensors lie on a network that is there already, for so many classes and channels."""
    shapes = {name: tuple(one.shape) for name, one in module.state_dict().items() if isinstance(one, torch.Tensor)}
    found = _fit_on(blueprint, shapes, tensors, blueprint.own_size)
    return replace(found, n_classes=n_classes, n_channels=n_channels)


def _fit_at(blueprint: Blueprint, tensors: Tensors, size: tuple[int, int]) -> Fit:
    return _fit_on(blueprint, _outline(blueprint, size), tensors, size)


def _fit_on(
    blueprint: Blueprint, outline: Mapping[str, tuple[int | Free, ...]], tensors: Tensors, size: tuple[int, int]
) -> Fit:
    both = [name for name in outline if name in tensors]
    free = _free_sizes((outline[name], tuple(tensors[name].shape)) for name in both)
    wanted = {name: _with_sizes(outline[name], free) for name in both}
    wrong = [name for name in both if wanted[name] != tuple(tensors[name].shape)]
    return Fit(
        blueprint=blueprint,
        size=size,
        n_tensors=len(both) - len(wrong),
        missing=tuple(name for name in outline if name not in tensors and not name.endswith(_COUNTER)),
        unexpected=tuple(name for name in tensors if name not in outline),
        wrong_shape=tuple(f"{name}: expected {wanted[name]}, got {tuple(tensors[name].shape)}" for name in wrong),
        n_classes=free.get("classes", 0),
        n_channels=free.get("channels", _CHANNELS[1]),
    )


def _outline(blueprint: Blueprint, size: tuple[int, int]) -> dict[str, tuple[int | Free, ...]]:
    """The shape of every tensor of the network, by name."""
    one, other = (
        shapes_of(blueprint, n_classes, (*size, n_channels))
        for n_classes, n_channels in zip(_CLASSES, _CHANNELS, strict=True)
    )
    return {
        name: tuple(_dimension(a, b) for a, b in zip(shape, other[name], strict=True)) for name, shape in one.items()
    }


def shapes_of(blueprint: Blueprint, n_classes: int, shape: Shape) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of the network by name, found without the memory of its weights."""
    try:
        with torch.device("meta"):
            module = build(blueprint, n_classes, shape, seed=0)
    except (RuntimeError, NotImplementedError):
        # A few networks compute with their weights while they are built, which needs memory.
        module = build(blueprint, n_classes, shape, seed=0)
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def _dimension(one: int, other: int) -> int | Free:
    for name, (small, large) in (("classes", _CLASSES), ("channels", _CHANNELS)):
        if one != other and one % small == 0 and other == one // small * large:
            return Free(name, one // small)
    return other


def _free_sizes(pairs: Iterable[tuple[tuple[int | Free, ...], tuple[int, ...]]]) -> dict[str, int]:
    """The number of classes and of channels, from the first tensor that has them."""
    sizes: dict[str, int] = {}
    for outline, shape in pairs:
        if len(outline) == len(shape):
            for dimension, length in zip(outline, shape, strict=True):
                if isinstance(dimension, Free):
                    sizes.setdefault(dimension.of, length // dimension.times)
    return sizes


def _with_sizes(outline: tuple[int | Free, ...], sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(
        dimension.times * sizes.get(dimension.of, 0) if isinstance(dimension, Free) else dimension
        for dimension in outline
    )
