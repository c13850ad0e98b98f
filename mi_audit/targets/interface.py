"""What every source of target models gives, and what it is told about the data."""

import abc
from dataclasses import dataclass

from mi_audit.target_model import TargetModel


@dataclass(frozen=True)
class TargetRequest:
    """What the user asked for and what the data set says, as far as opening a target needs it.

    Attributes:
        arch: name of the architecture (``--arch``), or ``None``.
        n_classes: of the data set; networks with random weights are built for it, checkpoints are checked against it.
        shape: (height, width, channels) of the images, or ``None`` where sizes vary.
        data_name: name of the data set, which finds the known preprocessing constants, or ``None``.
        mean, std: ``--mean`` and ``--std``, or ``None`` to use what is known.
        download: whether pretrained weights may be fetched.
        seed: of random weights.
    """

    n_classes: int
    shape: tuple[int, int, int] | None
    data_name: str | None = None
    arch: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    download: bool = False
    seed: int = 0


class TargetSource(abc.ABC):
    """Where a target model comes from; its options are the fields of the subclass."""

    @abc.abstractmethod
    def open(self, spec: str, request: TargetRequest) -> TargetModel:
        """The target model that `spec` names (what follows the colon of ``timm:resnet18``, or a path).

        Raises:
            CheckpointError: the file cannot be opened safely or does not fit; the tip says what to type next.
            UsageError: the name is not known; the tip names the nearest.
        """
