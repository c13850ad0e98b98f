"""What an adversary with the network in hand observes of a sample, beside the outputs."""

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch

from mi_audit.schema.finding import Finding
from mi_audit.target_model import Batch, Tap, TargetModel


@dataclass(frozen=True)
class Failure:
    """Why a value of one sample is NaN.

    Attributes:
        feature: the name in the cache.
        row: position in the batch.
        reason: the kind of failure, one of few texts, so that failures can be counted by it.
        radius: how far from the image the search went, L2 in [0, 1] pixels, where there was a search.
    """

    feature: str
    row: int
    reason: str
    radius: float | None = None


@dataclass(frozen=True)
class Observed:
    """The features of n samples.

    Attributes:
        values: {name in the cache: (n, n_columns) float32}, NaN where extraction failed.
        failures: one for every sample and feature with a NaN.
    """

    values: Mapping[str, torch.Tensor]
    failures: tuple[Failure, ...] = field(default=())


class BoundFeature(abc.ABC):
    """A feature bound to a target: it knows its columns and computes batches. It keeps the target as it found it.

    Attributes:
        columns: {name in the cache: names of its columns}, all names that `compute` gives.
        taps: what has to be in `Batch.activations`, from the pass that gives the outputs.
        passes: rough cost per sample in passes forward and backward of its own; 0 where the outputs' pass is enough.
        n_at_once: how many samples of a batch it works on at a time; ``None`` for all, so that memory grows with it.
    """

    columns: Mapping[str, tuple[str, ...]]
    taps: tuple[Tap, ...] = ()
    passes: float = 0.0
    n_at_once: int | None = None

    def subsample(
        self,
        label: npt.NDArray[np.int64],  # noqa: ARG002 - for those that choose
        is_member: npt.NDArray[np.bool_],  # noqa: ARG002
    ) -> npt.NDArray[np.bool_] | None:
        """Which samples it is computed for, (n,) bool; the others are NaN, which is no failure. ``None`` for all.

        Args:
            label: (n,) int64 of all samples of the cache.
            is_member: (n,) bool.
        """
        return None

    @abc.abstractmethod
    def compute(self, batch: Batch) -> Observed:
        """The features of a batch; each row depends on its own sample only.

        Gradients may be switched off by the caller; what needs them switches them on. Not under inference mode.
        """

    def findings(self) -> tuple[Finding, ...]:
        """What a reader has to know about how it was computed, so far; each is said once."""
        return ()


class Feature(abc.ABC):
    """A feature before it is bound; its options are the fields of the subclass.

    Class attributes:
        argument: the field (a tuple of texts) that collects what follows the colon of ``NAME:VALUE`` on the command
            line, so that several of them share one computation; ``None`` where there is nothing to say. A bare ``NAME``
            leaves the field at its default.
        is_evidence: it is for controls, and attacks never see it; its names in the cache begin with `EVIDENCE`.
        version: raised when the same options give other numbers than before, so that older ones are not kept.
    """

    argument: ClassVar[str | None] = None
    is_evidence: ClassVar[bool] = False
    version: ClassVar[int] = 1

    @abc.abstractmethod
    def bind(self, target: TargetModel, shape: tuple[int, int, int]) -> BoundFeature:
        """Get ready for one target.

        Args:
            target: in eval mode, on its device.
            shape: (height, width, channels) of the images.

        Raises:
            UsageError: the target has nothing of the name that was asked for.
        """
