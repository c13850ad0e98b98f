import hashlib

import numpy as np
import pytest

from mi_audit.datasets._images import ArrayImages
from mi_audit.datasets.interface import Geometry
from mi_audit.errors import DataSetError


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_grey_images_get_one_channel() -> None:
    images = ArrayImages(pixels(4, 3, 2))
    assert images.shape == (3, 2, 1)
    assert np.array_equal(images.read(1, 3), pixels(4, 3, 2)[1:3, :, :, np.newaxis])


def test_read_is_a_contiguous_copy_even_of_a_moved_axis() -> None:
    moved = pixels(4, 3, 5, 2).transpose(0, 2, 3, 1)
    images = ArrayImages(moved)
    for read in (images.read(0, 4), images.take(np.arange(4)).read(0, 4)):
        assert read.flags.c_contiguous
        assert read.flags.owndata
        assert np.array_equal(read, moved)


def test_take_copies_no_pixel_and_composes() -> None:
    images = ArrayImages(pixels(6, 2, 2, 3))
    taken = images.take(np.array([5, 3, 1])).take(np.array([2, 0]))
    assert taken.pixels is images.pixels
    assert len(taken) == 2
    assert np.array_equal(taken.read(0, 2), images.pixels[[1, 5]])
    assert len(images.take(np.array([], np.int64))) == 0


def test_geometry_is_left_to_the_target() -> None:
    images = ArrayImages(pixels(2, 4, 4, 3))
    assert images.with_geometry(Geometry(height=2, width=2, resize=2)) is images


def test_digest_is_sha256_of_shape_and_pixels_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mi_audit.datasets._images.N_DIGEST_ROWS", 3)
    values = pixels(7, 2, 2, 3)
    assert ArrayImages(values).digest() == hashlib.sha256(b"(7, 2, 2, 3)" + values.tobytes()).hexdigest()


def test_digest_tells_shapes_of_the_same_bytes_apart() -> None:
    values = pixels(2, 4, 6, 1)
    assert ArrayImages(values).digest() != ArrayImages(values.reshape(2, 6, 4, 1)).digest()


@pytest.mark.parametrize("wrong", [np.zeros((2, 3, 3), np.float32), np.zeros((2, 3), np.uint8), np.zeros(5, np.uint8)])
def test_other_arrays_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(DataSetError, match="expected uint8 images"):
        ArrayImages(wrong)
