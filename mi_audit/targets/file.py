"""A checkpoint file: a state dict, or a dict holding one, of the network that --arch names."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mi_audit.errors import CheckpointError, UsageError
from mi_audit.target_model import TargetModel
from mi_audit.targets._assembling import assembled, check_class_count, preprocessings
from mi_audit.targets._build import Blueprint, find
from mi_audit.targets._checkpoint.opening import OpenedCheckpoint, open_state_dict
from mi_audit.targets._checkpoint.refusals import listing, plain
from mi_audit.targets._fitting import Fit, Tensors, fit, loaded, nearest_built_in
from mi_audit.targets._preprocessing import constants_of
from mi_audit.targets.interface import TargetRequest, TargetSource

# Below this share of tensors that fit, the nearest built-in network is no help.
_NEAR = 0.5


@dataclass(frozen=True)
class File(TargetSource):
    """A checkpoint of torch (zip or legacy format) or safetensors, loaded strictly into the network of ``--arch``."""

    def open(self, spec: str, request: TargetRequest) -> TargetModel:
        """The network with the weights in the file `spec`.

        Raises:
            CheckpointError: the file cannot be opened safely, does not fit, or does not belong to the data.
            UsageError: ``--arch`` is missing or not known.
        """
        path = Path(spec)
        blueprints = find(request.arch) if request.arch is not None else ()
        checkpoint = open_state_dict(path)
        if not blueprints:
            tip = _tip(checkpoint.state_dict, request) or "for example --arch timm:resnet18; see `mi-audit list models`"
            raise UsageError(f"{path}: a state dict needs --arch, the network it belongs to", tip=tip)
        found, tensors = _best_fit(blueprints, checkpoint, request)
        if not found.is_whole:
            raise _misfit(path, found, tensors, request)
        # A single logit tells two classes apart.
        n_classes = max(2, found.n_classes)
        check_class_count(str(path), n_classes, request)
        _check_size(path, found, request)
        constants, assumed = constants_of(request, found.blueprint.family, n_classes, found.n_channels)
        return assembled(
            loaded(found, tensors, request.seed),
            preprocessings(constants, _own_size(found), request),
            request,
            n_classes=n_classes,
            name=found.blueprint.name,
            source=path.name,
            notes=(*checkpoint.notes, *assumed),
        )


def _best_fit(
    blueprints: Sequence[Blueprint], checkpoint: OpenedCheckpoint, request: TargetRequest
) -> tuple[Fit, Tensors]:
    """The first network of the name that fits whole, else the first, and the tensors under the names that fit it.

    The names as they are in the file come second: a few networks of timm have a ``module`` of their own.
    """
    size = request.shape[:2] if request.shape is not None else None
    names = [checkpoint.state_dict, checkpoint.as_saved()] if checkpoint.prefixes else [checkpoint.state_dict]
    fits = [(fit(blueprint, tensors, size), tensors) for tensors in names for blueprint in blueprints]
    return next((one for one in fits if one[0].is_whole), fits[0])


def _own_size(found: Fit) -> tuple[int, int]:
    """(height, width) that the network needs where it does not take images as they are."""
    return found.size if found.blueprint.depends_on_size else found.blueprint.own_size


def _misfit(path: Path, found: Fit, tensors: Tensors, request: TargetRequest) -> CheckpointError:
    """The refusal of a checkpoint that does not fit: how many tensors, which, and the nearest network that fits."""
    parts = [
        f"{len(names)} {what} ({listing(list(names))})"
        for names, what in (
            (found.missing, "missing"),
            (found.unexpected, "unexpected"),
            (found.wrong_shape, "of another shape"),
        )
        if names
    ]
    return CheckpointError(
        f"{path}: does not fit --arch {plain(str(request.arch))}: {'; '.join(parts)}",
        tip=_tip(tensors, request) or "no built-in network is near; --arch also takes timm:NAME and torchvision:NAME",
    )


def _tip(tensors: Tensors, request: TargetRequest) -> str | None:
    """The built-in network that fits, or comes near, as what to type next."""
    nearest = nearest_built_in(tensors, request.shape[:2] if request.shape is not None else None)
    name = nearest.blueprint.name
    if nearest.is_whole:
        return f"--arch {name} fits all its {len(tensors)} tensors"
    if nearest.share > _NEAR:
        return f"the nearest built-in network is --arch {name}: {nearest.n_tensors} of {len(tensors)} tensors fit"
    return None


def _check_size(path: Path, found: Fit, request: TargetRequest) -> None:
    """Refuse weights that were trained on images of another size, where the weights depend on it."""
    if found.blueprint.depends_on_size and request.shape is not None and found.size != request.shape[:2]:
        fitting, given = (f"{height} x {width}" for height, width in (found.size, request.shape[:2]))
        raise CheckpointError(
            f"{path}: {found.blueprint.name} was trained on images of {fitting} pixels, the data has {given}",
            tip="give the --data that this model was trained on",
        )
