from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mi_audit import plugins
from mi_audit.datasets import _duplicates
from mi_audit.datasets._duplicates import exact_duplicates
from mi_audit.datasets._images import ArrayImages, FileImages
from mi_audit.datasets.interface import DataRequest


def by_bytes(members: np.ndarray, non_members: np.ndarray) -> list[bool]:
    """The same answer the slow way."""
    seen = {image.tobytes() for image in members}
    return [image.tobytes() in seen for image in non_members]


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from([(1, 1, 1), (1, 3, 1), (2, 2, 2), (3, 3, 1), (2, 4, 3)]),
    n=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    n_values=st.integers(1, 3),
)
def test_agrees_with_a_set_of_bytes(seed: int, shape: tuple[int, ...], n: tuple[int, int], n_values: int) -> None:
    rng = np.random.default_rng(seed)
    members, non_members = (rng.integers(0, n_values, (count, *shape), np.uint8) for count in n)
    found = exact_duplicates(ArrayImages(members), ArrayImages(non_members))
    assert found.dtype == np.bool_
    assert found.tolist() == by_bytes(members, non_members)


@pytest.mark.parametrize("block_bytes", [1, 100, 2**22])
def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch, block_bytes: int) -> None:
    monkeypatch.setattr(_duplicates, "BLOCK_BYTES", block_bytes)
    rng = np.random.default_rng(0)
    members = rng.integers(0, 256, (50, 4, 4, 3), np.uint8)
    non_members = np.concatenate([rng.integers(0, 256, (20, 4, 4, 3), np.uint8), members[[7, 7, 49]]])
    found = exact_duplicates(ArrayImages(members), ArrayImages(non_members))
    assert np.flatnonzero(found).tolist() == [20, 21, 22]


def test_equal_hashes_are_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_duplicates, "_hashes", lambda images: np.zeros(len(images), np.uint64))
    members, non_members = np.arange(6, dtype=np.uint8), np.array([9, 5, 0, 7, 3], np.uint8)
    found = exact_duplicates(*(ArrayImages(side.reshape(-1, 1, 1, 1)) for side in (members, non_members)))
    assert found.tolist() == [False, True, True, False, True]


def test_a_difference_in_the_high_byte_of_words_alone_still_spreads_the_hash() -> None:
    images = np.zeros((65_536, 1, 16, 1), np.uint8)
    images[:, 0, 7, 0], images[:, 0, 15, 0] = np.divmod(np.arange(65_536), 256)
    assert len(np.unique(_duplicates._hashes(ArrayImages(images)))) == 65_536


def test_images_of_different_shapes_are_different() -> None:
    zeros = np.zeros((3, 2, 8, 1), np.uint8)
    assert not exact_duplicates(ArrayImages(zeros), ArrayImages(zeros.reshape(3, 4, 4, 1))).any()


def test_a_selection_is_compared_by_its_own_rows() -> None:
    images = ArrayImages(np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1))
    found = exact_duplicates(images.take(np.array([4, 1])), images.take(np.array([0, 1, 4, 5])))
    assert found.tolist() == [False, True, True, False]


def test_files_are_compared_by_pixels_not_by_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        Image.fromarray(rng.integers(0, 256, (5, 5, 3), np.uint8)).save(tmp_path / f"{name}.png")
    Image.open(tmp_path / "a.png").save(tmp_path / "same.bmp")
    found = exact_duplicates(FileImages(tmp_path, ("a.png",)), FileImages(tmp_path, ("b.png", "same.bmp")))
    assert found.tolist() == [False, True]


def test_real_cifar100_repeats_ten_training_images_in_its_test_split(assets: Path) -> None:
    data = plugins.load("datasets", "cifar100").open(None, DataRequest(assets / "data"))
    found = exact_duplicates(data.members.images, data.non_members.images)
    assert found.sum() == 10
    assert found.tolist() == by_bytes(data.members.images.read(0, 50_000), data.non_members.images.read(0, 10_000))
