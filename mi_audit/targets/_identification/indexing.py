"""Building the index of classifiers: every network of timm and torchvision, laid out once without memory."""

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import nn

from mi_audit.targets._build import WithoutInitialisation
from mi_audit.targets._identification.index import Entry
from mi_audit.targets._identification.signatures import hash_of_names, hash_of_shapes, open_dimensions

# Primes that no width of a network is a multiple of, so that their multiples tell the head and the input layer.
N_CLASSES, N_CHANNELS = 7919, 1009
_COLOURS = 3
# What builders raise for numbers that they do not take, or where they compute with weights that have no memory.
_NOT_BUILT = (RuntimeError, NotImplementedError, ValueError, TypeError, AssertionError, KeyError, AttributeError)


def names() -> list[tuple[str, str]]:
    """Library and name of every classifier that the libraries list, in a fixed order."""
    import timm
    import torchvision

    of_timm = [("timm", name) for name in timm.list_models()]
    # Only the classifiers: detection, segmentation and video have modules of their own.
    return of_timm + [("torchvision", name) for name in torchvision.models.list_models(module=torchvision.models)]


def entries(classifiers: list[tuple[str, str]], tell: Callable[[int, str], None]) -> Iterator[Entry]:
    """The entry of each of these classifiers, one network in memory at a time; what cannot be built is left out.

    Args:
        classifiers: library and name.
        tell: called with the number of those done and the name of the next.
    """
    for number, (library, name) in enumerate(classifiers):
        tell(number, name)
        entry = _entry(library, name)
        if entry is not None:
            yield entry


def _entry(library: str, name: str) -> Entry | None:
    build = partial(_of_timm, name) if library == "timm" else partial(_of_torchvision, name)
    for device, n_channels in (("meta", N_CHANNELS), ("meta", _COLOURS), ("cpu", _COLOURS)):
        shapes = _shapes(build, device, n_channels)
        if shapes is not None:
            free = open_dimensions(shapes, N_CLASSES, N_CHANNELS)
            hashed = hash_of_shapes(shapes, free)
            return Entry(library, name, hash_of_names(shapes), hashed, free) if free and hashed else None
    return None


def _shapes(build: Callable[[int], nn.Module], device: str, n_channels: int) -> dict[str, tuple[int, ...]] | None:
    try:
        with warnings.catch_warnings(), WithoutInitialisation(), torch.device(device):
            warnings.simplefilter("ignore")
            module = build(n_channels)
    except _NOT_BUILT:
        return None
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def _of_timm(name: str, n_channels: int) -> nn.Module:
    import timm

    network: nn.Module = timm.create_model(name, num_classes=N_CLASSES, in_chans=n_channels)
    return network


def _of_torchvision(name: str, n_channels: int) -> nn.Module:
    import torchvision

    if n_channels != _COLOURS:
        raise ValueError("the networks of torchvision take colour images only")
    # These two would draw their weights for minutes.
    settings: dict[str, Any] = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    network: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=N_CLASSES, **settings)
    return network
