"""Some samples of both sides, on which candidates for a network are tried before the long work."""

from functools import lru_cache

import numpy as np

from mi_audit.datasets._images import attempt
from mi_audit.datasets.interface import Geometry, Int64Array, MembershipData, Side
from mi_audit.stages._selecting import stratified
from mi_audit.target_model import Preprocessing
from mi_audit.targets.interface import Probe

N_OF_A_SIDE = 256
DEFAULT_SIZE, DEFAULT_RESIZE = 224, 256


class Probing:
    """Gives a `Probe` for each preprocessing: the same samples, drawn by seed and stratified by class.

    They are decoded when they are first asked for, once for each geometry; images that have one size already are
    decoded once for all.

    Args:
        data: both sides.
        seed: of the draw.
        n_of_a_side: at most so many of the members, and of the non-members.
    """

    def __init__(self, data: MembershipData, seed: int, n_of_a_side: int = N_OF_A_SIDE) -> None:
        self._data = data
        self._rows = [_drawn(side, n_of_a_side, seed) for side in (data.members, data.non_members)]
        self._at = lru_cache(maxsize=4)(self._decoded)

    def __call__(self, preprocessing: Preprocessing) -> Probe:
        """The samples, brought to the size that this preprocessing needs where the sizes of the data vary.

        Its arrays are handed out again: they are to be read only. Images that cannot be read are left out.
        """
        return self._at(None if self._data.shape is not None else geometry_for(preprocessing))

    def _decoded(self, geometry: Geometry | None) -> Probe:
        pixels, label, is_member = [], [], []
        sides = (self._data.members, self._data.non_members)
        for whole, rows, name in zip(sides, self._rows, (True, False), strict=True):
            side = whole.take(rows)
            images = side.images if geometry is None else side.images.with_geometry(geometry)
            decoded, failures = attempt(images, 0, len(images))
            kept = np.setdiff1d(np.arange(len(images)), list(failures))
            pixels.append(decoded[kept] if failures else decoded)
            label.append(side.label[kept])
            is_member.append(np.full(len(kept), name))
        return Probe(np.concatenate(pixels), np.concatenate(label), np.concatenate(is_member))


def geometry_for(preprocessing: Preprocessing) -> Geometry:
    """The geometry that files of varying sizes are brought to: the target's, or the field's usual one."""
    if preprocessing.size is None:
        return Geometry(DEFAULT_SIZE, DEFAULT_SIZE, DEFAULT_RESIZE, preprocessing.interpolation)
    return Geometry(*preprocessing.size, preprocessing.resize, preprocessing.interpolation)


def _drawn(side: Side, n: int, seed: int) -> Int64Array:
    return stratified(np.array(side.sample_id), side.label, n, seed)
