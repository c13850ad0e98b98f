"""The weights of a checkpoint, put into a network that is there already: all of them, under the names that fit."""

from collections.abc import Iterator
from pathlib import Path

import torch

from mi_audit.errors import CheckpointError
from mi_audit.targets._checkpoint.opening import OpenedCheckpoint
from mi_audit.targets._checkpoint.refusals import listing
from mi_audit.targets._fitting import Tensors, fit_as_built
from mi_audit.targets._identification.candidates import Candidate
from mi_audit.targets._identification.refusing import misfit_of_own
from mi_audit.targets.interface import TargetRequest


def load_weights(path: Path, checkpoint: OpenedCheckpoint, candidate: Candidate, request: TargetRequest) -> None:
    """Load every tensor of the checkpoint into the network.

    Args:
        path: of the checkpoint, for messages.
        checkpoint: opened.
        candidate: the network, built.
        request: whose ``--arch`` is named in messages.

    Raises:
        CheckpointError: a tensor is missing, left over, of another shape, or not kept; some are named.
    """
    assert candidate.built is not None
    own = candidate.found
    fits = [
        (fit_as_built(own.blueprint, candidate.built, tensors, own.n_classes, own.n_channels), tensors)
        for tensors in _by_names(checkpoint)
    ]
    found, tensors = next((one for one in fits if one[0].is_whole), max(fits, key=lambda one: one[0].share))
    if not found.is_whole:
        raise misfit_of_own(path, found, request)
    # Counters of batches, which old files lack, stay as the network has them.
    candidate.built.load_state_dict({**candidate.built.state_dict(), **tensors}, strict=True)
    now = candidate.built.state_dict()
    if changed := [name for name, tensor in tensors.items() if not torch.equal(now[name], tensor.to(now[name].dtype))]:
        raise CheckpointError(f"{path}: the network did not keep the weights that it was given: {listing(changed)}")


def _by_names(checkpoint: OpenedCheckpoint) -> Iterator[Tensors]:
    """The tensors without their prefixes, then with one after the other put on again, last as they were saved.

    A class around a part of the network, such as ``self.backbone``, gives its names a prefix that is their own.
    """
    yield checkpoint.state_dict
    prefix = ""
    for own in reversed(checkpoint.prefixes):
        prefix = own + prefix
        yield {prefix + name: tensor for name, tensor in checkpoint.state_dict.items()}
    yield checkpoint.as_saved()
