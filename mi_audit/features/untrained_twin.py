"""Evidence for controls: the outputs of the target's architecture with random weights; attacks never see them."""

import copy
import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from mi_audit.features.interface import BoundFeature, Failure, Feature, Observed
from mi_audit.schema.feature_cache import EVIDENCE
from mi_audit.target_model import Batch, TargetModel

NAME = f"{EVIDENCE}untrained-twin"


@dataclass(frozen=True)
class UntrainedTwin(Feature):
    """Logits of a copy of the target that knows nothing, in columns ``class-0``, ...

    Every module that knows how to start anew does so, in the order of their names; batch statistics are then mean 0 and
    variance 1. Parameters of other modules (class tokens, scales, those of scripted modules) get their own values in
    random order, so that what was learned is lost and the scale is kept.

    Attributes:
        seed: of the weights.
    """

    is_evidence: ClassVar[bool] = True

    seed: int = 0

    def bind(self, target: TargetModel, shape: tuple[int, int, int]) -> "BoundUntrainedTwin":  # noqa: ARG002
        """Draw the weights; see `Feature.bind`."""
        return BoundUntrainedTwin(target, self.seed)


class BoundUntrainedTwin(BoundFeature):
    """`UntrainedTwin` of one target."""

    passes = 1.0
    n_at_once = 64

    def __init__(self, target: TargetModel, seed: int) -> None:
        module = copy.deepcopy(target.module)
        device = next((each.device for each in module.parameters()), torch.device("cpu"))
        module = forgotten(module.cpu(), seed).to(device)
        self._twin = dataclasses.replace(target, module=module.eval().requires_grad_(requires_grad=False))
        self.columns = {NAME: tuple(f"class-{number}" for number in range(target.n_classes))}

    def compute(self, batch: Batch) -> Observed:
        """Run the twin; see `BoundFeature.compute`."""
        with torch.no_grad():
            logits = self._twin(batch.images).float()
        rows = (~logits.isfinite()).any(1).nonzero().flatten().tolist()
        logits[rows] = torch.nan
        return Observed({NAME: logits}, tuple(Failure(NAME, row, "outputs are not finite") for row in rows))


def forgotten(module: nn.Module, seed: int) -> nn.Module:
    """The module with random weights in place, drawn by `seed` on the CPU; nothing global is seeded."""
    generator = torch.Generator().manual_seed(seed)
    done: set[int] = set()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for _, each in sorted(module.named_modules(), key=lambda pair: pair[0]):
            own = [value for value in each.parameters(recurse=False) if id(value) not in done]
            if callable(reset := getattr(each, "reset_parameters", None)):
                reset()
            else:
                for value in own:
                    order = torch.randperm(value.numel(), generator=generator)
                    value.copy_(value.flatten()[order].reshape(value.shape))
            done |= {id(value) for value in own}
    return module
