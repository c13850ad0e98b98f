"""The stage ``inspect``: what a checkpoint is and what an audit of it would need; nothing in it is executed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import torch

from mi_audit.errors import UsageError
from mi_audit.targets._build import OWN_NETWORK
from mi_audit.targets._checkpoint.choosing import Wanted
from mi_audit.targets._checkpoint.opening import OpenedCheckpoint, open_state_dict
from mi_audit.targets._identification.refusing import INSTEAD, other_task
from mi_audit.targets._identification.summaries import CandidateSummary, candidates_of

WEIGHTS = ("auto", "raw", "ema")
# Running statistics are tensors of a network, not parameters.
_STATISTICS = ("running_mean", "running_var")


@dataclass(frozen=True)
class Inspection:
    """What a checkpoint is.

    Attributes:
        path: of the file itself, also where a folder was given.
        checkpoint: what was found in it.
        n_parameters: numbers that were trained, of the weights that are used.
        n_classes: that the network tells apart, as far as the weights or the hints tell.
        candidates: networks that the weights may belong to, the likeliest first.
        needed: what an audit would need that is not known, in words.
        other_task: what the network is where it does not classify images, in words.
    """

    path: Path
    checkpoint: OpenedCheckpoint
    n_parameters: int
    n_classes: int | None
    candidates: tuple[CandidateSummary, ...]
    needed: tuple[str, ...]
    other_task: str | None = None

    def as_json(self) -> dict[str, object]:
        """Everything but the weights, as plain values."""
        opened = self.checkpoint
        return {
            "candidates": [asdict(candidate) for candidate in self.candidates],
            "class_name": opened.class_name,
            "dropped": list(opened.dropped),
            "file": str(self.path),
            "file_digest": opened.file_digest,
            "file_format": opened.file_format,
            "hints": {key: value for key, value in asdict(opened.hints).items() if value not in (None, {}, "")},
            "kind": opened.kind,
            "n_classes": self.n_classes,
            "n_parameters": self.n_parameters,
            "n_tensors": len(opened.state_dict),
            "needed": list(self.needed),
            "notes": list(opened.notes),
            "other_keys": list(opened.other_keys),
            "other_task": self.other_task,
            "prefixes": list(opened.prefixes),
            "weight_sets": [asdict(found) for found in opened.found],
            "weights": opened.weights,
            "wrapper": opened.wrapper,
        }


def inspect(path: Path, weights: str = "auto") -> Inspection:
    """What a checkpoint is: a file, or a folder with ``config.json`` and weights.

    Args:
        path: of the file or folder.
        weights: ``"auto"``, ``"raw"`` or ``"ema"``, where it holds two sets.

    Raises:
        CheckpointError: it cannot be opened safely, or holds no weights.
        UsageError: the wanted weights are not in it.
    """
    if weights not in WEIGHTS:
        raise UsageError(f"expected --weights {', '.join(WEIGHTS)}, got {weights!r}", tip="for example --weights ema")
    checkpoint = open_state_dict(path, cast("Wanted", weights))
    candidates = candidates_of(checkpoint)
    task = None if candidates else other_task(checkpoint)
    n_classes = None if task else checkpoint.hints.n_classes or _classes_of_head(checkpoint.state_dict)
    return Inspection(
        path=checkpoint.path or path,
        checkpoint=checkpoint,
        n_parameters=_n_parameters(checkpoint.state_dict),
        n_classes=n_classes,
        candidates=candidates,
        needed=(f"another file: {INSTEAD}",) if task else _needed(checkpoint, candidates),
        other_task=task,
    )


def _n_parameters(tensors: Mapping[str, torch.Tensor]) -> int:
    trained = (tensor for name, tensor in tensors.items() if not name.endswith(_STATISTICS))
    return sum(tensor.numel() for tensor in trained if tensor.is_floating_point())


def _classes_of_head(tensors: Mapping[str, torch.Tensor]) -> int | None:
    """The outputs of the last matrix, which is the head of nearly every classifier."""
    heads = [tensor.shape[0] for tensor in tensors.values() if tensor.ndim == 2]
    return heads[-1] if heads else None


def _needed(checkpoint: OpenedCheckpoint, candidates: tuple[CandidateSummary, ...]) -> tuple[str, ...]:
    needed = ["--data: the images it was trained on, and others like them"]
    if not candidates and checkpoint.hints.arch is None:
        needed.append(f"--arch: the network; none that is known fits ({OWN_NETWORK})")
    if checkpoint.hints.mean is None and not any(candidate.normalisation for candidate in candidates):
        needed.append("--mean and --std: the normalisation it was trained with")
    return tuple(needed)
