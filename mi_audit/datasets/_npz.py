"""Somebody else's ``.npz`` files of a data set."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from mi_audit import npz_arrays
from mi_audit.errors import DataSetError

_REFUSALS = npz_arrays.Refusals(
    DataSetError,
    not_there="--data arrays:FILE.npz",
    damaged="write it again with numpy.savez(FILE, images=..., labels=..., is_member=...)",
)


def read_arrays(file: Path, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, npt.NDArray[Any]]:
    """The arrays of these names, as `npz_arrays.read_arrays` reads them.

    Raises:
        DataSetError: no such file; not an ``.npz``, or truncated; an array is missing, twice there, not numeric, or
            expands beyond the bound.
    """
    return npz_arrays.read_arrays(file, required, optional, _REFUSALS)
