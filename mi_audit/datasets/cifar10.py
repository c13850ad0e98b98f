"""CIFAR-10, 32x32 colour photos of 10 classes: 50,000 members (train), 10,000 non-members (test)."""

from dataclasses import dataclass

from mi_audit.datasets._torchvision import open_official_splits
from mi_audit.datasets.interface import DataRequest, DatasetSource, MembershipData


@dataclass(frozen=True)
class Cifar10(DatasetSource):
    """CIFAR-10 (Krizhevsky, 2009)."""

    def open(self, location: str | None, request: DataRequest) -> MembershipData:
        """Colour images (32, 32, 3), read from ``DIR/cifar-10-batches-py``.

        Raises:
            DataSetError: files are missing or damaged, or could not be downloaded; it names them.
            UsageError: a location was given.
        """
        return open_official_splits("cifar10", "CIFAR10", location, request)
