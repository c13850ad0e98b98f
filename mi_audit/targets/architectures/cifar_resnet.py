"""The residual networks for 32 x 32 images of He et al. 2016 ("Deep Residual Learning", section 4.2).

A network of 6n + 2 layers is a 3 x 3 convolution, three stages of n basic blocks with 16, 32 and 64 channels, global
average pooling and one fully connected layer; with bottleneck blocks it has 9n + 2 layers and ends each stage in four
times the channels. The first block of the second and of the third stage halves the image; what a shortcut does where
the shape changes tells the forms apart:

- *projection*: a 1 x 1 convolution with batch normalisation. The names are those of chenyaofo/pytorch-cifar-models and
  bearpaw/pytorch-classification: the shortcut is ``downsample``, the last layer ``fc``.
- *zero padding* (the paper's option A): every second pixel, and new channels of zeros, as many in front as behind. The
  names are those of akamaster/pytorch_resnet_cifar10: the shortcut has no weights, the last layer is ``linear``.
"""

from functools import partial

import torch
from torch import nn

from mi_audit.targets.architectures._containers import Layers, Residual, chain, convolution, pooling, stages


def build(
    n_classes: int, shape: tuple[int, int, int], *, depth: int, option_a: bool, bottleneck: bool = False
) -> nn.Module:
    """A residual network with random weights.

    Args:
        n_classes: how many logits it returns.
        shape: (height, width, channels) of the images; only the channels matter.
        depth: layers, 6n + 2; with bottleneck blocks 9n + 2.
        option_a: zero-padding shortcuts instead of projections.
        bottleneck: blocks of 1 x 1, 3 x 3 and 1 x 1 convolutions.
    """
    times, layers_each = (4, 9) if bottleneck else (1, 6)
    widths = [16 * times, 32 * times, 64 * times]
    blocks = [(depth - 2) // layers_each] * 3
    block = _bottleneck if bottleneck else partial(_basic, option_a=option_a)
    stem: Layers = {"conv1": convolution(shape[2], 16), "bn1": nn.BatchNorm2d(16), "relu": nn.ReLU()}
    hidden = stages(block, "layer{}", 16, widths, blocks)
    return chain(stem, **hidden, pool=pooling(), **{"linear" if option_a else "fc": nn.Linear(widths[-1], n_classes)})


class ZeroPadding(nn.Module):
    """The shortcut of option A: every second pixel, between as many new channels of zeros in front as behind."""

    def __init__(self, n_new: int) -> None:
        super().__init__()
        self.n_new = n_new

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(n, channels + n_new, height / 2, width / 2) from (n, channels, height, width), sizes rounded up."""
        half = self.n_new // 2
        return nn.functional.pad(hidden[:, :, ::2, ::2], (0, 0, 0, 0, half, self.n_new - half))


def _basic(n_in: int, n_out: int, stride: int, *, option_a: bool) -> nn.Module:
    path: Layers = {
        "conv1": convolution(n_in, n_out, 3, stride),
        "bn1": nn.BatchNorm2d(n_out),
        "relu1": nn.ReLU(),
        "conv2": convolution(n_out, n_out),
        "bn2": nn.BatchNorm2d(n_out),
    }
    if option_a and n_in != n_out:
        return Residual(path, {"downsample": ZeroPadding(n_out - n_in)}, relu=True)
    return Residual(path, _projection(n_in, n_out, stride), relu=True)


def _bottleneck(n_in: int, n_out: int, stride: int) -> nn.Module:
    inner = n_out // 4
    path: Layers = {
        "conv1": convolution(n_in, inner, 1),
        "bn1": nn.BatchNorm2d(inner),
        "relu1": nn.ReLU(),
        "conv2": convolution(inner, inner, 3, stride),
        "bn2": nn.BatchNorm2d(inner),
        "relu2": nn.ReLU(),
        "conv3": convolution(inner, n_out, 1),
        "bn3": nn.BatchNorm2d(n_out),
    }
    return Residual(path, _projection(n_in, n_out, stride), relu=True)


def _projection(n_in: int, n_out: int, stride: int) -> Layers:
    if n_in == n_out and stride == 1:
        return {}
    return {"downsample": nn.Sequential(convolution(n_in, n_out, 1, stride), nn.BatchNorm2d(n_out))}
