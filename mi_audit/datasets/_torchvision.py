"""Data sets with official splits, through torchvision: members are the training split, non-members the test split."""

import hashlib
import importlib
import urllib.error
from pathlib import Path
from typing import Any

import numpy as np

from mi_audit.datasets._images import ArrayImages
from mi_audit.datasets.interface import DEFAULT_DATA_DIR, DataRequest, MembershipData, Side, refuse_location
from mi_audit.errors import DataSetError


def open_official_splits(name: str, reader_name: str, location: str | None, request: DataRequest) -> MembershipData:
    """A data set of torchvision's, with the ids ``train/<index>`` and ``test/<index>``.

    CIFAR comes as pickles: torchvision compares their MD5 with the official one before it opens them.

    Args:
        name: as on the command line, ``"cifar100"``.
        reader_name: its class in ``torchvision.datasets``, ``"CIFAR100"``.
        location: as for `DatasetSource.open`; there must be none.
        request: as for `DatasetSource.open`.

    Raises:
        DataSetError: files are missing or damaged, or could not be downloaded; it names them.
        UsageError: a location was given.
    """
    refuse_location(location, name)
    reader = getattr(importlib.import_module("torchvision.datasets"), reader_name)
    root = DEFAULT_DATA_DIR if request.data_dir is None else request.data_dir
    try:
        train = reader(root, train=True, download=request.download)
        test = reader(root, train=False, download=request.download)
        members, non_members = _side("train", train), _side("test", test)
        return MembershipData(name, members, non_members, tuple(str(each) for each in train.classes))
    except DataSetError as error:
        raise DataSetError(f"{_folder(reader, root)}: damaged {name} files: {error}", tip=error.tip) from error
    except MemoryError:
        raise
    except Exception as error:  # what parsing meets: RuntimeError, AssertionError, KeyError, OSError ...
        raise _explanation(name, reader, root, error, download=request.download) from error


def _side(split: str, opened: Any) -> Side:
    # CIFAR arrives as a view with the channels moved; one copy now is cheaper than a strided one per batch.
    images = ArrayImages(np.ascontiguousarray(opened.data))
    ids = [f"{split}/{index}" for index in range(len(images))]
    return Side(images, np.asarray(opened.targets, np.int64), ids)


def _folder(reader: Any, root: Path) -> Path:
    """Where the reader looks for its files."""
    return root.joinpath(reader.base_folder) if hasattr(reader, "base_folder") else root / reader.__name__ / "raw"


def _files(reader: Any, root: Path) -> dict[Path, str | None]:
    """The files that the reader needs, with their official MD5 where the reader knows one."""
    folder = _folder(reader, root)
    if hasattr(reader, "base_folder"):
        listed = [*reader.train_list, *reader.test_list, (reader.meta["filename"], reader.meta["md5"])]
        return {folder / file: md5 for file, md5 in listed}
    return {folder / Path(packed).stem: None for packed, _ in reader.resources}


def _explanation(name: str, reader: Any, root: Path, error: Exception, *, download: bool) -> DataSetError:
    """Our words for an error of torchvision's, after a look at the files."""
    files = _files(reader, root)
    missing = [file.name for file in files if not file.is_file()]
    damaged = [file.name for file, md5 in files.items() if md5 and file.is_file() and _md5(file) != md5]
    if download and (missing or damaged):
        return DataSetError(
            f"{root}: {name} could not be downloaded{_why(error)}",
            tip="check the network and that the folder can be written, or point --data-dir DIR at a copy",
        )
    folder = _folder(reader, root)
    if missing:
        tip = f"--data-dir DIR for the folder that holds {folder.relative_to(root)}, or --download to fetch it"
        return DataSetError(f"{folder}: expected the files of {name}, missing: {', '.join(missing)}", tip=tip)
    if damaged:
        found = f"{folder}: {', '.join(damaged)}: wrong MD5, damaged or not the official files of {name}"
        return DataSetError(found, tip="--download fetches them again")
    tip = f"remove {folder}, then --download to fetch it again"
    return DataSetError(f"{folder}: these files cannot be read as {name}", tip=tip)


def _why(error: Exception) -> str:
    """The system's words for what went wrong, where it has any."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return f": {cause.strerror}" if isinstance(cause, OSError) and cause.strerror else ""


def _md5(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
