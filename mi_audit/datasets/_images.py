"""The two ways to have images: arrays in memory, and files decoded on demand."""

import hashlib
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError

from mi_audit.datasets.interface import Geometry, Int64Array, UInt8Array
from mi_audit.errors import DataSetError

# Formats with a decoder inside Pillow. Others that it registers start programs (EPS) or only describe a file (HDF5).
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
N_THREADS = min(8, os.cpu_count() or 1)
# Decoding takes up to 8 bytes a pixel, and a file of 20 KB can unpack to any number of them. So images of many pixels
# are decoded one at a time, and those of more than Pillow warns about not at all.
MAX_PIXELS, MANY_PIXELS = 89_478_485, 1 << 24
N_DIGEST_ROWS = 4096
N_NAMED = 5
RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}

_ALONE = threading.Lock()

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


@dataclass(frozen=True, eq=False)
class FileImages:
    """Image files, decoded with a few threads when they are read.

    Every image is made RGB the way Pillow does it (grey is repeated, transparency dropped, the first frame taken). A
    note in the file about how to turn it is not followed: nor does torchvision's `ImageFolder`, with which such targets
    are trained.

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

        Raises:
            DataSetError: some heads cannot be read; it says how many and which.
        """
        if self.geometry is not None:
            return self.geometry.height, self.geometry.width, 3
        sizes = set(self._each(_size, self.paths))
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
        shape = self.shape
        if shape is None:
            raise DataSetError(
                f"{self.root}: expected images of one size, got several and no geometry to bring them to"
            )
        images = self._each(partial(_decoded, geometry=self.geometry, shape=shape), self.paths[start:stop])
        return np.stack(images) if images else np.empty((0, *shape), np.uint8)

    def digest(self) -> str:
        """SHA-256 over relative path, size and time of change (ns) of every file in order, and the geometry."""
        digest = hashlib.sha256(repr(self.geometry).encode())
        for path, (size, mtime_ns) in zip(self.paths, self._each(_size_and_time, self.paths), strict=True):
            digest.update(os.fsencode(path) + f"\0{size}\0{mtime_ns}\0".encode())
        return digest.hexdigest()

    def _each(self, read: Callable[[Path], T], paths: Iterable[str]) -> list[T]:
        """What `read` makes of every file, in order; all failures together are one error."""

        def attempt(path: str) -> T | _Failure:
            try:
                return read(self.root / path)
            except MemoryError:
                raise
            except (
                Exception
            ) as error:  # each format's decoder raises what it likes: OSError, SyntaxError, struct.error ...
                return _Failure(f"{path} ({_reason(error)})")

        with ThreadPoolExecutor(N_THREADS) as pool:
            results = list(pool.map(attempt, paths))
        failures = [result for result in results if isinstance(result, _Failure)]
        if failures:
            named = ", ".join(failure.text for failure in failures[:N_NAMED]) + ", ..." * (len(failures) > N_NAMED)
            message = (
                f"{self.root}: expected readable images, got {len(failures)} of {len(results)} that are not: {named}"
            )
            raise DataSetError(message, tip="repair these files, or take them out of the folder")
        return [result for result in results if not isinstance(result, _Failure)]


@dataclass(frozen=True)
class _Failure:
    """A file that could not be read, and why."""

    text: str


def image_suffixes() -> frozenset[str]:
    """Suffixes (lower case, with the dot) of the files that `FileImages` can decode here."""
    suffixes = Image.registered_extensions()
    return frozenset(suffix for suffix, kind in suffixes.items() if kind in FORMATS and kind in Image.OPEN)


def _opened(path: Path) -> Image.Image:
    """The image with its head read.

    Raises:
        ValueError: it says that it has more pixels than `MAX_PIXELS`; a file of 20 KB can.
    """
    image = Image.open(path, formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise ValueError(f"{image.width} x {image.height} pixels, more than {MAX_PIXELS:,}")
    return image


def _size(path: Path) -> tuple[int, int]:
    """Width and height from the head of the file."""
    with _opened(path) as image:
        return image.size


def _size_and_time(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _decoded(path: Path, geometry: Geometry | None, shape: tuple[int, int, int]) -> UInt8Array:
    """One image as (height, width, 3) uint8."""
    with _opened(path) as image, _ALONE if image.width * image.height > MANY_PIXELS else nullcontext():
        # Straight to RGB gives the same pixels, but Pillow warns where a palette has transparency.
        rgb = (image.convert("RGBA") if image.mode == "P" else image).convert("RGB")
    pixels = np.asarray(rgb if geometry is None else _fitted(rgb, geometry))
    if pixels.shape != shape:
        raise ValueError(f"{pixels.shape[0]} x {pixels.shape[1]} pixels, not {shape[0]} x {shape[1]} as before")
    return pixels


def _fitted(image: Image.Image, geometry: Geometry) -> Image.Image:
    """The image resized and cropped, as torchvision's ``Resize`` and ``CenterCrop`` of a Pillow image do it."""
    width, height = geometry.width, geometry.height
    if geometry.resize is not None:
        shorter = min(image.size)
        width = max(width, geometry.resize * image.width // shorter)
        height = max(height, geometry.resize * image.height // shorter)
    if width * height > MAX_PIXELS:
        raise ValueError(f"{image.width} x {image.height} pixels are too narrow to resize")
    resized = image.resize((width, height), RESAMPLING[geometry.interpolation])
    left, top = round((width - geometry.width) / 2), round((height - geometry.height) / 2)
    return resized.crop((left, top, left + geometry.width, top + geometry.height))


def _reason(error: Exception) -> str:
    """What is wrong with a file, in few words and without its path, which stands beside it."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
