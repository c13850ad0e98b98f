"""How images may be prepared for a user's network: as somebody says, or else in all ways that are known."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from mi_audit.target_model import Preprocessing
from mi_audit.targets._catalogue import OWN, Constants, constants_candidates
from mi_audit.targets._checkpoint.hints import Hints
from mi_audit.targets._identification.hypotheses import distinct, of_hints
from mi_audit.targets._identification.telling import numbers
from mi_audit.targets._preprocessing import constants_of
from mi_audit.targets._user_code.returned import Returned
from mi_audit.targets.interface import TargetRequest

# Where neither the images nor the function say a size: what the field usually takes.
_USUAL_SIZE, _USUAL_RESIZE = (224, 224), 256


@dataclass(frozen=True)
class Choices:
    """The ways in question.

    Attributes:
        preprocessings: the likeliest first; of one size, with different normalisations.
        is_known: whether the user, the function or the checkpoint says the likeliest. The constants that go with the
            name of a data set say nothing about how somebody trained a network of their own.
        notes: on the size.
    """

    preprocessings: tuple[Preprocessing, ...]
    is_known: bool
    notes: tuple[str, ...] = ()


def choices_of(module: nn.Module, returned: Returned, hints: Hints, request: TargetRequest) -> Choices:
    """How images may be prepared for the network.

    Args:
        module: the network.
        returned: what the function gave, which is no guess.
        hints: of the checkpoint, if any; a guess.
        request: whose ``--mean`` and ``--std`` come before everything.

    Raises:
        UsageError: ``--mean`` and ``--std`` make no sense together or for this network.
    """
    constants, is_known = _constants(_n_channels(module, returned, request), returned, hints, request)
    size, resize = returned.size, returned.resize
    notes: tuple[str, ...] = ()
    if size is None and request.shape is None:
        size, resize = _USUAL_SIZE, resize or _USUAL_RESIZE
        notes = (f"images are brought to {size[0]} x {size[1]} pixels, since nobody says a size",)
    if size is not None and request.shape is None and resize is None:
        resize = min(size)
    prepared = (Preprocessing(one.mean, one.std, size, resize, returned.interpolation, one.source) for one in constants)
    return Choices(tuple(prepared), is_known, notes)


def doubt_on(chosen: Preprocessing) -> str:
    """What is said of a normalisation that nobody gave."""
    mean, std = numbers(chosen.mean), numbers(chosen.std)
    is_identity = {*chosen.mean} == {0.0} and {*chosen.std} == {1.0}
    what = "pixels go in as [0, 1]" if is_identity else f"images are normalised with {mean} / {std}, chosen on the data"
    return (
        f"--mean/--std were not given: {what}, and another choice may show more leakage or less; give those of the "
        "training (--mean 0 --std 1 where the network takes pixels in [0, 1])"
    )


def _constants(
    n_channels: int, returned: Returned, hints: Hints, request: TargetRequest
) -> tuple[Sequence[Constants], bool]:
    """The normalisations in question, the likeliest first, and whether that one is more than a guess."""
    own, claimed = _of_function(returned, n_channels), of_hints(hints)
    if claimed is not None and len(claimed.mean) != n_channels:
        claimed = None
    first, _ = constants_of(request, OWN, request.n_classes, n_channels, own or claimed)
    if own is not None or request.mean is not None:
        return (first,), True
    known = constants_candidates(OWN, request.data_name, request.n_classes, n_channels)
    return distinct([first, *known]), claimed is not None


def _of_function(returned: Returned, n_channels: int) -> Constants | None:
    if returned.mean is None or returned.std is None:
        return None
    mean, std = (one * n_channels if len(one) == 1 else one for one in (returned.mean, returned.std))
    return Constants(mean, std, "the function")


def _n_channels(module: nn.Module, returned: Returned, request: TargetRequest) -> int:
    """Channels of the network's input: as its constants say, its first convolution, or the images."""
    lengths = [len(one) for one in (returned.mean, returned.std) if one is not None]
    if max(lengths, default=1) > 1:
        return max(lengths)
    convolutions = (one for one in module.modules() if isinstance(one, nn.Conv2d))
    first = next(convolutions, None)
    if first is not None:
        return first.in_channels
    return 3 if request.shape is None else request.shape[2]
