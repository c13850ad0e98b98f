"""What a checkpoint may be, for a person to read: candidates with reasons and normalisation, no data needed."""

from dataclasses import dataclass

from mi_audit.targets._checkpoint.opening import OpenedCheckpoint
from mi_audit.targets._identification.candidates import Candidate, search
from mi_audit.targets._identification.claims import named_by_file
from mi_audit.targets._identification.hypotheses import normalisations
from mi_audit.targets._identification.telling import numbers
from mi_audit.targets.interface import TargetRequest


@dataclass(frozen=True)
class CandidateSummary:
    """A network that a checkpoint may be of.

    Attributes:
        name: as the user may type it after ``--arch``.
        why: it is a candidate, in words, with the names of networks that answer alike.
        normalisation: the likeliest constants, and where they come from, in words.
    """

    name: str
    why: str
    normalisation: str


def candidates_of(checkpoint: OpenedCheckpoint) -> tuple[CandidateSummary, ...]:
    """The networks that a checkpoint may be of, the likeliest first; empty where none is known."""
    named, _ = named_by_file(checkpoint, None)
    candidates = (named,) if named is not None else search(checkpoint, None).candidates
    return tuple(_summary(candidate, checkpoint) for candidate in candidates)


def _summary(candidate: Candidate, checkpoint: OpenedCheckpoint) -> CandidateSummary:
    alike = f" (answers as {', '.join(candidate.alike)})" if candidate.alike else ""
    request = TargetRequest(n_classes=max(2, candidate.found.n_classes), shape=None)
    constants = normalisations(candidate, checkpoint.hints, request)[0].constants
    normalisation = f"{numbers(constants.mean)} / {numbers(constants.std)}: {constants.source}"
    return CandidateSummary(candidate.name, candidate.why + alike, normalisation)
