"""Wide residual networks (Zagoruyko & Komodakis 2016) of depth 6n + 4 with the names of two repositories.

- ``bearpaw`` (bearpaw/pytorch-classification, xternalz/WideResNet-pytorch): ``block1.layer.0``, ``convShortcut``,
  ``bn1``, ``fc``; a projection takes the activated input.
- ``weiaicunzai`` (weiaicunzai/pytorch-cifar100): ``init_conv``, ``conv2`` to ``conv4``, biased convolutions,
  ``linear``; a projection takes the raw input. Early versions had no ReLU after the last normalisation.
"""

from torch import nn

from mi_audit.targets.architectures._containers import Layers, Residual, chain, convolution, pooling, stages


def build(
    n_classes: int, shape: tuple[int, int, int], *, style: str, depth: int, widen: int, last_relu: bool = True
) -> nn.Module:
    """A wide residual network with random weights.

    Args:
        n_classes: how many logits it returns.
        shape: (height, width, channels) of the images; only the channels matter.
        style: whose names, ``"bearpaw"`` or ``"weiaicunzai"``.
        depth: layers, 6n + 4.
        widen: channels, as multiples of 16, 32 and 64.
        last_relu: whether a ReLU follows the last normalisation.
    """
    widths = [16 * widen, 32 * widen, 64 * widen]
    blocks = [(depth - 4) // 6] * 3
    last: Layers = {"relu": nn.ReLU()} if last_relu else {}
    norm, head = nn.BatchNorm2d(widths[-1]), nn.Linear(widths[-1], n_classes)
    if style == "weiaicunzai":
        stem = convolution(shape[2], 16, bias=True)
        hidden = stages(_weiaicunzai, "conv{}", 16, widths, blocks, 2)
        return chain(init_conv=stem, **hidden, bn=norm, **last, pool=pooling(), linear=head)
    hidden = {name: chain(layer=one) for name, one in stages(_bearpaw, "block{}", 16, widths, blocks).items()}
    return chain(conv1=convolution(shape[2], 16), **hidden, bn1=norm, **last, pool=pooling(), fc=head)


def _bearpaw(n_in: int, n_out: int, stride: int) -> nn.Module:
    first: Layers = {"bn1": nn.BatchNorm2d(n_in), "relu1": nn.ReLU()}
    rest: Layers = {
        "conv1": convolution(n_in, n_out, 3, stride),
        "bn2": nn.BatchNorm2d(n_out),
        "relu2": nn.ReLU(),
        "conv2": convolution(n_out, n_out),
    }
    if n_in == n_out:
        return Residual({**first, **rest})
    return Residual(rest, {"convShortcut": convolution(n_in, n_out, 1, stride)}, first=first)


def _weiaicunzai(n_in: int, n_out: int, stride: int) -> nn.Module:
    path = nn.Sequential(
        nn.BatchNorm2d(n_in),
        nn.ReLU(),
        convolution(n_in, n_out, 3, stride, bias=True),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
        nn.Dropout(),
        convolution(n_out, n_out, bias=True),
    )
    if n_in == n_out and stride == 1:
        return Residual({"residual": path})
    return Residual({"residual": path}, {"shortcut": nn.Sequential(convolution(n_in, n_out, 1, stride, bias=True))})
