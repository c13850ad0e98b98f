"""Whether a zip file is what ``torch.save`` writes, checked on its directory before anything is unpacked.

``torch.save`` stores every entry uncompressed under one root. A file that does otherwise was not written by it: a
deflated entry of a few kilobytes may unpack to gigabytes, and two entries of one name may show one content to a check
and another to the loader.
"""

import struct
import zipfile
from collections import Counter
from pathlib import Path

from mi_audit.targets._checkpoint.refusals import OTHER_WAYS, PREDICTIONS, RESAVE, refusal

_MOST_ENTRIES = 100_000
_MOST_GROWTH = 1.05
_ENCRYPTED = 0x1
# What Python raises for zip files that are damaged or made to be.
_DAMAGE = (
    zipfile.BadZipFile, struct.error, NotImplementedError, EOFError, OSError, ValueError, OverflowError, RuntimeError,
)  # fmt: skip


def check_zip(path: Path) -> tuple[bytes, dict[str, int]]:
    """The pickle inside, and the sizes in bytes of the storages by their keys.

    Raises:
        CheckpointError: it is truncated, holds code or something else, or is not stored as torch stores.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _refuse_other_kinds(path, [entry.filename for entry in entries])
            _refuse_tricks(path, entries)
            root = entries[0].filename.partition("/")[0]
            pickled = archive.read(f"{root}/data.pkl")
    except _DAMAGE as error:
        raise refusal(path, "is a truncated or damaged zip file", "copy or download it again") from error
    folder = f"{root}/data/"
    sizes = {entry.filename: entry.file_size for entry in entries if entry.filename.startswith(folder)}
    return pickled, {name.removeprefix(folder): size for name, size in sizes.items()}


def _refuse_other_kinds(path: Path, names: list[str]) -> None:
    """Refuse what is a zip file but no state dict: programs first, since they carry a ``data.pkl`` too."""
    inside = [name.partition("/")[2] for name in names]
    if any(name.startswith("code/") or name == "constants.pkl" for name in inside):
        raise refusal(path, "is a TorchScript program: it is code, and opening it would run it", OTHER_WAYS)
    if "archive_format" in inside or any(name.startswith("models/") for name in inside):
        raise refusal(path, "is an exported program (.pt2): it is code, and opening it would run it", OTHER_WAYS)
    if "model.weights.h5" in names:
        raise refusal(path, "is a Keras model, not a PyTorch checkpoint", PREDICTIONS)
    if any(name.endswith(".npy") for name in names):
        raise refusal(path, "is a numpy archive (.npz), not a checkpoint", RESAVE)
    if "data.pkl" not in inside:
        raise refusal(path, "is a zip file without PyTorch weights in it", "if it is an archive, unpack it first")


def _refuse_tricks(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    """Refuse a zip file that ``torch.save`` cannot have written."""
    repeated = [name for name, count in Counter(entry.filename for entry in entries).items() if count > 1]
    n_roots = len({entry.filename.partition("/")[0] for entry in entries})
    n_unpacked = sum(entry.file_size for entry in entries)
    tricks = {
        f"more than {_MOST_ENTRIES} entries": len(entries) > _MOST_ENTRIES,
        "two entries of one name": bool(repeated),
        f"{n_roots} roots": n_roots != 1,
        "an encrypted entry": any(entry.flag_bits & _ENCRYPTED for entry in entries),
        "a compressed entry": any(entry.compress_type != zipfile.ZIP_STORED for entry in entries),
        f"{n_unpacked} bytes of content": n_unpacked > _MOST_GROWTH * path.stat().st_size,
    }
    found = [trick for trick, is_there in tricks.items() if is_there]
    if found:
        raise refusal(path, f"is not stored the way torch.save stores: the zip file has {' and '.join(found)}", RESAVE)
