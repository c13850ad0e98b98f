"""MNIST, 28x28 grey handwritten digits: 60,000 members (train), 10,000 non-members (test)."""

from dataclasses import dataclass

from mi_audit.datasets._torchvision import open_official_splits
from mi_audit.datasets.interface import DataRequest, DatasetSource, MembershipData


@dataclass(frozen=True)
class Mnist(DatasetSource):
    """MNIST (LeCun, Bottou, Bengio and Haffner, 1998)."""

    def open(self, location: str | None, request: DataRequest) -> MembershipData:
        """Grey images (28, 28, 1), read from ``DIR/MNIST/raw``.

        Raises:
            DataSetError: files are missing or damaged, or could not be downloaded; it names them.
            UsageError: a location was given.
        """
        return open_official_splits("mnist", "MNIST", location, request)
