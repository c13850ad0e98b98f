"""Your own images in FILE.csv|.parquet: path, label, is_member."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mi_audit.datasets._images import FileImages
from mi_audit.datasets._manifest_rows import Rows, read_rows
from mi_audit.datasets._words import first, storable
from mi_audit.datasets.interface import (
    DataRequest,
    DatasetSource,
    Int64Array,
    MembershipData,
    Side,
    names_of_classes,
    path_in_spec,
    refuse_options,
)
from mi_audit.errors import DataSetError

MAX_CLASSES = 1_000_000
WHOLE = re.compile(r"0|[1-9][0-9]{0,17}")
NUMBER = re.compile(r"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?|[+-]?(nan|inf)", re.IGNORECASE)
SIDES = ("members", "non-members")


@dataclass(frozen=True)
class Manifest(DatasetSource):
    """A table with a row for every image, in any order: ``manifest:FILE.csv`` or ``manifest:FILE.parquet``.

    =======================  ==================================================================================
    ``path``                 of the image, from the folder of the table
    ``label``                the class: numbers from 0 everywhere, or names, numbered in sorted order
    ``is_member``            1, 0, true or false; ``member`` is read too
    ``group``, optional      what belongs together: one person, many images
    =======================  ==================================================================================

    Files outside the folder of the table, by an absolute path, ``..`` or a link, are read with ``--allow-outside``
    only. Samples are in the order of their paths, whatever the order of the rows. Ids are ``members/<path>`` and
    ``non-members/<path>``.
    """

    def open(self, location: str | None, request: DataRequest) -> MembershipData:
        """Colour images, decoded when they are read; that every file is there is checked now.

        Raises:
            DataSetError: the table cannot be read, a column is missing, a row is not as described, a file is not there,
                outside or listed twice, or a side is empty.
            MissingLibraryError: a ``.parquet`` without pyarrow.
            UsageError: no path was given, or an option that goes with other data.
        """
        file = path_in_spec(location, "manifest:FILE.csv")
        refuse_options(request, "manifest:FILE.csv", "allow_outside")
        rows = read_rows(file)
        paths = _checked_paths(file, rows.path, allow_outside=request.allow_outside)
        order = sorted(range(len(paths)), key=lambda row: paths[row].split("/"))
        chosen = [[row for row in order if rows.is_member[row] is flag] for flag in (True, False)]
        for name, members in zip(SIDES, chosen, strict=True):
            if not members:
                raise DataSetError(f"{file}: expected members and non-members, got no {name}")
        label, class_names = _numbered(file, rows.label, chosen[0])
        sides = [_side(file, name, each, paths, label, rows) for name, each in zip(SIDES, chosen, strict=True)]
        return MembershipData(None, sides[0], sides[1], class_names)


def _side(file: Path, name: str, chosen: list[int], paths: list[str], label: Int64Array, rows: Rows) -> Side:
    images = FileImages(file.parent, tuple(paths[row] for row in chosen))
    group = None if rows.group is None else [rows.group[row] for row in chosen]
    return Side(images, label[chosen], [f"{name}/{storable(paths[row])}" for row in chosen], group)


def _numbered(file: Path, labels: Sequence[str], members: list[int]) -> tuple[Int64Array, tuple[str, ...]]:
    """Labels as positions in the list of classes, and the list; names are those among the members."""
    different = set(labels)
    if all(WHOLE.fullmatch(label) for label in different):
        numbers = np.array([int(label) for label in labels], np.int64)
        if int(numbers.max()) >= MAX_CLASSES:
            raise DataSetError(f"{file}: expected labels below {MAX_CLASSES:,}, got {numbers.max():,}")
        return numbers, names_of_classes(int(numbers.max()) + 1)
    if all(NUMBER.fullmatch(label) for label in different):  # sorted as names, 10.0 would come before 2.0
        odd = sorted(label for label in different if not WHOLE.fullmatch(label))
        tip = "write whole numbers as they are: 7, not 7.0 or 07"
        raise DataSetError(
            f"{file}: expected labels that are whole numbers from 0, or names, got {first(odd)}", tip=tip
        )
    names = tuple(sorted({labels[row] for row in members}))
    unknown = sorted(set(labels) - set(names))
    if unknown:
        tip = "classes are the labels of the members, or number all labels from 0"
        raise DataSetError(f"{file}: expected the classes of the members, got {first(unknown)} too", tip=tip)
    number = {name: position for position, name in enumerate(names)}
    return np.array([number[label] for label in labels], np.int64), names


def _checked_paths(file: Path, given: Sequence[str], *, allow_outside: bool) -> list[str]:
    """The paths from the folder of the table, each of a file that is there, is inside, and listed once."""
    folder = os.path.abspath(file.parent)  # noqa: PTH100 - links stay as they are
    paths = [os.path.relpath(os.path.join(folder, path), folder) for path in given]  # noqa: PTH118
    _refuse_repeated(file, paths)
    missing, outside = _missing_and_outside(Path(folder), paths)
    if outside and not allow_outside:
        tip = "move the images below the folder of the table, or add --allow-outside if you trust it"
        raise DataSetError(
            f"{file}: expected files below its folder, got {len(outside):,} outside: {first(outside)}", tip
        )
    if missing:
        tip = "paths count from the folder of the table"
        found = f"got {len(missing):,} of {len(paths):,} that are not there: {first(missing)}"
        raise DataSetError(f"{file}: expected files, {found}", tip=tip)
    return paths


def _refuse_repeated(file: Path, paths: Sequence[str]) -> None:
    repeated = [path for path, count in Counter(paths).items() if count > 1]
    if repeated:
        raise DataSetError(f"{file}: expected every file once, got {len(repeated):,} more than once: {first(repeated)}")


def _missing_and_outside(folder: Path, paths: Sequence[str]) -> tuple[list[str], list[str]]:
    """The paths of no file, and those that lead outside, themselves or by links. Nothing is opened."""
    inside = os.path.realpath(folder)
    missing, outside = [], []
    real: dict[str, str] = {}
    for path in paths:
        parent, name = os.path.split(folder / path)
        if parent not in real:
            real[parent] = os.path.realpath(parent)
        place = os.path.join(real[parent], name)  # noqa: PTH118
        if os.path.islink(place):  # noqa: PTH114
            place = os.path.realpath(place)
        if not place.startswith(inside.rstrip("/") + "/"):
            outside.append(path)
        if not os.path.isfile(place):  # noqa: PTH113
            missing.append(path)
    return missing, outside
