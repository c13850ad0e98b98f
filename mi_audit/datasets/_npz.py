"""Somebody else's ``.npz`` files, read without trusting them."""

import math
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mi_audit.errors import DataSetError

# What is read may not be larger than this many times the file, a bound that real images stay far below. Labels and
# flags compress better than images, so that small totals are always let through.
MAX_EXPANSION = 200
ALWAYS_ALLOWED_BYTES = 2**26

NUMERIC_KINDS = "fiub"


def read_arrays(file: Path, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, npt.NDArray[Any]]:
    """The arrays of these names in an ``.npz``, stored or deflated; others in it are not touched.

    Nothing is unpickled, and nothing is allocated before the header of every array fits the size that the archive
    states for it, and all of them together fit `MAX_EXPANSION`.

    Raises:
        DataSetError: no such file; not an ``.npz``, or truncated; an array is missing, twice there, not numeric, or
            expands beyond the bound.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            wanted = _wanted(file, archive, required, optional)
            for name, entry in wanted.items():
                _check_header(f"{file}: {name}", archive, entry)
            return {name: _read(archive, entry) for name, entry in wanted.items()}
    except OSError as error:
        raise DataSetError(f"{file}: {_why(error)}", tip="--data arrays:FILE.npz") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        message = f"{file}: expected an .npz file of arrays, got one that is damaged, truncated or of another kind"
        raise DataSetError(
            message, tip="write it again with numpy.savez(FILE, images=..., labels=..., is_member=...)"
        ) from error


def _why(error: OSError) -> str:
    return "no such file" if isinstance(error, FileNotFoundError) else error.strerror or "cannot be read"


def _wanted(
    file: Path, archive: zipfile.ZipFile, required: Sequence[str], optional: Sequence[str]
) -> dict[str, zipfile.ZipInfo]:
    """The entries to read, by array name."""
    entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
    count = Counter(entry.filename.removesuffix(".npy") for entry in archive.infolist())
    missing = [name for name in required if name not in entries]
    if missing:
        message = f"{file}: expected the arrays {', '.join(required)}, got no {', '.join(missing)}"
        raise DataSetError(message, tip=f"there is: {', '.join(sorted(entries)) or 'nothing'}")
    wanted = {name: entries[name] for name in (*required, *optional) if name in entries}
    twice = [name for name in wanted if count[name] > 1]
    if twice:
        raise DataSetError(f"{file}: expected every array once, got {', '.join(twice)} more than once")
    # The decoders of other methods return whole blocks, however far these expand.
    if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in wanted.values()):
        raise DataSetError(f"{file}: expected stored or deflated arrays, got another compression")
    n_bytes = sum(entry.file_size for entry in wanted.values())
    allowed = max(ALWAYS_ALLOWED_BYTES, MAX_EXPANSION * file.stat().st_size)
    if n_bytes > allowed:
        raise DataSetError(
            f"{file}: expected arrays of at most {MAX_EXPANSION} times the file's size, got {n_bytes:,} bytes",
            tip="if the file is yours, write it uncompressed with numpy.savez",
        )
    return wanted


def _check_header(place: str, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Stop unless the entry is a numeric array of exactly the size that the archive states."""
    with archive.open(entry) as stream:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
        n_bytes = stream.tell() + math.prod(shape) * dtype.itemsize
    if dtype.hasobject:
        raise DataSetError(
            f"{place}: expected numbers, got an object array, which is never opened",
            tip="convert it before saving: numpy.asarray(values, dtype=...)",
        )
    if dtype.kind not in NUMERIC_KINDS:
        raise DataSetError(f"{place}: expected numbers, got {dtype}")
    if n_bytes != entry.file_size:
        raise DataSetError(f"{place}: expected {n_bytes:,} bytes by its header, got {entry.file_size:,}")


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> npt.NDArray[Any]:
    with archive.open(entry) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)
