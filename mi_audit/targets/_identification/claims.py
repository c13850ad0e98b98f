"""Networks that somebody names: the user after ``--arch``, or the checkpoint and what lies beside it."""

from collections.abc import Sequence

from mi_audit.errors import UsageError
from mi_audit.targets._build import Blueprint, find, timm_blueprint, torchvision_blueprint
from mi_audit.targets._checkpoint.hints import Hints
from mi_audit.targets._checkpoint.opening import OpenedCheckpoint
from mi_audit.targets._checkpoint.refusals import plain
from mi_audit.targets._fitting import Fit, Tensors, fit
from mi_audit.targets._identification.candidates import Candidate

_BUILDERS = {"timm": timm_blueprint, "torchvision": torchvision_blueprint}


def named_by_user(
    blueprints: Sequence[Blueprint], checkpoint: OpenedCheckpoint, size: tuple[int, int] | None
) -> tuple[Fit, Tensors]:
    """The first network of the name that fits whole, else the first, and the tensors under the names that fit it.

    The names as they are in the file come second: a few networks of timm have a ``module`` of their own.
    """
    names = [checkpoint.state_dict, checkpoint.as_saved()] if checkpoint.prefixes else [checkpoint.state_dict]
    fits = [(fit(blueprint, tensors, size), tensors) for tensors in names for blueprint in blueprints]
    return next((one for one in fits if one[0].is_whole), fits[0])


def named_by_file(
    checkpoint: OpenedCheckpoint, size: tuple[int, int] | None
) -> tuple[Candidate | None, tuple[str, ...]]:
    """The network that the file or what lies beside it names, where its library knows it and the tensors fit it.

    Returns:
        The candidate or ``None``, and a note where a name was there and led to nothing.
    """
    hints = checkpoint.hints
    if hints.arch is None:
        return None, ()
    where = plain(hints.source) or "the file"
    blueprints = _blueprints(hints)
    for blueprint in blueprints:
        found = _whole_fit(blueprint, checkpoint, hints.size or size)
        if found is not None:
            own = blueprint.own_constants
            why = f"named by {where}, and all tensors fit it"
            return Candidate(found[0], found[1], why, constants=(own,) if own is not None else ()), ()
    what = "does not fit the tensors" if blueprints else "is not known"
    return None, (f"the network {plain(hints.arch)!r} that {where} names {what}; it was not used",)


def _blueprints(hints: Hints) -> tuple[Blueprint, ...]:
    name = hints.arch if hints.library is None else f"{hints.library}:{hints.arch}"
    try:
        known = find(str(name))
    except UsageError:
        return ()
    if not hints.builder_options:
        return known
    special = [
        _BUILDERS[one.family](one.name.partition(":")[2], **hints.builder_options)
        for one in known
        if one.family in _BUILDERS
    ]
    return (*special, *known)


def _whole_fit(
    blueprint: Blueprint, checkpoint: OpenedCheckpoint, size: tuple[int, int] | None
) -> tuple[Fit, Tensors] | None:
    try:
        found = named_by_user((blueprint,), checkpoint, size)
    except Exception:
        return None
    return found if found[0].is_whole else None
