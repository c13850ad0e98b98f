"""An extraction that is ready to run: what it reads, and what it is called."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mi_audit.datasets._images import attempt
from mi_audit.datasets.interface import MembershipData, Side
from mi_audit.schema.arrays import digest
from mi_audit.stages._extract_options import ExtractOptions
from mi_audit.stages._feature_plan import Planned
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
        features: what is observed beside the outputs, bound to the target.
    """

    options: ExtractOptions
    target: TargetModel
    data: MembershipData
    n_available: tuple[int, int] | None = None
    features: tuple[Planned, ...] = ()

    @property
    def free_features(self) -> tuple[Planned, ...]:
        """Those that the pass for the outputs gives as well."""
        return tuple(each for each in self.features if each.is_free)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of all images."""
        assert self.data.shape is not None, "prepare gives every data set a geometry"
        return self.data.shape

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
    def group(self) -> npt.NDArray[np.str_] | None:
        """(n,) strings, members first; ``None`` where neither side says. A side that does not is one of single samples.

        Names of samples hold a slash and a side, so that they are no names of groups but by intent.
        """
        sides = (self.data.members, self.data.non_members)
        if all(side.group is None for side in sides):
            return None
        return np.array([name for side in sides for name in (side.group or side.sample_id)])

    @cached_property
    def is_member(self) -> npt.NDArray[np.bool_]:
        """(n,) bool, members first."""
        return np.arange(len(self)) < self.n_members

    @cached_property
    def data_digest(self) -> str:
        """SHA-256 over pixels (of files: path, size and time of change), labels, ids and groups of both sides."""
        parts = [self.data.members.images.digest(), self.data.non_members.images.digest()]
        parts += [digest(self.label), digest(self.sample_id), str(self.n_members)]
        parts += [] if self.group is None else [digest(self.group)]
        return hashlib.sha256("|".join(parts).encode()).hexdigest()

    @cached_property
    def key(self) -> str:
        """Digest of all that determines the outputs: weights, preprocessing, data, selection, number format.

        Features are bound by their own names and options, so that one may be added to a cache of the same key.
        """
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

    def at(self, row: int) -> tuple[Side, int]:
        """The side of a sample, and its position there."""
        is_member = row < self.n_members
        return (self.data.members, row) if is_member else (self.data.non_members, row - self.n_members)

    def attempt(self, start: int, stop: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
        """Images from `start` to `stop`, members first, black where one cannot be read, and which can be.

        Returns:
            (n, height, width, channels) uint8 and (n,) bool.
        """
        n = self.n_members
        parts = []
        if start < n:
            parts.append((start, attempt(self.data.members.images, start, min(stop, n))))
        if stop > n:
            parts.append((max(start, n), attempt(self.data.non_members.images, max(start, n) - n, stop - n)))
        is_readable = np.ones(stop - start, np.bool_)
        for first, (_, failures) in parts:
            is_readable[[first - start + row for row in failures]] = False
        pixels = [images for _, (images, _) in parts]
        return pixels[0] if len(pixels) == 1 else np.concatenate(pixels), is_readable

    def keeping(self, is_kept: npt.NDArray[np.bool_]) -> "Extraction":
        """The same without some samples: (n,) bool, members first. Its `key` is another."""
        n = self.n_members
        data = replace(
            self.data,
            members=self.data.members.take(np.flatnonzero(is_kept[:n])),
            non_members=self.data.non_members.take(np.flatnonzero(is_kept[n:])),
        )
        return replace(self, data=data)
