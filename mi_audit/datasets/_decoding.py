"""From an image file to pixels: what is read, what is refused, and how every kind becomes 8-bit RGB.

=============================  =====================================================================================
colour, 8 bits                 as it is; 16 bits keep the high byte
grey, black and white          repeated; 16 bits keep the high byte (a plain conversion would clip to white)
palette, transparency          the colours, transparency dropped
CMYK, YCbCr, HSV               as Pillow converts them
several frames                 the first
32-bit integers and floats     refused, unless the format itself has 16 bits: nobody says what range they have
=============================  =====================================================================================

A JPEG is always decoded in full: Pillow's draft mode is faster, and gives other pixels. A note in the file about how
to turn it is not followed: nor does torchvision's `ImageFolder`, with which such targets are trained.
"""

import threading
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from mi_audit.datasets.interface import Geometry, UInt8Array

# Formats with a decoder inside Pillow. Others that it registers start programs (EPS) or only describe a file (HDF5).
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
# Of these, 16-bit grey may arrive as 32-bit integers, scaled to 16 bits.
FORMATS_OF_16_BITS = ("PNG", "PPM")
# Decoding takes up to 8 bytes a pixel, and a file of 20 KB can unpack to any number of them. So images of many pixels
# are decoded one at a time, and those of more than Pillow warns about not at all.
MAX_PIXELS, MANY_PIXELS = 89_478_485, 1 << 24
RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}

_ALONE = threading.Lock()


@dataclass(frozen=True)
class Header:
    """What the head of an image file says.

    Attributes:
        width, height: in pixels.
        mode: Pillow's word for the kind of pixels, ``"RGB"``, ``"CMYK"``, ``"I;16"``.
        file_type: Pillow's word for the format, ``"JPEG"``, whatever the suffix.
    """

    width: int
    height: int
    mode: str
    file_type: str


def image_suffixes() -> frozenset[str]:
    """Suffixes (lower case, with the dot) of the files that can be decoded here."""
    suffixes = Image.registered_extensions()
    return frozenset(suffix for suffix, kind in suffixes.items() if kind in FORMATS and kind in Image.OPEN)


def header(path: Path) -> Header:
    """What the head of the file says; no pixel is decoded."""
    with _opened(path) as image:
        return Header(image.width, image.height, image.mode, image.format or "?")


def decoded(path: Path, geometry: Geometry | None, shape: tuple[int, int, int]) -> UInt8Array:
    """One image as (height, width, 3) uint8.

    Args:
        path: of the file.
        geometry: what it is brought to; ``None`` leaves it as it is.
        shape: that it must have then.

    Raises:
        ValueError: another size, or pixels that cannot be made 8-bit RGB; each decoder raises further errors.
    """
    with _opened(path) as image, _ALONE if image.width * image.height > MANY_PIXELS else nullcontext():
        rgb = _rgb(image)
    pixels = np.asarray(rgb if geometry is None else _fitted(rgb, geometry))
    if pixels.shape != shape:
        raise ValueError(f"{pixels.shape[0]} x {pixels.shape[1]} pixels, not {shape[0]} x {shape[1]} as before")
    return pixels


def reason(error: Exception) -> str:
    """What is wrong with a file, in few words and without its path, which stands beside it."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def _opened(path: Path) -> Image.Image:
    """The image with its head read.

    Raises:
        ValueError: it says that it has more pixels than `MAX_PIXELS`; a file of 20 KB can.
    """
    image = Image.open(path, formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise ValueError(f"{image.width} x {image.height} pixels, more than {MAX_PIXELS:,}")
    return image


def _rgb(image: Image.Image) -> Image.Image:
    """The image in 8-bit RGB, as the table above says."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in FORMATS_OF_16_BITS):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError(f"pixels of {'32-bit integers' if image.mode == 'I' else 'floats'}, whose range is not known")
    # Straight to RGB gives the same pixels, but Pillow warns where a palette has transparency.
    return (image.convert("RGBA") if image.mode in ("P", "PA") else image).convert("RGB")


def _fitted(image: Image.Image, geometry: Geometry) -> Image.Image:
    """The image resized and cropped, as torchvision's ``Resize`` and ``CenterCrop`` of a Pillow image do it."""
    width, height = geometry.width, geometry.height
    if geometry.resize is not None:
        shorter = min(image.size)
        width = max(width, geometry.resize * image.width // shorter)
        height = max(height, geometry.resize * image.height // shorter)
    if width * height > MAX_PIXELS:
        raise ValueError(f"{image.width} x {image.height} pixels are too narrow to resize")
    resized = image.resize((width, height), RESAMPLING[geometry.interpolation])
    left, top = round((width - geometry.width) / 2), round((height - geometry.height) / 2)
    return resized.crop((left, top, left + geometry.width, top + geometry.height))
