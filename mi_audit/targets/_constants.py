"""The normalisation constants that public networks are known to have been trained with.

The figures are those of the repositories' training scripts; nothing here imports torch.
"""

from dataclasses import dataclass

PROJECTION = "cifar-resnet"
OPTION_A = "cifar-resnet-option-a"
LENET = "lenet"
# A network of the user's own, of which nothing is known.
OWN = "own"

_CIFAR10 = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
# The standard deviation over all pixels, where the figures above average over images.
_CIFAR10_PIXELS = ((0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616))
_CIFAR100 = ((0.5070, 0.4865, 0.4409), (0.2673, 0.2564, 0.2761))
_CIFAR100_LONG = (
    (0.5070751592371323, 0.48654887331495095, 0.4409178433670343),
    (0.2673342858792401, 0.2564384629170883, 0.27615047132568404),
)
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF = ((0.5,), (0.5,))
_IDENTITY = ((0.0,), (1.0,))
_CLOSE = 1e-3

Numbers = tuple[tuple[float, ...], tuple[float, ...]]

# Mean and standard deviation of the pixels of each data set's training split, as its users normalise with them.
_BY_DATA_SET: dict[str, Numbers] = {
    "cifar10": _CIFAR10,
    "cifar100": _CIFAR100,
    "mnist": ((0.1307,), (0.3081,)),
    "fashion-mnist": ((0.2860,), (0.3530,)),
    "digits": ((0.3053,), (0.3760,)),
}
_CIFAR_OF_CLASSES = {10: "cifar10", 100: "cifar100"}
# Families whose networks were trained on CIFAR, whatever the data set is called.
_ON_CIFAR = (PROJECTION, "bearpaw", "chenyaofo", "kuangliu", "weiaicunzai", "huyvnphan", "cifar-stem", "lenet-5")
_ANYWHERE: tuple[tuple[Numbers, str], ...] = (
    (_IMAGENET, "ImageNet constants"),
    (_HALF, "pixels in [-1, 1]"),
    (_IDENTITY, "pixels in [0, 1]"),
)


@dataclass(frozen=True)
class Constants:
    """Normalisation constants, one number per channel, for pixels in [0, 1]; and where they come from, in words."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    source: str


def known_constants(family: str, data_name: str | None, n_classes: int, n_channels: int) -> Constants | None:
    """The constants that a network was most likely trained with; ``None`` where nothing is known.

    Args:
        family: of a built-in network, or anything else for a network whose family says nothing.
        data_name: of the data set, ``None`` for one without a name.
        n_classes: of the network; with a family, it tells CIFAR-10 from CIFAR-100 where the data set has no known name.
        n_channels: of the network's input.
    """
    found = _known(family, data_name, n_classes, n_channels)
    return found[0] if found else None


def constants_candidates(family: str, data_name: str | None, n_classes: int, n_channels: int) -> tuple[Constants, ...]:
    """The constants that a network may have been trained with, the most likely first.

    What is known of the family and of the data set comes first (the first of it is `known_constants`), then what people
    use anywhere, then those of data sets that it may have been trained on under another name: the CIFAR with so many
    classes, or for a network of the user's own any. Of constants that differ by no more than 0.001, the first stands
    for all. The arguments are those of `known_constants`.
    """
    known = _known(family, data_name, n_classes, n_channels)
    return _distinct([*known, *_spread_all(_ANYWHERE, n_channels), *_of_any_data(family, n_classes, n_channels)])


def identity(n_channels: int) -> Constants:
    """No normalisation."""
    return Constants((0.0,) * n_channels, (1.0,) * n_channels, "none known: pixels in [0, 1]")


def _known(family: str, data_name: str | None, n_classes: int, n_channels: int) -> list[Constants]:
    if family == LENET:
        own: list[tuple[Numbers, str]] = [(_IDENTITY, "pixels in [0, 1], as LeNets are trained")]
    elif family == OPTION_A:
        own = [
            (_IMAGENET, "ImageNet constants, which the public ResNets with zero-padding shortcuts were trained with")
        ]
    else:
        own = []
    cifar = data_name if data_name in _BY_DATA_SET else _CIFAR_OF_CLASSES.get(n_classes)
    if family in _ON_CIFAR and cifar in _CIFAR_OF_CLASSES.values() and n_channels == 3:
        own += _of_repository(family, cifar)
    if data_name in _BY_DATA_SET:
        own.append((_BY_DATA_SET[data_name], f"constants known for {data_name}"))
        own += [(_CIFAR10_PIXELS, _PIXELS)] if data_name == "cifar10" else []
    elif family in _ON_CIFAR and cifar is not None and n_channels == 3:
        text = (
            f"constants known for {cifar}, assumed from the {n_classes} classes of {_KINDS.get(family, 'the network')}"
        )
        own.append((_BY_DATA_SET[cifar], text))
        own += [(_CIFAR10_PIXELS, _PIXELS)] if cifar == "cifar10" else []
    if family == "mnist-example":
        own.append((_BY_DATA_SET["mnist"], "constants of PyTorch's MNIST example"))
    # bearpaw's and kuangliu's scripts normalise CIFAR-100 with the figures of CIFAR-10.
    if family in _ON_CIFAR and cifar == "cifar100" and n_channels == 3:
        own.append((_CIFAR10, "constants of CIFAR-10, which bearpaw's networks for CIFAR-100 were trained with too"))
        # xternalz's wide networks, which have bearpaw's names.
        own += [(_CIFAR10_PIXELS, _PIXELS)] if family == "bearpaw" else []
    return _spread_all(own, n_channels)


_PIXELS = "constants of CIFAR-10 with the standard deviation over all pixels"
_KINDS = {PROJECTION: "a CIFAR ResNet"}


def _of_repository(family: str, cifar: str | None) -> list[tuple[Numbers, str]]:
    """What the scripts of one repository use, where it is not what everyone uses for that data set."""
    if family == "weiaicunzai" and cifar == "cifar100":
        return [(_CIFAR100_LONG, "constants that weiaicunzai/pytorch-cifar100 trains with")]
    if family == "huyvnphan" and cifar == "cifar10":
        return [(_CIFAR10_PIXELS, "constants that huyvnphan/PyTorch_CIFAR10 trains with")]
    if family == "bearpaw" and cifar == "cifar100":
        return [(_CIFAR10, "constants of CIFAR-10, which bearpaw/pytorch-classification uses for CIFAR-100 too")]
    if family == "lenet-5":
        return [(_HALF, "pixels in [-1, 1], as in PyTorch's CIFAR tutorial")]
    return []


def _of_any_data(family: str, n_classes: int, n_channels: int) -> list[Constants]:
    """Of data sets with so many channels, for a network that may have been trained on one under another name.

    For a user's own those of all; for others those of the CIFAR with so many classes.
    """
    if family != OWN and n_classes in _CIFAR_OF_CLASSES:
        name = _CIFAR_OF_CLASSES[n_classes]
        mean, std = _BY_DATA_SET[name]
        return [Constants(mean, std, f"constants of {name}")] if n_channels == len(mean) else []
    if family != OWN:
        return []
    every = [*((numbers, f"constants of {name}") for name, numbers in _BY_DATA_SET.items()), (_CIFAR10_PIXELS, _PIXELS)]
    return [Constants(mean, std, source) for (mean, std), source in every if len(mean) == n_channels]


def _spread_all(found: tuple[tuple[Numbers, str], ...] | list[tuple[Numbers, str]], n_channels: int) -> list[Constants]:
    """Those that suit so many channels; the constants of grey images serve all, those of colour only colour."""
    return [constants for numbers, source in found if (constants := _spread(numbers, n_channels, source)) is not None]


def _spread(numbers: Numbers, n_channels: int, source: str) -> Constants | None:
    mean, std = numbers
    if len(mean) == 1:
        mean, std = mean * n_channels, std * n_channels
    return Constants(mean, std, source) if len(mean) == n_channels else None


def _distinct(found: list[Constants]) -> tuple[Constants, ...]:
    kept: list[Constants] = []
    for one in found:
        if not any(_is_close(one, other) for other in kept):
            kept.append(one)
    return tuple(kept)


def _is_close(one: Constants, other: Constants) -> bool:
    pairs = zip((*one.mean, *one.std), (*other.mean, *other.std), strict=True)
    return all(abs(a - b) <= _CLOSE for a, b in pairs)
