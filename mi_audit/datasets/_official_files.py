"""What is wrong with the files of a named data set, after torchvision could not read them."""

import hashlib
import inspect
import urllib.error
from pathlib import Path
from typing import Any

from mi_audit.datasets._official_layouts import Layout
from mi_audit.datasets._words import first
from mi_audit.errors import DataSetError, MiAuditError, MissingLibraryError


def takes_download(reader: Any) -> bool:
    """Whether a reader of torchvision's can fetch its files."""
    parameters = inspect.signature(reader).parameters.values()
    return any(each.name == "download" or each.kind is each.VAR_KEYWORD for each in parameters)


def explanation(
    name: str, layout: Layout, reader: Any, root: Path, split: str, error: Exception, download: bool
) -> MiAuditError:
    """Our words for an error of torchvision's, after a look at the files.

    Args:
        name: of the data set.
        layout: how it is opened.
        reader: of torchvision's.
        root: the data folder.
        split: that was asked for.
        error: what the reader raised.
        download: whether the files might be fetched.
    """
    if isinstance(error, ModuleNotFoundError):
        library = error.name or "of another format"
        return MissingLibraryError(f"{name} needs the library {library}", tip=f"pip install {library}")
    files = _files(layout, reader, root, split)
    folder = root / layout.folder
    missing = [file.relative_to(folder).as_posix() for file in files if not file.exists()]
    if isinstance(error, FileNotFoundError) and error.filename and not missing:
        missing = [Path(error.filename).name]
    damaged = [file.name for file, md5 in files.items() if md5 and file.is_file() and _md5(file) != md5]
    is_absent = not folder.is_dir() or bool(missing)
    if download and (is_absent or damaged):
        if not takes_download(reader):
            return _absent(name, folder, root, missing, "it has to be fetched by hand; ")
        return DataSetError(
            f"{root}: {name} could not be downloaded{_why(error)}",
            tip="check the network and that the folder can be written, or point --data-dir DIR at a copy",
        )
    if is_absent:
        return _absent(name, folder, root, missing, "", fetched=takes_download(reader))
    if damaged:
        found = f"{folder}: {', '.join(damaged)}: wrong MD5, damaged or not the official files of {name}"
        return DataSetError(found, tip="--download fetches them again")
    again = "then --download to fetch it again" if takes_download(reader) else "and copy it again"
    return DataSetError(f"{folder}: these files cannot be read as {name}", tip=f"remove {folder}, {again}")


def _absent(
    name: str, folder: Path, root: Path, missing: list[str], hint: str, *, fetched: bool = False
) -> DataSetError:
    wanted = folder.relative_to(root).as_posix() if folder != root else first(missing)
    tip = f"{hint}--data-dir DIR for the folder that holds {wanted}{', or --download to fetch it' if fetched else ''}"
    what = f"missing: {first(missing)}" if missing else "there is no such folder"
    return DataSetError(f"{folder}: expected the files of {name}, {what}", tip=tip)


def _files(layout: Layout, reader: Any, root: Path, split: str) -> dict[Path, str | None]:
    """The files that a split needs, with their official MD5 where the reader knows one."""
    folder = root / layout.folder
    files: dict[Path, str | None] = {root / file: None for file in layout.files}
    if hasattr(reader, "base_folder"):  # CIFAR, STL10
        meta = [(reader.meta["filename"], reader.meta["md5"])] if hasattr(reader, "meta") else []
        return {folder / file: md5 for file, md5 in [*reader.train_list, *reader.test_list, *meta]}
    if hasattr(reader, "split_list"):  # SVHN, USPS
        _, file, md5 = reader.split_list[split]
        return {root / file: md5}
    if hasattr(reader, "md5_checksum"):  # SEMEION
        return {root / reader.filename: reader.md5_checksum}
    if hasattr(reader, "_file_dict"):  # Flowers102
        return files | {folder / reader._file_dict[part][0]: reader._file_dict[part][1] for part in ("label", "setid")}  # noqa: SLF001
    if hasattr(reader, "splits") and "split" in layout.splits[split].arguments and hasattr(reader, "resources"):
        kind = layout.splits[split].arguments["split"]  # EMNIST
        return {folder / f"emnist-{kind}-{split}-{part}-ubyte": None for part in ("images-idx3", "labels-idx1")}
    resources = getattr(reader, "resources", [])
    if isinstance(resources, dict):  # QMNIST
        resources = resources[reader.subsets[split]]
    return files | {folder / Path(packed).stem: None for packed, _ in resources}


def _why(error: Exception) -> str:
    """The system's words for what went wrong, where it has any."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return f": {cause.strerror}" if isinstance(cause, OSError) and cause.strerror else ""


def _md5(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
