"""What is kept of every image while it is in memory: enough to find duplicates and a shift without decoding it again.

===========  ==========================================================================================
exact        64-bit hash of all pixels
perceptual   64-bit hash of what the image looks like: signs of the lowest frequencies of its grey values
thumbnail    the image in grey at 16 x 16 pixels, each the mean of the pixels under it
colour       mean red, green and blue
===========  ==========================================================================================

The perceptual hash is the usual one of the discrete cosine transform: grey at 32 x 32, the 8 x 8 lowest frequencies,
one bit for each that is above the median of them. Noise, compression, brightness and contrast move few bits.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from mi_audit.datasets.interface import UInt8Array

KEYS_SEED = 20260
SIDE, THUMBNAIL, N_FREQUENCIES = 32, 16, 8
# Frequencies nearer to the median than this, in grey values from 0 to 255, are rounding, not the image.
GREY_RESOLUTION = 1e-2

UInt64Array = npt.NDArray[np.uint64]
Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Fingerprints:
    """Of n images.

    Attributes:
        exact: (n,) uint64; equal pixels have equal hashes.
        perceptual: (n,) uint64; images that look alike differ in few bits.
        thumbnail: (n, 256) uint8, 16 rows of 16.
        colour: (n, 3) float32, from 0 to 255.
    """

    exact: UInt64Array
    perceptual: UInt64Array
    thumbnail: UInt8Array
    colour: Float32Array


def fingerprints(pixels: UInt8Array) -> Fingerprints:
    """The fingerprints of images (n, height, width, channels) uint8; grey ones count as three equal channels."""
    small = _mean_pixels(pixels)
    grey = small.mean(axis=3)
    n, part = len(grey), SIDE // THUMBNAIL
    thumbnail = np.rint(grey.reshape(n, THUMBNAIL, part, THUMBNAIL, part).mean(axis=(2, 4))).astype(np.uint8)
    return Fingerprints(
        pixel_hashes(pixels), _perceptual_hashes(grey), thumbnail.reshape(n, THUMBNAIL**2), small.mean(axis=(1, 2))
    )


def pixel_hashes(pixels: UInt8Array) -> UInt64Array:
    """A 64-bit hash of the pixels of every image, (n,): the sum of words times odd random keys, modulo 2^64.

    A multilinear hash (Carter and Wegman, 1979; Lemire and Kaser, 2014). Each word is folded first, since a product
    modulo 2^64 carries a difference in the high bits of a word to the high bits of the sum only.
    """
    flat = pixels.reshape(len(pixels), math.prod(pixels.shape[1:]))
    words = np.pad(flat, ((0, 0), (0, -flat.shape[1] % 8))).view(np.uint64)
    words ^= words >> np.uint64(32)
    return np.asarray(words @ _keys(words.shape[1]), np.uint64)


@lru_cache(maxsize=4)
def _keys(n_words: int) -> UInt64Array:
    return np.random.default_rng(KEYS_SEED).integers(0, 2**64, n_words, np.uint64) | np.uint64(1)


def _mean_pixels(pixels: UInt8Array) -> Float32Array:
    """The images at 32 x 32, (n, 32, 32, 3) float32: each pixel the mean of the area under it."""
    n, height, width, channels = pixels.shape
    colour = pixels[..., :3] if channels >= 3 else np.broadcast_to(pixels[..., :1], (n, height, width, 3))
    values = colour.astype(np.float32)
    if height != SIDE:
        values = (_areas(height) @ values.reshape(n, height, width * 3)).reshape(n, SIDE, width, 3)
    if width != SIDE:
        values = _areas(width) @ values
    return values


@lru_cache(maxsize=8)
def _areas(length: int) -> Float32Array:
    """(32, length): how much of each pixel lies in each of 32 equal parts of a line, in shares of the part."""
    edges = np.linspace(0, length, SIDE + 1)
    pixel = np.arange(length)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    shares = np.clip(overlap, 0, None)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


def _perceptual_hashes(grey: Float32Array) -> UInt64Array:
    """(n,) uint64 from grey images (n, 32, 32): bit 0 is not used, since the mean tells nothing."""
    cosines = _cosines()
    frequencies = (cosines @ grey @ cosines.T).reshape(len(grey), N_FREQUENCIES**2)
    steps = np.rint(frequencies / GREY_RESOLUTION)
    bits = steps > np.median(steps[:, 1:], axis=1, keepdims=True)
    bits[:, 0] = False
    return np.asarray(np.packbits(bits, axis=1, bitorder="little").view("<u8")[:, 0], np.uint64)


@lru_cache(maxsize=1)
def _cosines() -> Float32Array:
    """(8, 32): the lowest frequencies of the discrete cosine transform of a line, scaled to the range of the values."""
    angle = np.pi / SIDE * (np.arange(SIDE) + 0.5) * np.arange(N_FREQUENCIES)[:, None]
    return np.asarray(np.cos(angle) / SIDE, np.float32)
