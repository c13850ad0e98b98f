"""ResNeXts for 32 x 32 images (Xie et al. 2017) with the names of three repositories.

- ``bearpaw`` (bearpaw/pytorch-classification, prlz77/ResNeXt.pytorch): ``stage_1.stage_1_bottleneck_0.conv_reduce``,
  ``classifier``.
- ``kuangliu`` (kuangliu/pytorch-cifar): ``layer1`` to ``layer3``, ``linear``; blocks end in twice their inner channels,
  and the first convolution is 1 x 1.
- ``weiaicunzai`` (weiaicunzai/pytorch-cifar100): ``conv2`` to ``conv5``, ``split_transforms``, ``fc``; the first
  1 x 1 convolution of a block is grouped too.
"""

from functools import partial

from torch import nn

from mi_audit.targets.architectures._containers import Layers, Residual, chain, convolution, pooling, stages


def build(
    n_classes: int,
    shape: tuple[int, int, int],
    *,
    style: str,
    blocks: tuple[int, ...],
    cardinality: int,
    base_width: int,
    widen: int = 4,
) -> nn.Module:
    """A ResNeXt with random weights.

    Args:
        n_classes: how many logits it returns.
        shape: (height, width, channels) of the images; only the channels matter.
        style: whose names, ``"bearpaw"``, ``"kuangliu"`` or ``"weiaicunzai"``.
        blocks: how many in each stage.
        cardinality: groups of the 3 x 3 convolutions.
        base_width: channels of a group in the first stage.
        widen: channels that the first stage ends in, as a multiple of 64; of the inner channels for kuangliu's.
    """
    inner = cardinality * base_width
    first = inner * 2 if style == "kuangliu" else 64 * widen
    widths = [first * 2**number for number in range(len(blocks))]
    block = partial(_block, style, cardinality=cardinality, ratio=first / inner)
    head, norm = nn.Linear(widths[-1], n_classes), nn.BatchNorm2d(64)
    if style == "kuangliu":
        stem: Layers = {"conv1": convolution(shape[2], 64, 1), "bn1": norm, "relu": nn.ReLU()}
        return chain(stem, **stages(block, "layer{}", 64, widths, blocks), pool=pooling(), linear=head)
    if style == "weiaicunzai":
        start = nn.Sequential(convolution(shape[2], 64), norm, nn.ReLU())
        return chain(conv1=start, **stages(block, "conv{}", 64, widths, blocks, 2), pool=pooling(), fc=head)
    stem = {"conv_1_3x3": convolution(shape[2], 64), "bn_1": norm, "relu": nn.ReLU()}
    hidden = {
        name: chain({f"{name}_bottleneck_{index}": one for index, one in enumerate(stage.children())})
        for name, stage in stages(block, "stage_{}", 64, widths, blocks).items()
    }
    return chain(stem, **hidden, pool=pooling(), classifier=head)


def _block(style: str, n_in: int, n_out: int, stride: int, *, cardinality: int, ratio: float) -> nn.Module:
    inner = round(n_out / ratio)
    path = [
        convolution(n_in, inner, 1, groups=cardinality if style == "weiaicunzai" else 1),
        nn.BatchNorm2d(inner),
        nn.ReLU(),
        convolution(inner, inner, 3, stride, groups=cardinality),
        nn.BatchNorm2d(inner),
        nn.ReLU(),
        convolution(inner, n_out, 1),
        nn.BatchNorm2d(n_out),
    ]
    projection = [convolution(n_in, n_out, 1, stride), nn.BatchNorm2d(n_out)]
    layers: Layers = {"split_transforms": nn.Sequential(*path)}
    shortcut: nn.Module = nn.Sequential(*projection)
    if style != "weiaicunzai":
        layers = dict(zip(_NAMES[style], path, strict=True))
    if style == "bearpaw":
        shortcut = chain(shortcut_conv=projection[0], shortcut_bn=projection[1])
    is_plain = n_in == n_out and stride == 1
    return Residual(layers, None if is_plain else {"shortcut": shortcut}, relu=True)


_NAMES = {
    "bearpaw": ("conv_reduce", "bn_reduce", "relu1", "conv_conv", "bn", "relu2", "conv_expand", "bn_expand"),
    "kuangliu": ("conv1", "bn1", "relu1", "conv2", "bn2", "relu2", "conv3", "bn3"),
}
