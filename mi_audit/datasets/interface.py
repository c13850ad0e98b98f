"""What every data set gives: images of members and of non-members, with labels and stable sample ids."""

import abc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mi_audit.datasets._words import first
from mi_audit.errors import DataSetError, UsageError

UInt8Array = npt.NDArray[np.uint8]
Int64Array = npt.NDArray[np.int64]

DEFAULT_DATA_DIR = Path("data")
# Fields of the request that decide which samples of a pool are members.
LISTS = ("members_index", "non_members_index", "membership")


@dataclass(frozen=True)
class DataRequest:
    """What the user said about the data beside its spec.

    Attributes:
        data_dir: where named data sets lie; `DEFAULT_DATA_DIR` where it is ``None``.
        download: whether what is not there may be fetched.
        split: ``--split``, official splits by name: ``"train,test"`` are members and non-members, one name is a pool.
        members, non_members: ``--members`` and ``--non-members``, one folder per side.
        members_index, non_members_index: files with positions or ids of one pool of samples.
        membership: a file with one flag per sample of the pool.
        allow_outside: whether a list may name files that do not lie below its own folder.
    """

    data_dir: Path | None = None
    download: bool = False
    split: str | None = None
    members: Path | None = None
    non_members: Path | None = None
    members_index: Path | None = None
    non_members_index: Path | None = None
    membership: Path | None = None
    allow_outside: bool = False


@dataclass(frozen=True)
class Geometry:
    """How images of varying sizes become images of one: shorter side to `resize`, then the centre `height` x `width`.

    Attributes:
        height, width: of every image that comes out, in pixels.
        resize: length of the shorter side after resizing, in pixels; ``None`` resizes straight to `height` x `width`.
        interpolation: ``"bilinear"`` or ``"bicubic"`` (both with antialiasing).
    """

    height: int
    width: int
    resize: int | None
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        if min(self.height, self.width, 1 if self.resize is None else self.resize) < 1:
            raise ValueError(f"expected lengths of at least 1 pixel, got {self}")
        if self.interpolation not in ("bilinear", "bicubic"):
            raise ValueError(f"expected bilinear or bicubic interpolation, got {self.interpolation!r}")


class Images(Protocol):
    """Uint8 images of one geometry, read by position: an ndarray behind it is one way, decoding files another."""

    def __len__(self) -> int:
        """How many images there are."""
        ...

    @property
    def shape(self) -> tuple[int, int, int] | None:
        """Height, width and channels of every image; ``None`` while sizes vary and no `Geometry` was set."""
        ...

    def with_geometry(self, geometry: Geometry) -> "Images":
        """The same images brought to one geometry; arrays, which have one already, are returned as they are."""
        ...

    def take(self, rows: Int64Array) -> "Images":
        """The images at these positions, in this order; nothing is decoded or copied before `read`."""
        ...

    def read(self, start: int, stop: int) -> UInt8Array:
        """Images ``start`` to ``stop`` (exclusive), (n, height, width, channels) uint8, for the caller to keep."""
        ...

    def digest(self) -> str:
        """SHA-256 over what sets the pixels: pixels of arrays; path, size, time of change and geometry of files."""
        ...


@dataclass(frozen=True)
class Side:
    """The members, or the non-members.

    Attributes:
        images: n images.
        label: (n,) int64, the true class.
        sample_id: n strings, ``<side or official split>/<official index or relative path>``: stable and unique.
        group: n strings, what the samples of one group (one person, many images) share; ``None`` where nobody says.

    Raises:
        DataSetError: their numbers differ.
    """

    images: Images
    label: Int64Array
    sample_id: Sequence[str]
    group: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if not len(self.images) == len(self.label) == len(self.sample_id):
            counts = f"{len(self.images)} images, {len(self.label)} labels, {len(self.sample_id)} ids"
            raise DataSetError(f"expected one label and one id per image, got {counts}")
        if self.group is not None and len(self.group) != len(self.label):
            raise DataSetError(f"expected one group per image, got {len(self.label)} images, {len(self.group)} groups")

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: Int64Array) -> "Side":
        """The samples at these positions, in this order."""
        positions = rows.tolist()
        group = None if self.group is None else [self.group[row] for row in positions]
        return Side(self.images.take(rows), self.label[rows], [self.sample_id[row] for row in positions], group)


@dataclass(frozen=True)
class MembershipData:
    """A data set as an auditor sees it: who was in the training set, who was not.

    Attributes:
        name: of the data set, ``"cifar100"``; finds the known preprocessing constants. ``None`` where nobody knows it.
        members, non_members: the two sides, both with at least one sample.
        class_names: one per class; labels are positions in it.
        notes: what was decided where the user did not say it, one sentence each.

    Raises:
        DataSetError: a side without samples, a label that is not a class, or a group on both sides.
    """

    name: str | None
    members: Side
    non_members: Side
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for side_name, side in (("members", self.members), ("non-members", self.non_members)):
            if len(side) == 0:
                raise DataSetError(f"expected at least one of the {side_name}, got none")
            lowest, highest = int(side.label.min()), int(side.label.max())
            if lowest < 0 or highest >= self.n_classes:
                raise DataSetError(
                    f"expected labels from 0 to {self.n_classes - 1}, got {lowest} to {highest} among the {side_name}",
                    tip="labels are positions in the list of classes: number them from 0",
                )
        if shared := sorted(set(self.members.group or ()) & set(self.non_members.group or ())):
            raise DataSetError(
                f"expected every group on one side, got {first(shared)} among members and non-members",
                tip="what is known of a person who was trained on is no non-member: leave these images out",
            )

    @property
    def n_classes(self) -> int:
        """How many classes there are, whether or not each has samples."""
        return len(self.class_names)

    @property
    def shape(self) -> tuple[int, int, int] | None:
        """Height, width and channels of every image; ``None`` while sizes vary, within a side or between the two."""
        shape = self.members.images.shape
        return shape if shape == self.non_members.images.shape else None

    def with_geometry(self, geometry: Geometry) -> "MembershipData":
        """The same samples with all images brought to one geometry; as they are where all have one shape already.

        Raises:
            DataSetError: the two sides are arrays of different shapes.
        """
        if self.shape is not None:
            return self
        members = replace(self.members, images=self.members.images.with_geometry(geometry))
        non_members = replace(self.non_members, images=self.non_members.images.with_geometry(geometry))
        resized = replace(self, members=members, non_members=non_members)
        if resized.shape is None:
            shapes = f"{members.images.shape} and {non_members.images.shape}"
            raise DataSetError(f"expected members and non-members of one shape, got {shapes}")
        return resized


class DatasetSource(abc.ABC):
    """A kind of data set; its options are the fields of the subclass.

    The spec on the command line is ``NAME`` or ``NAME:PATH``; the part after the colon arrives as `location`.
    """

    @abc.abstractmethod
    def open(self, location: str | None, request: DataRequest) -> MembershipData:
        """Open the data set. Nothing is ever downloaded unless the request says so.

        Args:
            location: what follows the colon in the spec, ``None`` where there is none.
            request: what the user said beside it.

        Raises:
            DataSetError: it is not there, or it is not a data set of this kind; the tip says what to type next.
            UsageError: a location is missing, or given to a data set that takes none.
        """


def path_in_spec(location: str | None, form: str) -> Path:
    """The path after the colon of a spec such as ``folder:DIR``, which is `form` for the error.

    Raises:
        UsageError: there is none.
    """
    if not location:
        raise UsageError(f"expected --data {form}, got no path", tip=f"--data {form}")
    return Path(location).expanduser()


def refuse_location(location: str | None, name: str) -> None:
    """Stop at a path where the data set has none.

    Raises:
        UsageError: a location was given.
    """
    if location is not None:
        tip = f"--data {name}, and --data-dir DIR to say where its files lie"
        raise UsageError(f"expected --data {name} without a path, got {name}:{location}", tip=tip)


def refuse_options(request: DataRequest, name: str, *taken: str) -> None:
    """Stop at an option about the samples that this data set cannot follow; none is ever ignored.

    Args:
        request: what the user said.
        name: of the data set, for the error.
        taken: fields of the request that it can follow; where its files lie and `download` are not asked about.

    Raises:
        UsageError: another one is set.
    """
    about_samples = ("split", "members", "non_members", *LISTS, "allow_outside")
    stray = [field for field in about_samples if field not in taken and getattr(request, field)]
    if stray:
        options = ", ".join(f"--{field.replace('_', '-')}" for field in taken)
        tip = f"with --data {name} goes {options}" if taken else f"--data {name} says itself who is a member"
        raise UsageError(f"--data {name} takes no --{stray[0].replace('_', '-')}", tip=tip)


def names_of_classes(n_classes: int) -> tuple[str, ...]:
    """Class names for data that brings none: the numbers."""
    return tuple(str(number) for number in range(n_classes))
