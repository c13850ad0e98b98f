"""Strings in files: one blob of UTF-8 text and the offsets that cut it, instead of an array of objects."""

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int64]

# Strings are encoded this many at a time, so that Python objects for all of them never exist together.
_AT_A_TIME = 1 << 16
# A decoded array holds every string at the length of the longest, so one long string among many could ask for any
# amount of memory. Up to this size it may; beyond, it must stay within this ratio to the file.
_FREE_BYTES = 256 << 20
_MAX_EXPANSION = 32


def encode(strings: npt.NDArray[Any]) -> tuple[Bytes, Offsets]:
    """The text of n strings in a row, (n_bytes,) uint8, and where each starts and the last one ends, (n + 1,) int64.

    Raises:
        ValueError: not one axis; text that UTF-8 cannot hold; lengths too uneven to be read back.
    """
    if strings.ndim != 1:
        raise ValueError(f"expected strings along one axis, got shape {strings.shape}")
    texts, lengths = [], [np.zeros(1, np.int64)]
    for start in range(0, len(strings), _AT_A_TIME):
        pieces = [string.encode() for string in strings[start : start + _AT_A_TIME].tolist()]
        texts.append(b"".join(pieces))
        lengths.append(np.fromiter(map(len, pieces), np.int64, len(pieces)))
    blob = np.frombuffer(b"".join(texts), np.uint8)
    offsets = np.cumsum(np.concatenate(lengths))
    _check_expansion(blob, offsets)
    return blob, offsets


def decode(blob: Bytes, offsets: Offsets) -> npt.NDArray[np.str_]:
    """The strings (kind U) that `encode` cut into these parts.

    Raises:
        ValueError: offsets that do not cut the blob, invalid UTF-8, or lengths too uneven to be read.
    """
    is_cut = len(offsets) > 0 and offsets[0] == 0 and offsets[-1] == len(blob)
    if not is_cut or (offsets[1:] < offsets[:-1]).any():
        raise ValueError("expected offsets of strings that rise from 0 to the end of their text, got others")
    _check_expansion(blob, offsets)
    text = blob.tobytes()
    return np.array([text[start:end].decode() for start, end in itertools.pairwise(offsets.tolist())], dtype=np.str_)


def _check_expansion(blob: Bytes, offsets: Offsets) -> None:
    n, longest = len(offsets) - 1, int(np.diff(offsets).max(initial=0))
    if 4 * longest * n > max(_FREE_BYTES, _MAX_EXPANSION * (blob.nbytes + offsets.nbytes)):
        raise ValueError(f"expected strings of similar lengths, got one of {longest} bytes among {n}")
