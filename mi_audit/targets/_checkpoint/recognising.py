"""What kind of file a checkpoint is, by its first bytes.

Suffixes say nothing: ``.pth.tar`` is no tar file; ``.th``, ``.t7``, ``.pt``, ``.pth`` and ``.ckpt`` are all the same.
"""

import difflib
import enum
import re
from pathlib import Path

from mi_audit.targets._checkpoint.refusals import PREDICTIONS, RESAVE, listing, plain, refusal


class Kind(enum.Enum):
    """The kinds that can be opened, and the pickle that torch did not write, which is recognised to refuse it well."""

    ZIP = "zip"
    LEGACY = "legacy"
    SAFETENSORS = "safetensors"
    PICKLE = "pickle"


# torch writes the number 0x1950A86A20F9469CFC6C as a pickle of its own in front of the legacy format.
_LEGACY_NUMBER = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."

_FOREIGN = (
    (b"version https://git-lfs", "is a Git LFS pointer, not the file itself", "git lfs pull"),
    (b"\x89HDF", "is an HDF5 file (Keras), not a PyTorch checkpoint", PREDICTIONS),
    (b"\x93NUMPY", "is a numpy array, not a PyTorch checkpoint", RESAVE),
    (b"\x1f\x8b", "is compressed with gzip", "unpack it first: gunzip"),
    (b"BZh", "is compressed with bzip2", "unpack it first: bunzip2"),
    (b"\xfd7zXZ", "is compressed with xz", "unpack it first: unxz"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd", "unpack it first: unzstd"),
    (b"Rar!", "is a RAR archive", "unpack it first"),
    (b"7z\xbc\xaf", "is a 7z archive", "unpack it first"),
)
# By bytes further on: offset, bytes, what it is, tip.
_FOREIGN_INSIDE = (
    (257, b"ustar", "is a tar archive", "unpack it first: tar xf"),
    (4, b"TFL3", "is a TensorFlow Lite model, not a PyTorch checkpoint", PREDICTIONS),
)
# An ONNX model: field 1 (the version) as a number, then field 2 (the producer) as a text or field 7 or 8.
_ONNX = re.compile(rb"\x08[\x01-\x20][\x12\x1a\x22\x3a\x42]")
_WEB_PAGE = (b"<!doctype", b"<html", b"<head", b"<?xml")
WEIGHT_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".th", ".tar")


def recognise(path: Path) -> Kind:
    """The kind of checkpoint that a file is.

    Raises:
        CheckpointError: it is missing, a folder, empty, truncated, or of a kind that holds no weights.
    """
    try:
        _check_is_file(path)
        n_bytes = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise refusal(path, f"cannot be read: {error.strerror}") from error
    if not start:
        raise refusal(path, "is empty", "copy or download it again")
    if start.startswith(b"PK\x03\x04"):
        return Kind.ZIP
    if start[0] == 0x80:
        # A protocol above 3 puts a frame header (opcode and 8 bytes) between the protocol and the number.
        return Kind.LEGACY if _LEGACY_NUMBER in (start[2:15], start[11:24]) else Kind.PICKLE
    if _is_safetensors(path, start, n_bytes):
        return Kind.SAFETENSORS
    raise _foreign(path, start)


def _check_is_file(path: Path) -> None:
    if path.is_dir():
        raise refusal(path, "is a folder, not a checkpoint file", _tip_for_folder(path))
    if not path.exists():
        raise refusal(path, "no such file", _tip_for_nothing(path))
    if not path.is_file():
        raise refusal(path, "is not a regular file")


def _tip_for_nothing(path: Path) -> str:
    """What lies where the file should be."""
    if not path.parent.is_dir():
        return f"there is no folder {path.parent} either; paths count from {Path.cwd()}"
    beside = sorted(entry.name for entry in path.parent.iterdir())
    if nearest := difflib.get_close_matches(path.name, beside, n=1):
        return f"did you mean {path.parent / nearest[0]}?"
    weights = [name for name in beside if name.endswith(WEIGHT_SUFFIXES)]
    there = f"there is: {listing(weights)}" if weights else "no checkpoint lies there"
    return f"in {path.parent.absolute()}, {there}; or --model timm:NAME, torchvision:NAME"


def _tip_for_folder(path: Path) -> str:
    """What to do with a folder: convert a distributed checkpoint, or name the file of weights inside."""
    if (path / ".metadata").exists():
        convert = "python -m torch.distributed.checkpoint.format_utils dcp_to_torch"
        return f"if you trust it, convert it: {convert} {path} weights.pt"
    if (path / "saved_model.pb").exists():
        return PREDICTIONS
    inside = sorted(entry for entry in path.iterdir() if entry.name.endswith(WEIGHT_SUFFIXES))
    return f"name the file inside, for example --model {inside[0]}" if inside else "name the checkpoint file itself"


def _is_safetensors(path: Path, start: bytes, n_bytes: int) -> bool:
    """Whether the file starts with the length of a JSON header, 8 bytes little-endian, and the header.

    Raises:
        CheckpointError: the header promises more bytes than the file has.
    """
    if start[8:9] != b"{":
        return False
    n_header = int.from_bytes(start[:8], "little")
    if n_header > n_bytes - 8:
        # Text files can have a brace at this place; the lengths they would mean are beyond any header.
        if n_header > 2**32:
            return False
        raise refusal(path, "is truncated: its safetensors header is cut off", "copy or download it again")
    return True


def _foreign(path: Path, start: bytes) -> Exception:
    """The refusal of a file that is no checkpoint, by what it is instead."""
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_WEB_PAGE):
        return refusal(path, "is a web page, not a checkpoint", "download the file itself, not the page that shows it")
    for magic, what, tip in _FOREIGN:
        if start.startswith(magic):
            return refusal(path, what, tip)
    for offset, magic, what, tip in _FOREIGN_INSIDE:
        if start[offset:].startswith(magic):
            return refusal(path, what, tip)
    if _ONNX.match(start):
        return refusal(path, "is an ONNX model, not a PyTorch checkpoint", PREDICTIONS)
    if b"PK\x03\x04".startswith(start) or len(start) < 16:
        return refusal(path, f"is truncated: it has {len(start)} bytes", "copy or download it again")
    shown = plain(start[:8].decode("ascii", "replace"))
    return refusal(path, f"is not a PyTorch or safetensors checkpoint (it starts with {shown!r})", RESAVE)
