"""Some samples of both sides, on which candidates for a network are tried before the long work."""

from functools import lru_cache

import numpy as np

from mi_audit.datasets.interface import Geometry, MembershipData, Side
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
        sides = [_some(side, n_of_a_side, seed) for side in (data.members, data.non_members)]
        self._data = data
        self._sides = sides
        self.label = np.concatenate([side.label for side in sides])
        self.is_member = np.arange(len(self.label)) < len(sides[0])
        self._pixels = lru_cache(maxsize=4)(self._decoded)

    def __call__(self, preprocessing: Preprocessing) -> Probe:
        """The samples, brought to the size that this preprocessing needs where the sizes of the data vary.

        Raises:
            DataSetError: some images cannot be read.
        """
        geometry = None if self._data.shape is not None else geometry_for(preprocessing)
        return Probe(self._pixels(geometry), self.label, self.is_member)

    def _decoded(self, geometry: Geometry | None) -> np.ndarray:
        images = [side.images if geometry is None else side.images.with_geometry(geometry) for side in self._sides]
        pixels = np.concatenate([each.read(0, len(each)) for each in images])
        pixels.flags.writeable = False  # it is handed out again
        return pixels


def geometry_for(preprocessing: Preprocessing) -> Geometry:
    """The geometry that files of varying sizes are brought to: the target's, or the field's usual one."""
    if preprocessing.size is None:
        return Geometry(DEFAULT_SIZE, DEFAULT_SIZE, DEFAULT_RESIZE, preprocessing.interpolation)
    return Geometry(*preprocessing.size, preprocessing.resize, preprocessing.interpolation)


def _some(side: Side, n: int, seed: int) -> Side:
    return side.take(stratified(np.array(side.sample_id), side.label, n, seed))
