"""EfficientNet-B0 for 32 x 32 images (Tan & Le 2019) with the names of kuangliu/pytorch-cifar.

The first block has an expansion of 1: its first convolution and normalisation lie in the checkpoints but are not used.
"""

import torch
from torch import nn

from mi_audit.targets.architectures._containers import Gate, chain, convolution, pooling

# Expansion, channels, blocks, kernel and stride of each stage.
_STAGES = (
    (1, 16, 1, 3, 1),
    (6, 24, 2, 3, 2),
    (6, 40, 2, 5, 2),
    (6, 80, 3, 3, 2),
    (6, 112, 3, 5, 1),
    (6, 192, 4, 5, 2),
    (6, 320, 1, 3, 1),
)


def build(n_classes: int, shape: tuple[int, int, int]) -> nn.Module:
    """An EfficientNet-B0 with random weights.

    Args:
        n_classes: how many logits it returns.
        shape: (height, width, channels) of the images; only the channels matter.
    """
    blocks, n_in = nn.Sequential(), 32
    for expansion, n_out, n_blocks, kernel, stride in _STAGES:
        for number in range(n_blocks):
            blocks.append(Block(n_in, n_out, expansion, kernel, stride if number == 0 else 1))
            n_in = n_out
    stem: dict[str, nn.Module] = {"conv1": convolution(shape[2], 32), "bn1": nn.BatchNorm2d(32), "silu": nn.SiLU()}
    return chain(stem, layers=blocks, pool=pooling(), linear=nn.Linear(n_in, n_classes))


class Block(nn.Module):
    """Expansion, depthwise convolution, squeeze and excitation, and projection; added to the input of the same shape."""

    def __init__(self, n_in: int, n_out: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        inner = n_in * expansion
        self.is_expanded, self.is_added = expansion > 1, stride == 1 and n_in == n_out
        self.conv1, self.bn1 = convolution(n_in, inner, 1), nn.BatchNorm2d(inner)
        self.conv2, self.bn2 = convolution(inner, inner, kernel, stride, groups=inner), nn.BatchNorm2d(inner)
        self.se = Gate(inner, n_in // 4, nn.SiLU())
        self.conv3, self.bn3 = convolution(inner, n_out, 1), nn.BatchNorm2d(n_out)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(n, channels out, height / stride, width / stride) from (n, channels, height, width)."""
        inner = nn.functional.silu(self.bn1(self.conv1(hidden))) if self.is_expanded else hidden
        inner = self.se(nn.functional.silu(self.bn2(self.conv2(inner))))
        inner = self.bn3(self.conv3(inner))
        return inner + hidden if self.is_added else inner
