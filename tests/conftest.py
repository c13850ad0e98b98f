"""Fixtures that more than one room's tests use."""

import hashlib
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def assets() -> Path:
    """Folder with real ``data/`` and ``checkpoints/``, named by MI_AUDIT_TEST_ASSETS; without it tests skip."""
    folder = os.environ.get("MI_AUDIT_TEST_ASSETS")
    if not folder:
        pytest.skip("needs real data: MI_AUDIT_TEST_ASSETS names no folder")
    return Path(folder)


@pytest.fixture(scope="session")
def demo_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network that the demo trains on the members of the digits, as a checkpoint."""
    from mi_audit.stages.demo import train_target

    path = tmp_path_factory.mktemp("checkpoint") / "digits.pt"
    train_target(path, seed=0)
    return path


@pytest.fixture
def official_data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with 10 or 12 training and 8 test images each of MNIST, Fashion-MNIST, CIFAR-10 and CIFAR-100.

    The formats are the official ones; the MD5 that torchvision knows are replaced by those of these files.
    """
    from torchvision import datasets

    rng = np.random.default_rng(0)
    root = tmp_path / "data"
    for reader in (datasets.MNIST, datasets.FashionMNIST):
        raw = root / reader.__name__ / "raw"
        raw.mkdir(parents=True)
        for split, n in (("train", 12), ("t10k", 8)):
            write_idx(raw / f"{split}-images-idx3-ubyte", rng.integers(0, 256, (n, 28, 28), np.uint8))
            write_idx(raw / f"{split}-labels-idx1-ubyte", np.arange(n, dtype=np.uint8) % 10)
    for reader, key, n_classes in ((datasets.CIFAR10, "labels", 10), (datasets.CIFAR100, "fine_labels", 100)):
        folder = root / reader.base_folder
        folder.mkdir()
        names = {reader.meta["key"]: [f"class {number}" for number in range(n_classes)]}
        md5 = {reader.meta["filename"]: write_pickle(folder / reader.meta["filename"], names)}
        n_train = 12 // len(reader.train_list)
        for listed, n in ((reader.train_list, n_train), (reader.test_list, 8)):
            for file, _ in listed:
                pixels = rng.integers(0, 256, (n, 3072), np.uint8)
                md5[file] = write_pickle(folder / file, {"data": pixels, key: [*range(n)]})
        monkeypatch.setattr(reader, "meta", {**reader.meta, "md5": md5[reader.meta["filename"]]})
        monkeypatch.setattr(reader, "train_list", [(file, md5[file]) for file, _ in reader.train_list])
        monkeypatch.setattr(reader, "test_list", [(file, md5[file]) for file, _ in reader.test_list])
    return root


def write_idx(file: Path, values: np.ndarray) -> None:
    """An array of bytes in the idx format of MNIST: two zeros, the type (8: uint8), the dimensions, then the values."""
    file.write_bytes(struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes())


def write_pickle(file: Path, content: object) -> str:
    """Write a pickle; its MD5."""
    file.write_bytes(pickle.dumps(content))
    return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
