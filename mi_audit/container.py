"""The bytes of a container: a zip of stored npy members, which NumPy reads too and which is mapped where it lies.

    <name>.npy                            the values of an array, from a multiple of 64 bytes on
    <name>.blob.npy, <name>.offsets.npy   strings: their UTF-8 text in a row, and where each starts
    header.npy                            UTF-8 JSON as uint8; last, since it holds the digests of what came before

Nothing here knows a file's name, or what a record is; names of arrays are keys and never paths. Of an npy header
nothing is parsed: the header of the container says what it has to be, and it has to be that, byte by byte.
"""

import functools
import json
import math
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

import numpy as np

from mi_audit import zip_members
from mi_audit.errors import ContainerError
from mi_audit.schema import strings
from mi_audit.schema.arrays import Array, digest, digest_start, little_endian, row_blocks
from mi_audit.zip_members import Buffer, Member

FORMAT_VERSION = 1
MAX_HEADER_BYTES = 128 << 20
MAX_LENGTH = 2**48  # of an axis
MAX_AXES = 32

# What arrays may hold, as NumPy spells it; strings are "U", whatever their length.
_STRINGS = "U"
_NUMBERS = frozenset(("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8"))
_HEADER = "header.npy"
_UINT8, _INT64 = np.dtype(np.uint8), np.dtype("<i8")


@dataclass(frozen=True)
class RowBlocks:
    """An array that is never whole in memory.

    Attributes:
        shape: of the whole array, at least one axis.
        dtype: of every block.
        blocks: its rows from the first to the last, each block (n_rows, *shape[1:]).
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    blocks: Iterable[Array]

    def __iter__(self) -> Iterator[Array]:
        """The blocks, checked as they come."""
        n_rows = 0
        for block in self.blocks:
            n_rows += len(block)
            if block.shape[1:] != self.shape[1:] or block.dtype != self.dtype or n_rows > self.shape[0]:
                raise ValueError(f"expected rows of {self.dtype} {self.shape}, got {block.dtype} {block.shape}")
            yield block
        if n_rows != self.shape[0]:
            raise ValueError(f"expected {self.shape[0]} rows, got {n_rows}")


@dataclass(frozen=True)
class _Listed:
    """What the header says about one array."""

    dtype: str
    shape: tuple[int, ...]
    sha256: str

    def __post_init__(self) -> None:
        if self.dtype not in _NUMBERS and (self.dtype != _STRINGS or len(self.shape) != 1):
            raise ValueError(f"expected bools, integers, floats or a list of strings, got {self.dtype} {self.shape}")
        if len(self.shape) > MAX_AXES or not all(type(n) is int and 0 <= n <= MAX_LENGTH for n in self.shape):
            raise ValueError(f"expected a shape, got {str(self.shape)[:50]}")


def write(file: BinaryIO, fields: Mapping[str, Any], arrays: Mapping[str, Array | RowBlocks]) -> None:
    """Write a container to an empty file that can seek, in flat memory.

    Args:
        file: opened for writing.
        fields: JSON values for the header, beside the format version and the list of arrays.
        arrays: bools, integers, floats, or strings (kind U) along one axis.

    Raises:
        ValueError: arrays, names or fields that a container cannot hold; blocks that do not make their array.
    """
    members = {name: _members_of(name, array) for name, array in arrays.items()}
    names = [_HEADER, *(member for parts in members.values() for member in parts)]
    if len(set(names)) != len(names) or len(names) > zip_members.MAX_MEMBERS or "\0" in "".join(names):
        raise ValueError(f"expected at most {zip_members.MAX_MEMBERS} different names without NUL, got {names[:9]}")
    _dump(fields, {})  # what JSON cannot hold is found before gigabytes are written
    listing = {}
    with ThreadPoolExecutor(1) as digester, zipfile.ZipFile(file, "w") as archive:
        add = functools.partial(_add, file, archive, digester)
        for name in sorted(arrays):
            digests = [add(member, part) for member, part in members[name].items()]
            listing[name] = _listed(arrays[name], digests[0])
        add(_HEADER, np.frombuffer(_dump(fields, listing), np.uint8))


def read_header(buffer: Buffer) -> dict[str, Any]:
    """The header of a container: format version, list of arrays, and the fields; arrays are not touched.

    Raises:
        ContainerError: truncated, not a container, of a newer format, or changed since it was written.
    """
    return _header(buffer, zip_members.locate(buffer))


def read(buffer: Buffer, *, verify: bool = True) -> tuple[dict[str, Any], dict[str, Array]]:
    """The header and the arrays of a container, as read-only views into it; only strings are copied.

    Args:
        buffer: the whole container.
        verify: compare every array with its digest.

    Raises:
        ContainerError: as for `read_header`, or for arrays that are not as the header lists them.
    """
    members = zip_members.locate(buffer)
    header = _header(buffer, members)
    listing = _listing(header)
    expected = {_HEADER, *(member for name, listed in listing.items() for member in _member_names(name, listed.dtype))}
    if expected != set(members):
        raise ContainerError(f"it does not hold just what its header lists: {min(expected ^ set(members))!r}")
    return header, {name: _array(buffer, members, name, listed, verify) for name, listed in listing.items()}


def _member_names(name: str, dtype: str) -> tuple[str, ...]:
    return (f"{name}.blob.npy", f"{name}.offsets.npy") if dtype == _STRINGS else (f"{name}.npy",)


def _members_of(name: str, array: Array | RowBlocks) -> dict[str, Array | RowBlocks]:
    """The members that an array is written as."""
    code = _code(array.dtype)
    _Listed(code, array.shape, sha256="")
    parts = strings.encode(array) if isinstance(array, np.ndarray) and code == _STRINGS else (array,)
    return dict(zip(_member_names(name, code), parts, strict=True))


def _listed(array: Array | RowBlocks, written: str) -> dict[str, Any]:
    """What the header says about an array, the digest of whose first member is `written`."""
    if isinstance(array, np.ndarray) and array.dtype.kind == _STRINGS:
        written = digest(array)
    return asdict(_Listed(_code(array.dtype), array.shape, written))


def _code(dtype: np.dtype[Any]) -> str:
    return _STRINGS if dtype.kind == _STRINGS else dtype.newbyteorder("<").str


def _add(file: BinaryIO, archive: zipfile.ZipFile, digester: Executor, member: str, array: Array | RowBlocks) -> str:
    """Stream one array into the archive; its digest, which is taken of each block while it is written."""
    state = digest_start(array.dtype, array.shape)

    def chunks() -> Iterator[bytes | memoryview]:
        yield _npy_header(array.dtype, array.shape)
        for block in array if isinstance(array, RowBlocks) else row_blocks(array):
            values = little_endian(block).data
            digested = digester.submit(state.update, values)
            yield values
            digested.result()

    zip_members.add(file, archive, member, chunks())
    return state.hexdigest()


def _dump(fields: Mapping[str, Any], listing: Mapping[str, Any]) -> bytes:
    """The header as UTF-8 JSON with sorted keys, but for the format version, which comes first."""
    rest = _json({**fields, "arrays": listing})
    text = b'{"format_version":%d,%b' % (FORMAT_VERSION, rest[1:])
    if len(text) > MAX_HEADER_BYTES:
        raise ValueError(f"expected a header of at most {MAX_HEADER_BYTES >> 20} MB, got {len(text) / 2**20:.1f} MB")
    return text


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode()


def _header(buffer: Buffer, members: Mapping[str, Member]) -> dict[str, Any]:
    """The header, unchanged since it was written."""
    member = members.get(_HEADER)
    if member is None:
        raise ContainerError("it is not a file that mi-audit wrote: it has no header")
    if member.stop - member.start > MAX_HEADER_BYTES + (1 << 16):
        raise ContainerError(f"expected a header of at most {MAX_HEADER_BYTES >> 20} MB, got a larger one")
    if zlib.crc32(buffer[member.start : member.stop]) != member.crc:
        raise ContainerError("its header has changed since it was written")
    return _parsed(buffer, member)


def _parsed(buffer: Buffer, member: Member) -> dict[str, Any]:
    """The JSON of a header, when it is one that this version reads."""
    try:
        header = json.loads(_bytes(buffer, member).tobytes().decode())
        _json(header)  # refuses what a parser lets through and nothing can print: NaN, infinity, lone surrogates
    except (ValueError, RecursionError) as error:
        raise ContainerError(f"it is not a file that mi-audit wrote: its header cannot be read ({error})") from error
    version = header.get("format_version") if isinstance(header, dict) else None
    if not isinstance(header, dict) or type(version) is not int or version < 1:
        raise ContainerError("it is not a file that mi-audit wrote: its header has no format version")
    if version > FORMAT_VERSION:
        message = f"written by a newer mi-audit (format {version}), this one reads up to {FORMAT_VERSION}"
        raise ContainerError(message, tip="pip install --upgrade mi-audit")
    return header


def _listing(header: Mapping[str, Any]) -> dict[str, _Listed]:
    """The header's list of arrays."""
    try:
        entries = dict(header["arrays"])
        return {
            name: _Listed(entry["dtype"], tuple(entry["shape"]), entry["sha256"]) for name, entry in entries.items()
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ContainerError(f"its header does not list its arrays: {error}") from error


def _array(buffer: Buffer, members: Mapping[str, Member], name: str, listed: _Listed, verify: bool) -> Array:
    """One array, as it is listed."""
    parts = [members[member] for member in _member_names(name, listed.dtype)]
    try:
        if listed.dtype == _STRINGS:
            offsets = _values(buffer, parts[1], _INT64, (listed.shape[0] + 1,))
            array = strings.decode(_bytes(buffer, parts[0]), offsets)
        else:
            array = _values(buffer, parts[0], np.dtype(listed.dtype), listed.shape)
        is_whole = not verify or digest(array) == listed.sha256
    except ValueError as error:
        raise ContainerError(f"array {name!r} is damaged: {error}") from error
    if not is_whole:
        raise ContainerError(f"array {name!r} has changed since it was written: its SHA-256 is another")
    return array


def _bytes(buffer: Buffer, member: Member) -> Array:
    """The (n_bytes,) uint8 array of a member, as many as there are."""
    n_header = 10 + int.from_bytes(buffer[member.start + 8 : member.start + 10], "little")
    return _values(buffer, member, _UINT8, (member.stop - member.start - n_header,))


def _values(buffer: Buffer, member: Member, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    """The array of a member, mapped, when the member holds just this."""
    expected = _npy_header(dtype, shape)
    start = member.start + len(expected)
    found = buffer[member.start : min(start, member.stop)]
    if found != expected:
        raise ValueError(f"expected an array of {dtype} {shape}, got {found[10:].decode(errors='replace').strip()!r}")
    if member.stop - start != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"expected an array of {dtype} {shape}, got {member.stop - start} bytes")
    array: Array = np.ndarray(shape, dtype, buffer, start)
    if dtype.kind == "b" and any(block.view(np.uint8).max() > 1 for block in row_blocks(array) if block.size):
        raise ValueError("expected bools of 0 or 1, got other bytes")
    return array


def _npy_header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """The npy header, version 1.0, of an array in C order, padded to a multiple of 64 bytes.

    Spelled out, since NumPy pads it differently from release to release, and equal content is to make equal bytes.
    """
    text = f"{{'descr': {dtype.newbyteorder('<').str!r}, 'fortran_order': False, 'shape': {shape}, }}"
    n_padded = -(-(10 + len(text) + 1) // zip_members.ALIGNMENT) * zip_members.ALIGNMENT - 10
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", n_padded) + text.ljust(n_padded - 1).encode() + b"\n"
