"""Your own images, DIR: members/ and non-members/, or a list."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mi_audit.datasets._images import FileImages, image_suffixes
from mi_audit.datasets._layout import SIDES, open_split, open_tree
from mi_audit.datasets._words import first
from mi_audit.datasets.interface import (
    LISTS,
    DataRequest,
    DatasetSource,
    MembershipData,
    Side,
    path_in_spec,
    refuse_options,
)
from mi_audit.errors import DataSetError, UsageError


@dataclass(frozen=True)
class Folder(DatasetSource):
    """Image files in one folder per side and class.

    ``folder:DIR`` has ``DIR/members`` and ``DIR/non-members``, or ``DIR/train`` and ``DIR/test`` (or ``val``), or
    classes alone and a list. ``folder`` without a path takes the two sides from ``--members`` and ``--non-members``.

    Classes are the folders among the members, numbered in sorted order as torchvision's `ImageFolder` does; the
    non-members are read with the same numbers, so that a class without non-members shifts nothing. Files in folders
    below a class belong to it. Names that begin with a dot and files that are no images are left alone. The two sides
    may be links, folders below them may not. Ids are ``members/<path below it>`` and ``non-members/<path below it>``,
    or begin with the name of the split.
    """

    def open(self, location: str | None, request: DataRequest) -> MembershipData:
        """Colour images, decoded when they are read; no file is opened now.

        Raises:
            DataSetError: a side is missing or has no images, a class is among the non-members only, an image lies in no
                class, the two sides overlap, or a list does not fit.
            UsageError: no path was given, or options that contradict each other.
        """
        if request.members is None and request.non_members is None:
            refuse_options(request, "folder", "split", *LISTS)
            root = path_in_spec(location, "folder:DIR")
            return open_tree(FolderTree(_checked(root, "--data folder:DIR")), "folder:DIR", request)
        refuse_options(request, "folder --members DIR --non-members DIR", "members", "non_members")
        if request.members is None or request.non_members is None or location:
            tip = "--data folder --members DIR --non-members DIR"
            raise UsageError("expected two folders, --members and --non-members, and no path after folder:", tip=tip)
        return _two_folders(request.members.expanduser(), request.non_members.expanduser())


@dataclass(frozen=True)
class FolderTree:
    """A `Tree` on a disk.

    Attributes:
        root: its folder.
        leave_out: folders that are no class.
    """

    root: Path
    leave_out: tuple[str, ...] = ()

    def place(self, below: str) -> str:
        """As `Tree.place`."""
        return str(self.root / below)

    def folders(self, below: str) -> list[str]:
        """As `Tree.folders`; links to folders are folders here.

        Raises:
            DataSetError: it may not be read.
        """
        try:
            with os.scandir(self.root / below) as entries:
                return sorted(entry.name for entry in entries if entry.is_dir() and self._is_kept(entry.name))
        except OSError as error:
            raise _unreadable(error) from error

    def paths(self, below: str) -> list[str]:
        """As `Tree.paths`.

        Raises:
            DataSetError: a folder may not be read, or is a link, which may lead in a circle.
        """
        side = self.root / below
        suffixes = image_suffixes()
        found = []
        for at, folders, files in os.walk(side, onerror=_refuse):
            folders[:] = [name for name in folders if self._is_kept(name)]
            linked = [os.path.join(at, name) for name in folders if os.path.islink(os.path.join(at, name))]  # noqa: PTH114, PTH118
            if linked:
                tip = "links to folders are not followed below a side; link the side itself, or the files"
                raise DataSetError(f"{side}: expected folders, got links to folders: {first(linked)}", tip=tip)
            prefix = Path(at).relative_to(side).as_posix()
            prefix = "" if prefix == "." else f"{prefix}/"
            images = (name for name in files if name[:1] != "." and os.path.splitext(name)[1].lower() in suffixes)  # noqa: PTH122
            found += [prefix + name for name in images]
        return sorted(found, key=lambda path: path.split("/"))

    def images(self, below: str, paths: Sequence[str]) -> FileImages:
        """As `Tree.images`."""
        return FileImages(self.root / below, tuple(paths))

    def _is_kept(self, name: str) -> bool:
        return not name.startswith(".") and name not in self.leave_out


def _two_folders(members: Path, non_members: Path) -> MembershipData:
    roots = [_checked(folder, tip) for folder, tip in ((members, "--members DIR"), (non_members, "--non-members DIR"))]
    ours, theirs = (root.resolve() for root in roots)
    if ours.is_relative_to(theirs) or theirs.is_relative_to(ours):
        got = "the same twice" if ours == theirs else "one inside the other"
        tip = "--members has what the target was trained on, --non-members other images of the same classes"
        raise DataSetError(f"{members} and {non_members}: expected two folders with nothing in common, got {got}", tip)
    side, class_names = open_split(FolderTree(roots[0]), "", None)
    other, _ = open_split(FolderTree(roots[1]), "", class_names, str(roots[0]))
    return MembershipData(None, _named(side, SIDES[0]), _named(other, SIDES[1]), class_names)


def _named(side: Side, name: str) -> Side:
    return Side(side.images, side.label, [f"{name}/{sample_id}" for sample_id in side.sample_id])


def _checked(folder: Path, tip: str) -> Path:
    if not folder.is_dir():
        raise DataSetError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}", tip=tip)
    return folder


def _unreadable(error: OSError) -> DataSetError:
    return DataSetError(f"{error.filename}: {error.strerror}", tip="make the folder readable")


def _refuse(error: OSError) -> None:
    raise _unreadable(error) from error
