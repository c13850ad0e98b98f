"""The index of classifiers: which networks of timm and torchvision have state dicts of these names and shapes.

A text file, shipped with the package and rebuilt by ``mi-audit index`` for other versions of the libraries. Its first
line tells the versions; each further line is one network: the hash of its tensors' names, the hash of names and shapes,
the dimensions that the number of classes and of channels decide, and ``library:name``.
"""

import functools
import importlib.metadata
import importlib.resources
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mi_audit.targets._identification.signatures import (
    CHANNELS,
    CLASSES,
    OpenDimension,
    Shapes,
    hash_of_names,
    hash_of_shapes,
    open_sizes,
    parsed,
)

FILE_NAME = "classifiers.txt"
_FORMAT = 1
_FIRST_LINE = re.compile(r"mi-audit classifiers (\d+); timm ([\w.+-]{1,40}); torchvision ([\w.+-]{1,40})")
_LINE = re.compile(r"([0-9a-f]{10}) ([0-9a-f]{10}) (\S+) (timm|torchvision):([\w-]+)")
_LARGEST_FILE = 2**22


@dataclass(frozen=True)
class Versions:
    """Versions of the libraries whose networks an index holds."""

    timm: str
    torchvision: str


@dataclass(frozen=True)
class Entry:
    """A network in the index.

    Attributes:
        library, name: of the network.
        names_hash: of the names of its tensors.
        shapes_hash: of names and shapes, without the open dimensions.
        free: the open dimensions.
    """

    library: str
    name: str
    names_hash: str
    shapes_hash: str
    free: tuple[OpenDimension, ...]


@dataclass(frozen=True)
class Hit:
    """A network whose tensors have the names of those that were looked up.

    Attributes:
        library, name: of the network.
        n_classes, n_channels: as the shapes tell them; the channels are 3 where the network takes no others.
        is_whole: whether the shapes are those of the network too, and not the names alone.
    """

    library: str
    name: str
    n_classes: int
    n_channels: int
    is_whole: bool


@dataclass(frozen=True)
class Index:
    """The networks by the hash of their tensors' names, and the versions of the libraries they are of."""

    versions: Versions
    by_names: Mapping[str, tuple[Entry, ...]]

    def look_up(self, shapes: Shapes) -> tuple[Hit, ...]:
        """The networks that have tensors of these names, those of these shapes first."""
        found = []
        for entry in self.by_names.get(hash_of_names(shapes), ()):
            sizes = open_sizes(shapes, entry.free) or {}
            is_whole = hash_of_shapes(shapes, entry.free) == entry.shapes_hash
            hit = Hit(entry.library, entry.name, sizes.get(CLASSES, 0), sizes.get(CHANNELS, 3), is_whole)
            found.append(hit)
        return tuple(sorted(found, key=lambda hit: not hit.is_whole))


def written(versions: Versions, entries: Iterable[Entry]) -> str:
    """The text of an index file."""
    lines = [f"mi-audit classifiers {_FORMAT}; timm {versions.timm}; torchvision {versions.torchvision}"]
    for entry in entries:
        free = ",".join(map(str, entry.free))
        lines.append(f"{entry.names_hash} {entry.shapes_hash} {free} {entry.library}:{entry.name}")
    return "\n".join(lines) + "\n"


def read(text: str) -> Index:
    """The index in the text of an index file.

    Raises:
        ValueError: it is none, or of another format.
    """
    first, *lines = text.splitlines() or [""]
    head = _FIRST_LINE.fullmatch(first)
    if head is None or int(head[1]) != _FORMAT:
        raise ValueError(f"expected an index of classifiers of format {_FORMAT}, got {first[:60]!r}")
    by_names: dict[str, list[Entry]] = {}
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"expected hashes, dimensions and a name, got {line[:60]!r}")
        entry = Entry(match[4], match[5], match[1], match[2], parsed(match[3]))
        by_names.setdefault(entry.names_hash, []).append(entry)
    return Index(Versions(head[2], head[3]), {key: tuple(found) for key, found in by_names.items()})


def user_path() -> Path:
    """Where a rebuilt index lies: in the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "mi-audit" / FILE_NAME


def installed_versions() -> Versions:
    """Those of the libraries that are installed, told without importing them."""
    timm, torchvision = (importlib.metadata.version(name).partition("+")[0] for name in ("timm", "torchvision"))
    return Versions(timm, torchvision)


def current(installed: Versions) -> tuple[Index, tuple[str, ...]]:
    """The rebuilt index where it is of the installed libraries and the shipped one is not, and a note on its age."""
    shipped = _shipped()
    rebuilt = _rebuilt() if shipped.versions != installed else None
    index = rebuilt if rebuilt is not None and rebuilt.versions == installed else shipped
    if index.versions == installed:
        return index, ()
    of, here = (f"timm {one.timm} and torchvision {one.torchvision}" for one in (index.versions, installed))
    return index, (f"the index of classifiers is of {of}, installed are {here}: `mi-audit index` rebuilds it",)


@functools.cache
def _shipped() -> Index:
    file = importlib.resources.files("mi_audit") / "targets" / "_identification" / FILE_NAME
    return read(file.read_text(encoding="ascii"))


def _rebuilt() -> Index | None:
    """The index in the user's cache folder; a damaged one is as good as none, since it is rebuilt by one command."""
    path = user_path()
    try:
        if path.stat().st_size > _LARGEST_FILE:
            return None
        return read(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
