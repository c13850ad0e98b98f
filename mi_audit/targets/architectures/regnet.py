"""RegNets for 32 x 32 images (Radosavovic et al. 2020) with the names of kuangliu/pytorch-cifar."""

from functools import partial

from torch import nn

from mi_audit.targets.architectures._containers import Gate, Layers, Residual, chain, convolution, pooling, stage


def build(
    n_classes: int,
    shape: tuple[int, int, int],
    *,
    blocks: tuple[int, ...],
    widths: tuple[int, ...],
    group_width: int,
    gated: bool,
) -> nn.Module:
    """A RegNet with random weights; the third and the fourth stage halve the image.

    Args:
        n_classes: how many logits it returns.
        shape: (height, width, channels) of the images; only the channels matter.
        blocks: of each of the four stages.
        widths: channels of each stage.
        group_width: channels of a group of the 3 x 3 convolutions.
        gated: squeeze and excitation in every block, to a quarter of its input's channels (RegNetY).
    """
    layers: dict[str, nn.Module] = {"conv1": convolution(shape[2], 64), "bn1": nn.BatchNorm2d(64), "relu": nn.ReLU()}
    block, n_in = partial(_block, group_width=group_width, gated=gated), 64
    for number, (n_out, n_blocks) in enumerate(zip(widths, blocks, strict=True), start=1):
        layers[f"layer{number}"] = stage(block, n_in, n_out, n_blocks, 2 if number > 2 else 1)
        n_in = n_out
    return chain(layers, pool=pooling(), linear=nn.Linear(n_in, n_classes))


def _block(n_in: int, n_out: int, stride: int, *, group_width: int, gated: bool) -> nn.Module:
    first: Layers = {"conv1": convolution(n_in, n_out, 1), "bn1": nn.BatchNorm2d(n_out), "relu1": nn.ReLU()}
    grouped = convolution(n_out, n_out, 3, stride, groups=n_out // group_width)
    second: Layers = {"conv2": grouped, "bn2": nn.BatchNorm2d(n_out), "relu2": nn.ReLU()}
    gate: Layers = {"se": Gate(n_out, round(n_in / 4), nn.ReLU())} if gated else {}
    last: Layers = {"conv3": convolution(n_out, n_out, 1), "bn3": nn.BatchNorm2d(n_out)}
    path = {**first, **second, **gate, **last}
    if n_in == n_out and stride == 1:
        return Residual(path, relu=True)
    projection = nn.Sequential(convolution(n_in, n_out, 1, stride), nn.BatchNorm2d(n_out))
    return Residual(path, {"shortcut": projection}, relu=True)
