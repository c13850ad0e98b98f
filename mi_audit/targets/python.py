"""Your own code, python:FILE.py:FUNCTION: runs it and audits the network that the function returns."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from mi_audit.errors import UsageError
from mi_audit.target_model import Preprocessing, TargetModel, can_be_shown, channels_first
from mi_audit.targets._assembling import assembled, refuse_arch, refuse_weights
from mi_audit.targets._catalogue import Constants
from mi_audit.targets._preprocessing import constants_of
from mi_audit.targets._user_code.returned import Answering, Returned, call, described, function_of, read, refuse
from mi_audit.targets._user_code.running import Source, blamed_on, guest
from mi_audit.targets.interface import TargetRequest, TargetSource

# Where neither the images nor the function say a size: what the field usually takes.
_USUAL_SIZE, _USUAL_RESIZE = (224, 224), 256
_EXAMPLE = "for example --model python:model.py:build"


@dataclass(frozen=True)
class Python(TargetSource):
    """A function of the user's that builds the target.

    It takes no argument, or ``n_classes``, and returns a ``torch.nn.Module`` (or anything that gives logits for a batch
    of normalised images), alone or as ``(module, dict(mean=, std=, size=, resize=, interpolation=))``.

    **Its code runs, with all that it imports, with the rights of whoever runs mi-audit.** It is what the user typed,
    never what a file of weights names.
    """

    def open(self, spec: str, request: TargetRequest) -> TargetModel:
        """The network that ``FILE.py:FUNCTION`` builds.

        Raises:
            CheckpointError: the file cannot be read, its code stopped, or what it returns is no network for the data.
            UsageError: no function was named, or there is none of this name.
        """
        refuse_arch(f"python:{spec}", request)
        refuse_weights(f"python:{spec}", request)
        file, _, name = spec.rpartition(":")
        if not file or not name:
            raise UsageError(f"expected --model python:FILE.py:FUNCTION, got python:{spec}", tip=_EXAMPLE)
        source = Source.of(Path(file))
        with guest(source.path, request.seed):
            function = function_of(source.path, source.run(), name)
            returned = read(source.path, name, call(source.path, name, function, {"n_classes": request.n_classes}))
            return _opened(source, name, returned, request)


def _opened(source: Source, name: str, returned: Returned, request: TargetRequest) -> TargetModel:
    module, notes = _network(returned)
    choice, assumed = _preprocessing(module, returned, request)
    module.eval()
    _check_answer(source.path, name, module, choice, request)
    # The code decides what the weights mean, so its digest is part of the name, by which caches are told apart.
    title = f"python:{source.path.name}:{name}@{source.digest[:12]}"
    return assembled(
        module,
        (choice,),
        request,
        n_classes=request.n_classes,
        name=title,
        source=title,
        notes=(f"the code of {source.path} was run (SHA-256 {source.digest})", *notes, *assumed),
    )


def _network(returned: Returned) -> tuple[nn.Module, tuple[str, ...]]:
    """The network on the CPU in float32, and what that took."""
    module = returned.answers
    if not isinstance(module, nn.Module):
        note = "what was returned is no torch module: its weights cannot be seen, and are told apart by some answers"
        return Answering(module), (note,)
    module.cpu()
    kinds = {tensor.dtype for tensor in module.state_dict().values() if tensor.is_floating_point()}
    if kinds <= {torch.float32}:
        return module, ()
    module.float()
    return module, ("weights of other precision are run in float32",)


def _preprocessing(
    module: nn.Module, returned: Returned, request: TargetRequest
) -> tuple[Preprocessing, tuple[str, ...]]:
    """How images are prepared: as the user typed, as the function says, or as is known of the data."""
    n_channels = _n_channels(module, returned, request)
    own = None
    if returned.mean is not None and returned.std is not None:
        mean, std = (one * n_channels if len(one) == 1 else one for one in (returned.mean, returned.std))
        own = Constants(mean, std, "the function")
    constants, assumed = constants_of(request, "python", request.n_classes, n_channels, own)
    size, resize = returned.size, returned.resize
    if size is None and request.shape is None:
        size, resize = _USUAL_SIZE, resize or _USUAL_RESIZE
        assumed = (*assumed, f"images are brought to {size[0]} x {size[1]} pixels, since nobody says a size")
    if size is not None and request.shape is None and resize is None:
        resize = min(size)
    choice = Preprocessing(constants.mean, constants.std, size, resize, returned.interpolation, constants.source)
    return choice, assumed


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


def _check_answer(path: Path, name: str, module: nn.Module, choice: Preprocessing, request: TargetRequest) -> None:
    """Stop unless a black image of the data gets one logit per class, which is said in terms of the user's code."""
    height, width, channels = request.shape or (*(choice.size or (1, 1)), len(choice.mean))
    if not can_be_shown(channels, len(choice.mean)) or len(choice.mean) != len(choice.std):
        return  # the general checks say it better
    target = TargetModel(module, choice, request.n_classes, name, name, "")
    images = target.normalise(torch.zeros((1, height, width, channels), dtype=torch.uint8))
    with blamed_on(path, "the network stopped at an image of the data"), torch.no_grad():
        logits = module(channels_first(images))
        if isinstance(module, Answering):
            noise = torch.randint(256, images.shape, generator=torch.Generator().manual_seed(0))
            module.mark(noise.to(images.dtype) / 255)
    if not isinstance(logits, torch.Tensor):
        refuse(path, name, f"expected a tensor of logits from the network, got {described(logits)}")
    fitting = [(1, request.n_classes)] + ([(1, 1), (1,)] if request.n_classes == 2 else [])
    if tuple(logits.shape) not in fitting:
        shape = tuple(logits.shape)
        refuse(
            path,
            name,
            f"expected logits of shape (n, {request.n_classes}), one per class of the data, got {shape} for one image",
            "give the --data that this model was trained on",
        )
