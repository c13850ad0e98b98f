"""Which networks the tensors of a checkpoint may belong to, from names and shapes alone."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from mi_audit.targets._build import Blueprint, built_in, find, timm_blueprint
from mi_audit.targets._catalogue import Constants, recognised
from mi_audit.targets._checkpoint.opening import OpenedCheckpoint
from mi_audit.targets._fitting import Fit, Tensors, fit
from mi_audit.targets._identification.index import Hit, Index, current, installed_versions
from mi_audit.targets._identification.twins import answer_alike

# Where transformers for another size of image than the library's are recognised.
_IMAGE_SIZE = "img_size"
_SIDES = (32, 64, 28, 48, 96, 112, 128, 160, 192, 224, 240, 256, 288, 320, 384, 448, 512)


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
    """

    found: Fit
    tensors: Tensors
    why: str
    rank: int = 0
    alike: tuple[str, ...] = ()
    constants: tuple[Constants, ...] = ()

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
            return Search(_without_twins((*own, *listed)), notes=notes if listed else ())
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
    """Transformers of timm with these names, built for another size of image than usual."""
    for hit in hits:
        if hit.library != "timm" or not _takes_image_size(hit.name):
            continue
        for side in _SIDES:
            blueprint = replace(timm_blueprint(hit.name, **{_IMAGE_SIZE: side}), own_size=(side, side))
            found = _fit_or_none(blueprint, tensors)
            if found is not None and found.is_whole:
                yield _candidate(found, tensors, f"a classifier of timm, built for {side} x {side} pixels", rank)
                break


def _takes_image_size(name: str) -> bool:
    """Whether the class that timm builds for this name has an argument for the size of the images."""
    import timm

    module = inspect.getmodule(timm.models.model_entrypoint(name))
    classes = [
        cls for _, cls in inspect.getmembers(module, inspect.isclass) if module and cls.__module__ == module.__name__
    ]
    return any(_IMAGE_SIZE in inspect.signature(cls).parameters for cls in classes)


def _fit_or_none(blueprint: Blueprint, tensors: Tensors) -> Fit | None:
    try:
        return fit(blueprint, tensors, None)
    except Exception:
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


def _are_twins(one: Candidate, other: Candidate) -> bool:
    return one.tensors is other.tensors and answer_alike(one.found, other.found, one.tensors)


def _merged(kept: Candidate, twin: Candidate) -> Candidate:
    return replace(kept, alike=(*kept.alike, twin.name), constants=(*kept.constants, *twin.constants))
