"""Your own image files, folder:DIR with DIR/members/<class>/... and DIR/non-members/<class>/..."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mi_audit.datasets._images import N_NAMED, FileImages, image_suffixes
from mi_audit.datasets.interface import DataRequest, DatasetSource, MembershipData, Side, path_in_spec
from mi_audit.errors import DataSetError

SIDES = ("members", "non-members")


@dataclass(frozen=True)
class Folder(DatasetSource):
    """Image files in one folder per side and class.

    Classes are the folders among the members, numbered in sorted order as torchvision's `ImageFolder` does; the
    non-members are read with the same numbers, so that a class without non-members shifts nothing. Files in folders
    below a class belong to it. Names that begin with a dot and files that are no images are left alone. The two sides
    may be links, folders below them may not. Ids are ``members/<path below it>`` and ``non-members/<path below it>``.
    """

    def open(self, location: str | None, request: DataRequest) -> MembershipData:  # noqa: ARG002
        """Colour images, decoded when they are read; no file is opened now.

        Raises:
            DataSetError: a side is missing or has no images, a class is among the non-members only, an image lies in no
                class.
            UsageError: no path was given.
        """
        root = path_in_spec(location, "folder:DIR")
        _check_sides(root)
        class_names = _classes(root / SIDES[0])
        unknown = sorted(set(_classes(root / SIDES[1])) - set(class_names))
        if unknown:
            raise DataSetError(
                f"{root / SIDES[1]}: expected the classes of the members, got {_first(unknown)} too",
                tip=f"classes are the folders in {root / SIDES[0]}; an empty one makes a class without members",
            )
        members, non_members = (_side(root / side, class_names) for side in SIDES)
        return MembershipData(None, members, non_members, tuple(_text(name) for name in class_names))


def _check_sides(root: Path) -> None:
    if not root.is_dir():
        raise DataSetError(f"{root}: no such folder", tip="--data folder:DIR")
    missing = [side for side in SIDES if not (root / side).is_dir()]
    if missing:
        raise DataSetError(
            f"{root}: expected the folders members and non-members, got no {' and no '.join(missing)}",
            tip=f"{root / 'members'}/<class>/... is what the target was trained on, non-members/<class>/... the rest",
        )


def _classes(side: Path) -> tuple[str, ...]:
    with os.scandir(side) as entries:
        return tuple(sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")))


def _side(side: Path, class_names: tuple[str, ...]) -> Side:
    paths = _image_paths(side)
    stray = [path for path in paths if "/" not in path]
    if stray:
        raise DataSetError(f"{side}: expected images in one folder per class, got {_first(stray)} in none")
    if not paths:
        suffixes = " ".join(sorted(image_suffixes()))
        raise DataSetError(f"{side}: expected images in one folder per class, got none", tip=f"read are: {suffixes}")
    number = {name: position for position, name in enumerate(class_names)}
    label = np.array([number[path.partition("/")[0]] for path in paths], np.int64)
    ids = [f"{side.name}/{_text(path)}" for path in paths]
    return Side(FileImages(side, tuple(paths)), label, ids)


def _text(name: str) -> str:
    """A name as text that can be stored; one that is not UTF-8 stays recognisable."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _image_paths(side: Path) -> list[str]:
    """Paths of the image files below a side, with forward slashes, sorted by folder and name."""
    suffixes = image_suffixes()
    paths = []
    for at, folders, files in os.walk(side, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        linked = [str(Path(at, name)) for name in folders if Path(at, name).is_symlink()]
        if linked:
            tip = "links to folders are not followed below a side; link the side itself, or the files"
            raise DataSetError(f"{side}: expected folders, got links to folders: {_first(linked)}", tip=tip)
        below = Path(at).relative_to(side)
        images = (name for name in files if not name.startswith(".") and Path(name).suffix.lower() in suffixes)
        paths += [(below / name).as_posix() for name in images]
    return sorted(paths, key=lambda path: path.split("/"))


def _refuse(error: OSError) -> None:
    raise DataSetError(f"{error.filename}: {error.strerror}", tip="make the folder readable") from error


def _first(names: list[str]) -> str:
    return ", ".join(names[:N_NAMED]) + (f" and {len(names) - N_NAMED} more" if len(names) > N_NAMED else "")
