"""The two ways to have images: arrays in memory, and files decoded on demand."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from mi_audit.datasets._decoding import Header, decoded, header, image_suffixes, reason
from mi_audit.datasets.interface import Geometry, Images, Int64Array, UInt8Array
from mi_audit.errors import DataSetError

__all__ = ["N_NAMED", "ArrayImages", "FileImages", "attempt", "image_suffixes", "max_unreadable"]

# Pillow lets other threads run while it decodes and resizes, so threads do, and cost no copies between processes.
N_THREADS = min(32, os.cpu_count() or 1)
N_DIGEST_ROWS = 4096
N_FIRST_HEADS = 64
N_NAMED = 5
# Work is shared out in parts of at most so many files: what waits in the queue costs more than a small image.
FILES_PER_TASK = 16

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class ArrayImages:
    """Images of one shape in memory.

    Attributes:
        pixels: (n, height, width, channels) uint8; grey images (n, height, width) get one channel.
        rows: positions in `pixels` of the images that these are, in order; ``None`` for all.

    Raises:
        DataSetError: not uint8, or not of three or four dimensions.
    """

    pixels: UInt8Array
    rows: Int64Array | None = None

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim not in (3, 4):
            got = f"{self.pixels.dtype} {self.pixels.shape}"
            raise DataSetError(f"expected uint8 images of shape (n, height, width[, channels]), got {got}")
        if self.pixels.ndim == 3:
            object.__setattr__(self, "pixels", self.pixels[..., np.newaxis])

    def __len__(self) -> int:
        return len(self.pixels if self.rows is None else self.rows)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        height, width, channels = self.pixels.shape[1:]
        return height, width, channels

    def with_geometry(self, geometry: Geometry) -> "ArrayImages":  # noqa: ARG002 - the protocol's argument
        """These images: an array has one geometry already, and the target resizes on its device."""
        return self

    def take(self, rows: Int64Array) -> "ArrayImages":
        """The images at these positions, in this order, without copying a pixel."""
        return replace(self, rows=np.asarray(rows, np.int64) if self.rows is None else self.rows[rows])

    def read(self, start: int, stop: int) -> UInt8Array:
        """A copy of the images ``start`` to ``stop`` (exclusive), (n, height, width, channels) uint8."""
        if self.rows is None:
            return self.pixels[start:stop].copy()
        return np.ascontiguousarray(self.pixels[self.rows[start:stop]])

    def digest(self) -> str:
        """SHA-256 over the shape and the pixels, in order."""
        digest = hashlib.sha256(repr((len(self), *self.shape)).encode())
        for start in range(0, len(self), N_DIGEST_ROWS):
            digest.update(self.read(start, start + N_DIGEST_ROWS).data)
        return digest.hexdigest()


@runtime_checkable
class MayFail(Protocol):
    """Images of which some may turn out to be unreadable."""

    def attempt(self, start: int, stop: int) -> tuple[UInt8Array, npt.NDArray[np.bool_]]:
        """As `Images.read`, with black images in place of those that cannot be read, and which can be: (n,) bool."""
        ...


def attempt(images: Images, start: int, stop: int) -> tuple[UInt8Array, npt.NDArray[np.bool_]]:
    """Images ``start`` to ``stop`` (exclusive), and which of them could be read: black stands for the others.

    Args:
        images: of any kind.
        start: first of them.
        stop: one past the last.
    """
    if isinstance(images, MayFail):
        return images.attempt(start, stop)
    pixels = images.read(start, stop)
    return pixels, np.ones(len(pixels), np.bool_)


def max_unreadable(n: int) -> int:
    """Of `n` images, how many may be unreadable before there is something wrong with the whole: 1 %."""
    return n // 100


@dataclass(frozen=True, eq=False)
class FileImages:
    """Image files, decoded with a few threads when they are read; `_decoding` says what becomes of each kind.

    Attributes:
        root: the folder that `paths` are relative to.
        paths: one relative path per image.
        geometry: what every image is brought to; ``None`` for images as they are.
    """

    root: Path
    paths: tuple[str, ...]
    geometry: Geometry | None = None

    def __len__(self) -> int:
        return len(self.paths)

    @cached_property
    def shape(self) -> tuple[int, int, int] | None:
        """Height, width and channels of every image, read from the heads of the files; ``None`` where sizes vary.

        A few heads are enough to see that sizes vary; all are read where they do not. Up to `max_unreadable` heads
        that cannot be read are left to `attempt`.

        Raises:
            DataSetError: more of them cannot be read; it says how many and which.
        """
        if self.geometry is not None:
            return self.geometry.height, self.geometry.width, 3
        step = -(-len(self) // N_FIRST_HEADS) or 1
        if len(self._sizes(self.paths[::step])[0]) > 1:
            return None
        sizes, failures = self._sizes(self.paths)
        if len(failures) > max_unreadable(len(self)) or (failures and not sizes):
            raise self._error(failures, len(self))
        if len(sizes) != 1:
            return None
        width, height = sizes.pop()
        return height, width, 3

    def with_geometry(self, geometry: Geometry) -> "FileImages":
        """The same images, resized and cropped by the threads that decode them."""
        return replace(self, geometry=geometry)

    def take(self, rows: Int64Array) -> "FileImages":
        """The images at these positions, in this order; no file is opened."""
        return replace(self, paths=tuple(self.paths[row] for row in rows.tolist()))

    def read(self, start: int, stop: int) -> UInt8Array:
        """Images ``start`` to ``stop`` (exclusive), decoded: (n, height, width, 3) uint8.

        Raises:
            DataSetError: some cannot be decoded (it says how many and which), or sizes vary without a geometry.
        """
        pixels, failures = self._decoded(start, stop)
        if failures:
            raise self._error(list(failures.values()), len(pixels))
        return pixels

    def attempt(self, start: int, stop: int) -> tuple[UInt8Array, npt.NDArray[np.bool_]]:
        """As `read`, with black images in place of those that cannot be decoded, and which can be: (n,) bool.

        Raises:
            DataSetError: sizes vary without a geometry.
        """
        pixels, failures = self._decoded(start, stop)
        is_readable = np.ones(len(pixels), np.bool_)
        is_readable[list(failures)] = False
        return pixels, is_readable

    def headers(self) -> list[Header]:
        """What the heads of the files say, in order; those that cannot be read are left out."""
        return [each for each in self._each(header, self.paths) if not isinstance(each, _Failure)]

    def digest(self) -> str:
        """SHA-256 over relative path, size and time of change (ns) of every file in order, and the geometry.

        Raises:
            DataSetError: some files are not there; it says how many and which.
        """
        digest, failures = hashlib.sha256(repr(self.geometry).encode()), []
        for path, status in zip(self.paths, self._each(_size_and_time, self.paths), strict=True):
            if isinstance(status, _Failure):
                failures.append(status)
            else:
                digest.update(os.fsencode(path) + f"\0{status[0]}\0{status[1]}\0".encode())
        if failures:
            raise self._error(failures, len(self))
        return digest.hexdigest()

    def _decoded(self, start: int, stop: int) -> tuple[UInt8Array, "dict[int, _Failure]"]:
        """Pixels, black where an image cannot be decoded, and the failures by position from `start`."""
        shape = self.shape
        if shape is None:
            raise DataSetError(
                f"{self.root}: expected images of one size, got several and no geometry to bring them to"
            )
        paths, failures = self.paths[start:stop], {}
        pixels = np.empty((len(paths), *shape), np.uint8)
        for row, image in enumerate(self._each(partial(decoded, geometry=self.geometry, shape=shape), paths)):
            if isinstance(image, _Failure):
                failures[row] = image
            pixels[row] = 0 if isinstance(image, _Failure) else image
        return pixels, failures

    def _sizes(self, paths: Sequence[str]) -> "tuple[set[tuple[int, int]], list[_Failure]]":
        """The different widths and heights of these files, and those whose head cannot be read."""
        sizes, failures = set(), []
        for each in self._each(header, paths):
            if isinstance(each, _Failure):
                failures.append(each)
            else:
                sizes.add((each.width, each.height))
        return sizes, failures

    def _each(self, read: Callable[[Path], T], paths: Sequence[str]) -> "Iterator[T | _Failure]":
        """What `read` makes of every file, in order, or why it fails; a few are under way at any time."""

        def results(some: Sequence[str]) -> "list[T | _Failure]":
            return [_attempted(read, self.root, path) for path in some]

        n_at_once = max(1, min(FILES_PER_TASK, len(paths) // (4 * N_THREADS)))
        parts = (paths[start : start + n_at_once] for start in range(0, len(paths), n_at_once))
        with ThreadPoolExecutor(N_THREADS) as pool:
            while some := list(islice(parts, 64 * N_THREADS)):
                for finished in pool.map(results, some):
                    yield from finished

    def _error(self, failures: "list[_Failure]", n: int) -> DataSetError:
        """All failures as one error."""
        named = ", ".join(failure.text for failure in failures[:N_NAMED]) + ", ..." * (len(failures) > N_NAMED)
        return DataSetError(
            f"{self.root}: expected readable images, got {len(failures)} of {n} that are not: {named}",
            tip="repair these files, or take them out of the folder",
        )


@dataclass(frozen=True)
class _Failure:
    """A file that could not be read, and why."""

    text: str


def _attempted(read: Callable[[Path], T], root: Path, path: str) -> T | _Failure:
    try:
        return read(root / path)
    except MemoryError:
        raise
    except Exception as error:  # each format's decoder raises what it likes: OSError, SyntaxError, struct.error ...
        return _Failure(f"{path} ({reason(error)})")


def _size_and_time(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
