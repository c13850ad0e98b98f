"""Evidence for controls: the image in 8 x 8 pixels, its colours, contrast and detail; attacks never see it."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn import functional as F  # noqa: N812 - the usual name

from mi_audit.features.interface import BoundFeature, Feature, Observed
from mi_audit.schema.feature_cache import EVIDENCE
from mi_audit.target_model import Batch, TargetModel

NAME = f"{EVIDENCE}thumbnail"
SIZE = 8
MOMENTS = ("mean", "sd", "detail")


@dataclass(frozen=True)
class Thumbnail(Feature):
    """What tells images apart without the target, in [0, 1] pixel units.

    Columns ``pixel-ROW-COLUMN-CHANNEL`` are means over the fields of an 8 x 8 grid; ``mean-CHANNEL``, ``sd-CHANNEL``
    and ``detail-CHANNEL`` (the mean absolute difference of neighbouring pixels) are of the whole image.
    """

    is_evidence: ClassVar[bool] = True

    def bind(self, target: TargetModel, shape: tuple[int, int, int]) -> "BoundThumbnail":  # noqa: ARG002 - the interface
        """See `Feature.bind`; the target is not asked anything."""
        return BoundThumbnail(shape[2])


class BoundThumbnail(BoundFeature):
    """`Thumbnail` for images of so many channels."""

    def __init__(self, channels: int) -> None:
        at = [f"{row}-{column}" for row in range(SIZE) for column in range(SIZE)]
        pixels = tuple(f"pixel-{place}-{channel}" for place in at for channel in range(channels))
        moments = tuple(f"{moment}-{channel}" for moment in MOMENTS for channel in range(channels))
        self.columns = {NAME: (*pixels, *moments)}

    def compute(self, batch: Batch) -> Observed:
        """Average and differentiate the pixels; see `BoundFeature.compute`."""
        pixels = batch.images.permute(0, 3, 1, 2).to(torch.float32) / 255
        grid = F.adaptive_avg_pool2d(pixels, SIZE).permute(0, 2, 3, 1).flatten(1)
        mean, sd = pixels.mean((2, 3)), pixels.flatten(2).std(2, correction=0)
        detail = [_mean_difference(pixels, dim) for dim in (2, 3)]
        return Observed({NAME: torch.cat((grid, mean, sd, (detail[0] + detail[1]) / 2), dim=1)})


def _mean_difference(pixels: torch.Tensor, dim: int) -> torch.Tensor:
    """(n, channels); 0 where there is one pixel only."""
    if pixels.shape[dim] < 2:
        return pixels.new_zeros(pixels.shape[:2])
    return pixels.diff(dim=dim).abs().mean((2, 3))
