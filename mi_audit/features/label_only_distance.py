"""How far an image is from another class, from predicted labels alone, for a subsample."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from mi_audit.features._frozen_copy import frozen_copy
from mi_audit.features._label_only_search import DIRECTIONS_AT_ONCE, NO_START, Budget, LabelOnlySearch
from mi_audit.features.interface import BoundFeature, Failure, Feature, Observed
from mi_audit.target_model import Batch, TargetModel, channels_first

_NAME = "label-only-distance"
_FEWEST_QUERIES = 50
_SLOTS = 32
# All points that are asked about at a time, so many numbers at most.
_POINTS_NUMBERS = 1 << 24


@dataclass(frozen=True)
class LabelOnlyDistance(Feature):
    """HopSkipJump from the true class (Chen, Jordan & Wainwright, S&P 2020), as an adversary without gradients would.

    The L2 distance to the nearest point of another class that was found: never less than the true distance, and 0 for
    a misclassified image. It takes thousands of queries an image, and is computed for a subsample, in which members,
    non-members and their classes have the shares that they have in the whole: that a sample has a value then says
    nothing about its membership. The others are NaN.

    Attributes:
        n: size of the subsample; 0 for all.
        queries: of each image at most.
        directions: to estimate the first gradient from.
        seed: of the subsample and of the noise.
        dtype: of all computation.
    """

    n: int = 200
    queries: int = 2000
    directions: int = 100
    seed: int = 0
    dtype: Literal["float32", "float64"] = "float32"

    def __post_init__(self) -> None:
        if self.queries < _FEWEST_QUERIES:
            raise ValueError(f"expected queries of at least {_FEWEST_QUERIES}, got {self.queries}")
        if self.n < 0 or self.directions < 1 or self.seed < 0:
            got = f"{self.n}, {self.directions} and {self.seed}"
            raise ValueError(f"expected n and seed not below 0 and directions of at least 1, got {got}")

    def bind(self, target: TargetModel, shape: tuple[int, int, int]) -> "BoundLabelOnlyDistance":
        """Copy the target; see `Feature.bind`."""
        return BoundLabelOnlyDistance(self, target, shape)


class BoundLabelOnlyDistance(BoundFeature):
    """`LabelOnlyDistance` for one target."""

    def __init__(self, feature: LabelOnlyDistance, target: TargetModel, shape: tuple[int, int, int]) -> None:
        self.columns = {_NAME: ("distance", "queries")}
        self.feature = feature
        self.n_slots = max(1, min(_SLOTS, _POINTS_NUMBERS // (DIRECTIONS_AT_ONCE * math.prod(shape))))
        self.n_at_once = self.n_slots
        self.passes = feature.queries / 3  # a forward pass is a third of one forward and backward
        self.dtype = getattr(torch, feature.dtype)
        self.target = frozen_copy(target, self.dtype)
        self.budget = Budget(feature.queries, feature.directions, feature.seed)

    def subsample(self, label: npt.NDArray[np.int64], is_member: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_] | None:
        """The same share of each side, and in it of each class; see `BoundFeature.subsample`."""
        n, n_members = self.feature.n, int(is_member.sum())
        if n == 0 or n >= len(label):
            return None
        shuffled = np.random.default_rng(self.feature.seed).permutation(len(label))
        n_chosen_members = round(n * n_members / len(label))
        is_chosen = np.zeros(len(label), np.bool_)
        for is_side, n_chosen in ((is_member, n_chosen_members), (~is_member, n - n_chosen_members)):
            rows = shuffled[is_side[shuffled]]
            is_chosen[rows[np.argsort(_place_in_class(label[rows]), kind="stable")[:n_chosen]]] = True
        return is_chosen

    def compute(self, batch: Batch) -> Observed:
        """Search around every image; see `BoundFeature.compute`."""
        pixels = channels_first(batch.images.permute(0, 3, 1, 2).to(self.dtype).div(255))
        parts = zip(torch.split(pixels, self.n_slots), torch.split(batch.label, self.n_slots), strict=True)
        found = [LabelOnlySearch(self.target, some, label, self.budget).run() for some, label in parts]
        distance = torch.cat([each.distance for each in found])
        n_queries = torch.cat([each.n_queries for each in found]).double()
        values = torch.stack((distance, n_queries), dim=1).float()
        rows = distance.isnan().cpu().nonzero().flatten().tolist()
        return Observed({_NAME: values}, tuple(Failure(_NAME, row, NO_START) for row in rows))


def _place_in_class(label: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """(n,) how far through its class each sample stands, in (0, 1): the first k have all classes in proportion."""
    order = np.argsort(label, kind="stable")
    _, first, counts = np.unique(label[order], return_index=True, return_counts=True)
    place = np.empty(len(label), np.float64)
    place[order] = (np.arange(len(label)) - np.repeat(first, counts) + 0.5) / np.repeat(counts, counts)
    return place
