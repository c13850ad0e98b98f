"""Trying a hypothesis on some labelled samples of the data: is it right, how sure is it, do its statistics fit."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mi_audit.target_model import TargetModel
from mi_audit.targets._identification.hypotheses import Hypothesis
from mi_audit.targets.interface import Probe

_BATCH = 64
# Larger images are tried on fewer samples: what is wrong shows on a hundred.
_SMALL_SIDE, _MOST_LARGE = 96, 128
_TINY = 1e-5
# Full float32 on a GPU and no choice of kernel by stopwatch: equal runs say equal numbers.
_EXACT = partial(torch.backends.cudnn.flags, enabled=True, benchmark=False, deterministic=True, allow_tf32=False)


@dataclass(frozen=True)
class Trial:
    """How a hypothesis did.

    Attributes:
        hypothesis: what was tried.
        is_correct: (n,) bool, per sample.
        loss: (n,) float64, negative log-likelihood of the label in nats; infinite where the answer was not finite.
        drift: mean over channels, summed over layers, of the Kullback-Leibler divergence between the statistics that
            BatchNorm layers saw on the samples and those that they hold from training; ``None`` without such layers.
        seen: what each of these layers saw, for a trial that goes on from here.
    """

    hypothesis: Hypothesis
    is_correct: npt.NDArray[np.bool_]
    loss: npt.NDArray[np.float64]
    drift: float | None
    seen: tuple["Moments", ...] = ()

    @property
    def accuracy(self) -> float:
        """Share of the samples that is right."""
        return float(self.is_correct.mean())


def try_out(
    hypothesis: Hypothesis,
    target: TargetModel,
    probe: Probe,
    n_most: int | None = None,
    before: Trial | None = None,
) -> Trial:
    """Run the target, in eval mode and where it is, on the samples of the probe in a fixed shuffled order.

    Args:
        hypothesis: whose target it is.
        target: with the preprocessing of the hypothesis.
        probe: samples of both sides.
        n_most: at most so many samples.
        before: the same on the first samples; it goes on from there.
    """
    height, width = target.preprocessing.size or probe.images.shape[1:3]
    allowed = len(probe.label) if max(height, width) <= _SMALL_SIDE else _MOST_LARGE
    n_done = 0 if before is None else len(before.is_correct)
    order = np.random.default_rng(0).permutation(len(probe.label))[n_done : min(allowed, n_most or allowed)]
    if before is not None and not len(order):
        return before
    with torch.no_grad(), _EXACT(), _watching(target.module, () if before is None else before.seen) as seen:
        device = next((tensor.device for tensor in target.module.state_dict().values()), None)
        parts = [target(torch.from_numpy(probe.images[part]).to(device)) for part in _parts(order)]
    is_correct, loss = _graded(torch.cat(parts).cpu().double(), probe.label[order])
    if before is not None:
        is_correct, loss = np.concatenate([before.is_correct, is_correct]), np.concatenate([before.loss, loss])
    return Trial(hypothesis, is_correct, loss, _drift(seen), tuple(seen))


def _graded(
    logits: torch.Tensor, label: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Which answers are right, and the loss of each."""
    loss = nn.functional.cross_entropy(logits, torch.from_numpy(label), reduction="none").numpy()
    is_finite = torch.isfinite(logits).all(dim=1).numpy()
    return (logits.argmax(dim=1).numpy() == label) & is_finite, np.where(is_finite, loss, np.inf)


def _parts(order: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    for start in range(0, len(order), _BATCH):
        yield order[start : start + _BATCH]


class Moments:
    """Count, sum and sum of squares per channel of all that a layer saw."""

    def __init__(self, layer: _BatchNorm) -> None:
        self.layer = layer
        self.count = 0
        self.total = torch.zeros(layer.num_features, dtype=torch.float64)
        self.squares = torch.zeros(layer.num_features, dtype=torch.float64)

    def copy(self) -> "Moments":
        """The same so far."""
        twin = Moments(self.layer)
        twin.count, twin.total, twin.squares = self.count, self.total.clone(), self.squares.clone()
        return twin

    def see(self, _: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        values = inputs[0].detach()
        axes = [axis for axis in range(values.ndim) if axis != 1]
        self.count += values.numel() // values.shape[1]
        self.total += values.sum(dim=axes).double().cpu()
        self.squares += values.square().sum(dim=axes).double().cpu()


@contextmanager
def _watching(module: nn.Module, before: tuple[Moments, ...]) -> Iterator[list[Moments]]:
    """The moments of what every BatchNorm layer sees inside the block, and saw before."""
    layers = [layer for layer in module.modules() if isinstance(layer, _BatchNorm)]
    new = [Moments(layer) for layer in layers if layer.running_mean is not None]
    seen = [moments.copy() for moments in before] or new
    hooks = [moments.layer.register_forward_pre_hook(moments.see) for moments in seen]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _drift(seen: list[Moments]) -> float | None:
    parts = [_divergence(moments) for moments in seen if moments.count > 1]
    return float(sum(parts)) if parts else None


def _divergence(moments: Moments) -> float:
    """Of two normal distributions per channel, averaged over channels: those seen from those held."""
    held_mean, held_variance = moments.layer.running_mean, moments.layer.running_var
    assert held_mean is not None
    assert held_variance is not None
    mean = moments.total / moments.count
    variance = (moments.squares / moments.count - mean.square()).clamp(min=0) + _TINY
    held = held_variance.double().cpu() + _TINY
    ratio = variance / held
    return float((0.5 * (ratio - 1 - ratio.log() + (mean - held_mean.double().cpu()).square() / held)).mean())
