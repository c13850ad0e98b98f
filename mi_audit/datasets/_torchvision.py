"""Data sets with a name, through torchvision's readers of their official files."""

import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mi_audit.datasets._images import ArrayImages, FileImages
from mi_audit.datasets._layout import open_split
from mi_audit.datasets._official_files import explanation, takes_download
from mi_audit.datasets._official_layouts import LAYOUTS, Layout
from mi_audit.datasets._pool import ClassNames, Splits
from mi_audit.datasets._words import first, storable
from mi_audit.datasets.folder import FolderTree
from mi_audit.datasets.interface import (
    DEFAULT_DATA_DIR,
    DataRequest,
    Images,
    MembershipData,
    Side,
    UInt8Array,
    names_of_classes,
)
from mi_audit.errors import DataSetError


def open_named(name: str, request: DataRequest) -> MembershipData:
    """A data set of `LAYOUTS`, with the ids ``<split>/<index>`` or ``<split>/<path>``.

    CIFAR comes as pickles: torchvision compares their MD5 with the official one before it opens them.

    Args:
        name: as on the command line, ``"cifar100"``.
        request: as for `DatasetSource.open`.

    Raises:
        DataSetError: files are missing or damaged, or could not be downloaded; it names them. A list does not fit.
        UsageError: an unknown split, or nothing says who is a member.
    """
    layout = LAYOUTS[name]
    root = (DEFAULT_DATA_DIR if request.data_dir is None else request.data_dir).expanduser()
    opening = _Opening(name, layout, root, download=request.download)
    open_one = opening.walked if layout.reader is None else opening.read
    return Splits(name, name, tuple(layout.splits), layout.default, open_one).data(request)


@dataclass(frozen=True)
class _Opening:
    """One data set about to be opened below `root`."""

    name: str
    layout: Layout
    root: Path
    download: bool

    def read(self, split: str, class_names: ClassNames | None) -> tuple[Side, ClassNames]:
        """One split through torchvision's reader."""
        reader = getattr(importlib.import_module("torchvision.datasets"), self.layout.reader or "")
        arguments = dict(self.layout.splits[split].arguments)
        if takes_download(reader):
            arguments["download"] = self.download
        try:
            opened = reader(self.root, **arguments)
            side, own = self._side(split, opened), self._class_names(opened)
        except DataSetError as error:
            folder = self.root / self.layout.folder
            raise DataSetError(f"{folder}: damaged {self.name} files: {error}", tip=error.tip) from error
        except MemoryError:
            raise
        except Exception as error:  # what parsing meets: RuntimeError, AssertionError, KeyError, OSError ...
            raise explanation(self.name, self.layout, reader, self.root, split, error, self.download) from error
        if class_names not in (None, own):
            unlike = first(sorted({*own} ^ {*(class_names or ())})) or "another order"
            raise DataSetError(f"{self.name}: expected the same classes in every split, got {unlike} in one of them")
        return side, own

    def walked(self, split: str, class_names: ClassNames | None) -> tuple[Side, ClassNames]:
        """One split that is a folder of classes."""
        below = self.layout.splits[split].folder
        if not (self.root / below).is_dir():
            by_hand = f"{self.name} has to be fetched by hand; " if self.download else ""
            tip = f"{by_hand}--data-dir DIR for the folder that holds {below}/<class>/..."
            raise DataSetError(f"{self.root / below}: no such folder, which {self.name} has", tip=tip)
        side, names = open_split(FolderTree(self.root, self.layout.leave_out), below, class_names)
        ids = [sample_id.removeprefix(f"{below}/") for sample_id in side.sample_id]
        return Side(side.images, side.label, self._ids(split, ids)), names

    def _side(self, split: str, opened: Any) -> Side:
        layout = self.layout
        if layout.samples:
            files, labels = _unzipped(getattr(opened, layout.samples))
            labels = opened.targets if layout.samples == "imgs" else labels
        else:
            files, labels = getattr(opened, layout.images), getattr(opened, layout.labels)
        if any(label is None for label in labels):
            raise DataSetError(f"the split {split} has no labels", tip=f"--split takes {first([*layout.splits])}")
        label = np.asarray(labels, np.int64)
        label = label if label.ndim == 1 else np.ascontiguousarray(label[:, 0])  # QMNIST: the class, then its origin
        folder = layout.splits[split].folder
        if not folder:
            images: Images = ArrayImages(_pixels(files))
            ids = [str(index) for index in range(len(images))]
        else:
            prefix = f"{self.root / folder}{os.sep}"
            paths = [str(file).removeprefix(prefix) for file in files]
            order = sorted(range(len(paths)), key=paths.__getitem__) if layout.default is None else range(len(paths))
            paths, label = [paths[row] for row in order], label[[*order]]
            images = FileImages(self.root / folder, tuple(paths))
            ids = [storable(path) for path in paths]
        return Side(images, label, self._ids(split, ids))

    def _ids(self, split: str, names: list[str]) -> list[str]:
        """Ids that begin with the official split, where the data set has any."""
        return names if self.layout.default is None else [f"{split}/{name}" for name in names]

    def _class_names(self, opened: Any) -> ClassNames:
        if self.layout.n_classes is not None:
            return names_of_classes(self.layout.n_classes)
        names = getattr(opened, "classes", None) or names_of_classes(10)  # STL10 without its file of names
        return tuple(str(name[0] if isinstance(name, tuple) else name) for name in names)


def _unzipped(samples: Any) -> tuple[list[Any], list[Any]]:
    return [sample[0] for sample in samples], [sample[1] for sample in samples]


def _pixels(images: Any) -> UInt8Array:
    """Arrays, or a list of tensors, as (n, height, width[, channels]) uint8 in one piece."""
    # FER2013 is a list of tensors.
    values = np.stack([np.asarray(image) for image in images]) if isinstance(images, list) else np.asarray(images)
    if values.ndim == 4 and values.shape[1] == 3 and values.shape[3] != 3:
        values = values.transpose(0, 2, 3, 1)
    # CIFAR arrives as a view with the channels moved; one copy now is cheaper than a strided one per batch.
    return np.ascontiguousarray(values)
