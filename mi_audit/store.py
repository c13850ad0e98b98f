"""Records in files: written whole or not at all, mapped when read.

A file is replaced when the new one is complete, never changed in place, so that arrays mapped from the old one stay as
they are. Files are private (mode 0600), since they say who was a member.
"""

import contextlib
import errno
import io
import mmap
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from mi_audit import container
from mi_audit._version import __version__
from mi_audit.errors import ContainerError, OutputError
from mi_audit.schema.arrays import Array
from mi_audit.schema.audit import Audit
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.record import Record
from mi_audit.schema.trained_attacks import TrainedAttacks

FORMAT_VERSION = container.FORMAT_VERSION

AnyRecord = FeatureCache | TrainedAttacks | Audit
RecordT = TypeVar("RecordT", FeatureCache, TrainedAttacks, Audit)

_RECORDS: Mapping[str, type[AnyRecord]] = {cls.kind: cls for cls in (FeatureCache, TrainedAttacks, Audit)}
_COMMANDS = {
    "features": "mi-audit extract --model SPEC --data SPEC --out features.npz",
    "attacks": "mi-audit train-attack features.npz --out attack.npz",
    "audit": "mi-audit evaluate features.npz attack.npz --out audit.npz",
}
_PAYLOAD = "payload"
_REMEDIES = {
    errno.ENOENT: "make its folder first (mkdir -p)",
    errno.ENOSPC: "free some space, or choose another disk with --out",
    errno.EDQUOT: "free some space, or choose another disk with --out",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f), or choose another disk with --out",
}


def write(path: Path | str, record: Record) -> None:
    """Write a record to a file; memory stays flat, also for arrays that are mapped from files of any size.

    Raises:
        OutputError: it cannot be written; what was there before is untouched.
    """
    fields = {"kind": record.kind, "mi_audit": __version__, "record": record.header()}
    try:
        with replacing(path) as file:
            container.write(file, fields, record.arrays())
    except ValueError as error:
        tip = "names have to be valid text, and rows per class of very many classes do not fit (leave out --by-class)"
        raise OutputError(f"{path}: cannot be stored: {error}", tip) from error


def read(path: Path | str, *, verify: bool = True) -> AnyRecord:
    """The record in a file, its arrays mapped in place and read-only.

    Args:
        path: of the file.
        verify: compare every array with its SHA-256.

    Raises:
        ContainerError: no such file, not one of ours, of a newer format, damaged, or hostile.
    """
    with _mapped(path) as buffer:
        return _record(*container.read(buffer, verify=verify))


def read_kind(path: Path | str, cls: type[RecordT], *, verify: bool = True) -> RecordT:
    """The record in a file that has to be of one kind, as by `read`.

    Raises:
        ContainerError: as for `read`, or the file is of another kind.
    """
    with _mapped(path) as buffer:
        found = container.read_header(buffer).get("kind")
        if found != cls.kind:
            message = f"expected {_in_words(cls.kind)}, got {_in_words(found)}"
            raise ContainerError(message, tip=f"one is made by `{_COMMANDS[cls.kind]}`")
        record = _record(*container.read(buffer, verify=verify))
        assert isinstance(record, cls)
        return record


def peek(path: Path | str) -> dict[str, Any]:
    """The header of a file: format_version, kind, mi_audit (version), arrays, record; no array is read.

    Raises:
        ContainerError: no such file, or not one of ours.
    """
    with _mapped(path) as buffer:
        return container.read_header(buffer)


def to_bytes(header: Mapping[str, Any], arrays: Mapping[str, Array]) -> bytes:
    """A container in memory, for what has to travel inside an array; equal content makes equal bytes.

    Raises:
        ValueError: arrays that a container cannot hold, or a header that is not JSON.
    """
    file = io.BytesIO()
    container.write(file, {"kind": _PAYLOAD, "record": dict(header)}, arrays)
    return file.getvalue()


def from_bytes(payload: bytes) -> tuple[dict[str, Any], dict[str, Array]]:
    """The header and the arrays of a container in memory, verified; the arrays are read-only views into it.

    Raises:
        ContainerError: the bytes are not what `to_bytes` made.
    """
    header, arrays = container.read(payload)
    if header.get("kind") != _PAYLOAD or not isinstance(header.get("record"), dict):
        raise ContainerError(f"expected a payload, got {_in_words(header.get('kind'))}")
    return header["record"], arrays


@contextlib.contextmanager
def replacing(path: Path | str) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` when the block is through; if that fails, nothing changes.

    Raises:
        OutputError: it cannot be written: no such folder, no permission, no space left, ...
    """
    target = Path(os.path.realpath(path))  # a link stays one
    if target.exists() and not target.is_file():
        raise OutputError(f"{path}: cannot be written: it is not a file", tip="choose another file with --out")
    try:
        descriptor, name = tempfile.mkstemp(prefix=".mi-audit-", suffix=".part", dir=target.parent)
    except OSError as error:
        raise _not_written(path, error) from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        temporary.replace(target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise _not_written(path, error) from error
        raise
    with contextlib.suppress(OSError):  # the file is there; only after a power cut might it not be
        _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _not_written(path: Path | str, error: OSError) -> OutputError:
    remedy = _REMEDIES.get(error.errno or 0, "choose a folder that you may write to with --out")
    return OutputError(f"{path}: cannot be written: {error.strerror or error}", tip=remedy)


@contextlib.contextmanager
def _mapped(path: Path | str) -> Iterator[mmap.mmap]:
    """A file as one read-only buffer; whatever is wrong with it is said with its name."""
    try:
        yield _map(Path(path))
    except ContainerError as error:
        raise ContainerError(f"{path}: {error}", tip=error.tip) from error
    except OSError as error:
        raise ContainerError(f"{path}: cannot be read: {error.strerror or error}") from error


def _map(path: Path) -> mmap.mmap:
    if not path.is_file():  # a pipe would wait for ever
        raise ContainerError("it is not a file" if path.exists() else "no such file")
    if not path.stat().st_size:
        raise ContainerError("it is empty")
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _record(header: Mapping[str, Any], arrays: Mapping[str, Array]) -> AnyRecord:
    """The record that these parts make."""
    kind = header.get("kind")
    cls = _RECORDS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise ContainerError(f"expected a record of mi-audit, got {_in_words(kind)}")
    try:
        return cls.from_parts(header["record"], arrays)
    except KeyError as error:
        raise ContainerError(f"its header has no entry {error}") from error
    except (ValueError, TypeError) as error:
        raise ContainerError(f"it makes no {kind} record: {error}") from error


def _in_words(kind: object) -> str:
    if not isinstance(kind, str) or kind not in _COMMANDS:
        return "a file of another kind"
    return "an audit file" if kind == "audit" else "an attacks file" if kind == "attacks" else f"a {kind} file"
