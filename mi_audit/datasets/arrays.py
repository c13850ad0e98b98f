"""Your own arrays, FILE.npz: images (uint8), labels, is_member."""

import zipfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mi_audit.datasets._images import ArrayImages
from mi_audit.datasets._npz import read_arrays
from mi_audit.datasets._pool import divided, is_listed
from mi_audit.datasets.interface import (
    LISTS,
    DataRequest,
    DatasetSource,
    Int64Array,
    MembershipData,
    Side,
    UInt8Array,
    names_of_classes,
    path_in_spec,
    refuse_options,
)
from mi_audit.errors import DataSetError, UsageError

MAX_CLASSES = 1_000_000
SIDES = ("members", "non-members")
_WHO = (
    "add is_member (1 or 0 per image); or say who is a member by --membership FILE or --members-index FILE; or by two "
    "files with images and labels: --data arrays --members FILE.npz --non-members FILE.npz"
)
ALIASES = {"images": "x", "labels": "y", "is_member": "member"}


@dataclass(frozen=True)
class Arrays(DatasetSource):
    """An ``.npz`` of arrays that you wrote, stored or compressed.

    ======================  ========================================================================
    ``images``              (n, height, width) or (n, height, width, channels) uint8
    ``labels``              (n,) integers, the true classes from 0
    ``is_member``           (n,) bool, or 0 and 1; not needed where a list says who is a member
    ``index``, optional     (n,) integers that name the samples in their ids, unique within each side
    ======================  ========================================================================

    ``x``, ``y`` and ``member`` are read too. ``arrays`` without a path takes the two sides from ``--members`` and
    ``--non-members``, each a file with images and labels. Ids are ``members/<index>`` and ``non-members/<index>``;
    without ``index``, the position in the file. A list counts positions in the file, and its ids are those of
    ``index``.
    """

    def open(self, location: str | None, request: DataRequest) -> MembershipData:
        """The arrays in memory; nobody names the data set or its classes, so these are numbers.

        Raises:
            DataSetError: not an ``.npz``, truncated, one of the arrays is not as described, or a list does not fit.
            UsageError: no path was given, an option that goes with other data, or membership is said twice.
        """
        if request.members is not None or request.non_members is not None:
            refuse_options(request, "arrays --members FILE --non-members FILE", "members", "non_members")
            return _two_files(location, request.members, request.non_members)
        file = path_in_spec(location, "arrays:FILE.npz")
        refuse_options(request, "arrays:FILE.npz", *LISTS)
        names = _names(file)
        if not is_listed(request):
            if {*names} == {"images", "labels"}:
                raise DataSetError(f"{file}: expected the arrays images, labels, is_member, got no is_member", tip=_WHO)
            pool, is_member = _read(file, names, "is_member")
            rows = [np.flatnonzero(chosen) for chosen in (is_member, ~is_member)]
            sides = [_named(file, name, pool.take(own)) for name, own in zip(SIDES, rows, strict=True)]
            return MembershipData(None, sides[0], sides[1], _class_names(pool))
        if "is_member" in names:
            message = f"{file}: expected one way to say who is a member, got the array {names['is_member']} and a list"
            raise UsageError(message, tip="leave out the list, or write the file without this array")
        pool, _ = _read(file, names)
        _check_unique(file, "samples", pool)
        members, non_members, notes = divided(pool, request, file.name, is_official=False)
        return MembershipData(None, members, non_members, _class_names(pool), notes)


def _two_files(location: str | None, members: Path | None, non_members: Path | None) -> MembershipData:
    """The data of one file per side; a class of one is a class of both."""
    if members is None or non_members is None or location:
        tip = "--data arrays --members FILE.npz --non-members FILE.npz"
        raise UsageError("expected two files, --members and --non-members, and no path in --data", tip=tip)
    files = members.expanduser(), non_members.expanduser()
    for file in files:
        if flags := _names(file).get("is_member"):
            message = f"{file}: expected one way to say who is a member, got the array {flags} and a file per side"
            raise UsageError(message, tip=f"--data {file}, or write the file without this array")
    pools = [_read(file, _names(file))[0] for file in files]
    sides = [_named(file, name, pool) for file, name, pool in zip(files, SIDES, pools, strict=True)]
    return MembershipData(None, sides[0], sides[1], max(map(_class_names, pools), key=len))


def _read(file: Path, names: dict[str, str], *flags: str) -> tuple[Side, npt.NDArray[np.bool_]]:
    """All samples of a file, their index as ids, and which are members, none where this is not asked for."""
    required = [names.get(name, name) for name in ("images", "labels", *flags)]
    arrays = read_arrays(file, required, ("index",))
    images = _checked_images(file, arrays[required[0]])
    label = _checked_integers(file, required[1], arrays[required[1]], len(images))
    index = _checked_integers(file, "index", arrays.get("index", np.arange(len(images))), len(images))
    lowest, highest = int(label.min()), int(label.max())
    if lowest < 0 or highest >= MAX_CLASSES:
        raise DataSetError(f"{file}: expected labels from 0 to {MAX_CLASSES - 1:,}, got {lowest:,} to {highest:,}")
    is_member = np.zeros(len(images), np.bool_)
    for name in required[2:]:
        is_member = _checked_membership(file, name, arrays[name], len(images))
    return Side(images, label, [str(number) for number in index.tolist()]), is_member


def _class_names(pool: Side) -> tuple[str, ...]:
    return names_of_classes(int(pool.label.max()) + 1)


def _names(file: Path) -> dict[str, str]:
    """What the arrays are called in this file, by their usual names; none where it cannot be looked at."""
    try:
        with zipfile.ZipFile(file) as archive:
            there = {name.removesuffix(".npy") for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return {}  # what is wrong is said when it is read
    named = {usual: [name for name in (usual, alias) if name in there] for usual, alias in ALIASES.items()}
    return {usual: found[0] for usual, found in named.items() if found}


def _named(file: Path, name: str, side: Side) -> Side:
    """The same samples with the name of the side before their ids."""
    _check_unique(file, name, side)
    return replace(side, sample_id=[f"{name}/{sample_id}" for sample_id in side.sample_id])


def _check_unique(file: Path, name: str, side: Side) -> None:
    twice = [(each, n) for each, n in Counter(side.sample_id).items() if n > 1]
    if twice:
        raise DataSetError(f"{file}: expected every index once among the {name}, got {twice[0][0]} {twice[0][1]} times")


def _checked_images(file: Path, images: npt.NDArray[Any]) -> ArrayImages:
    form = "uint8 images of shape (n, height, width) or (n, height, width, channels)"
    if images.dtype != np.uint8:
        tip = "pixels from 0 to 255: numpy.rint(images * 255).astype('uint8') where they are from 0 to 1"
        raise DataSetError(f"{file}: expected {form}, got {images.dtype}", tip=tip)
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise DataSetError(f"{file}: expected {form}, got shape {images.shape}")
    if images.ndim == 4 and images.shape[1] in (1, 3) and images.shape[3] not in (1, 3):
        tip = "move the channels to the end: images.transpose(0, 2, 3, 1)"
        raise DataSetError(f"{file}: expected {form}, got shape {images.shape}, channels first", tip=tip)
    pixels: UInt8Array = np.ascontiguousarray(images)
    return ArrayImages(pixels)


def _checked_integers(file: Path, name: str, values: npt.NDArray[Any], n: int) -> Int64Array:
    _check_length(file, name, values, n)
    if values.dtype.kind not in "iu":
        raise DataSetError(f"{file}: expected integers in {name}, got {values.dtype}")
    if values.dtype.kind == "u" and values.max() > np.iinfo(np.int64).max:
        raise DataSetError(f"{file}: expected numbers below 2^63 in {name}, got {values.max()}")
    return values.astype(np.int64)


def _checked_membership(file: Path, name: str, values: npt.NDArray[Any], n: int) -> npt.NDArray[np.bool_]:
    _check_length(file, name, values, n)
    if not np.isin(values, (0, 1)).all():
        raise DataSetError(f"{file}: expected true and false (or 1 and 0) in {name}, got other values")
    is_member = values.astype(np.bool_)
    if is_member.all() or not is_member.any():
        got = "members" if is_member.all() else "non-members"
        raise DataSetError(f"{file}: expected members and non-members, got {got} only", tip=f"see {name} in the file")
    return is_member


def _check_length(file: Path, name: str, values: npt.NDArray[Any], n: int) -> None:
    if values.shape != (n,):
        raise DataSetError(f"{file}: expected {name} of shape ({n},), one per image, got shape {values.shape}")
