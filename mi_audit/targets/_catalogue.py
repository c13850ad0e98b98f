"""The built-in networks, and the normalisation constants that networks of a family are known to have been trained with.

Nothing here imports torch, so that a list of the models is printed at once.
"""

from dataclasses import dataclass

_PACKAGE = "mi_audit.targets.architectures"
# Millions of parameters with projections and without, by depth.
_DEPTHS = {20: (0.27, 0.27), 32: (0.47, 0.46), 44: (0.66, 0.66), 56: (0.86, 0.85), 110: (1.73, 1.73)}

PROJECTION = "cifar-resnet"
OPTION_A = "cifar-resnet-option-a"
LENET = "lenet"


@dataclass(frozen=True)
class Architecture:
    """A built-in network.

    Attributes:
        name: on the command line, ``--arch NAME``.
        module: that has its ``build(n_classes, shape, **options)``.
        options: of `build`, as (name, value).
        family: networks that the public trained alike.
        summary: one line for the list of models.
    """

    name: str
    module: str
    options: tuple[tuple[str, int | str | bool], ...]
    family: str
    summary: str


@dataclass(frozen=True)
class Constants:
    """Normalisation constants, one number per channel, for pixels in [0, 1]; and where they come from, in words."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    source: str


def _cifar_resnet(depth: int, *, option_a: bool) -> Architecture:
    shortcut = "zero-padding shortcuts (akamaster)" if option_a else "projection shortcuts (chenyaofo, bearpaw)"
    return Architecture(
        name=f"cifar_resnet{depth}_a" if option_a else f"cifar_resnet{depth}",
        module=f"{_PACKAGE}.cifar_resnet",
        options=(("depth", depth), ("option_a", option_a)),
        family=OPTION_A if option_a else PROJECTION,
        summary=f"CIFAR ResNet of {depth} layers, {shortcut}, {_DEPTHS[depth][option_a]:.2f} M parameters",
    )


ARCHITECTURES = (
    *(_cifar_resnet(depth, option_a=False) for depth in _DEPTHS),
    *(_cifar_resnet(depth, option_a=True) for depth in _DEPTHS),
    Architecture(
        name="lenet",
        module=f"{_PACKAGE}.lenet",
        options=(("variant", "paper"),),
        family=LENET,
        summary="LeNet of the founding paper: conv 6 and 16, average pooling, fully connected 120 and 84",
    ),
    Architecture(
        name="lenet_32_64_200",
        module=f"{_PACKAGE}.lenet",
        options=(("variant", "wide"),),
        family=LENET,
        summary="wider LeNet (advertorch): conv 32 and 64, maximum pooling, fully connected 200",
    ),
)

_CIFAR10 = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
_CIFAR100 = ((0.5070, 0.4865, 0.4409), (0.2673, 0.2564, 0.2761))
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_IDENTITY = ((0.0,), (1.0,))

# Mean and standard deviation of the pixels of each data set's training split, as its users normalise with them.
_BY_DATA_SET = {
    "cifar10": _CIFAR10,
    "cifar100": _CIFAR100,
    "mnist": ((0.1307,), (0.3081,)),
    "fashion-mnist": ((0.2860,), (0.3530,)),
    "digits": ((0.3053,), (0.3760,)),
}
_CIFAR_OF_CLASSES = {10: "cifar10", 100: "cifar100"}


def known_constants(family: str, data_name: str | None, n_classes: int, n_channels: int) -> Constants | None:
    """The constants that a network was most likely trained with; ``None`` where nothing is known.

    Args:
        family: of a built-in network, or anything else for a network whose family says nothing.
        data_name: of the data set, ``None`` for one without a name.
        n_classes: of the network; with a family, it tells CIFAR-10 from CIFAR-100 where the data set has no known name.
        n_channels: of the network's input.
    """
    if family == LENET:
        return _spread(_IDENTITY, n_channels, "pixels in [0, 1], as LeNets are trained")
    if family == OPTION_A:
        source = "ImageNet constants, which the public ResNets with zero-padding shortcuts were trained with"
        return _spread(_IMAGENET, n_channels, source)
    if data_name in _BY_DATA_SET:
        return _spread(_BY_DATA_SET[data_name], n_channels, f"constants known for {data_name}")
    assumed = _CIFAR_OF_CLASSES.get(n_classes)
    if family == PROJECTION and assumed is not None:
        source = f"constants known for {assumed}, assumed from the {n_classes} classes of a CIFAR ResNet"
        return _spread(_BY_DATA_SET[assumed], n_channels, source)
    return None


def constants_candidates(family: str, data_name: str | None, n_classes: int, n_channels: int) -> tuple[Constants, ...]:
    """The constants that a network may have been trained with, the most likely first; empty where nothing is known.

    The arguments are those of `known_constants`, which is the first.
    """
    known = known_constants(family, data_name, n_classes, n_channels)
    return () if known is None else (known,)


def identity(n_channels: int) -> Constants:
    """No normalisation."""
    return Constants((0.0,) * n_channels, (1.0,) * n_channels, "none known: pixels in [0, 1]")


def _spread(constants: tuple[tuple[float, ...], tuple[float, ...]], n_channels: int, source: str) -> Constants | None:
    """The constants for a network of so many channels; those of grey images serve all, those of colour only colour."""
    mean, std = constants
    if len(mean) == 1:
        mean, std = mean * n_channels, std * n_channels
    return Constants(mean, std, source) if len(mean) == n_channels else None
