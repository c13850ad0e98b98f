"""How far an image is from another class, along the loss gradient."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from mi_audit.features._boundary_walk import Search, Walk
from mi_audit.features._frozen_copy import frozen_copy
from mi_audit.features._memory import slots_within
from mi_audit.features.interface import BoundFeature, Failure, Feature, Observed
from mi_audit.target_model import Batch, TargetModel, channels_first

_NAME = "boundary-distance"


@dataclass(frozen=True)
class BoundaryDistance(Feature):
    """Algorithm 1 of the founding paper (Rezaei & Liu, CVPR 2021): steps along the loss gradient to another class.

    From the predicted class, by L2-normalised steps; where the class changes, the point between the last two at which
    the two confidences agree. The path follows the cross-entropy, which is not the shortest way out where there are
    more than two classes, and a shorter step finds a slightly shorter way. A sample that never crosses is NaN.

    Attributes:
        epsilon: length of a step, L2 in [0, 1] pixels.
        max_steps: after so many a sample counts as never crossing (the paper's S).
        theta: how close the two confidences have to be.
        step: ``"fixed"`` as in the paper, or ``"angle"``: longer where successive gradients agree, else shorter.
        loss: of the class that is ``"predicted"``, or of the true ``"label"`` as the paper states it.
        clip: whether pixels are kept in [0, 1] on the way.
        slots: how many samples walk at a time, at most; fewer where their graphs would take more than 1 GiB.
        dtype: of all computation.
    """

    version: ClassVar[int] = 2  # the lengths of steps by angle

    epsilon: float = 0.02
    max_steps: int = 1000
    theta: float = 1e-4
    step: Literal["fixed", "angle"] = "fixed"
    loss: Literal["predicted", "label"] = "predicted"
    clip: bool = False
    slots: int = 64
    dtype: Literal["float32", "float64"] = "float32"

    def __post_init__(self) -> None:
        if not self.epsilon > 0 or not 0 < self.theta < 1:
            raise ValueError(f"expected epsilon above 0 and theta in (0, 1), got {self.epsilon:g} and {self.theta:g}")
        if self.max_steps < 1 or self.slots < 1:
            raise ValueError(f"expected max_steps and slots of at least 1, got {self.max_steps} and {self.slots}")

    def bind(self, target: TargetModel, shape: tuple[int, int, int]) -> "BoundBoundaryDistance":
        """Copy the target; see `Feature.bind`."""
        return BoundBoundaryDistance(self, target, shape)


class BoundBoundaryDistance(BoundFeature):
    """`BoundaryDistance` for one target."""

    # Typical for confident CIFAR images at the default step; it grows with the distance.
    passes = 20.0

    def __init__(self, feature: BoundaryDistance, target: TargetModel, shape: tuple[int, int, int]) -> None:
        self.columns = {_NAME: ("distance",)}
        self.dtype = getattr(torch, feature.dtype)
        self.target = frozen_copy(target, self.dtype)
        self.n_at_once = slots_within(self.target, shape, feature.slots)
        self.walk = Walk(
            epsilon=feature.epsilon,
            max_steps=feature.max_steps,
            theta=feature.theta,
            is_by_angle=feature.step == "angle",
            is_clipped=feature.clip,
            of_label=feature.loss == "label",
            n_slots=self.n_at_once,
        )

    def compute(self, batch: Batch) -> Observed:
        """Walk from every image; see `BoundFeature.compute`."""
        pixels = channels_first(batch.images.permute(0, 3, 1, 2).to(self.dtype).div(255))
        found = Search(self.target, pixels, batch.label, self.walk).run()
        radius = found.radius.tolist()
        failures = [
            Failure(_NAME, row, reason, radius[row]) for row, reason in enumerate(found.reason) if reason is not None
        ]
        return Observed({_NAME: found.distance.float().unsqueeze(1)}, tuple(failures))
