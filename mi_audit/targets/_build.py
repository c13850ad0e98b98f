"""Networks by name: built-in ones, those of timm and those of torchvision, built with random weights from a seed."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from mi_audit.errors import UsageError
from mi_audit.plugins import did_you_mean
from mi_audit.targets._catalogue import Architecture, Constants, listed, named

Shape = tuple[int, int, int]

OWN_NETWORK = "--arch python:FILE.py:CLASS for a network of your own"

# What initialisation does to a parameter in place.
_FILLING = frozenset(
    getattr(torch.Tensor, name)
    for name in ("normal_", "uniform_", "erfinv_", "mul_", "add_", "clamp_", "fill_", "zero_", "copy_")
)


@dataclass(frozen=True)
class Blueprint:
    """A network that can be built.

    Attributes:
        name: as the user may type it after ``--arch``: ``"cifar_resnet56"``, ``"timm:resnet18"``.
        family: of a built-in network; otherwise the library.
        construct: the network for a number of classes and images of (height, width, channels).
        own_size: (height, width) it was designed for.
        depends_on_size: whether its weights have other shapes for images of another size.
        own_constants: normalisation that its library's weights were trained with.
    """

    name: str
    family: str
    construct: Callable[[int, Shape], nn.Module]
    own_size: tuple[int, int]
    depends_on_size: bool = False
    own_constants: Constants | None = None


def find(name: str) -> tuple[Blueprint, ...]:
    """The networks of this name: the built-in one, or else timm's before torchvision's.

    ``timm:`` and ``torchvision:`` in front of the name ask one library only. A pretrained tag (``resnet18.a1_in1k``) is
    dropped: the architecture is the same.

    Raises:
        UsageError: there is none; the tip names the nearest.
    """
    library, colon, bare = name.rpartition(":")
    if colon and library not in _FINDERS:
        known_forms = f"architectures are NAME, timm:NAME or torchvision:NAME; {OWN_NETWORK}"
        tip = f"--arch python:{name}" if library.endswith(".py") else known_forms
        raise UsageError(f"unknown architecture {name!r}", tip=tip)
    searched = (library,) if colon else tuple(_FINDERS)
    # A built-in name is looked up nowhere else: timm takes a second to import.
    own = _find_built_in(bare) if "built-in" in searched else []
    found = tuple(own or [blueprint for one in searched for blueprint in _FINDERS[one](bare)])
    if not found:
        known = [known_name for one in searched for known_name in _LISTS[one]()]
        raise UsageError(f"unknown architecture {name!r}", tip=f"{did_you_mean(bare, known)}; {OWN_NETWORK}")
    return found


def built_in(architecture: Architecture) -> Blueprint:
    """The blueprint of a built-in network."""

    def construct(n_classes: int, shape: Shape) -> nn.Module:
        module = importlib.import_module(architecture.module)
        network: nn.Module = module.build(n_classes, shape, **dict(architecture.options))
        return network

    return Blueprint(
        architecture.name, architecture.family, construct, architecture.own_size, architecture.depends_on_size
    )


class WithoutInitialisation(TorchFunctionMode):
    """Inside it parameters stay as memory is found; for networks all of whose parameters are replaced."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Any function as it is, except for those that fill a parameter."""
        if func in _FILLING and args and isinstance(args[0], nn.Parameter):
            return args[0]
        return func(*args, **(kwargs or {}))


def build(blueprint: Blueprint, n_classes: int, shape: Shape, seed: int) -> nn.Module:
    """The network with random weights; the same seed gives the same weights, and no global generator is touched.

    Raises:
        UsageError: it cannot be built for such images.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        try:
            return blueprint.construct(n_classes, shape)
        except ValueError as error:
            raise UsageError(f"{blueprint.name}: {error}") from error


def torchvision_blueprint(name: str, **options: Any) -> Blueprint:
    """A network of torchvision, always for three channels; `options` go to its builder."""
    import torchvision

    # These two would draw their weights for minutes, and warn that they do.
    settings = {"init_weights": False, **options} if name in ("googlenet", "inception_v3") else options

    def construct(n_classes: int, _: Shape) -> nn.Module:
        network: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=n_classes, **settings)
        return network

    transforms = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    crop = transforms.crop_size[0]
    constants = Constants(tuple(transforms.mean), tuple(transforms.std), f"torchvision's transforms of {name}")
    return Blueprint(f"torchvision:{name}", "torchvision", construct, (crop, crop), own_constants=constants)


def timm_blueprint(name: str, **options: Any) -> Blueprint:
    """A network of timm; `options` go to its builder."""
    import timm

    settings = timm.models.get_pretrained_cfg(name)
    height, width = settings.input_size[1:] if settings is not None else (224, 224)
    constants = None
    if settings is not None and settings.num_classes:
        constants = Constants(tuple(settings.mean), tuple(settings.std), f"timm's settings of {name}")

    def construct(n_classes: int, shape: Shape) -> nn.Module:
        network: nn.Module = timm.create_model(name, num_classes=n_classes, in_chans=shape[2], **options)
        return network

    return Blueprint(f"timm:{name}", "timm", construct, (height, width), own_constants=constants)


def _find_built_in(name: str) -> list[Blueprint]:
    architecture = named(name)
    return [] if architecture is None else [built_in(architecture)]


def _find_timm(name: str) -> list[Blueprint]:
    import timm

    architecture = name.partition(".")[0]
    return [timm_blueprint(architecture)] if timm.is_model(architecture) else []


def _find_torchvision(name: str) -> list[Blueprint]:
    architecture = name.partition(".")[0]
    return [torchvision_blueprint(architecture)] if architecture in _torchvision_names() else []


def _built_in_names() -> list[str]:
    return [architecture.name for architecture in listed()]


def _timm_names() -> list[str]:
    import timm

    names: list[str] = timm.list_models()
    return names


def _torchvision_names() -> list[str]:
    import torchvision

    # Only the classifiers: detection, segmentation and video have modules of their own.
    names: list[str] = torchvision.models.list_models(module=torchvision.models)
    return names


_FINDERS: dict[str, Callable[[str], list[Blueprint]]] = {
    "built-in": _find_built_in,
    "timm": _find_timm,
    "torchvision": _find_torchvision,
}
_LISTS: dict[str, Callable[[], Sequence[str]]] = {
    "built-in": _built_in_names,
    "timm": _timm_names,
    "torchvision": _torchvision_names,
}
