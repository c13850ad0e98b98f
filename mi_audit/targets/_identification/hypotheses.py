"""What may have been audited: candidate networks, each with the preprocessings it may have been trained with."""

from collections.abc import Sequence
from dataclasses import dataclass

from mi_audit.target_model import Preprocessing
from mi_audit.targets._assembling import preprocessings
from mi_audit.targets._catalogue import Constants, constants_candidates, known_constants
from mi_audit.targets._checkpoint.hints import Hints
from mi_audit.targets._identification.candidates import Candidate
from mi_audit.targets._preprocessing import constants_of
from mi_audit.targets.interface import TargetRequest

# Constants that differ by less are the same, written with another number of digits.
SAME_WITHIN = 1e-3
_OF_LIBRARIES = 1000


@dataclass(frozen=True)
class Hypothesis:
    """A network with a preprocessing.

    Attributes:
        candidate: the network.
        preprocessing: resizing and normalisation.
        assumed: notes on what is only assumed of the normalisation.
        is_told: whether the user, the file, or the data set and the family say the normalisation; else it is a guess.
    """

    candidate: Candidate
    preprocessing: Preprocessing
    assumed: tuple[str, ...] = ()
    is_told: bool = True

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) that images are brought to."""
        return self.preprocessing.size


@dataclass(frozen=True)
class Normalisation:
    """Constants that a network may have been trained with; see `Hypothesis`."""

    constants: Constants
    assumed: tuple[str, ...] = ()
    is_told: bool = True


def normalisations(candidate: Candidate, hints: Hints, request: TargetRequest) -> tuple[Normalisation, ...]:
    """The constants that the network may have been trained with, the most likely first, with notes on them.

    The user's alone where there are any; then what the file says; then what is known of networks of the family and of
    the data; then what the library's own weights use; and nothing where nothing is known.

    Raises:
        UsageError: ``--mean`` and ``--std`` make no sense together or for this network.
    """
    found = candidate.found
    n_classes = max(2, found.n_classes)
    family = found.blueprint.family
    claimed = of_hints(hints)
    first = constants_of(request, family, n_classes, found.n_channels, claimed)
    if request.mean is not None or request.std is not None:
        return (Normalisation(first[0], first[1]),)
    own = [one for one in candidate.constants if len(one.mean) == found.n_channels]
    known = known_constants(family, request.data_name, n_classes, found.n_channels)
    likely = [one for one in (claimed, known, *own) if one is not None and len(one.mean) == found.n_channels]
    candidates = constants_candidates(family, request.data_name, n_classes, found.n_channels)
    nothing = [] if likely else [first[0]]
    notes = () if likely else first[1]
    # A library's constants belong to its own weights, which tell a thousand classes apart or more.
    told = [claimed, known, *(own if n_classes >= _OF_LIBRARIES else ())]
    return tuple(
        Normalisation(one, notes if one is first[0] else (), is_told=any(one is other for other in told))
        for one in distinct([*nothing, *likely, *candidates])
    )


def hypotheses(candidate: Candidate, hints: Hints, request: TargetRequest) -> tuple[Hypothesis, ...]:
    """The network with every normalisation at every size it may see the images, the most likely first.

    Sizes are the outer order: all normalisations of the first size come before those of the second.
    """
    own_size = candidate.found.size if candidate.found.blueprint.depends_on_size else candidate.found.blueprint.own_size
    by_constants = [
        [
            Hypothesis(candidate, sized, one.assumed, one.is_told)
            for sized in _sized(one.constants, own_size, hints, request)
        ]
        for one in normalisations(candidate, hints, request)
    ]
    return tuple(one for same_size in zip(*by_constants, strict=True) for one in same_size)


def _sized(
    constants: Constants, own_size: tuple[int, int], hints: Hints, request: TargetRequest
) -> tuple[Preprocessing, ...]:
    """Images at the size that the file says first; then as they are and at the size the network was designed for."""
    usual = preprocessings(constants, own_size, request)
    if hints.size is None:
        return _without_repeats(usual, request)
    claimed = Preprocessing(
        constants.mean,
        constants.std,
        size=hints.size,
        resize=hints.resize or (min(hints.size) if request.shape is None else None),
        interpolation=hints.interpolation or "bilinear",
        source=constants.source,
    )
    return _without_repeats((claimed, *usual), request)


def _without_repeats(choices: Sequence[Preprocessing], request: TargetRequest) -> tuple[Preprocessing, ...]:
    """The choices that do different things to images of the data's size."""
    shown = request.shape[:2] if request.shape is not None else None
    kept: dict[object, Preprocessing] = {}
    for choice in choices:
        is_as_they_are = choice.size is None or choice.size == shown
        kept.setdefault(None if is_as_they_are else (choice.size, choice.resize), choice)
    return tuple(kept.values())


def of_hints(hints: Hints) -> Constants | None:
    """The normalisation that a file claims; ``None`` where it does not."""
    if hints.mean is None or hints.std is None or len(hints.mean) != len(hints.std):
        return None
    return Constants(hints.mean, hints.std, hints.source or "the file itself")


def distinct(constants: Sequence[Constants]) -> list[Constants]:
    """Those that differ, each where it comes first; all for the same number of channels."""
    kept: list[Constants] = []
    for one in constants:
        if not any(_are_same(one, other) for other in kept):
            kept.append(one)
    return kept


def _are_same(one: Constants, other: Constants) -> bool:
    numbers = zip((*one.mean, *one.std), (*other.mean, *other.std), strict=True)
    return all(abs(a - b) < SAME_WITHIN for a, b in numbers)
