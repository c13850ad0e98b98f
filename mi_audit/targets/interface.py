"""What every source of target models gives, and what it is told about the data."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.target_model import Preprocessing, TargetModel


@dataclass(frozen=True)
class Probe:
    """Some labelled samples of both sides, on which candidates for a network are tried.

    Attributes:
        images: (n, height, width, channels) uint8, brought to the size that the asked-for preprocessing needs where
            the sizes of the data vary.
        label: (n,) int64.
        is_member: (n,) bool.
    """

    images: npt.NDArray[np.uint8]
    label: npt.NDArray[np.int64]
    is_member: npt.NDArray[np.bool_]


def _say_nothing(_: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class TargetRequest:
    """What the user asked for and what the data set says, as far as opening a target needs it.

    Attributes:
        arch: name of the architecture (``--arch``), or ``python:FILE.py:FUNCTION``, which builds it; ``None`` for
            whatever fits.
        n_classes: of the data set; networks with random weights are built for it, checkpoints are checked against it.
        shape: (height, width, channels) of the images, or ``None`` where sizes vary.
        data_name: name of the data set, which finds the known preprocessing constants, or ``None``.
        mean, std: ``--mean`` and ``--std``, or ``None`` to use what is known.
        weights: which weights of a checkpoint that holds two sets: ``"raw"``, ``"ema"`` (a moving average of them), or
            ``"auto"``, the raw ones with a word on the others.
        probe: gives some samples of the data, prepared for a preprocessing; ``None`` where there is no data.
        download: whether pretrained weights may be fetched.
        seed: of random weights.
        device: where candidates are tried, ``"cpu"`` or ``"cuda:0"``; the target is returned on the CPU.
        say: told in one line what takes long before it begins.
    """

    n_classes: int
    shape: tuple[int, int, int] | None
    data_name: str | None = None
    arch: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    weights: Literal["auto", "raw", "ema"] = "auto"
    probe: Callable[[Preprocessing], Probe] | None = None
    download: bool = False
    seed: int = 0
    device: str = "cpu"
    say: Callable[[str], None] = _say_nothing


class TargetSource(abc.ABC):
    """Where a target model comes from; its options are the fields of the subclass."""

    @abc.abstractmethod
    def open(self, spec: str, request: TargetRequest) -> TargetModel | FeatureCache:
        """The target model that `spec` names (what follows the colon of ``timm:resnet18``, or a path).

        A source of predictions, which has no model, gives the feature cache that they make.

        Raises:
            CheckpointError: the file cannot be opened safely or does not fit; the tip says what to type next.
            UsageError: the name is not known; the tip names the nearest.
        """
