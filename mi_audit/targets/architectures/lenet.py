"""LeNets for small grey images: the founding paper's, and those that public checkpoints and tutorials use.

| variant | convolutions | pooling | fully connected | source |
|---|---|---|---|---|
| paper | 3 x 3, 6 and 16 | average | 120, 84 | Rezaei & Liu, CVPR 2021 |
| wide | 3 x 3 padded, 32 and 64 | maximum | 200 | MNIST checkpoint of BorealisAI/advertorch |
| classic | 5 x 5, 6 and 16 | maximum | 120, 84 | kuangliu/pytorch-cifar; CIFAR tutorial of PyTorch |
| example | 3 x 3, 32 and 64 | maximum, once | 128 | MNIST example of pytorch/examples |
| example-2017, example-2018 | 5 x 5, 10 and 20; 20 and 50 | maximum | 50; 500 | its earlier versions |
"""

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Variant:
    """What tells one LeNet from another.

    Attributes:
        widths: channels of the two convolutions.
        kernel: pixels on a side of their kernels.
        padding: of their input, in pixels on each side.
        averaged: whether 2 x 2 blocks are averaged, instead of taking their maximum.
        n_pools: 1 if only the second convolution is pooled.
        hidden: units of the hidden full layers.
        name: of a full layer, before its number.
        log_softmax: whether the network returns log-probabilities instead of logits.
    """

    widths: tuple[int, int]
    kernel: int
    hidden: tuple[int, ...]
    padding: int = 0
    averaged: bool = False
    n_pools: int = 2
    name: str = "fc"
    log_softmax: bool = False


VARIANTS = {
    "paper": Variant((6, 16), 3, (120, 84), averaged=True),
    "wide": Variant((32, 64), 3, (200,), padding=1, name="linear"),
    "classic": Variant((6, 16), 5, (120, 84)),
    "example": Variant((32, 64), 3, (128,), n_pools=1, log_softmax=True),
    "example-2017": Variant((10, 20), 5, (50,), log_softmax=True),
    "example-2018": Variant((20, 50), 5, (500,), log_softmax=True),
}


def build(n_classes: int, shape: tuple[int, int, int], *, variant: str) -> nn.Module:
    """A LeNet with random weights.

    Args:
        n_classes: how many logits it returns.
        shape: (height, width, channels) of the images, in pixels; they set the width of the first full layer.
        variant: a name of the table above.

    Raises:
        ValueError: the images are so small that nothing is left of them after the convolutions.
    """
    if min(shape[:2]) < 4:
        raise ValueError(f"expected images of at least 4 x 4 pixels, got {shape[0]} x {shape[1]}")
    return LeNet(n_classes, shape, VARIANTS[variant])


class LeNet(nn.Module):
    """Two convolutions with ReLU and pooling, then fully connected layers with ReLU between them.

    Images so small that nothing of them would be left are padded for each convolution, so that it keeps their size.
    """

    def __init__(self, n_classes: int, shape: tuple[int, int, int], variant: Variant) -> None:
        super().__init__()
        height, width, channels = shape
        first, second = variant.widths
        padding = variant.padding if _left(min(height, width), variant, variant.padding) else variant.kernel // 2
        self.variant = variant
        self.conv1 = nn.Conv2d(channels, first, variant.kernel, padding=padding)
        self.conv2 = nn.Conv2d(first, second, variant.kernel, padding=padding)
        n_pixels = _left(height, variant, padding) * _left(width, variant, padding)
        widths = (second * n_pixels, *variant.hidden, n_classes)
        self._names = tuple(f"{variant.name}{number}" for number in range(1, len(widths)))
        for name, n_in, n_out in zip(self._names, widths[:-1], widths[1:], strict=True):
            self.add_module(name, nn.Linear(n_in, n_out))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (n, n_classes) of images (n, channels, height, width)."""
        pool = nn.functional.avg_pool2d if self.variant.averaged else nn.functional.max_pool2d
        hidden = self.conv1(images).relu()
        if self.variant.n_pools == 2:
            hidden = pool(hidden, 2)
        hidden = pool(self.conv2(hidden).relu(), 2).flatten(1)
        for name in self._names[:-1]:
            hidden = getattr(self, name)(hidden).relu()
        logits: torch.Tensor = getattr(self, self._names[-1])(hidden)
        return logits.log_softmax(1) if self.variant.log_softmax else logits


def _left(pixels: int, variant: Variant, padding: int) -> int:
    """Pixels on a side after both convolutions and poolings; 0 or less where nothing is left."""
    for is_pooled in (variant.n_pools == 2, True):
        pixels = max(0, pixels + 1 - variant.kernel + 2 * padding) // (2 if is_pooled else 1)
    return pixels
