"""The residual networks for 32 x 32 images of He et al. 2016 ("Deep Residual Learning", section 4.2).

A network of 6n + 2 layers is a 3 x 3 convolution, three stages of n basic blocks with 16, 32 and 64 channels, global
average pooling and one fully connected layer. The first block of the second and of the third stage halves the image and
doubles the channels; what its shortcut does with the input tells the two forms apart:

- *projection*: a 1 x 1 convolution of stride 2 with batch normalisation. The names are those of
  chenyaofo/pytorch-cifar-models and bearpaw/pytorch-classification: the shortcut is ``downsample``, the last layer
  ``fc``.
- *zero padding* (the paper's option A): every second pixel, and new channels of zeros, as many in front as behind. The
  names are those of akamaster/pytorch_resnet_cifar10: the shortcut has no weights, the last layer is ``linear``.
"""

import torch
from torch import nn


def build(n_classes: int, shape: tuple[int, int, int], *, depth: int, option_a: bool) -> nn.Module:
    """A residual network with random weights.

    Args:
        n_classes: how many logits it returns.
        shape: (height, width, channels) of the images; only the channels matter.
        depth: layers, 6n + 2.
        option_a: zero-padding shortcuts instead of projections.
    """
    n_blocks = (depth - 2) // 6
    return (
        ZeroPaddingResNet(n_classes, shape[2], n_blocks)
        if option_a
        else ProjectionResNet(n_classes, shape[2], n_blocks)
    )


class _ResNet(nn.Module):
    """Everything up to the pooled 64 channels; the last layer has another name in each form."""

    def __init__(self, channels: int, n_blocks: int, *, option_a: bool) -> None:
        super().__init__()
        self.conv1 = _convolution(channels, 16)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16, n_blocks, option_a=option_a)
        self.layer2 = _stage(16, 32, n_blocks, option_a=option_a)
        self.layer3 = _stage(32, 64, n_blocks, option_a=option_a)

    def pooled(self, images: torch.Tensor) -> torch.Tensor:
        """The 64 channels averaged over the image, (n, 64), of images (n, channels, height, width)."""
        hidden = self.bn1(self.conv1(images)).relu()
        hidden = self.layer3(self.layer2(self.layer1(hidden)))
        return nn.functional.adaptive_avg_pool2d(hidden, 1).flatten(1)


class ProjectionResNet(_ResNet):
    """A CIFAR ResNet whose shortcuts are 1 x 1 convolutions where the shape changes."""

    def __init__(self, n_classes: int, channels: int, n_blocks: int) -> None:
        super().__init__(channels, n_blocks, option_a=False)
        self.fc = nn.Linear(64, n_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (n, n_classes) of images (n, channels, height, width)."""
        logits: torch.Tensor = self.fc(self.pooled(images))
        return logits


class ZeroPaddingResNet(_ResNet):
    """A CIFAR ResNet whose shortcuts drop every second pixel and pad with zero channels where the shape changes."""

    def __init__(self, n_classes: int, channels: int, n_blocks: int) -> None:
        super().__init__(channels, n_blocks, option_a=True)
        self.linear = nn.Linear(64, n_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (n, n_classes) of images (n, channels, height, width)."""
        logits: torch.Tensor = self.linear(self.pooled(images))
        return logits


class _Block(nn.Module):
    """Two 3 x 3 convolutions with batch normalisation, added to the shortcut of their input."""

    def __init__(self, n_in: int, n_out: int, *, option_a: bool) -> None:
        super().__init__()
        stride = n_out // n_in
        self.conv1 = _convolution(n_in, n_out, stride)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = _convolution(n_out, n_out)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.downsample = _shortcut(n_in, n_out, option_a=option_a)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(n, n_out, height / stride, width / stride) from (n, n_in, height, width)."""
        added = self.bn2(self.conv2(self.bn1(self.conv1(hidden)).relu()))
        total: torch.Tensor = added + self.downsample(hidden)
        return total.relu()


class ZeroPadding(nn.Module):
    """The shortcut of option A: every second pixel, between as many new channels of zeros in front as behind."""

    def __init__(self, n_new: int) -> None:
        super().__init__()
        self.n_new = n_new

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(n, channels + n_new, height / 2, width / 2) from (n, channels, height, width), sizes rounded up."""
        half = self.n_new // 2
        return nn.functional.pad(hidden[:, :, ::2, ::2], (0, 0, 0, 0, half, self.n_new - half))


def _stage(n_in: int, n_out: int, n_blocks: int, *, option_a: bool) -> nn.Sequential:
    first = _Block(n_in, n_out, option_a=option_a)
    return nn.Sequential(first, *(_Block(n_out, n_out, option_a=option_a) for _ in range(n_blocks - 1)))


def _shortcut(n_in: int, n_out: int, *, option_a: bool) -> nn.Module:
    if n_in == n_out:
        return nn.Identity()
    if option_a:
        return ZeroPadding(n_out - n_in)
    return nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride=n_out // n_in, bias=False), nn.BatchNorm2d(n_out))


def _convolution(n_in: int, n_out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False)
