import shutil
import urllib.error
from pathlib import Path

import numpy as np
import pytest
from torchvision import datasets as torchvision_datasets

from mi_audit import plugins
from mi_audit.datasets.interface import DataRequest, MembershipData
from mi_audit.errors import DataSetError, UsageError

FOLDERS = {
    "mnist": "MNIST/raw",
    "fashion-mnist": "FashionMNIST/raw",
    "cifar10": "cifar-10-batches-py",
    "cifar100": "cifar-100-python",
}
READERS = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "cifar10": "CIFAR10", "cifar100": "CIFAR100"}


def open_named(name: str, data_dir: Path | None, *, download: bool = False) -> MembershipData:
    return plugins.load("datasets", name).open(None, DataRequest(data_dir, download=download))


@pytest.mark.parametrize("name", FOLDERS)
def test_samples_are_those_of_torchvision_in_its_order(name: str, official_data_dir: Path) -> None:
    data = open_named(name, official_data_dir)
    assert data.name == name
    for side, split in ((data.members, "train"), (data.non_members, "test")):
        expected = getattr(torchvision_datasets, READERS[name])(official_data_dir, train=split == "train")
        assert side.sample_id == [f"{split}/{index}" for index in range(len(expected))]
        for index, pixels in enumerate(side.images.read(0, len(side))):
            image, label = expected[index]
            assert np.array_equal(pixels.squeeze(), np.asarray(image))
            assert side.label[index] == label
        assert data.class_names == tuple(expected.classes)


@pytest.mark.parametrize("name", FOLDERS)
def test_missing_files_name_the_folder_that_was_looked_at(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataSetError) as caught:
        open_named(name, tmp_path / "nowhere")
    assert str(caught.value).startswith(
        f"{tmp_path / 'nowhere' / FOLDERS[name]}: expected the files of {name}, missing: "
    )
    assert "--data-dir DIR" in caught.value.tip
    assert "--download" in caught.value.tip
    assert not (tmp_path / "nowhere").exists()


def test_one_missing_file_is_named_alone(official_data_dir: Path) -> None:
    (official_data_dir / "MNIST/raw/t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataSetError, match=r"missing: t10k-labels-idx1-ubyte$"):
        open_named("mnist", official_data_dir)


def test_without_data_dir_the_folder_data_is_used(official_data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(official_data_dir.parent)
    assert len(open_named("mnist", None).members) == 12
    shutil.rmtree(official_data_dir / "MNIST")
    with pytest.raises(DataSetError, match=r"^data/MNIST/raw: "):
        open_named("mnist", None)


def test_a_wrong_md5_is_named_and_the_pickle_stays_closed(official_data_dir: Path) -> None:
    file = official_data_dir / "cifar-100-python/test"
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(DataSetError, match="cifar-100-python: test: wrong MD5") as caught:
        open_named("cifar100", official_data_dir)
    assert "--download" in caught.value.tip


@pytest.mark.parametrize("keep", [0, 3, 10, 500])
def test_a_truncated_idx_file_is_one_error(keep: int, official_data_dir: Path) -> None:
    file = official_data_dir / "MNIST/raw/train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(DataSetError, match="MNIST/raw: these files cannot be read as mnist"):
        open_named("mnist", official_data_dir)


def test_labels_that_do_not_fit_the_images_are_told_with_the_folder(official_data_dir: Path) -> None:
    raw = official_data_dir / "MNIST/raw"
    shutil.copy(raw / "t10k-labels-idx1-ubyte", raw / "train-labels-idx1-ubyte")
    with pytest.raises(DataSetError, match=r"MNIST/raw: damaged mnist files: .*12 images, 8 labels"):
        open_named("mnist", official_data_dir)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (urllib.error.URLError(OSError(-2, "Name or service not known")), ": Name or service not known"),
        (urllib.error.URLError("unknown url type"), ""),
        (PermissionError(13, "Permission denied"), ": Permission denied"),
        (RuntimeError("Error downloading train-images: tried everything"), ""),
    ],
)
@pytest.mark.parametrize("name", FOLDERS)
def test_a_failed_download_is_told_in_our_words(
    name: str, failure: Exception, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise failure

    monkeypatch.setattr(getattr(torchvision_datasets, READERS[name]), "download", fail)
    with pytest.raises(DataSetError) as caught:
        open_named(name, tmp_path, download=True)
    assert str(caught.value) == f"{tmp_path}: {name} could not be downloaded{reason}"
    assert caught.value.tip is not None


@pytest.mark.parametrize("name", FOLDERS)
def test_nothing_is_downloaded_unless_asked(
    name: str, official_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def download(reader: object) -> None:
        asked.append(reader)

    monkeypatch.setattr(getattr(torchvision_datasets, READERS[name]), "download", download)
    open_named(name, official_data_dir)
    assert not asked
    open_named(name, official_data_dir, download=True)
    assert len(asked) == 2


def test_a_path_is_refused() -> None:
    with pytest.raises(UsageError, match="expected --data cifar100 without a path, got cifar100:here"):
        plugins.load("datasets", "cifar100").open("here", DataRequest())


def test_real_labels_are_the_official_ones(assets: Path) -> None:
    mnist = open_named("mnist", assets / "data")
    assert mnist.members.label[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert mnist.non_members.label[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    cifar = open_named("cifar100", assets / "data")
    assert [cifar.class_names[label] for label in cifar.members.label[:3]] == ["cattle", "dinosaur", "apple"]
    assert set(np.bincount(cifar.members.label)) == {500}
    assert set(np.bincount(cifar.non_members.label)) == {100}
