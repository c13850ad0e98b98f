"""Images in one folder per class, on a disk or in an archive: what the folders say about membership."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import numpy as np

from mi_audit.datasets._images import FileImages, image_suffixes
from mi_audit.datasets._pool import WHOLE, ClassNames, Splits, is_listed
from mi_audit.datasets._words import first, storable
from mi_audit.datasets.interface import DataRequest, MembershipData, Side, refuse_options
from mi_audit.errors import DataSetError, UsageError

SIDES = ("members", "non-members")
TRAIN = "train"
# What the other half is called, the usual choice first.
HELD_OUT = ("test", "val", "valid", "validation")

OpenSplit = Callable[[str, ClassNames | None], tuple[Side, ClassNames]]


class Tree(Protocol):
    """Folders with image files in them."""

    def place(self, below: str) -> str:
        """A folder as it is named in messages; ``""`` is the whole tree."""
        ...

    def folders(self, below: str) -> list[str]:
        """Names of the folders in a folder, sorted, without those that begin with a dot."""
        ...

    def paths(self, below: str) -> list[str]:
        """Paths of the image files below a folder, relative to it, sorted by folder and name."""
        ...

    def images(self, below: str, paths: Sequence[str]) -> FileImages:
        """These images of a folder."""
        ...


def open_tree(tree: Tree, spec: str, request: DataRequest) -> MembershipData:
    """The samples of a tree: ``members`` and ``non-members``, ``train`` and ``test``, or classes and a list.

    Raises:
        DataSetError: the folders are none of these, a side is empty, a class is not among the members, or a list does
            not fit.
        UsageError: an option that says once more who is a member.
    """
    folders = tree.folders("")
    sides = [name for name in SIDES if name in folders]
    if sides:
        refuse_options(request, f"{spec} with folders members and non-members")
    if len(sides) == 2:
        members, class_names = open_split(tree, SIDES[0], None)
        non_members, _ = open_split(tree, SIDES[1], class_names, tree.place(SIDES[0]))
        return MembershipData(None, members, non_members, class_names)
    held_out = [name for name in HELD_OUT if name in folders]
    if not sides and TRAIN in folders and (held_out or request.split):
        default = (TRAIN, held_out[0]) if held_out else None
        return Splits(spec, None, tuple(folders), default, partial(open_split, tree)).data(request)
    if not sides and is_listed(request):
        if request.split:
            raise UsageError(f"--data {spec} has no splits", tip="leave out --split")
        return Splits(spec, None, (WHOLE,), None, _opener_of_pool(tree)).data(request)
    raise _no_sides(tree)


def open_split(
    tree: Tree, below: str, class_names: ClassNames | None, classes_from: str = "the folder of the members"
) -> tuple[Side, ClassNames]:
    """The samples of one folder, with ids that begin with its name.

    Args:
        tree: that holds it.
        below: its name; ``""`` for the whole tree, whose ids are the paths alone.
        class_names: number the classes; ``None`` takes the folders, sorted.
        classes_from: where they are from, for the error.

    Raises:
        DataSetError: a class beside the given ones, an image in no class, or no image.
    """
    place, own = tree.place(below), tree.folders(below)
    names = tuple(own) if class_names is None else class_names
    number = {name: position for position, name in enumerate(names)}
    # Names that are no text come back from `class_names` as they were stored.
    number |= {name: number[storable(name)] for name in own if storable(name) in number}
    unknown = [name for name in own if name not in number]
    if unknown:
        tip = f"classes are the folders in {classes_from}; an empty one makes a class without members"
        raise DataSetError(f"{place}: expected the classes of the members, got {first(unknown)} too", tip=tip)
    paths = tree.paths(below)
    stray = [path for path in paths if "/" not in path]
    if stray:
        tip = "put every image into a folder named after its class, or list paths and labels in a manifest.csv"
        raise DataSetError(f"{place}: expected images in one folder per class, got {first(stray)} in none", tip=tip)
    if not paths:
        suffixes = " ".join(sorted(image_suffixes()))
        raise DataSetError(f"{place}: expected images in one folder per class, got none", tip=f"read are: {suffixes}")
    label = np.array([number[path.partition("/")[0]] for path in paths], np.int64)
    ids = [f"{below}/{storable(path)}" if below else storable(path) for path in paths]
    return Side(tree.images(below, paths), label, ids), tuple(storable(name) for name in names)


def _opener_of_pool(tree: Tree) -> OpenSplit:
    return lambda _, class_names: open_split(tree, "", class_names)


def _no_sides(tree: Tree) -> DataSetError:
    place, folders = tree.place(""), tree.folders("")
    missing = [side for side in SIDES if side not in folders]
    tip = "members/<class>/... is what the target was trained on, non-members/<class>/... the rest; or train and test"
    if folders and len(missing) == 2:
        tip = f"say who is a member with --members-index FILE or --membership FILE; or {tip}"
    found = f"{place}: expected the folders members and non-members, got no {' and no '.join(missing)}"
    return DataSetError(found, tip=tip)
