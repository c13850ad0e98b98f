"""The image files of a tar archive, found once and read where they lie; nothing is ever unpacked to a disk."""

import io
import os
import posixpath
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mi_audit.datasets._words import first, printable
from mi_audit.errors import DataSetError

# Larger members are no photos, and each is held in memory while it is decoded.
MAX_MEMBER_BYTES = 2**28
COMPRESSED = {b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zX": "unxz", b"\x28\xb5\x2f\xfd": "unzstd"}


@dataclass(frozen=True, eq=False)
class TarMembers:
    """The files in an archive, as far as `FileImages` needs a folder: ``members / path`` is a file to read.

    Attributes:
        file: the archive.
        places: offset and size in bytes of every file, by its path.
        folders: paths of all folders, those without files too.
    """

    file: Path
    places: dict[str, tuple[int, int]]
    folders: frozenset[str]

    def __str__(self) -> str:
        return str(self.file)

    def __truediv__(self, path: str) -> "OpenedMember":
        offset, size = self.places[path]
        with self.file.open("rb") as opened:
            status = os.fstat(opened.fileno())
            opened.seek(offset)
            content = opened.read(size)
        if len(content) < size:
            raise ValueError("the archive became shorter")
        return OpenedMember(content, status)


class OpenedMember(io.BytesIO):
    """The content of one file, and the status of a file like it."""

    def __init__(self, content: bytes, archive: os.stat_result) -> None:
        super().__init__(content)
        self.st_size = len(content)
        self.st_mtime_ns = archive.st_mtime_ns

    def stat(self) -> "OpenedMember":
        """Its size and the archive's time of change."""
        return self


def members_of(file: Path) -> TarMembers:
    """All files of an archive, after a look at every header; no content is read.

    Raises:
        DataSetError: no such file, compressed, truncated or no archive; a name that leads out of the archive or stands
            there twice; links, devices or sparse files.
    """
    found = _Found(file)
    try:
        with file.open("rb") as opened:
            start, n_bytes = opened.read(4), os.fstat(opened.fileno()).st_size
        for magic, tool in COMPRESSED.items():
            if start.startswith(magic):
                tip = f"{tool} it first: images of a compressed archive cannot be read one by one"
                raise DataSetError(f"{file}: expected an uncompressed .tar, got a compressed one", tip=tip)
        for member in _headers(file):
            found.add(member, n_bytes)
    except OSError as error:
        if isinstance(error, tarfile.TarError):
            raise _damaged(file) from error
        what = "no such file" if isinstance(error, FileNotFoundError) else error.strerror or "cannot be read"
        raise DataSetError(f"{file}: {what}", tip="--data tar:FILE.tar") from error
    except (tarfile.TarError, EOFError, ValueError, OverflowError, IndexError, KeyError) as error:
        raise _damaged(file) from error
    return found.checked()


def _headers(file: Path) -> Iterator[tarfile.TarInfo]:
    with tarfile.open(file, "r:") as archive:
        while (member := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # it would keep them all, a kilobyte each
            yield member


@dataclass
class _Found:
    """What the headers said so far."""

    file: Path
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    hostile: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)

    def add(self, member: tarfile.TarInfo, n_bytes: int) -> None:
        """One header; `n_bytes` has the whole archive."""
        name = posixpath.normpath(member.name)
        if member.name.startswith("/") or name.split("/")[0] == ".." or ".." in member.name.split("/"):
            self.hostile.append(member.name)
        elif member.isdir():
            self.folders.add(name)
        elif not member.isreg() or member.issparse():
            self.odd.append(name)
        elif name in self.places:
            self.twice.append(name)
        elif member.size < 0 or member.offset_data + member.size > n_bytes:
            raise tarfile.ReadError("a file that goes on behind the end")
        elif member.size > MAX_MEMBER_BYTES:
            self.odd.append(name)
        else:
            self.places[name] = (member.offset_data, member.size)

    def checked(self) -> TarMembers:
        """All files, unless something is wrong with some."""
        for what, names in (
            ("names that stay in it", self.hostile),
            (f"files of up to {MAX_MEMBER_BYTES >> 20} MB, no links, devices or sparse files", self.odd),
            ("every name once", self.twice),
        ):
            if names:
                tip = "unpack it where that is safe, and give the folder"
                raise DataSetError(f"{self.file}: expected {what}, got {len(names):,} others: {first(names)}", tip=tip)
        parents = {name.rpartition("/")[0] for name in self.places}
        folders = self.folders | parents
        for parent in [*folders]:
            while (parent := parent.rpartition("/")[0]) and parent not in folders:
                folders.add(parent)
        return TarMembers(self.file, self.places, frozenset(folders - {"", "."}))


def _damaged(file: Path) -> DataSetError:
    return DataSetError(
        f"{printable(file)}: expected a .tar archive, got one that is damaged, truncated or of another kind"
    )
