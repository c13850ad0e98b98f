"""Residual networks with pre-activation (He et al. 2016, "Identity Mappings") and the names of three repositories.

- ``bearpaw`` (bearpaw/pytorch-classification, PreResNet): three stages, ``downsample``, a last ``bn`` and ``fc``; a
  projection takes the raw input.
- ``kuangliu`` (kuangliu/pytorch-cifar): ``shortcut``, ``linear``; a projection takes the activated input, and nothing
  is normalised after the last stage (others who kept these names added a last ``bn``). With squeeze and excitation it
  is the SENet of that repository.
- ``weiaicunzai`` (weiaicunzai/pytorch-cifar100): ``pre``, ``stage1`` to ``stage4``, biased convolutions; a projection
  takes the raw input, and a bottleneck halves the image in its first 1 x 1 convolution.
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
    gated: bool = False,
    last_norm: bool = False,
) -> nn.Module:
    """A residual network with random weights.

    Args:
        n_classes: how many logits it returns.
        shape: (height, width, channels) of the images; only the channels matter.
        style: whose names, ``"bearpaw"``, ``"kuangliu"`` or ``"weiaicunzai"``.
        blocks: how many in each stage.
        bottleneck: blocks of 1 x 1, 3 x 3 and 1 x 1 convolutions that end in four times the channels.
        width: channels of the first stage.
        gated: squeeze and excitation (kuangliu only).
        last_norm: batch normalisation and ReLU after the last stage (kuangliu only; bearpaw always has it).
    """
    times = 4 if bottleneck else 1
    widths = [width * 2**number * times for number in range(len(blocks))]
    head = nn.Linear(widths[-1], n_classes)
    stem = convolution(shape[2], width, bias=style == "weiaicunzai")
    norm, relu = nn.BatchNorm2d(width), nn.ReLU()
    if style == "weiaicunzai":
        block = partial(_weiaicunzai, bottleneck=bottleneck)
        pre = nn.Sequential(stem, norm, relu)
        return chain(pre=pre, **stages(block, "stage{}", width, widths, blocks), pool=pooling(), linear=head)
    last: Layers = {"bn": nn.BatchNorm2d(widths[-1]), "last_relu": nn.ReLU()}
    if style == "bearpaw":
        block = partial(_bearpaw, bottleneck=bottleneck)
        hidden = stages(block, "layer{}", width, widths, blocks)
        return chain(conv1=stem, **hidden, **last, pool=pooling(), fc=head)
    hidden = stages(partial(_kuangliu, bottleneck=bottleneck, gated=gated), "layer{}", width, widths, blocks)
    first: Layers = {"conv1": stem, "bn1": norm, "relu": relu} if gated else {"conv1": stem}
    return chain(first, **hidden, **(last if last_norm else {}), pool=pooling(), linear=head)


def _bearpaw(n_in: int, n_out: int, stride: int, *, bottleneck: bool) -> nn.Module:
    path = _path(n_in, n_out, (1, stride) if bottleneck else (stride, 1), bottleneck=bottleneck)
    if n_in == n_out and stride == 1:
        return Residual(_named(path))
    return Residual(_named(path), {"downsample": nn.Sequential(convolution(n_in, n_out, 1, stride))})


def _kuangliu(n_in: int, n_out: int, stride: int, *, bottleneck: bool, gated: bool) -> nn.Module:
    path = _named(_path(n_in, n_out, (1, stride) if bottleneck else (stride, 1), bottleneck=bottleneck))
    gate = _gate(n_out) if gated else None
    if n_in == n_out and stride == 1:
        return Residual(path, gate=gate)
    names = list(path)
    first = {name: path[name] for name in names[:2]}
    rest = {name: path[name] for name in names[2:]}
    projection = nn.Sequential(convolution(n_in, n_out, 1, stride))
    return Residual(rest, {"shortcut": projection}, first=first, gate=gate)


def _weiaicunzai(n_in: int, n_out: int, stride: int, *, bottleneck: bool) -> nn.Module:
    path = nn.Sequential(*_path(n_in, n_out, (stride, 1), bottleneck=bottleneck, bias=True))
    if n_in == n_out and stride == 1:
        return Residual({"residual": path})
    return Residual({"residual": path}, {"shortcut": convolution(n_in, n_out, 1, stride, bias=True)})


def _path(n_in: int, n_out: int, strides: tuple[int, int], *, bottleneck: bool, bias: bool = False) -> list[nn.Module]:
    """Normalisation, ReLU and convolution, two or three times; `strides` of the first two convolutions."""
    inner = n_out // 4 if bottleneck else n_out
    widths, kernels = ([n_in, inner, inner, n_out], (1, 3, 1)) if bottleneck else ([n_in, inner, n_out], (3, 3))
    path: list[nn.Module] = []
    for number, kernel in enumerate(kernels):
        before, after = widths[number], widths[number + 1]
        stride = (*strides, 1)[number]
        path += [nn.BatchNorm2d(before), nn.ReLU(), convolution(before, after, kernel, stride, bias=bias)]
    return path


def _named(path: list[nn.Module]) -> dict[str, nn.Module]:
    return {f"{('bn', 'relu', 'conv')[index % 3]}{index // 3 + 1}": layer for index, layer in enumerate(path)}


def _gate(n_out: int) -> Layers:
    squeezed = n_out // _SQUEEZED
    first, second = nn.Conv2d(n_out, squeezed, 1), nn.Conv2d(squeezed, n_out, 1)
    return {"fc1": first, "gate_relu": nn.ReLU(), "fc2": second, "sigmoid": nn.Sigmoid()}
