"""One sample for every group, where the data name groups (many images of one person)."""

import numpy as np
import numpy.typing as npt

from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.stages._split import seeded_keys

SEED = 0

IntArray = npt.NDArray[np.int64]


def group_seats(cache: FeatureCache) -> IntArray | None:
    """(n_samples,) the order in which samples are asked to stand for their group; ``None`` without groups."""
    if cache.group is None:
        return None
    seats = np.empty(len(cache.sample_id), np.int64)
    seats[np.argsort(seeded_keys(cache.sample_id, SEED), kind="stable")] = np.arange(len(cache.sample_id))
    return seats


def one_each(cache: FeatureCache, rows: IntArray, seats: IntArray | None) -> IntArray:
    """Of these positions the first of every group, in rising order; all of them without groups.

    Args:
        cache: the feature cache.
        rows: (n,) positions in it.
        seats: of `group_seats`.
    """
    if cache.group is None or seats is None:
        return rows
    asked = rows[np.argsort(seats[rows])]
    _, first = np.unique(cache.group[asked], return_index=True)
    return np.sort(asked[first])
