"""Networks of torchvision whose first layers were changed for 32 x 32 images; the names stay torchvision's.

The first convolution becomes 3 x 3 of stride 1. Who removed the maximum pooling behind it as well (chenyaofo, and most
people who adapt a ResNet) and who kept it (huyvnphan/PyTorch_CIFAR10) cannot be told from the weights, nor can the
place of a bottleneck's stride: both are options here.
"""

from collections.abc import Callable

import torchvision
from torch import nn
from torchvision.models.googlenet import BasicConv2d
from torchvision.models.resnet import BasicBlock, Bottleneck

# Expansion, channels, blocks and stride of the stages of MobileNetV2; the second stage keeps the size here.
_INVERTED = [[1, 16, 1, 1], [6, 24, 2, 1], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]]
_SHUFFLED = {
    "0.5": (48, 96, 192, 1024),
    "1": (116, 232, 464, 1024),
    "1.5": (176, 352, 704, 1024),
    "2": (244, 488, 976, 2048),
}


def build(n_classes: int, shape: tuple[int, int, int], *, network: str, **options: object) -> nn.Module:
    """A network with random weights.

    Args:
        n_classes: how many logits it returns.
        shape: (height, width, channels) of the images; only the channels matter.
        network: ``"resnet"``, ``"densenet"``, ``"mobilenetv2"``, ``"shufflenetv2"`` or ``"googlenet"``.
        options: of the function of that name below.
    """
    return _NETWORKS[network](n_classes, shape[2], **options)


def resnet(
    n_classes: int,
    channels: int,
    *,
    blocks: tuple[int, ...],
    bottleneck: bool,
    groups: int = 1,
    base_width: int = 64,
    max_pool: bool = False,
    stride_first: bool = False,
) -> nn.Module:
    """A ResNet, ResNeXt or wide ResNet; ``stride_first`` halves the image in the first convolution of a bottleneck."""
    kind = Bottleneck if bottleneck else BasicBlock
    network = torchvision.models.ResNet(
        kind, list(blocks), num_classes=n_classes, groups=groups, width_per_group=base_width
    )
    network.conv1 = _stem(channels, 64)
    if not max_pool:
        network.maxpool = nn.Identity()
    if stride_first:
        for block in (network.layer2[0], network.layer3[0], network.layer4[0]):
            block.conv1.stride, block.conv2.stride = (2, 2), (1, 1)
    made: nn.Module = network
    return made


def densenet(
    n_classes: int, channels: int, *, blocks: tuple[int, ...], growth: int, width: int, max_pool: bool = False
) -> nn.Module:
    """A DenseNet-BC; `width` counts the channels of its first convolution."""
    network = torchvision.models.DenseNet(growth, blocks, width, num_classes=n_classes)
    network.features.conv0 = _stem(channels, width)
    if not max_pool:
        network.features.pool0 = nn.Identity()
    made: nn.Module = network
    return made


def mobilenetv2(n_classes: int, channels: int, *, percent: int = 100, relu6: bool = True) -> nn.Module:
    """A MobileNetV2; `percent` of its channels, and ReLU in place of ReLU6 if asked."""
    network = torchvision.models.MobileNetV2(
        n_classes, width_mult=percent / 100, inverted_residual_setting=[list(stage) for stage in _INVERTED]
    )
    network.features[0][0] = _stem(channels, network.features[0][0].out_channels)
    if not relu6:
        for module in list(network.modules()):
            for name, child in module.named_children():
                if isinstance(child, nn.ReLU6):
                    setattr(module, name, nn.ReLU())
    made: nn.Module = network
    return made


def shufflenetv2(n_classes: int, channels: int, *, size: str, max_pool: bool = False) -> nn.Module:
    """A ShuffleNetV2 of size ``"0.5"``, ``"1"``, ``"1.5"`` or ``"2"``."""
    network = torchvision.models.ShuffleNetV2([4, 8, 4], [24, *_SHUFFLED[size]], num_classes=n_classes)
    network.conv1[0] = _stem(channels, 24)
    if not max_pool:
        network.maxpool = nn.Identity()
    made: nn.Module = network
    return made


def googlenet(n_classes: int, channels: int) -> nn.Module:
    """The GoogLeNet of huyvnphan: one first convolution of 192 channels and no pooling before the third stage."""
    network = torchvision.models.GoogLeNet(n_classes, aux_logits=False, init_weights=False)
    network.conv1 = BasicConv2d(channels, 192, kernel_size=3, padding=1)
    for name in ("maxpool1", "conv2", "conv3", "maxpool2"):
        setattr(network, name, nn.Identity())
    network.maxpool3 = nn.MaxPool2d(3, stride=2, padding=1)
    network.maxpool4 = nn.MaxPool2d(3, stride=2, padding=1)
    made: nn.Module = network
    return made


_NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "resnet": resnet,
    "densenet": densenet,
    "mobilenetv2": mobilenetv2,
    "shufflenetv2": shufflenetv2,
    "googlenet": googlenet,
}


def _stem(n_in: int, n_out: int) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
