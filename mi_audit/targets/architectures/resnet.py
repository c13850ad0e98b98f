"""Residual networks for 32 x 32 images with the layers of He et al. 2016 and the names of two public repositories.

- ``kuangliu`` (kuangliu/pytorch-cifar): ``layer1`` to ``layer4``, ``shortcut``, ``linear``. With three stages from 16
  channels on, these are also the networks of akamaster/pytorch_resnet_cifar10 with projections (its option B).
- ``weiaicunzai`` (weiaicunzai/pytorch-cifar100): ``conv2_x`` to ``conv5_x``, ``residual_function``, ``fc``; with
  squeeze and excitation: ``stage1`` to ``stage4``, ``residual``, ``excitation``, ``linear``.

Both halve the image in the 3 x 3 convolution of a bottleneck block.
"""

from functools import partial

from torch import nn

from mi_audit.targets.architectures._containers import Layers, Residual, chain, convolution, pooling, stages

_SQUEEZED = 16


def build(
    n_classes: int,
    shape: tuple[int, int, int],
    *,
    style: str,
    blocks: tuple[int, ...],
    bottleneck: bool,
    width: int = 64,
) -> nn.Module:
    """A residual network with random weights.

    Args:
        n_classes: how many logits it returns.
        shape: (height, width, channels) of the images; only the channels matter.
        style: whose names, ``"kuangliu"``, ``"weiaicunzai"`` or ``"weiaicunzai-se"``.
        blocks: how many in each stage.
        bottleneck: blocks of 1 x 1, 3 x 3 and 1 x 1 convolutions that end in four times the channels.
        width: channels of the first stage.
    """
    times = 4 if bottleneck else 1
    widths = [width * 2**number * times for number in range(len(blocks))]
    block = partial(_STYLES[style], bottleneck=bottleneck)
    biased = style == "weiaicunzai-se"
    stem = nn.Sequential(convolution(shape[2], width, bias=biased), nn.BatchNorm2d(width), nn.ReLU())
    head = nn.Linear(widths[-1], n_classes)
    if style == "kuangliu":
        first: Layers = {"conv1": stem[0], "bn1": stem[1], "relu": stem[2]}
        return chain(first, **stages(block, "layer{}", width, widths, blocks), pool=pooling(), linear=head)
    if style == "weiaicunzai":
        return chain(conv1=stem, **stages(block, "conv{}_x", width, widths, blocks, 2), pool=pooling(), fc=head)
    return chain(pre=stem, **stages(block, "stage{}", width, widths, blocks), pool=pooling(), linear=head)


def kuangliu_block(n_in: int, n_out: int, stride: int, *, bottleneck: bool = False) -> nn.Module:
    """A residual block under kuangliu's names, from `n_in` to `n_out` channels."""
    path = _path(n_in, n_out, stride, bottleneck=bottleneck, bias=False)
    names = ("conv1", "bn1", "relu1", "conv2", "bn2", "relu2", "conv3", "bn3")
    return Residual(dict(zip(names, path, strict=False)), _shortcut(n_in, n_out, stride, bias=False), relu=True)


def _weiaicunzai(n_in: int, n_out: int, stride: int, *, bottleneck: bool) -> nn.Module:
    path = nn.Sequential(*_path(n_in, n_out, stride, bottleneck=bottleneck, bias=False))
    return Residual({"residual_function": path}, _shortcut(n_in, n_out, stride, bias=False), relu=True)


def _weiaicunzai_gated(n_in: int, n_out: int, stride: int, *, bottleneck: bool) -> nn.Module:
    path = nn.Sequential(*_path(n_in, n_out, stride, bottleneck=bottleneck, bias=True), nn.ReLU())
    squeezed = n_out // _SQUEEZED
    excitation = nn.Sequential(nn.Linear(n_out, squeezed), nn.ReLU(), nn.Linear(squeezed, n_out), nn.Sigmoid())
    gate: Layers = {"flatten": nn.Flatten(), "excitation": excitation}
    return Residual({"residual": path}, _shortcut(n_in, n_out, stride, bias=True), gate=gate, relu=True)


_STYLES = {"kuangliu": kuangliu_block, "weiaicunzai": _weiaicunzai, "weiaicunzai-se": _weiaicunzai_gated}


def _path(n_in: int, n_out: int, stride: int, *, bottleneck: bool, bias: bool) -> list[nn.Module]:
    if not bottleneck:
        first = convolution(n_in, n_out, 3, stride, bias=bias)
        last = convolution(n_out, n_out, bias=bias)
        return [first, nn.BatchNorm2d(n_out), nn.ReLU(), last, nn.BatchNorm2d(n_out)]
    inner = n_out // 4
    return [
        convolution(n_in, inner, 1, bias=bias),
        nn.BatchNorm2d(inner),
        nn.ReLU(),
        convolution(inner, inner, 3, stride, bias=bias),
        nn.BatchNorm2d(inner),
        nn.ReLU(),
        convolution(inner, n_out, 1, bias=bias),
        nn.BatchNorm2d(n_out),
    ]


def _shortcut(n_in: int, n_out: int, stride: int, *, bias: bool) -> Layers:
    if n_in == n_out and stride == 1:
        return {}
    return {"shortcut": nn.Sequential(convolution(n_in, n_out, 1, stride, bias=bias), nn.BatchNorm2d(n_out))}
