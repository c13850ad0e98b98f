"""From a user's code to a target model: the network that it builds, with its own weights or those of a checkpoint."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from mi_audit.target_model import Preprocessing, TargetModel, can_be_shown, channels_first
from mi_audit.targets._build import Blueprint
from mi_audit.targets._catalogue import OWN
from mi_audit.targets._checkpoint.hints import Hints
from mi_audit.targets._checkpoint.opening import OpenedCheckpoint
from mi_audit.targets._checkpoint.refusals import listing
from mi_audit.targets._fitting import fit_as_built
from mi_audit.targets._identification.candidates import Candidate
from mi_audit.targets._identification.hypotheses import Hypothesis
from mi_audit.targets._identification.identifying import Field, settled
from mi_audit.targets._user_code.naming import Code
from mi_audit.targets._user_code.preparing import Choices, choices_of, doubt_on
from mi_audit.targets._user_code.returned import Answering, Returned, call, described, function_of, read, refuse
from mi_audit.targets._user_code.running import blamed_on, guest
from mi_audit.targets._user_code.weighing import load_weights
from mi_audit.targets.interface import TargetRequest


@dataclass(frozen=True)
class Weights:
    """The checkpoint that a network gets its weights from.

    Attributes:
        path: as the user typed it.
        checkpoint: opened.
    """

    path: Path
    checkpoint: OpenedCheckpoint


def opened(code: Code, request: TargetRequest, weights: Weights | None = None) -> TargetModel:
    """The network that the code builds, with the normalisation that is given, or else the one that stands on the data.

    Args:
        code: is run once.
        request: what is asked and what the data is like.
        weights: loaded into the network; ``None`` where the code has loaded its own.

    Raises:
        CheckpointError: the code stopped, what it returns is no network for the data, or the weights do not fit it.
        UsageError: several normalisations remain; the tip names the flags.
    """
    path, hints = (code.source.path, Hints()) if weights is None else (weights.path, weights.checkpoint.hints)
    with guest(code.source.folder, request.seed) as known:
        returned = _run(code, request)
        module, notes = _network(returned)
        choices = choices_of(module, returned, hints, request)
        _check_answer(code, module, choices.preprocessings[0], request)
        candidate, on_code = _candidate(code, module, choices, request, known)
        if weights is not None:
            _load(code, candidate, weights, request)
            notes = (*weights.checkpoint.notes, *notes)
        notes = (on_code, *notes, *choices.notes)
        field = Field((candidate,), is_given=True, notes=notes, is_ranked=choices.is_known)
        questions = {candidate.name: [Hypothesis(candidate, one) for one in choices.preprocessings]}
        source = candidate.name if weights is None else path.name
        target = settled(path, field, questions, request, source=source)
    _check_it_is_whole(code, module, choices.preprocessings[0], request)
    is_known = choices.is_known and target.preprocessing == choices.preprocessings[0]
    return target if is_known else replace(target, doubts=(doubt_on(target.preprocessing),), is_guessed=True)


def _run(code: Code, request: TargetRequest) -> Returned:
    path = code.source.path
    function = function_of(path, code.source.run(), code.name)
    offered = {"n_classes": request.n_classes, "num_classes": request.n_classes}
    return read(path, code.name, call(path, code.name, function, offered))


def _network(returned: Returned) -> tuple[nn.Module, tuple[str, ...]]:
    """The network on the CPU in float32 and in eval mode, and what that took."""
    module = returned.answers
    if not isinstance(module, nn.Module):
        note = "what was returned is no torch module: its weights cannot be seen, and are told apart by some answers"
        return Answering(module).eval(), (note,)
    module.cpu().eval()
    kinds = {tensor.dtype for tensor in module.state_dict().values() if tensor.is_floating_point()}
    if kinds <= {torch.float32}:
        return module, ()
    module.float()
    return module, ("weights of other precision are run in float32",)


def _candidate(
    code: Code, module: nn.Module, choices: Choices, request: TargetRequest, known: frozenset[str]
) -> tuple[Candidate, str]:
    """The network under the name that tells caches apart, and a word on the code.

    The code decides what the weights mean, so the digest of all of it is part of the name.
    """
    digest, imported = code.source.with_imports(known)
    name = f"python:{code.source.path.name}:{code.name}@{digest[:12]}"
    size = choices.preprocessings[0].size or (request.shape or (1, 1))[:2]
    blueprint = Blueprint(name, OWN, lambda *_: module, size)
    n_channels = len(choices.preprocessings[0].mean)
    found = fit_as_built(blueprint, module, module.state_dict(), request.n_classes, n_channels)
    beside = f" with what it imports ({listing(list(imported))})" if imported else ""
    said = f"the code of {code.source.path}{beside} was run (SHA-256 {digest})"
    return Candidate(found, {}, "built by the code", built=module), said


def _load(code: Code, candidate: Candidate, weights: Weights, request: TargetRequest) -> None:
    """Put the weights of the checkpoint into the network."""
    if candidate.built is None or isinstance(candidate.built, Answering):
        refuse(code.source.path, code.name, "expected a torch.nn.Module, which takes weights, got another callable")
    with blamed_on(code.source.path, "the network did not take the weights"):
        load_weights(weights.path, weights.checkpoint, candidate, request)


def _check_answer(code: Code, module: nn.Module, choice: Preprocessing, request: TargetRequest) -> None:
    """Stop unless a black image of the data gets one logit per class, which is said in terms of the user's code."""
    path, name = code.source.path, code.name
    images = _black(module, choice, request)
    if images is None:
        return  # the general checks say it better
    with blamed_on(path, "the network stopped at an image of the data"), torch.no_grad():
        logits = module(channels_first(images[:1]))
        module(channels_first(images))  # a batch may take another way through the code, and import on it
        if isinstance(module, Answering):
            noise = torch.randint(256, images[:1].shape, generator=torch.Generator().manual_seed(0))
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


def _check_it_is_whole(code: Code, module: nn.Module, choice: Preprocessing, request: TargetRequest) -> None:
    """Stop if the network imports whenever it runs: what it would find there later is another thing, or nothing."""
    images = _black(module, choice, request)
    if images is None:
        return
    own = next(module.parameters(), None)
    try:
        with torch.no_grad():
            module(channels_first(images if own is None else images.to(own.device)))
    except ImportError as error:
        what = f"the network imports {error.name!r} while it runs, when its folder is closed again"
        refuse(code.source.path, code.name, what, "import it at the top of the file")


def _black(module: nn.Module, choice: Preprocessing, request: TargetRequest) -> torch.Tensor | None:
    """Two black images of the data, normalised, (2, height, width, channels); ``None`` where they do not fit."""
    height, width, channels = request.shape or (*(choice.size or (1, 1)), len(choice.mean))
    if not can_be_shown(channels, len(choice.mean)) or len(choice.mean) != len(choice.std):
        return None
    target = TargetModel(module, choice, request.n_classes, "", "", "")
    return target.normalise(torch.zeros((2, height, width, channels), dtype=torch.uint8))
