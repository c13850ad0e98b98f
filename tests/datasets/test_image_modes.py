"""Every kind of image file has one defined outcome: these 8-bit RGB pixels, or this reason."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mi_audit.datasets._images import FileImages, attempt
from mi_audit.errors import DataSetError

COLOUR = np.random.default_rng(1).integers(0, 256, (6, 5, 3), np.uint8)
GREY, GREY_16 = COLOUR[..., 0], np.random.default_rng(2).integers(0, 65536, (6, 5), np.uint16)
COLOUR_16 = np.random.default_rng(3).integers(0, 65536, (6, 5, 3), np.uint16)


def png(path: Path, pixels: np.ndarray, colour_type: int) -> None:
    """A PNG of 16 bits a channel, written by hand: Pillow writes none in colour."""
    rows = pixels.astype(">u2").reshape(len(pixels), -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def repeated(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)


def saved(image: Image.Image, **options: object) -> Callable[[Path], None]:
    return lambda path: image.save(path, **options)


IMAGE = Image.fromarray(COLOUR)
PALETTE = IMAGE.quantize(16)
CMYK = IMAGE.convert("CMYK")
READABLE = {
    "colour.png": (saved(IMAGE), COLOUR),
    "grey.png": (saved(Image.fromarray(GREY)), repeated(GREY)),
    "black-and-white.png": (saved(IMAGE.convert("1")), np.asarray(IMAGE.convert("1").convert("RGB"))),
    "grey-alpha.png": (saved(Image.merge("LA", [Image.fromarray(GREY)] * 2)), repeated(GREY)),
    "transparent.png": (saved(Image.merge("RGBA", [*IMAGE.split(), Image.new("L", (5, 6), 7)])), COLOUR),
    "palette.png": (saved(PALETTE), np.asarray(PALETTE.convert("RGB"))),
    "palette-transparent.png": (saved(PALETTE, transparency=bytes(range(16))), np.asarray(PALETTE.convert("RGB"))),
    "palette.gif": (saved(PALETTE), np.asarray(PALETTE.convert("RGB"))),
    "grey-16.png": (lambda path: png(path, GREY_16, 0), repeated((GREY_16 >> 8).astype(np.uint8))),
    "colour-16.png": (lambda path: png(path, COLOUR_16, 2), (COLOUR_16 >> 8).astype(np.uint8)),
    "grey-16.tif": (saved(Image.fromarray(GREY_16)), repeated((GREY_16 >> 8).astype(np.uint8))),
    "grey-16.pgm": (
        lambda path: path.write_bytes(b"P5 5 6 65535\n" + GREY_16.astype(">u2").tobytes()),
        repeated((GREY_16 >> 8).astype(np.uint8)),
    ),
    "cmyk.tif": (saved(CMYK), np.asarray(CMYK.convert("RGB"))),
}


@pytest.mark.parametrize("name", READABLE)
def test_a_readable_kind_becomes_these_pixels(tmp_path: Path, name: str) -> None:
    write, expected = READABLE[name]
    write(tmp_path / name)
    assert np.array_equal(FileImages(tmp_path, (name,)).read(0, 1)[0], expected)


def test_a_cmyk_jpeg_is_close_to_the_colours_it_was_made_of(tmp_path: Path) -> None:
    smooth = Image.fromarray(COLOUR).resize((64, 64), Image.Resampling.BICUBIC)
    smooth.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    read = FileImages(tmp_path, ("cmyk.jpg",)).read(0, 1)[0]
    assert np.abs(read.astype(int) - np.asarray(smooth)).mean() < 8


def half(path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


UNREADABLE = {
    "integers.tif": (
        saved(Image.fromarray(GREY.astype(np.int32))),
        "pixels of 32-bit integers, whose range is not known",
    ),
    "floats.tif": (saved(Image.fromarray(GREY.astype(np.float32))), "pixels of floats, whose range is not known"),
    "truncated.png": (half, "truncated"),
    "truncated.jpg": (half, "truncated"),
    "text.jpg": (lambda path: path.write_text("<html>not found</html>"), "not an image"),
    "empty.png": (lambda path: path.write_bytes(b""), "not an image"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_kind_has_a_reason_and_becomes_black_where_that_is_asked_for(tmp_path: Path, name: str) -> None:
    write, why = UNREADABLE[name]
    write(tmp_path / name)
    images = FileImages(tmp_path, (name, *["whole.png"] * 199))
    Image.new("RGB", (5, 6) if "truncated" not in name else (40, 40), (9, 9, 9)).save(tmp_path / "whole.png")
    with pytest.raises(DataSetError, match=rf"1 of 3 that are not: {name} \(.*{why}"):
        images.read(0, 3)
    pixels, is_readable = attempt(images, 0, 3)
    assert is_readable.tolist() == [False, True, True]
    assert [int(image.max()) for image in pixels] == [0, 9, 9]


def test_a_hundredth_of_unreadable_heads_is_tolerated_and_no_more(tmp_path: Path) -> None:
    Image.new("RGB", (5, 6)).save(tmp_path / "whole.png")
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"no")
    paths = ("a.png", "b.png", *["whole.png"] * 198)
    assert FileImages(tmp_path, paths).shape == (6, 5, 3)
    with pytest.raises(DataSetError, match=r"2 of 199 that are not: a\.png \(not an image\), b\.png"):
        _ = FileImages(tmp_path, paths[:-1]).shape


def test_heads_say_size_mode_and_file_type_whatever_the_suffix(tmp_path: Path) -> None:
    IMAGE.save(tmp_path / "a.png", format="JPEG")
    CMYK.save(tmp_path / "b.tif")
    (tmp_path / "c.png").write_bytes(b"no")
    first, second = FileImages(tmp_path, ("a.png", "b.tif", "c.png")).headers()
    assert (first.width, first.height, first.mode, first.file_type) == (5, 6, "RGB", "JPEG")
    assert (second.mode, second.file_type) == ("CMYK", "TIFF")


def test_a_few_heads_are_enough_to_see_that_sizes_vary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        Image.new("RGB", (5 + number, 6)).save(tmp_path / f"{number}.png")
    opened, image_open = [], Image.open
    monkeypatch.setattr(Image, "open", lambda path, **options: opened.append(path) or image_open(path, **options))
    images = FileImages(tmp_path, tuple(f"{number // 7 % 4}.png" for number in range(4321)))
    assert images.shape is None
    assert len(opened) <= 64
