"""The zip around a container: members that are stored, aligned and found again without trusting a byte.

Writing is Python's `zipfile` with a padding field, so that what a member holds starts on a multiple of 64 bytes.
Reading is stricter than `zipfile`: it accepts what is written here (and by `numpy.savez`), looks at nothing but the
directory and the header of each member, and tells where in the file the content lies, so that it can be mapped there.

Layouts and signatures: PKWARE APPNOTE 6.3, sections 4.3.7 (header of a member), 4.3.12 (directory), 4.3.14 to 4.3.16
(its end), 4.5.3 (64-bit sizes).
"""

import mmap
import struct
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO

from mi_audit.errors import ContainerError

ALIGNMENT = 64
MAX_MEMBERS = 10_000

Buffer = bytes | mmap.mmap

_LOCAL, _LOCAL_SIGNATURE = struct.Struct("<4s5H3I2H"), b"PK\3\4"
_ENTRY, _ENTRY_SIGNATURE = struct.Struct("<4s6H3I5H2I"), b"PK\1\2"
_END64, _END64_SIGNATURE = struct.Struct("<4sQ2H2I4Q"), b"PK\6\6"
_LOCATOR, _LOCATOR_SIGNATURE = struct.Struct("<4sIQI"), b"PK\6\7"
_END, _END_SIGNATURE = struct.Struct("<4s4H2IH"), b"PK\5\6"
_FIELD = struct.Struct("<2H")  # of an extra field: what it is, how many bytes follow
_SIZES_ID, _SIZES_BYTES = 1, 20
_PADDING_ID = 0xD935  # the field by which zipalign pads: the alignment, then zeros
_SEE_ELSEWHERE = 0xFFFFFFFF
_ENCRYPTED = 0b10_0000_0100_0001  # any of the three flags


@dataclass(frozen=True)
class Member:
    """Where a member lies in the file, in bytes from its start.

    Attributes:
        offset: of the member's own header.
        start, stop: of its content.
        crc: CRC-32 of the content, as it was written.
    """

    offset: int
    start: int
    stop: int
    crc: int


def add(file: BinaryIO, archive: zipfile.ZipFile, name: str, chunks: Iterable[Any]) -> None:
    """Stream a member into an archive, its content aligned; equal content makes equal bytes.

    Args:
        file: what the archive is written to, at the archive's end.
        archive: open for writing.
        name: of the member.
        chunks: of the content, in bytes.
    """
    member = zipfile.ZipInfo(name)  # dated 1980, whenever it is written
    member.create_system = 3  # Unix, wherever it is written
    start = file.tell() + _LOCAL.size + len(name.encode()) + _SIZES_BYTES + _FIELD.size + 2
    padding = bytes(-start % ALIGNMENT)
    member.extra = _FIELD.pack(_PADDING_ID, 2 + len(padding)) + struct.pack("<H", ALIGNMENT) + padding
    with archive.open(member, "w", force_zip64=True) as stream:
        for chunk in chunks:
            stream.write(chunk)


def locate(buffer: Buffer) -> dict[str, Member]:
    """Where the members of an archive lie, by name.

    Raises:
        ContainerError: truncated or no archive; too many, compressed, encrypted, duplicate or overlapping members.
    """
    n, directory, end = _directory(buffer)
    if n > MAX_MEMBERS:
        raise ContainerError(f"expected at most {MAX_MEMBERS} members, got {n}")
    members: dict[str, Member] = {}
    at = directory
    for _ in range(n):
        name, member, at = _entry(buffer, at)
        if name in members:
            raise ContainerError(f"expected every member once, got {name!r} twice")
        members[name] = member
    ordered = sorted(members.values(), key=lambda member: member.offset)
    borders = [at for member in ordered for at in (member.offset, member.stop)] + [directory]
    if at != end or borders != sorted(borders):
        raise ContainerError("expected members one after the other, then their directory, got them overlapping")
    return members


def _directory(buffer: Buffer) -> tuple[int, int, int]:
    """How many entries the directory has, where it starts and where it ends."""
    at = len(buffer) - _END.size
    if at < 0 or buffer[at : at + 4] != _END_SIGNATURE:
        if buffer[:4] == _LOCAL_SIGNATURE:
            raise ContainerError("it is truncated, or something was added to its end")
        raise ContainerError("it is not a file that mi-audit wrote")
    _, _, _, _, n, size, start, _ = _END.unpack_from(buffer, at)
    if at >= _LOCATOR.size and buffer[at - _LOCATOR.size : at - _LOCATOR.size + 4] == _LOCATOR_SIGNATURE:
        at -= _LOCATOR.size + _END64.size
        _, _, _, _, _, _, n, size, start = _unpack(_END64, _END64_SIGNATURE, buffer, at)
    if start + size != at:
        raise ContainerError("it is truncated or damaged: its directory is not where it has to be")
    return n, start, at


def _entry(buffer: Buffer, at: int) -> tuple[str, Member, int]:
    """The name and the place of the member that the directory lists at `at`, and where its next entry starts."""
    entry = _unpack(_ENTRY, _ENTRY_SIGNATURE, buffer, at)
    _, _, flags, method, _, _, crc, stored, size, n_name, n_extra, n_comment, _, _, _, offset = entry
    at += _ENTRY.size
    raw_name = buffer[at : at + n_name]
    name = raw_name.decode(errors="backslashreplace")
    size, stored, offset = _in_64_bits((size, stored, offset), buffer[at + n_name : at + n_name + n_extra])
    if flags & _ENCRYPTED or method or size != stored:
        raise ContainerError(f"expected members as they are, got {name!r} compressed or encrypted")
    *_, n_local_name, n_local_extra = _unpack(_LOCAL, _LOCAL_SIGNATURE, buffer, offset)
    start = offset + _LOCAL.size + n_local_name + n_local_extra
    if buffer[offset + _LOCAL.size : offset + _LOCAL.size + n_local_name] != raw_name:
        raise ContainerError(f"it is damaged: {name!r} is not where its directory says")
    return name, Member(offset, start, start + size, crc), at + n_name + n_extra + n_comment


def _in_64_bits(values: tuple[int, ...], extra: bytes) -> tuple[int, ...]:
    """The values, those that did not fit their 32 bits taken in order from the extra field for them."""
    while len(extra) >= _FIELD.size:
        kind, length = _FIELD.unpack_from(extra)
        content, extra = extra[_FIELD.size : _FIELD.size + length], extra[_FIELD.size + length :]
        if kind == _SIZES_ID:
            larger = iter(struct.unpack_from(f"<{len(content) // 8}Q", content))
            return tuple(next(larger, value) if value == _SEE_ELSEWHERE else value for value in values)
    return values


def _unpack(layout: struct.Struct, signature: bytes, buffer: Buffer, at: int) -> tuple[int, ...]:
    """What lies at `at`, without the signature that it has to start with."""
    if not 0 <= at <= len(buffer) - layout.size or buffer[at : at + 4] != signature:
        raise ContainerError("it is truncated or damaged: its directory points to the wrong place")
    return layout.unpack_from(buffer, at)[1:]
