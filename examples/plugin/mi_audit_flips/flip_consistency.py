"""How much the outputs change when the image is mirrored.

A network that is trained with horizontal flips has seen both faces of a member, and none of others'; one that is
trained without knows members by one face. Either way the change may differ between the sides, in a direction that the
attack has to learn. Choquette-Choo et al., ICML 2021, section 4.1 (augmentation queries), with the outputs in
place of labels.
"""

from dataclasses import dataclass

import torch

from mi_audit.features.interface import BoundFeature, Feature, Observed
from mi_audit.target_model import Batch, TargetModel

NAME = "flip-consistency"


@dataclass(frozen=True)
class FlipConsistency(Feature):
    """One more pass per sample, over its mirror image; has no options."""

    def bind(self, target: TargetModel, shape: tuple[int, int, int]) -> "BoundFlipConsistency":  # noqa: ARG002
        """See `Feature.bind`."""
        return BoundFlipConsistency(target)


class BoundFlipConsistency(BoundFeature):
    """`FlipConsistency` for one target.

    Columns, with p and p' the softmax of image and mirror image and y the true class:
    ``change``, ||p - p'||_2, and ``loss-rise``, -ln p'_y + ln p_y.
    """

    passes = 1.0

    def __init__(self, target: TargetModel) -> None:
        self._target = target
        self.columns = {NAME: ("change", "loss-rise")}

    def compute(self, batch: Batch) -> Observed:
        """Mirror the batch, (n, height, width, channels), and ask again; see `BoundFeature.compute`."""
        with torch.no_grad():
            mirrored = self._target(batch.images.flip(2))
        before, after = (logits.double().log_softmax(1) for logits in (batch.logits, mirrored))
        change = (before.exp() - after.exp()).norm(dim=1)
        rise = (before - after).gather(1, batch.label[:, None]).squeeze(1)
        return Observed({NAME: torch.stack((change, rise), dim=1).float()})
