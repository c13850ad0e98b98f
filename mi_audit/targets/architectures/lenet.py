"""LeNets for small grey images: the founding paper's, and the wider one that public MNIST checkpoints use."""

import torch
from torch import nn

_SMALLEST_UNPADDED = 10


def build(n_classes: int, shape: tuple[int, int, int], *, variant: str) -> nn.Module:
    """A LeNet with random weights.

    Args:
        n_classes: how many logits it returns.
        shape: (height, width, channels) of the images, in pixels; they set the width of the first full layer.
        variant: ``"paper"`` or ``"wide"``.

    Raises:
        ValueError: the images are smaller than 4 x 4, so that nothing is left after two poolings.
    """
    if min(shape[:2]) < 4:
        raise ValueError(f"expected images of at least 4 x 4 pixels, got {shape[0]} x {shape[1]}")
    return LeNet(n_classes, shape) if variant == "paper" else WideLeNet(n_classes, shape)


class LeNet(nn.Module):
    """The LeNet of the founding paper (Rezaei & Liu, "On the Difficulty of Membership Inference Attacks", CVPR 2021).

    Convolution 6 and 16 with 3 x 3 kernels and without padding, each with ReLU and 2 x 2 average pooling; fully
    connected 120 and 84 with ReLU, and the classes. Images below 10 x 10 pixels, of which nothing would be left, are
    padded by one pixel before each convolution.
    """

    def __init__(self, n_classes: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        height, width, channels = shape
        padding = 0 if min(height, width) >= _SMALLEST_UNPADDED else 1
        self.conv1 = nn.Conv2d(channels, 6, 3, padding=padding)
        self.conv2 = nn.Conv2d(6, 16, 3, padding=padding)
        self.fc1 = nn.Linear(16 * _left(height, padding) * _left(width, padding), 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, n_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (n, n_classes) of images (n, channels, height, width)."""
        hidden = nn.functional.avg_pool2d(self.conv1(images).relu(), 2)
        hidden = nn.functional.avg_pool2d(self.conv2(hidden).relu(), 2)
        hidden = self.fc1(hidden.flatten(1)).relu()
        logits: torch.Tensor = self.fc3(self.fc2(hidden).relu())
        return logits


class WideLeNet(nn.Module):
    """The LeNet of the MNIST checkpoint of BorealisAI/advertorch, with its names.

    Convolution 32 and 64 (3 x 3, padded by one) with ReLU and 2 x 2 maximum pooling; fully connected 200 with ReLU, and
    the classes.
    """

    def __init__(self, n_classes: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        height, width, channels = shape
        self.conv1 = nn.Conv2d(channels, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.linear1 = nn.Linear(64 * _left(height, 1) * _left(width, 1), 200)
        self.linear2 = nn.Linear(200, n_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (n, n_classes) of images (n, channels, height, width)."""
        hidden = nn.functional.max_pool2d(self.conv1(images).relu(), 2)
        hidden = nn.functional.max_pool2d(self.conv2(hidden).relu(), 2)
        logits: torch.Tensor = self.linear2(self.linear1(hidden.flatten(1)).relu())
        return logits


def _left(pixels: int, padding: int) -> int:
    """Pixels on a side after two rounds of a 3 x 3 convolution and 2 x 2 pooling."""
    for _ in range(2):
        pixels = (pixels - 2 + 2 * padding) // 2
    return pixels
