"""CIFAR-100, 32x32 colour photos of 100 classes: 50,000 members (train), 10,000 non-members (test)."""

from dataclasses import dataclass

from mi_audit.datasets._torchvision import open_official_splits
from mi_audit.datasets.interface import DataRequest, DatasetSource, MembershipData


@dataclass(frozen=True)
class Cifar100(DatasetSource):
    """CIFAR-100 with its 100 fine classes (Krizhevsky, 2009)."""

    def open(self, location: str | None, request: DataRequest) -> MembershipData:
        """Colour images (32, 32, 3), read from ``DIR/cifar-100-python``.

        Raises:
            DataSetError: files are missing or damaged, or could not be downloaded; it names them.
            UsageError: a location was given.
        """
        return open_official_splits("cifar100", "CIFAR100", location, request)
