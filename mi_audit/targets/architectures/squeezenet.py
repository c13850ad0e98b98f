"""SqueezeNet with simple bypasses for 32 x 32 images (Iandola et al. 2016), named as in weiaicunzai/pytorch-cifar100."""

import torch
from torch import nn

from mi_audit.targets.architectures._containers import chain, convolution

# Channels of the squeeze and of the whole of every fire module.
_FIRES = {
    2: (16, 128),
    3: (16, 128),
    4: (32, 256),
    5: (32, 256),
    6: (48, 384),
    7: (48, 384),
    8: (64, 512),
    9: (64, 512),
}
_BYPASSED = (3, 5, 7)
_POOLED = (4, 8)


def build(n_classes: int, shape: tuple[int, int, int]) -> nn.Module:
    """A SqueezeNet with random weights.

    Args:
        n_classes: how many logits it returns.
        shape: (height, width, channels) of the images; only the channels matter.
    """
    return SqueezeNet(n_classes, shape[2])


class SqueezeNet(nn.Module):
    """Eight fire modules, three of which are added to their input, between two convolutions."""

    def __init__(self, n_classes: int, channels: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(convolution(channels, 96, bias=True), nn.BatchNorm2d(96), nn.ReLU(), nn.MaxPool2d(2))
        n_in = 96
        for number, (squeezed, n_out) in _FIRES.items():
            self.add_module(f"fire{number}", Fire(n_in, squeezed, n_out))
            n_in = n_out
        self.conv10 = convolution(n_in, n_classes, 1, bias=True)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (n, n_classes) of images (n, channels, height, width)."""
        hidden = self.stem(images)
        for number in _FIRES:
            fired = getattr(self, f"fire{number}")(hidden)
            hidden = fired + hidden if number in _BYPASSED else fired
            if number in _POOLED:
                hidden = nn.functional.max_pool2d(hidden, 2)
        logits: torch.Tensor = self.conv10(hidden).mean((2, 3))
        return logits


class Fire(nn.Module):
    """A 1 x 1 convolution to few channels, then 1 x 1 and 3 x 3 convolutions side by side."""

    def __init__(self, n_in: int, squeezed: int, n_out: int) -> None:
        super().__init__()
        self.squeeze = _unit(n_in, squeezed, 1)
        self.expand_1x1 = _unit(squeezed, n_out // 2, 1)
        self.expand_3x3 = _unit(squeezed, n_out // 2, 3)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(n, channels out, height, width) from (n, channels, height, width)."""
        hidden = self.squeeze(hidden)
        return torch.cat((self.expand_1x1(hidden), self.expand_3x3(hidden)), 1)


def _unit(n_in: int, n_out: int, kernel: int) -> nn.Sequential:
    return chain({"0": convolution(n_in, n_out, kernel, bias=True), "1": nn.BatchNorm2d(n_out), "2": nn.ReLU()})
