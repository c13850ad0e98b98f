"""Why a checkpoint cannot be given a network, and what to type next."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mi_audit.errors import CheckpointError, UsageError
from mi_audit.targets._build import OWN_NETWORK
from mi_audit.targets._checkpoint.opening import OpenedCheckpoint
from mi_audit.targets._checkpoint.refusals import listing, plain
from mi_audit.targets._fitting import Fit, Tensors, nearest_built_in
from mi_audit.targets._identification.candidates import Candidate, Search
from mi_audit.targets._identification.deciding import Decision
from mi_audit.targets._identification.telling import numbers, ranking
from mi_audit.targets._identification.trials import Trial
from mi_audit.targets.interface import TargetRequest

# Below this share of tensors that fit, the nearest built-in network is no help.
_NEAR = 0.5
_MOST = 4
OTHER_WAYS = f"name it by --arch; or {OWN_NETWORK}; or --model predictions:FILE"
INSTEAD = "audit the classifier that it was made from, or pass its predictions: --model predictions:FILE"
# Parts of networks that do other things than tell classes of whole images apart, by how their tensors' names begin.
_OTHER_TASKS: Mapping[str, tuple[str, ...]] = {
    "a detector": ("rpn.", "roi_heads.", "head.classification_head.", "head.regression_head.", "bbox_head."),
    "a segmentation network": ("decode_head.", "aux_classifier.", "segmentation_head.", "classifier.low_classifier."),
}


def other_task(checkpoint: OpenedCheckpoint) -> str | None:
    """What a network does instead of classifying images, in words; ``None`` where no name of its tensors says so."""
    names = [*checkpoint.state_dict, *checkpoint.saved_names.values()]
    tasks = (task for task, beginnings in _OTHER_TASKS.items() if any(name.startswith(beginnings) for name in names))
    return next(tasks, None)


def unknown(
    path: Path, checkpoint: OpenedCheckpoint, searched: Search, size: tuple[int, int] | None
) -> CheckpointError | UsageError:
    """The refusal of a checkpoint that no known network fits."""
    task = other_task(checkpoint)
    if task is not None:
        return CheckpointError(f"{path}: is {task}, not an image classifier", tip=INSTEAD)
    if searched.near:
        shown = _listed(searched.near)
        message = f"{path}: its tensors have the names of {shown}, but other shapes (another input layer, head or size)"
        return CheckpointError(message, tip=f"build it as it was built: {OTHER_WAYS}")
    tip = _tip_of_nearest(checkpoint.state_dict, size) or OTHER_WAYS
    return UsageError(f"{path}: needs --arch: no known network has its {len(checkpoint.state_dict)} tensors", tip=tip)


def several_networks(path: Path, equals: Sequence[Candidate]) -> UsageError:
    """The refusal to choose between networks without data."""
    names = [one.name for one in equals]
    message = f"{path}: {len(names)} networks have these tensors and answer differently: {_listed(names)}"
    return UsageError(message, tip=f"name the one it is, for example --arch {names[0]}")


def undecided(path: Path, decision: Decision, trials: Sequence[Trial]) -> CheckpointError | UsageError:
    """The refusal to choose where the data does not: nothing is right, or two things are."""
    shown = ranking(trials)
    if not decision.standing:
        message = f"{path}: none of the candidates classifies the data better than chance ({shown})"
        tip = "check that --data is what it was trained on, classes in the same order; or give --arch and --mean/--std"
        return CheckpointError(message, tip=tip)
    first, *others = (trial.hypothesis for trial in decision.standing)
    flags = [f"--arch {first.candidate.name}"]
    if any(other.candidate.name == first.candidate.name for other in others):
        flags = [f"--mean {numbers(first.preprocessing.mean)} --std {numbers(first.preprocessing.std)}"]
    return UsageError(
        f"{path}: {decision.why} ({shown})", tip=f"name what it was trained with, for example {' '.join(flags)}"
    )


def misfit(path: Path, found: Fit, tensors: Tensors, request: TargetRequest) -> CheckpointError:
    """The refusal of a checkpoint that does not fit ``--arch``: how many tensors, which, and the nearest that fits."""
    size = request.shape[:2] if request.shape is not None else None
    tip = _tip_of_nearest(tensors, size) or f"leave --arch away to see what fits; or {OWN_NETWORK}"
    return CheckpointError(_misfit(path, found, request), tip=tip)


def misfit_of_own(path: Path, found: Fit, request: TargetRequest) -> CheckpointError:
    """The refusal of a checkpoint that does not fit the network that the user's code builds."""
    tip = (
        "the code has to build the network that was saved, with the same options; `mi-audit inspect` says what is saved"
    )
    return CheckpointError(_misfit(path, found, request), tip=tip)


def _misfit(path: Path, found: Fit, request: TargetRequest) -> str:
    parts = [
        f"{len(names)} {what} ({listing(list(names))})"
        for names, what in (
            (found.missing, "missing"),
            (found.unexpected, "unexpected"),
            (found.wrong_shape, "of another shape"),
        )
        if names
    ]
    return f"{path}: does not fit --arch {plain(str(request.arch))}: {'; '.join(parts)}"


def check_size(path: Path, found: Fit, request: TargetRequest) -> None:
    """Refuse weights that were trained on images of another size, where the weights depend on it.

    Raises:
        CheckpointError: they were; both sizes are named.
    """
    if found.blueprint.depends_on_size and request.shape is not None and found.size != request.shape[:2]:
        fitting, given = (f"{height} x {width}" for height, width in (found.size, request.shape[:2]))
        raise CheckpointError(
            f"{path}: {found.blueprint.name} was trained on images of {fitting} pixels, the data has {given}",
            tip="give the --data that this model was trained on",
        )


def _tip_of_nearest(tensors: Tensors, size: tuple[int, int] | None) -> str | None:
    """The built-in network that fits, or comes near, as what to type next."""
    nearest = nearest_built_in(tensors, size)
    name = nearest.blueprint.name
    if nearest.is_whole:
        return f"--arch {name} fits all its {len(tensors)} tensors"
    if nearest.share > _NEAR:
        fitting = f"{nearest.n_tensors} of {len(tensors)} tensors fit"
        return f"the nearest built-in network is --arch {name}: {fitting}; or {OWN_NETWORK}"
    return None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST]) + (f" and {len(names) - _MOST} more" if len(names) > _MOST else "")
