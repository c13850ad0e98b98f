"""The two sides of an audit, members and non-members: what every metric checks before it counts."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def split(
    score: NDArray[np.floating[Any]], is_member: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The scores (n,) of the members and those of the non-members, as float64.

    The cast comes first because numpy compares a float32 array with a Python float in float32, where the next lower
    float64 of a score is that score again and ``score > threshold`` would quietly become False.

    Raises:
        ValueError: shapes that differ, NaN scores, or a membership that is not boolean (``~`` on integers is no
            complement).
    """
    values = np.asarray(score, dtype=np.float64)
    membership = np.asarray(is_member)
    if values.ndim != 1 or membership.shape != values.shape:
        raise ValueError(f"expected one score and one membership per sample, got {values.shape} and {membership.shape}")
    if membership.dtype != np.bool_:
        raise ValueError(f"expected a boolean is_member, got {membership.dtype}")
    if n_missing := int(np.count_nonzero(np.isnan(values))):
        raise ValueError(f"expected scores without NaN, got {n_missing} NaN among {len(values)}")
    return values[membership], values[~membership]


def missing_side(n_members: int, n_non_members: int) -> str | None:
    """Why a number that needs both sides is undefined, or None where both are there.

    >>> missing_side(0, 10)
    '0 members'
    """
    if n_members == 0 and n_non_members == 0:
        return "0 samples"
    if n_members == 0:
        return "0 members"
    if n_non_members == 0:
        return "0 non-members"
    return None
