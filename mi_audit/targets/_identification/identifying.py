"""From the tensors of a checkpoint to a target model: which network, which normalisation, and a word on both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from mi_audit.errors import CheckpointError
from mi_audit.target_model import TargetModel
from mi_audit.targets._assembling import assembled, check_channels, check_class_count
from mi_audit.targets._build import Blueprint
from mi_audit.targets._checkpoint.opening import OpenedCheckpoint
from mi_audit.targets._identification import refusing
from mi_audit.targets._identification.candidates import Candidate, search
from mi_audit.targets._identification.claims import named_by_file, named_by_user
from mi_audit.targets._identification.deciding import decided
from mi_audit.targets._identification.hypotheses import Hypothesis, hypotheses
from mi_audit.targets._identification.telling import notes_on, on_guess
from mi_audit.targets._identification.trying import tried
from mi_audit.targets.interface import TargetRequest


@dataclass(frozen=True)
class Field:
    """The networks in question.

    Attributes:
        candidates: the likeliest first.
        is_given: whether the user named the network.
        is_ranked: whether something speaks for the likeliest normalisation; otherwise the data alone choose.
        notes: on the weights and on how the networks were found.
    """

    candidates: tuple[Candidate, ...]
    is_given: bool
    notes: tuple[str, ...] = ()
    is_ranked: bool = True


def identified(
    path: Path, checkpoint: OpenedCheckpoint, blueprints: Sequence[Blueprint], request: TargetRequest
) -> TargetModel:
    """The target model of a checkpoint.

    Args:
        path: of the checkpoint, for messages.
        checkpoint: opened.
        blueprints: of the network that the user named; empty to find it.
        request: what is asked and what the data is like; its probe is what candidates are tried on.

    Raises:
        CheckpointError: no network fits, or the one that does tells other classes apart, does not take the images, or
            answers them no better than chance.
        UsageError: several networks or normalisations remain; the tip names the flags.
    """
    if not blueprints:
        request.say("finding the network and its normalisation")
    field = candidates_for(path, checkpoint, blueprints, request)
    _check(path, field, request)
    questions = {candidate.name: hypotheses(candidate, checkpoint.hints, request) for candidate in field.candidates}
    return settled(path, field, questions, request, source=path.name)


def settled(
    path: Path, field: Field, questions: Mapping[str, Sequence[Hypothesis]], request: TargetRequest, *, source: str
) -> TargetModel:
    """The target model that stands among the hypotheses on the networks in question.

    Args:
        path: of the checkpoint or of the code, for messages.
        field: the networks.
        questions: the hypotheses on each, by its name, the likeliest first.
        request: its probe is what they are tried on.
        source: of the target, for reports.

    Raises:
        CheckpointError: no network takes the images, or answers them better than chance.
        UsageError: several remain; the tip names the flags.
    """
    in_order = [one for candidate in field.candidates for one in questions[candidate.name]]
    if request.probe is None or (field.is_given and len(in_order) == 1):
        return _untried(path, field, in_order, request, source)
    if field.is_given:
        request.say("finding the normalisation, since --mean/--std were not given")
    return _tried(path, field, questions, request, source)


def candidates_for(
    path: Path, checkpoint: OpenedCheckpoint, blueprints: Sequence[Blueprint], request: TargetRequest
) -> Field:
    """The networks in question: the one the user names, the one the file names, or all that fit.

    Raises:
        CheckpointError: there is none.
    """
    size = request.shape[:2] if request.shape is not None else None
    if blueprints:
        found, tensors = named_by_user(blueprints, checkpoint, size)
        if not found.is_whole:
            raise refusing.misfit(path, found, tensors, request)
        own = found.blueprint.own_constants
        constants = (own,) if own is not None else ()
        candidate = Candidate(found, tensors, "named by --arch", constants=constants)
        return Field((candidate,), is_given=True, notes=checkpoint.notes)
    named, notes = named_by_file(checkpoint, size)
    if named is not None:
        return Field((named,), is_given=False, notes=checkpoint.notes)
    searched = search(checkpoint, size)
    if not searched.candidates:
        raise refusing.unknown(path, checkpoint, searched, size)
    return Field(searched.candidates, is_given=False, notes=(*checkpoint.notes, *notes, *searched.notes))


def _check(path: Path, field: Field, request: TargetRequest) -> None:
    """Refuse what the numbers of classes, the channels and the size rule out for every candidate alike."""
    found = field.candidates[0].found
    # A single logit tells two classes apart.
    check_class_count(str(path), max(2, found.n_classes), request)
    check_channels(str(path), found.n_channels, request)
    refusing.check_size(path, found, request)


def _untried(
    path: Path, field: Field, in_order: Sequence[Hypothesis], request: TargetRequest, source: str
) -> TargetModel:
    """The likeliest network with its likeliest normalisation, where there is nothing to try it on."""
    first = in_order[0]
    equals = [one for one in field.candidates if one.rank == first.candidate.rank]
    if len(equals) > 1:
        raise refusing.several_networks(path, equals)
    same = [one for one in in_order if one.candidate is first.candidate and _constants(one) == _constants(first)]
    module = first.candidate.network(request.seed)
    notes = (*field.notes, *notes_on(first, field.candidates, is_given=field.is_given))
    return _target(module, same, request, source, notes)


def _tried(
    path: Path,
    field: Field,
    questions: Mapping[str, Sequence[Hypothesis]],
    request: TargetRequest,
    source: str,
) -> TargetModel:
    """The network and the normalisation that stand after every hypothesis was tried on samples of the data."""
    modules, trials, reasons = tried(field.candidates, questions, request)
    if not trials:
        name = field.candidates[0].name
        raise CheckpointError(f"{path}: {name} cannot be shown the images of the data: {reasons[0]}")
    if not field.is_ranked:
        # Least loss first; what was given up early is behind what was tried on all samples.
        trials = sorted(trials, key=lambda trial: (-len(trial.loss), float(trial.loss.mean())))
    decision = decided(trials, request.n_classes)
    chosen = decision.chosen
    if chosen is None and field.is_given and not decision.standing:
        # The user named the network: that it is at chance is for the audit to say.
        chosen = trials[0]
    if chosen is None:
        raise refusing.undecided(path, decision, trials)
    notes = (*field.notes, *notes_on(chosen.hypothesis, field.candidates, trials, decision, is_given=field.is_given))
    module = modules[chosen.hypothesis.candidate.name].cpu()
    return _target(module, [chosen.hypothesis], request, source, notes)


def _target(
    module: nn.Module,
    choices: Sequence[Hypothesis],
    request: TargetRequest,
    source: str,
    notes: tuple[str, ...],
) -> TargetModel:
    first = choices[0]
    target = assembled(
        module,
        [one.preprocessing for one in choices],
        request,
        n_classes=max(2, first.candidate.found.n_classes),
        name=first.candidate.name,
        source=source,
        notes=(*notes, *first.assumed),
    )
    return target if first.is_told else replace(target, doubts=(on_guess(target.preprocessing),))


def _constants(one: Hypothesis) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return one.preprocessing.mean, one.preprocessing.std
