"""Dual path networks for 32 x 32 images (Chen et al. 2017) with the names of kuangliu/pytorch-cifar."""

import torch
from torch import nn

from mi_audit.targets.architectures._containers import chain, convolution, pooling

# Inner channels, residual channels and new dense channels of each stage.
_STAGES = ((96, 256, 16), (192, 512, 32), (384, 1024, 24), (768, 2048, 128))
_GROUPS = 32


def build(n_classes: int, shape: tuple[int, int, int], *, blocks: tuple[int, ...]) -> nn.Module:
    """A dual path network with random weights.

    Args:
        n_classes: how many logits it returns.
        shape: (height, width, channels) of the images; only the channels matter.
        blocks: of each of the four stages.
    """
    layers: dict[str, nn.Module] = {"conv1": convolution(shape[2], 64), "bn1": nn.BatchNorm2d(64), "relu": nn.ReLU()}
    n_in = 64
    for number, ((inner, n_residual, n_new), n_blocks) in enumerate(zip(_STAGES, blocks, strict=True)):
        stage = nn.Sequential()
        for index in range(n_blocks):
            stride = 2 if number and not index else 1
            stage.append(DualPath(n_in, inner, n_residual, n_new, stride, is_first=index == 0))
            n_in = n_residual + (index + 2) * n_new
        layers[f"layer{number + 1}"] = stage
    return chain(layers, pool=pooling(), linear=nn.Linear(n_in, n_classes))


class DualPath(nn.Module):
    """A bottleneck whose first channels are added to the input and whose last ones are put beside it."""

    def __init__(self, n_in: int, inner: int, n_residual: int, n_new: int, stride: int, *, is_first: bool) -> None:
        super().__init__()
        n_out = n_residual + n_new
        self.n_residual = n_residual
        self.conv1, self.bn1 = convolution(n_in, inner, 1), nn.BatchNorm2d(inner)
        self.conv2, self.bn2 = convolution(inner, inner, 3, stride, groups=_GROUPS), nn.BatchNorm2d(inner)
        self.conv3, self.bn3 = convolution(inner, n_out, 1), nn.BatchNorm2d(n_out)
        self.shortcut = nn.Sequential()
        if is_first:
            self.shortcut = nn.Sequential(convolution(n_in, n_out, 1, stride), nn.BatchNorm2d(n_out))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(n, channels + new, height / stride, width / stride) from (n, channels, height, width)."""
        inner = self.bn1(self.conv1(hidden)).relu()
        inner = self.bn3(self.conv3(self.bn2(self.conv2(inner)).relu()))
        kept, n_residual = self.shortcut(hidden), self.n_residual
        added = kept[:, :n_residual] + inner[:, :n_residual]
        return torch.cat((added, kept[:, n_residual:], inner[:, n_residual:]), 1).relu()
