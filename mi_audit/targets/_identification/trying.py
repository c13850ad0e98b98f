"""Which hypothesis is tried on how many samples: all on a few, and on all what the few leave standing.

A large network takes minutes for hundreds of images, and there are up to a dozen hypotheses on each. What a first look
at some samples rules out by the rule of `deciding` needs no second one; the likeliest is always tried on all of them,
so that it is never vetoed on a few.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from mi_audit.target_model import TargetModel
from mi_audit.targets._assembling import why_no_answer
from mi_audit.targets._identification.candidates import Candidate
from mi_audit.targets._identification.deciding import decided, is_more_accurate
from mi_audit.targets._identification.hypotheses import Hypothesis
from mi_audit.targets._identification.trials import Trial, try_out
from mi_audit.targets.interface import TargetRequest

_FIRST_LOOK = 128


def tried(
    candidates: Sequence[Candidate], questions: Mapping[str, Sequence[Hypothesis]], request: TargetRequest
) -> tuple[dict[str, nn.Module], list[Trial], list[str]]:
    """Every candidate with every normalisation, at the sizes that a first look does not rule out.

    Args:
        candidates: the likeliest first.
        questions: the hypotheses on each, by its name, the likeliest first.
        request: with the probe, the shape of the images, and the device.

    Returns:
        The networks that answer by name, on that device; the trials in the order of likelihood; and why a network does
        not answer at a size.
    """
    modules: dict[str, nn.Module] = {}
    looks: list[Trial] = []
    reasons: list[str] = []
    for candidate in candidates:
        module = candidate.network(request.seed).eval()
        seen = _first_looks(module, questions[candidate.name], request, reasons)
        if seen:
            modules[candidate.name] = module
            looks += seen
    return modules, _gone_on(modules, looks, request), reasons


def _first_looks(
    module: nn.Module, asked: Sequence[Hypothesis], request: TargetRequest, reasons: list[str]
) -> list[Trial]:
    """All hypotheses on the first samples; of a size that is ruled out with its likeliest normalisation, none."""
    by_size: dict[object, list[Hypothesis]] = {}
    for one in asked:
        by_size.setdefault((one.size, one.preprocessing.resize), []).append(one)
    answered = [ones for ones in by_size.values() if _answers(module, ones[0], request, reasons)]
    module.to(request.device)
    likeliest = [_trial(module, ones[0], request) for ones in answered]
    standing = _standing(likeliest, request.n_classes)
    return [
        look if one is look.hypothesis else _trial(module, one, request)
        for ones, look in zip(answered, likeliest, strict=True)
        if id(look) in standing
        for one in ones
    ]


def _standing(looks: list[Trial], n_classes: int) -> set[int]:
    """The identities of those that are not ruled out; of all where none is right."""
    standing = decided(looks, n_classes).standing if looks else ()
    return {id(look) for look in standing or looks}


def _gone_on(modules: Mapping[str, nn.Module], looks: Sequence[Trial], request: TargetRequest) -> list[Trial]:
    """The likeliest, and what the first samples do not show to be right less often than the best, on all samples."""
    best = max(looks, key=lambda look: (look.accuracy, -look.loss.mean()), default=None)
    return [
        look
        if best is not None and look is not looks[0] and is_more_accurate(best, look)
        else _trial(modules[look.hypothesis.candidate.name], look.hypothesis, request, look)
        for look in looks
    ]


def _answers(module: nn.Module, one: Hypothesis, request: TargetRequest, reasons: list[str]) -> bool:
    reason = why_no_answer(_target_of(module, one), request)
    if reason is not None:
        reasons.append(reason)
    return reason is None


def _trial(module: nn.Module, one: Hypothesis, request: TargetRequest, before: Trial | None = None) -> Trial:
    """The first look, or all samples where it was had before; on the CPU where the memory of a GPU is too small."""
    assert request.probe is not None
    probe, n_most = request.probe(one.preprocessing), _FIRST_LOOK if before is None else None
    target = _target_of(module, one)
    try:
        return try_out(one, target, probe, n_most, before)
    except torch.cuda.OutOfMemoryError:
        module.cpu()
        return try_out(one, target, probe, n_most, before)


def _target_of(module: nn.Module, one: Hypothesis) -> TargetModel:
    return TargetModel(module, one.preprocessing, max(2, one.candidate.found.n_classes), one.candidate.name, "", "")
