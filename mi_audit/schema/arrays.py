"""What the arrays of a record have in common: checked, read-only, walked in flat memory, digested."""

import hashlib
import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from mi_audit.schema import strings

Array = npt.NDArray[Any]
BLOCK_BYTES = 8 << 20


def checked(name: str, array: Array, shape: tuple[int | None, ...], kinds: str) -> Array:
    """A read-only view of `array`, when it has this shape and one of these dtype kinds.

    Args:
        name: for the message.
        array: to be looked at.
        shape: expected; ``None`` where any length will do.
        kinds: letters of NumPy's dtype kinds, as in ``"iu"``.

    Raises:
        ValueError: it has not.
    """
    fits = len(array.shape) == len(shape) and all(
        want is None or want == got for want, got in zip(shape, array.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"expected {name} of shape {_shape_text(shape)}, got {_shape_text(array.shape)}")
    if array.dtype.kind not in kinds:
        raise ValueError(f"expected {name} of dtype kind {kinds!r}, got {array.dtype}")
    view = array.view()
    view.flags.writeable = False
    return view


def row_blocks(array: Array, block_bytes: int = BLOCK_BYTES) -> Iterator[Array]:
    """Consecutive blocks of rows of about `block_bytes`; an array without axes is one block of one row.

    An array that is mapped from a file is walked in flat memory, whatever its length: what was walked is given back.
    """
    rows = array.reshape(1) if array.ndim == 0 else array
    row_bytes = rows.nbytes // max(1, len(rows))
    step = max(1, block_bytes // row_bytes if row_bytes else len(rows))
    for start in range(0, len(rows), step):
        yield rows[start : start + step]
        if len(rows) > step:
            _give_pages_back(array)


def little_endian(block: Array) -> Array:
    """The block as its bytes are digested and stored: little-endian, row after row; copied only where it is not so."""
    return np.ascontiguousarray(block, block.dtype.newbyteorder("<"))


def digest(array: Array) -> str:
    """SHA-256 of dtype, shape and values, whatever the memory layout; strings (kind U) by their text in UTF-8.

    Raises:
        ValueError: strings that `strings.encode` refuses.
    """
    state = digest_start(array.dtype, array.shape)
    for part in strings.encode(array) if array.dtype.kind == "U" else (array,):
        for block in row_blocks(part):
            state.update(little_endian(block).data)
    return state.hexdigest()


def digest_start(dtype: np.dtype[Any], shape: tuple[int, ...]) -> "hashlib._Hash":
    """The state of `digest` before the first value, for arrays that come in blocks (as `little_endian` makes them)."""
    code = "U" if dtype.kind == "U" else dtype.newbyteorder("<").str
    return hashlib.sha256(f"{code}|{shape}|".encode())


def all_finite(array: Array) -> bool:
    """Whether every value is a finite number, block by block."""
    return all(bool(np.isfinite(block).all()) for block in row_blocks(array))


def _give_pages_back(array: Array) -> None:
    """Let go of the memory in which a mapped file lies; the next access reads it again.

    Copy-on-write maps are left alone, since their changes would be lost: a map is let go of when it is read-only, or
    when `numpy.memmap` says that its changes go to the file.
    """
    owner: Any = array
    is_shared = False
    while isinstance(owner, np.ndarray):
        is_shared |= getattr(owner, "mode", None) in ("r+", "w+")
        owner = owner.base
    if isinstance(owner, mmap.mmap) and hasattr(owner, "madvise") and (is_shared or memoryview(owner).readonly):
        owner.madvise(mmap.MADV_DONTNEED)


def _shape_text(shape: tuple[int | None, ...]) -> str:
    lengths = ", ".join("n" if length is None else str(length) for length in shape)
    return f"({lengths},)" if len(shape) == 1 else f"({lengths})"
