"""Your own images in FILE.tar, not compressed, as in a folder."""

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from mi_audit.datasets._images import FileImages, image_suffixes
from mi_audit.datasets._layout import SIDES, TRAIN, open_tree
from mi_audit.datasets._tar_members import TarMembers, members_of
from mi_audit.datasets.interface import (
    LISTS,
    DataRequest,
    DatasetSource,
    MembershipData,
    path_in_spec,
    refuse_options,
)


@dataclass(frozen=True)
class Tar(DatasetSource):
    """Image files in a tar archive: ``members/<class>/...`` and ``non-members/<class>/...`` in it, or as `Folder`.

    A folder around all of that is left out. Names that begin with a dot and files that are no images are left alone.
    Ids are those of a folder with the same content.
    """

    def open(self, location: str | None, request: DataRequest) -> MembershipData:
        """Colour images, read and decoded when they are used; the archive is looked through once.

        Raises:
            DataSetError: no archive, compressed or truncated; hostile names, links; or as for a folder.
            UsageError: no path was given, or an option that goes with other data.
        """
        file = path_in_spec(location, "tar:FILE.tar")
        refuse_options(request, "tar:FILE.tar", "split", *LISTS)
        members = members_of(file)
        tree = TarTree(members)
        around = tree.folders("")
        if len(around) == 1 and around[0] not in (*SIDES, TRAIN) and {*tree.folders(around[0])} & {*SIDES, TRAIN}:
            tree = TarTree(members, f"{around[0]}/")
        return open_tree(tree, "tar:FILE.tar", request)


@dataclass(frozen=True)
class TarTree:
    """A `Tree` in an archive.

    Attributes:
        members: its files.
        start: the folder around everything, ending with a slash; empty where there is none.
    """

    members: TarMembers
    start: str = ""

    def place(self, below: str) -> str:
        """As `Tree.place`."""
        within = (self.start + below).rstrip("/")
        return f"{self.members.file}: {within}" if within else str(self.members.file)

    def folders(self, below: str) -> list[str]:
        """As `Tree.folders`."""
        at = self._prefix(below)
        names = {path[len(at) :].partition("/")[0] for path in self.members.folders if path.startswith(at)}
        return sorted(name for name in names if not name.startswith("."))

    def paths(self, below: str) -> list[str]:
        """As `Tree.paths`."""
        at, suffixes = self._prefix(below), image_suffixes()
        found = [path[len(at) :] for path in self.members.places if path.startswith(at)]
        images = [path for path in found if posixpath.splitext(path)[1].lower() in suffixes and "/." not in f"/{path}"]
        return sorted(images, key=lambda path: path.split("/"))

    def images(self, below: str, paths: Sequence[str]) -> FileImages:
        """As `Tree.images`."""
        root = cast("Path", self.members)  # all that is asked of it is `root / path`
        return FileImages(root, tuple(self._prefix(below) + path for path in paths))

    def _prefix(self, below: str) -> str:
        return f"{self.start}{below}/" if below else self.start
