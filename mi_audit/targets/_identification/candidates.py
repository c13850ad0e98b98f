"""Which networks the tensors of a checkpoint may belong to, from names and shapes alone."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from torch import nn

from mi_audit.targets._build import Blueprint, built_in, find, timm_blueprint
from mi_audit.targets._catalogue import Constants, recognised
from mi_audit.targets._checkpoint.opening import OpenedCheckpoint
from mi_audit.targets._fitting import Fit, Tensors, fit, loaded, shapes_of
from mi_audit.targets._identification.index import Hit, Index, current, installed_versions
from mi_audit.targets._identification.twins import answer_alike

# What the transformers of timm call the size of the image, and the tensors that tell it.
_IMAGE_SIZE, _POSITIONS, _PATCHES = "img_size", "pos_embed", "patch_embed.proj.weight"


@dataclass(frozen=True)
class Candidate:
    """A network on which all tensors of a checkpoint lie.

    Attributes:
        found: how they lie on it.
        tensors: of the checkpoint, by their names in this network.
        why: in words.
        rank: 0 for the most likely; networks of one rank are equally likely.
        alike: names of networks that answer every image alike, left out for this one.
        constants: normalisation that the makers of the weights, or those of the library, use.
        built: the network with its weights, where it is there already.
    """

    found: Fit
    tensors: Tensors
    why: str
    rank: int = 0
    alike: tuple[str, ...] = ()
    constants: tuple[Constants, ...] = ()
    built: nn.Module | None = None

    def network(self, seed: int) -> nn.Module:
        """The network with the weights of the checkpoint."""
        return loaded(self.found, self.tensors, seed) if self.built is None else self.built

    @property
    def name(self) -> str:
        """As the user may type it after ``--arch``."""
        return self.found.blueprint.name


@dataclass(frozen=True)
class Search:
    """What a search among the networks found.

    Attributes:
        candidates: the networks that fit whole, the most likely first.
        near: names of classifiers whose tensors have the same names and other shapes.
        notes: on the index that was used.
    """

    candidates: tuple[Candidate, ...]
    near: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def search(checkpoint: OpenedCheckpoint, size: tuple[int, int] | None) -> Search:
    """The networks that the tensors fit: built-in ones first, then those of timm and torchvision.

    Args:
        checkpoint: whose names are tried without the prefixes that were taken off, then with them.
        size: (height, width) of the images of the data; ``None`` where it is not known.
    """
    index, notes = current(installed_versions())
    near: tuple[str, ...] = ()
    for tensors in _by_names(checkpoint):
        own = tuple(_built_in(tensors, size))
        hits = index.look_up({name: tuple(tensor.shape) for name, tensor in tensors.items()})
        listed = tuple(_from_index(hits, tensors, index, rank=len(own)))
        listed = listed or tuple(_of_other_sizes(hits, tensors, rank=len(own)))
        if own or listed:
            found = _of_class(checkpoint.class_name, _without_twins((*own, *listed)))
            return Search(found, notes=notes if listed else ())
        near = near or tuple(f"{hit.library}:{hit.name}" for hit in hits)
    return Search((), near, notes)


def _by_names(checkpoint: OpenedCheckpoint) -> Iterator[Tensors]:
    yield checkpoint.state_dict
    if checkpoint.prefixes:
        # A few networks of timm have a ``module`` of their own.
        yield checkpoint.as_saved()


def _built_in(tensors: Tensors, size: tuple[int, int] | None) -> Iterator[Candidate]:
    """The built-in networks, as the public repositories with such names make one likelier than another."""
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    fits = (fit(built_in(architecture), tensors, size) for architecture in recognised(shapes))
    for rank, found in enumerate(one for one in fits if one.is_whole):
        yield Candidate(found, tensors, "a built-in network with these names and shapes", rank)


def _from_index(hits: tuple[Hit, ...], tensors: Tensors, index: Index, rank: int) -> Iterator[Candidate]:
    """The classifiers of the index with these names and shapes.

    Each is laid out once more where the index is of other versions than the libraries.
    """
    is_exact = index.versions == installed_versions()
    for hit in hits:
        if not hit.is_whole:
            continue
        blueprints = _known(hit)
        if not blueprints:
            continue
        blueprint = blueprints[0]
        found = (
            Fit(blueprint, blueprint.own_size, len(tensors), (), (), (), hit.n_classes, hit.n_channels)
            if is_exact
            else fit(blueprint, tensors, None)
        )
        if found.is_whole:
            yield _candidate(found, tensors, f"a classifier of {hit.library} with these names and shapes", rank)


def _of_other_sizes(hits: tuple[Hit, ...], tensors: Tensors, rank: int) -> Iterator[Candidate]:
    """Transformers of timm with these names that were built for square images of another size than usual.

    Nothing but the embedding of the positions has another shape then; how many there are tells the size.
    """
    if _POSITIONS not in tensors or tensors[_POSITIONS].ndim != 3 or _PATCHES not in tensors:
        return
    for hit in hits:
        usual = timm_blueprint(hit.name) if hit.library == "timm" else None
        side = None if usual is None else _side(usual, hit, tensors)
        if side is None:
            continue
        blueprint = replace(timm_blueprint(hit.name, **{_IMAGE_SIZE: side}), own_size=(side, side))
        found = _fit_or_none(blueprint, tensors)
        if found is not None and found.is_whole:
            yield _candidate(found, tensors, f"a classifier of timm, built for {side} x {side} pixels", rank)


def _side(usual: Blueprint, hit: Hit, tensors: Tensors) -> int | None:
    """The side in pixels of the images that the network was built for, if only that differs."""
    shapes = shapes_of(usual, hit.n_classes, (*usual.own_size, hit.n_channels))
    other = [name for name, tensor in tensors.items() if tuple(tensor.shape) != shapes.get(name)]
    if other != [_POSITIONS]:
        return None
    patch = tensors[_PATCHES].shape[-1]
    others = shapes[_POSITIONS][1] - (usual.own_size[0] // patch) * (usual.own_size[1] // patch)
    side = math.isqrt(max(0, tensors[_POSITIONS].shape[1] - others))
    return side * patch or None


def _fit_or_none(blueprint: Blueprint, tensors: Tensors) -> Fit | None:
    try:
        return fit(blueprint, tensors, None)
    except Exception:  # a network of the library that refuses the size, in its own words
        return None


def _candidate(found: Fit, tensors: Tensors, why: str, rank: int) -> Candidate:
    own = found.blueprint.own_constants
    return Candidate(found, tensors, why, rank, constants=(own,) if own is not None else ())


def _known(hit: Hit) -> tuple[Blueprint, ...]:
    """The network of this name, or none where the installed library has lost it."""
    from mi_audit.errors import UsageError

    try:
        return find(f"{hit.library}:{hit.name}")
    except UsageError:
        return ()


def _without_twins(candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """One candidate for all that answer alike: the first of them; timm comes before torchvision, short names first."""
    kept: list[Candidate] = []
    for _, group in groupby(candidates, key=lambda one: one.rank):
        ordered = sorted(group, key=lambda one: (one.found.blueprint.family == "torchvision", len(one.name), one.name))
        for candidate in ordered:
            twin = next((n for n, one in enumerate(kept) if _are_twins(one, candidate)), None)
            if twin is None:
                kept.append(candidate)
            else:
                kept[twin] = _merged(kept[twin], candidate)
    return tuple(kept)


def _of_class(class_name: str | None, candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Those of the library whose class was pickled whole, where there are any: the other's are then no candidates."""
    library = next((one for one in ("timm", "torchvision") if (class_name or "").startswith(f"{one}.models.")), None)
    others = {"timm": "torchvision", "torchvision": "timm"}
    names = [(candidate.name, *candidate.alike) for candidate in candidates]
    ours = [any(name.startswith(f"{library}:") for name in each) for each in names]
    if library is None or not any(ours):
        return candidates
    theirs = [each[0].startswith(f"{others[library]}:") for each in names]
    return tuple(
        one for one, is_ours, is_theirs in zip(candidates, ours, theirs, strict=True) if is_ours or not is_theirs
    )


def _are_twins(one: Candidate, other: Candidate) -> bool:
    return one.tensors is other.tensors and answer_alike(one.found, other.found, one.tensors)


def _merged(kept: Candidate, twin: Candidate) -> Candidate:
    return replace(kept, alike=(*kept.alike, twin.name), constants=(*kept.constants, *twin.constants))
