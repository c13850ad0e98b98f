import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from mi_audit.datasets import _decoding, _images
from mi_audit.datasets._images import FileImages, image_suffixes
from mi_audit.datasets.interface import Geometry
from mi_audit.errors import DataSetError


def write(folder: Path, *sizes: tuple[int, int]) -> FileImages:
    """One random PNG per (height, width)."""
    rng = np.random.default_rng(0)
    names = tuple(f"{number}.png" for number in range(len(sizes)))
    for name, size in zip(names, sizes, strict=True):
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(folder / name)
    return FileImages(folder, names)


def test_one_size_is_a_shape_without_a_geometry(tmp_path: Path) -> None:
    images = write(tmp_path, (4, 5), (4, 5), (4, 5))
    assert images.shape == (4, 5, 3)
    expected = np.stack([np.asarray(Image.open(tmp_path / name)) for name in images.paths])
    assert np.array_equal(images.read(0, 3), expected)
    assert np.array_equal(images.take(np.array([2, 0])).read(0, 2), expected[[2, 0]])
    assert images.read(3, 3).shape == (0, 4, 5, 3)


def test_several_sizes_have_no_shape_and_cannot_be_read(tmp_path: Path) -> None:
    images = write(tmp_path, (4, 5), (5, 4))
    assert images.shape is None
    with pytest.raises(DataSetError, match="expected images of one size"):
        images.read(0, 1)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("resize", [12, 9, None])
def test_geometry_gives_the_pixels_of_torchvision(tmp_path: Path, interpolation: str, resize: int | None) -> None:
    sizes = [(20, 31), (31, 20), (9, 9), (8, 13), (40, 12), (12, 17)]
    images = write(tmp_path, *sizes).with_geometry(Geometry(9, 8, resize, interpolation))
    mode = InterpolationMode(interpolation)
    steps = [Resize((9, 8), mode)] if resize is None else [Resize(resize, mode), CenterCrop((9, 8))]
    expected = [np.asarray(Compose(steps)(Image.open(tmp_path / name))) for name in images.paths]
    assert images.shape == (9, 8, 3)
    assert np.array_equal(images.read(0, len(sizes)), np.stack(expected))


def test_a_crop_larger_than_the_resized_image_enlarges_it(tmp_path: Path) -> None:
    image = write(tmp_path, (10, 10)).with_geometry(Geometry(height=8, width=6, resize=4))
    expected = Image.open(tmp_path / "0.png").resize((6, 8), Image.Resampling.BILINEAR)
    assert np.array_equal(image.read(0, 1)[0], np.asarray(expected))


def test_every_mode_becomes_rgb_without_a_warning(tmp_path: Path) -> None:
    colour = Image.fromarray(np.random.default_rng(1).integers(0, 256, (6, 6, 3), np.uint8))
    made = {
        "L": colour.convert("L"),
        "RGBA": colour.convert("RGBA"),
        "P": colour.quantize(16),
        "1": colour.convert("1"),
    }
    for mode, image in made.items():
        image.save(tmp_path / f"{mode}.png", **({"transparency": bytes(range(16))} if mode == "P" else {}))
    made["RGBA"].putalpha(7)
    read = FileImages(tmp_path, tuple(f"{mode}.png" for mode in made)).read(0, 4)
    for pixels, image in zip(read, made.values(), strict=True):
        assert np.array_equal(pixels, np.asarray(image.convert("RGB")))


def test_unreadable_heads_are_counted_and_the_first_named(tmp_path: Path) -> None:
    write(tmp_path, (4, 4))
    broken = [f"broken{number}.png" for number in range(7)]
    for name in broken:
        (tmp_path / name).write_bytes(b"not an image")
    images = FileImages(tmp_path, ("0.png", *broken, "gone.png"))
    with pytest.raises(DataSetError, match=r"8 of 9 that are not: broken0.png \(not an image\), .*, \.\.\.$") as caught:
        _ = images.shape
    assert str(caught.value).count("broken") == _images.N_NAMED
    assert caught.value.tip is not None


def test_a_truncated_body_is_found_when_it_is_read(tmp_path: Path) -> None:
    images = write(tmp_path, (40, 40), (40, 40))
    whole = (tmp_path / "1.png").read_bytes()
    (tmp_path / "1.png").write_bytes(whole[: len(whole) // 2])
    assert images.shape == (40, 40, 3)
    assert images.read(0, 1).shape == (1, 40, 40, 3)
    with pytest.raises(DataSetError, match=r"1 of 2 that are not: 1\.png \(.*truncated"):
        images.read(0, 2)


def test_a_missing_file_and_a_changed_size_are_told(tmp_path: Path) -> None:
    images = write(tmp_path, (4, 4), (4, 4))
    assert images.shape == (4, 4, 3)
    Image.new("RGB", (3, 2)).save(tmp_path / "0.png")
    (tmp_path / "1.png").unlink()
    with pytest.raises(DataSetError, match=r"0\.png \(2 x 3 pixels, not 4 x 4 as before\), 1\.png \(No such file"):
        images.read(0, 2)


def test_a_sliver_is_refused_before_it_is_blown_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_decoding, "MAX_PIXELS", 10_000)
    images = write(tmp_path, (1, 500)).with_geometry(Geometry(height=8, width=8, resize=8))
    with pytest.raises(DataSetError, match="500 x 1 pixels are too narrow"):
        images.read(0, 1)


def test_programs_and_descriptions_are_no_images(tmp_path: Path) -> None:
    (tmp_path / "figure.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    with pytest.raises(DataSetError, match=r"figure\.png \(not an image\)"):
        _ = FileImages(tmp_path, ("figure.png",)).shape
    suffixes = image_suffixes()
    assert {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".tif", ".webp"} <= suffixes
    assert not {".eps", ".ps", ".pdf", ".h5", ".mpg", ".txt", ".npz"} & suffixes


def test_digest_depends_on_path_size_time_order_and_geometry_but_not_on_the_root(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    images = write(tmp_path / "a", (4, 4), (4, 4))
    first = images.digest()
    assert images.take(np.array([0, 1])).digest() == first
    (tmp_path / "a").rename(tmp_path / "b")
    moved = FileImages(tmp_path / "b", images.paths)
    assert moved.digest() == first
    others = [moved.take(np.array([1, 0])).digest(), moved.with_geometry(Geometry(2, 2, 2)).digest()]
    status = (tmp_path / "b" / "0.png").stat()
    os.utime(tmp_path / "b" / "0.png", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    others.append(moved.digest())
    (tmp_path / "b" / "0.png").write_bytes((tmp_path / "b" / "0.png").read_bytes() + b"\0")
    os.utime(tmp_path / "b" / "0.png", ns=(status.st_atime_ns, status.st_mtime_ns))
    others.append(moved.digest())
    assert len({first, *others}) == 5


def test_an_image_that_says_it_is_huge_is_refused_before_it_is_unpacked(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(_decoding, "MAX_PIXELS", 100)
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("unpacked"))
    images = write(tmp_path, (10, 11))
    with pytest.raises(DataSetError, match="11 x 10 pixels, more than 100"):
        _ = images.shape
    with pytest.raises(DataSetError, match="more than 100"):
        images.with_geometry(Geometry(4, 4, 4)).read(0, 1)


def test_images_of_many_pixels_are_unpacked_one_at_a_time_to_the_same_pixels(tmp_path, monkeypatch) -> None:
    images = write(tmp_path, *[(10, 11)] * 6)
    expected, n_at_once, most, convert = images.read(0, 6), 0, 0, Image.Image.convert

    def counted(image: Image.Image, *arguments: object) -> Image.Image:
        nonlocal n_at_once, most
        n_at_once += 1
        most = max(most, n_at_once)
        time.sleep(0.005)
        n_at_once -= 1
        return convert(image, *arguments)

    monkeypatch.setattr(_decoding, "MANY_PIXELS", 100)
    monkeypatch.setattr(Image.Image, "convert", counted)
    np.testing.assert_array_equal(images.read(0, 6), expected)
    assert most == 1
