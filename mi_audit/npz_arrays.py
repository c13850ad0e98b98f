"""Somebody else's ``.npz`` files, read without trusting them.

Nothing is unpickled, and nothing is allocated before the header of every array fits the size that the archive states
for it, and all of them together fit `MAX_EXPANSION`.
"""

import math
import struct
import tokenize
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mi_audit.errors import InputError

# What is read may not be larger than this many times the file, a bound that real arrays stay far below. Labels and
# flags compress better than images, so that small totals are always let through.
MAX_EXPANSION = 200
ALWAYS_ALLOWED_BYTES = 2**26

# What zipfile, zlib and numpy's reader of headers (a Python literal) raise for bytes that nobody meant.
_OF_DAMAGED_FILES = (
    *(zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError, SyntaxError, EOFError, NotImplementedError),
    *(ValueError, TypeError, LookupError, ArithmeticError, RuntimeError),
)

NUMERIC_KINDS = "fiub"
TEXT_KINDS = "US"


@dataclass(frozen=True)
class Refusals:
    """How a reader of such files refuses one.

    Attributes:
        error: the kind of error.
        not_there: tip for a file that cannot be opened.
        damaged: tip for a file that is no ``.npz``, or is damaged.
    """

    error: type[InputError]
    not_there: str
    damaged: str


def read_arrays(
    file: Path,
    required: Sequence[str],
    optional: Sequence[str],
    refusals: Refusals,
    kinds: str = NUMERIC_KINDS,
) -> dict[str, npt.NDArray[Any]]:
    """The arrays of these names in an ``.npz``, stored or deflated; others in it are not touched.

    Args:
        file: to be read.
        required: names that have to be there.
        optional: names that may be there.
        refusals: how it is refused.
        kinds: of dtypes that are let through, `NUMERIC_KINDS` or with `TEXT_KINDS`.

    Raises:
        InputError: of the kind asked for. No such file; not an ``.npz``, or truncated; an array is missing, twice
            there, of another kind, or expands beyond the bound.
    """
    with _opened(file, refusals) as archive:
        wanted = _wanted(file, archive, required, optional, refusals.error)
        for name, entry in wanted.items():
            _check_header(f"{file}: {name}", archive, entry, kinds, refusals.error)
        return {name: _read(archive, entry) for name, entry in wanted.items()}


def array_names(file: Path, refusals: Refusals) -> list[str]:
    """The names of all arrays in an ``.npz``, in its order.

    Raises:
        InputError: of the kind asked for. No such file, or not an ``.npz``.
    """
    with _opened(file, refusals) as archive:
        return [_name_of(entry) for entry in archive.infolist()]


@contextmanager
def _opened(file: Path, refusals: Refusals) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except OSError as error:
        raise refusals.error(f"{file}: {_why(error)}", tip=refusals.not_there) from error
    except _OF_DAMAGED_FILES as error:
        message = f"{file}: expected an .npz file of arrays, got one that is damaged, truncated or of another kind"
        raise refusals.error(message, tip=refusals.damaged) from error


def _why(error: OSError) -> str:
    return "no such file" if isinstance(error, FileNotFoundError) else error.strerror or "cannot be read"


def _name_of(entry: zipfile.ZipInfo) -> str:
    return entry.filename.removesuffix(".npy")


def _wanted(
    file: Path,
    archive: zipfile.ZipFile,
    required: Sequence[str],
    optional: Sequence[str],
    refused: type[InputError],
) -> dict[str, zipfile.ZipInfo]:
    """The entries to read, by array name."""
    entries = {_name_of(entry): entry for entry in archive.infolist()}
    count = Counter(_name_of(entry) for entry in archive.infolist())
    missing = [name for name in required if name not in entries]
    if missing:
        message = f"{file}: expected the arrays {', '.join(required)}, got no {', '.join(missing)}"
        raise refused(message, tip=f"there is: {', '.join(sorted(entries)) or 'nothing'}")
    wanted = {name: entries[name] for name in (*required, *optional) if name in entries}
    twice = [name for name in wanted if count[name] > 1]
    if twice:
        raise refused(f"{file}: expected every array once, got {', '.join(twice)} more than once")
    # The decoders of other methods return whole blocks, however far these expand.
    if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in wanted.values()):
        raise refused(f"{file}: expected stored or deflated arrays, got another compression")
    n_bytes = sum(entry.file_size for entry in wanted.values())
    allowed = max(ALWAYS_ALLOWED_BYTES, MAX_EXPANSION * file.stat().st_size)
    if n_bytes > allowed:
        raise refused(
            f"{file}: expected arrays of at most {MAX_EXPANSION} times the file's size, got {n_bytes:,} bytes",
            tip="if the file is yours, write it uncompressed with numpy.savez",
        )
    return wanted


def _check_header(
    place: str, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, kinds: str, refused: type[InputError]
) -> None:
    """Stop unless the entry is an array of these kinds and of exactly the size that the archive states."""
    with archive.open(entry) as stream:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
        n_bytes = stream.tell() + math.prod(shape) * dtype.itemsize
    expected = "numbers or text" if "U" in kinds else "numbers"
    if dtype.hasobject:
        raise refused(
            f"{place}: expected {expected}, got an object array, which is never opened",
            tip="convert it before saving: numpy.asarray(values, dtype=...)",
        )
    if dtype.kind not in kinds:
        raise refused(f"{place}: expected {expected}, got {dtype}")
    if n_bytes != entry.file_size:
        raise refused(f"{place}: expected {n_bytes:,} bytes by its header, got {entry.file_size:,}")


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> npt.NDArray[Any]:
    with archive.open(entry) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)
