"""The last step of every source: a network and what is known of it become a target model that answers images."""

from collections.abc import Sequence

import torch
from torch import nn

from mi_audit.errors import CheckpointError, UsageError
from mi_audit.target_model import Preprocessing, TargetModel, can_be_shown, digest_of_weights
from mi_audit.targets._build import Blueprint, build
from mi_audit.targets._catalogue import Constants
from mi_audit.targets._checkpoint.refusals import plain
from mi_audit.targets._preprocessing import constants_of
from mi_audit.targets.interface import TargetRequest

# What networks raise for images of a size or a kind they are not made for.
_NOT_TAKEN = (RuntimeError, ValueError, AssertionError, IndexError, AttributeError, TypeError)


def untrained(blueprint: Blueprint, request: TargetRequest) -> TargetModel:
    """The network with random weights, for the classes and the images of the data."""
    shape = request.shape or (*blueprint.own_size, 3)
    module = build(blueprint, request.n_classes, shape, request.seed)
    n_channels = 3 if blueprint.family == "torchvision" else shape[2]
    constants, notes = constants_of(request, blueprint.family, request.n_classes, n_channels)
    return assembled(
        module,
        preprocessings(constants, blueprint.own_size, request),
        request,
        n_classes=request.n_classes,
        name=blueprint.name,
        source=blueprint.name,
        notes=(f"untrained: random weights from seed {request.seed}", *notes),
    )


def preprocessings(
    constants: Constants, own_size: tuple[int, int], request: TargetRequest
) -> tuple[Preprocessing, ...]:
    """Images as they are, and, for networks that take one size only, images resized to it; varying sizes always are."""
    mean, std, source = constants.mean, constants.std, constants.source
    resized = Preprocessing(mean, std, size=own_size, source=source)
    if request.shape is None:
        return (Preprocessing(mean, std, size=own_size, resize=min(own_size), source=source),)
    return (Preprocessing(mean, std, source=source), resized)


def assembled(
    module: nn.Module,
    choices: Sequence[Preprocessing],
    request: TargetRequest,
    *,
    n_classes: int,
    name: str,
    source: str,
    notes: tuple[str, ...],
) -> TargetModel:
    """The target model with the first preprocessing under which the network answers an image of the data.

    The network is put into eval mode, and whether its parameters take gradients is left as it is.

    Raises:
        CheckpointError: it takes images of another number of channels, or answers none of the choices.
    """
    module.eval()
    check_channels(source, len(choices[0].mean), request)
    digest = digest_of_weights(module)
    notes = (*notes, *_on_grey(choices[0], request))
    reasons = []
    for preprocessing in choices:
        size = preprocessing.size
        resized = () if size is None else (f"images are brought to {size[0]} x {size[1]} pixels for this network",)
        target = TargetModel(module, preprocessing, n_classes, name, source, digest, (*notes, *resized))
        reason = why_no_answer(target, request)
        if reason is None:
            return target
        reasons.append(reason)
    raise CheckpointError(f"{source}: {name} cannot be shown the images of the data: {reasons[0]}")


def check_class_count(source: str, n_classes: int, request: TargetRequest) -> None:
    """Refuse a network that answers another number of classes than the data has.

    Raises:
        CheckpointError: it does; both numbers are named.
    """
    if n_classes != request.n_classes:
        raise CheckpointError(
            f"{source}: tells {n_classes} classes apart, the data has {request.n_classes}",
            tip="give the --data that this model was trained on",
        )


def refuse_arch(source: str, request: TargetRequest) -> None:
    """Refuse ``--arch`` beside a spec that names the network already.

    Raises:
        UsageError: it was given.
    """
    if request.arch is not None:
        raise UsageError(f"{source} names its network already, got --arch {request.arch}", tip="leave --arch away")


def refuse_weights(source: str, request: TargetRequest) -> None:
    """Refuse ``--weights`` beside a spec that is no file, in which there is nothing to choose from.

    Raises:
        UsageError: it was given.
    """
    if request.weights != "auto":
        raise UsageError(
            f"{source} has one set of weights, got --weights {request.weights}",
            tip="leave --weights out: it chooses among the weights of a checkpoint file",
        )


def check_channels(source: str, n_channels: int, request: TargetRequest) -> None:
    """Refuse a network for images of other channels than the data has.

    Grey images are shown to colour networks, and colour in grey to networks of one channel: image files are read as
    colour, whatever is in them.

    Raises:
        CheckpointError: the channels do not fit; both numbers are named.
    """
    shown = n_channels if request.shape is None else request.shape[2]
    if not can_be_shown(shown, n_channels):
        raise CheckpointError(
            f"{source}: expected images of {n_channels} channels, got {shown} in the data",
            tip="give the --data that this model was trained on",
        )


def _on_grey(preprocessing: Preprocessing, request: TargetRequest) -> tuple[str, ...]:
    shown = 3 if request.shape is None else request.shape[2]
    is_turned = len(preprocessing.mean) == 1 and shown == 3
    return ("images are shown in grey to this network, which takes one channel",) if is_turned else ()


def why_no_answer(target: TargetModel, request: TargetRequest) -> str | None:
    """Why the target does not answer one black image of the data with one logit per class; ``None`` where it does."""
    preprocessing = target.preprocessing
    height, width, channels = request.shape or (*(preprocessing.size or (1, 1)), len(preprocessing.mean))
    try:
        with torch.no_grad():
            logits = target(torch.zeros((1, height, width, channels), dtype=torch.uint8))
    except _NOT_TAKEN as error:
        return plain(str(error)) or type(error).__name__
    if logits.shape != (1, target.n_classes):
        return f"expected one logit for each of {target.n_classes} classes, got the shape {tuple(logits.shape)}"
    return None
