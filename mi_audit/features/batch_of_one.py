"""Evidence for controls: how an image's outputs alone differ from those in a batch; attacks never see it."""

import hashlib
from dataclasses import dataclass
from typing import ClassVar

import torch

from mi_audit.features.interface import BoundFeature, Feature, Observed
from mi_audit.schema.feature_cache import EVIDENCE
from mi_audit.target_model import Batch, TargetModel

NAME = f"{EVIDENCE}batch-of-one"


@dataclass(frozen=True)
class BatchOfOne(Feature):
    """The largest absolute difference between the logits of an image alone and those in its batch.

    One image of `every` is run alone, chosen by a hash of its pixels and the seed, and so the same ones whatever the
    batch; NaN for the rest.

    Attributes:
        every: of so many images one is compared.
        seed: of the choice.
    """

    is_evidence: ClassVar[bool] = True

    every: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"expected every of at least 1, got {self.every}")

    def bind(self, target: TargetModel, shape: tuple[int, int, int]) -> "BoundBatchOfOne":  # noqa: ARG002
        """See `Feature.bind`."""
        return BoundBatchOfOne(target, self)


class BoundBatchOfOne(BoundFeature):
    """`BatchOfOne` for one target."""

    n_at_once = 64

    def __init__(self, target: TargetModel, options: BatchOfOne) -> None:
        self._target, self._every = target, options.every
        self._key = options.seed.to_bytes(16, "little", signed=True)
        self.passes = 1 / options.every
        self.columns = {NAME: ("difference",)}

    def compute(self, batch: Batch) -> Observed:
        """Run the chosen images alone; see `BoundFeature.compute`."""
        values = torch.full((len(batch), 1), torch.nan)
        for row in range(len(batch)):
            if self._is_chosen(batch.images[row]):
                values[row] = self._difference(batch, row)
        return Observed({NAME: values.to(batch.logits.device)})

    def _is_chosen(self, image: torch.Tensor) -> bool:
        digest = hashlib.blake2b(image.cpu().numpy().tobytes(), digest_size=8, key=self._key).digest()
        return int.from_bytes(digest, "little") % self._every == 0

    def _difference(self, batch: Batch, row: int) -> float:
        """Infinite differences are NaN in the cache; a target that cannot take one image differs by all it says."""
        try:
            with torch.no_grad():
                alone = self._target(batch.images[row : row + 1])
        except (ValueError, RuntimeError):  # batch statistics of one image do not exist
            return float(batch.logits[row].abs().max())
        return float((alone[0] - batch.logits[row]).abs().max())
