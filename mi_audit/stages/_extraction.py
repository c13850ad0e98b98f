"""An extraction that is ready to run: what it reads, and what it is called."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mi_audit.datasets.interface import MembershipData
from mi_audit.schema.arrays import digest
from mi_audit.stages._extract_options import ExtractOptions
from mi_audit.store import FORMAT_VERSION
from mi_audit.target_model import TargetModel


@dataclass(frozen=True)
class Extraction:
    """An extraction that is ready to run: target and data opened, samples selected, nothing computed yet.

    Attributes:
        options: what the user chose.
        target: in eval mode, on its device.
        data: all samples that were selected, of one geometry.
        n_available: how many members and non-members there were before the selection; ``None`` where nobody counted.
    """

    options: ExtractOptions
    target: TargetModel
    data: MembershipData
    n_available: tuple[int, int] | None = None

    @property
    def n_members(self) -> int:
        """How many members were selected."""
        return len(self.data.members)

    def __len__(self) -> int:
        return self.n_members + len(self.data.non_members)

    @cached_property
    def label(self) -> npt.NDArray[np.int64]:
        """(n,) int64, members first."""
        return np.concatenate([self.data.members.label, self.data.non_members.label])

    @cached_property
    def sample_id(self) -> npt.NDArray[np.str_]:
        """(n,) strings, members first."""
        return np.array([*self.data.members.sample_id, *self.data.non_members.sample_id])

    @cached_property
    def is_member(self) -> npt.NDArray[np.bool_]:
        """(n,) bool, members first."""
        return np.arange(len(self)) < self.n_members

    @cached_property
    def data_digest(self) -> str:
        """SHA-256 over pixels (of files: path, size and time of change), labels and ids of both sides."""
        parts = [self.data.members.images.digest(), self.data.non_members.images.digest()]
        parts += [digest(self.label), digest(self.sample_id), str(self.n_members)]
        return hashlib.sha256("|".join(parts).encode()).hexdigest()

    @cached_property
    def key(self) -> str:
        """Digest of all that determines the rows: weights, preprocessing, data, selection, number format."""
        identity = {
            "weights": self.target.weights_digest,
            "architecture": self.target.name,
            "preprocessing": self.target.preprocessing.digest(),
            "data": self.data_digest,
            "seed": self.options.seed,
            "dtype": "float32",
            "format_version": FORMAT_VERSION,
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    def read(self, start: int, stop: int) -> npt.NDArray[np.uint8]:
        """Images from `start` to `stop`, members first, (n, height, width, channels) uint8."""
        n = self.n_members
        parts = []
        if start < n:
            parts.append(self.data.members.images.read(start, min(stop, n)))
        if stop > n:
            parts.append(self.data.non_members.images.read(max(start, n) - n, stop - n))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
