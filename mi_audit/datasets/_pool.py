"""Who is a member, where samples lie in splits or in one pool: by name of the splits, or by lists.

Every source of images that does not say itself who is a member ends here, in one form.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mi_audit.datasets._images import ArrayImages, FileImages
from mi_audit.datasets._lists import flags_in, is_ranges, rows_in
from mi_audit.datasets._sample_names import SampleNames
from mi_audit.datasets._words import first
from mi_audit.datasets.interface import LISTS, DataRequest, Images, Int64Array, MembershipData, Side
from mi_audit.errors import DataSetError, UsageError

MEMBER_KEYS = ("members", "members_index", "index", "indices")
NON_MEMBER_KEYS = ("non_members", "non_members_index", "index", "indices")
# The name of the only split of data without splits.
WHOLE = "all"
FLAG_KEYS = ("is_member", "member", "membership")

ClassNames = tuple[str, ...]


@dataclass(frozen=True)
class Splits:
    """The splits that a data set has, each opened when it is asked for.

    Attributes:
        spec: the data set as the user types it, ``"cifar100"``.
        name: as in `MembershipData`.
        known: names of the splits that have labels; `WHOLE` alone where the data set has none.
        default: the splits that are members and non-members unless ``--split`` names others; ``None`` where the data
            set has no official pair, so that only a list or ``--split`` can say who is a member.
        open: one split by its name, its labels numbered by the class names given, or by its own where there are none.
    """

    spec: str
    name: str | None
    known: tuple[str, ...]
    default: tuple[str, str] | None
    open: Callable[[str, ClassNames | None], tuple[Side, ClassNames]]

    def data(self, request: DataRequest) -> MembershipData:
        """Members and non-members as the request says.

        Raises:
            DataSetError: a split cannot be opened, or a list does not fit.
            UsageError: an unknown split, not two of them, or nothing that says who is a member.
        """
        asked = self._asked(request)
        by_list = is_listed(request)
        if not by_list and len(asked) != 2:
            raise self._undecided(asked)
        sides, class_names = self._opened(asked)
        if not by_list:
            return MembershipData(self.name, sides[0], sides[1], class_names)
        pool = joined(sides)
        is_official = self.known != (WHOLE,)
        what = f"{' and '.join(asked)} of {self.spec}" if is_official else self.spec
        members, non_members, notes = divided(pool, request, what, is_official=is_official)
        return MembershipData(self.name, members, non_members, class_names, notes)

    def _undecided(self, asked: Sequence[str]) -> UsageError:
        """The error where nothing says who is a member."""
        if self.known == (WHOLE,):
            tip = "say who is a member with a list: --members-index FILE or --membership FILE"
            return UsageError(f"--data {self.spec} has no official split", tip=tip)
        tip = "--split MEMBERS,NON-MEMBERS, or a list: --members-index FILE or --membership FILE"
        found = f"expected two splits, members and non-members, got {', '.join(asked)}"
        return UsageError(f"--data {self.spec}: {found}", tip=tip)

    def _asked(self, request: DataRequest) -> tuple[str, ...]:
        if request.split is None:
            return self.default or self.known
        asked = tuple(name.strip() for name in request.split.split(","))
        unknown = [name for name in asked if name not in self.known]
        if unknown:
            tip = f"--split takes {first(self.known)}"
            raise UsageError(f"--data {self.spec} has no split {first([repr(name) for name in unknown])}", tip=tip)
        if len(set(asked)) < len(asked) or len(asked) > 2:
            tip = "the same samples cannot be members and non-members: --split MEMBERS,NON-MEMBERS"
            raise UsageError(f"expected one or two different splits, got --split {request.split}", tip=tip)
        return asked

    def _opened(self, asked: Sequence[str]) -> tuple[list[Side], ClassNames]:
        """The splits, with the classes of the first forced on all."""
        side, class_names = self.open(asked[0], None)
        return [side, *(self.open(name, class_names)[0] for name in asked[1:])], class_names


def is_listed(request: DataRequest) -> bool:
    """Whether a list says who is a member."""
    return any(getattr(request, name) for name in LISTS)


def divided(pool: Side, request: DataRequest, what: str, *, is_official: bool) -> tuple[Side, Side, tuple[str, ...]]:
    """Members and non-members of one pool as the lists of the request say, both in the pool's order, and notes.

    Where only one side is listed, the other is the rest of the pool. Where both are, samples in neither are left out.

    Args:
        pool: all samples.
        request: with at least one list.
        what: the pool in words, for the notes.
        is_official: whether ids name an official split already; otherwise the side is put before them.

    Raises:
        DataSetError: a list is not readable or does not fit, the two overlap, or a side is empty.
        UsageError: flags beside positions.
    """
    if request.membership is not None:
        if request.members_index or request.non_members_index:
            tip = "give --membership alone, or --members-index and --non-members-index"
            raise UsageError("expected one way to say who is a member, got --membership and an index", tip=tip)
        is_member = flags_in(request.membership, FLAG_KEYS, len(pool))
        members, non_members = np.flatnonzero(is_member), np.flatnonzero(~is_member)
    else:
        members, non_members = _listed(pool, request)
    for name, rows in (("members", members), ("non-members", non_members)):
        if not len(rows):
            tip = "an audit compares the two: the lists have to leave some samples for both sides"
            raise DataSetError(f"expected members and non-members among the {len(pool):,} samples, got no {name}", tip)
    sides = [pool.take(rows) for rows in (members, non_members)]
    if not is_official:
        names = ("members", "non-members")
        sides = [_prefixed(side, name) for side, name in zip(sides, names, strict=True)]
    return sides[0], sides[1], _notes(pool, request, what, len(members), len(non_members))


def joined(sides: Sequence[Side]) -> Side:
    """Several splits as one pool, in this order.

    Raises:
        DataSetError: their images are arrays of different shapes.
    """
    if len(sides) == 1:
        return sides[0]
    ids = [name for side in sides for name in side.sample_id]
    return Side(_joined_images([side.images for side in sides]), np.concatenate([side.label for side in sides]), ids)


def _joined_images(parts: Sequence[Images]) -> Images:
    files = [part for part in parts if isinstance(part, FileImages)]
    if len(files) == len(parts) and len({part.root for part in files}) == 1:
        return replace(files[0], paths=tuple(path for part in files for path in part.paths))
    if len(files) == len(parts):
        root = Path(os.path.commonpath([part.root for part in files]))
        return replace(files[0], root=root, paths=tuple(path for part in files for path in _below(part, root)))
    shapes = sorted({str(part.shape) for part in parts})
    if len(shapes) > 1:
        raise DataSetError(f"expected splits with images of one shape, got {' and '.join(shapes)}")
    return ArrayImages(np.concatenate([part.read(0, len(part)) for part in parts]))


def _below(images: FileImages, root: Path) -> tuple[str, ...]:
    prefix = images.root.relative_to(root).as_posix()
    return images.paths if prefix == "." else tuple(f"{prefix}/{path}" for path in images.paths)


def _listed(pool: Side, request: DataRequest) -> tuple[Int64Array, Int64Array]:
    names = SampleNames(pool)
    if request.members_index is None:
        assert request.non_members_index is not None, "at least one list was given"
        non_members = rows_in(request.non_members_index, NON_MEMBER_KEYS, names)
        return _rest(non_members, len(pool)), non_members
    members = rows_in(request.members_index, MEMBER_KEYS, names)
    if request.non_members_index is None:
        return members, _rest(members, len(pool))
    non_members = rows_in(request.non_members_index, NON_MEMBER_KEYS, names)
    both = np.intersect1d(members, non_members, assume_unique=True)
    if len(both):
        named = first([names.ids[row] for row in both.tolist()])
        files = f"{request.members_index} and {request.non_members_index}"
        tip = "a sample is a member or a non-member: take these out of one of the lists"
        raise DataSetError(f"{files}: expected no sample in both, got {len(both):,}: {named}", tip=tip)
    return members, non_members


def _rest(rows: Int64Array, n: int) -> Int64Array:
    is_left = np.ones(n, np.bool_)
    is_left[rows] = False
    return np.flatnonzero(is_left)


def _prefixed(side: Side, name: str) -> Side:
    return replace(side, sample_id=[f"{name}/{sample_id}" for sample_id in side.sample_id])


def _called(file: Path) -> str:
    """A list by its name and digest; ranges by themselves."""
    if is_ranges(file):
        return str(file)
    return f"{file.name} (SHA-256 {hashlib.sha256(file.read_bytes()).hexdigest()[:12]})"


def _notes(pool: Side, request: DataRequest, what: str, n_members: int, n_non_members: int) -> tuple[str, ...]:
    lists = ", ".join(_called(path) for path in (getattr(request, name) for name in LISTS) if path)
    notes = [f"membership from {lists}: {n_members:,} members, {n_non_members:,} non-members of {what}"]
    n_left = len(pool) - n_members - n_non_members
    if n_left:
        notes.append(f"{n_left:,} samples of {what} are in neither list and were left out")
    elif request.members_index is None and request.membership is None:
        notes.append(f"members are the samples of {what} that are not listed as non-members")
    elif request.non_members_index is None and request.membership is None:
        notes.append(f"non-members are the samples of {what} that are not listed as members")
    return tuple(notes)
