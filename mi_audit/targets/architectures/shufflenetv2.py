"""ShuffleNetV2 for 32 x 32 images (Ma et al. 2018) with the names of two repositories.

- ``kuangliu`` (kuangliu/pytorch-cifar): ``layer1`` to ``layer3``, ``linear``.
- ``weiaicunzai`` (weiaicunzai/pytorch-cifar100): ``stage2`` to ``stage4``, ``residual``, ``fc``; biased convolutions,
  no ReLU after the first, and the first unit of a stage keeps its input's channels inside.

The networks of chenyaofo have torchvision's names: see ``cifar_stem``.
"""

import torch
from torch import nn

from mi_audit.targets.architectures._containers import Layers, chain, convolution, pooling

# Channels of the three stages and of the last convolution, by size. kuangliu's largest differs from the paper's.
_WIDTHS = {
    "0.5": (48, 96, 192, 1024),
    "1": (116, 232, 464, 1024),
    "1.5": (176, 352, 704, 1024),
    "2": (244, 488, 976, 2048),
    "2-kuangliu": (224, 488, 976, 2048),
}
_REPEATS = (3, 7, 3)


def build(n_classes: int, shape: tuple[int, int, int], *, style: str, size: str) -> nn.Module:
    """A ShuffleNetV2 with random weights.

    Args:
        n_classes: how many logits it returns.
        shape: (height, width, channels) of the images; only the channels matter.
        style: whose names, ``"kuangliu"`` or ``"weiaicunzai"``.
        size: ``"0.5"``, ``"1"``, ``"1.5"``, ``"2"`` or ``"2-kuangliu"``.
    """
    *widths, last = _WIDTHS[size]
    is_kuangliu = style == "kuangliu"
    halve, keep = (_halve_kuangliu, _Kept) if is_kuangliu else (_halve_weiaicunzai, _KeptWeiaicunzai)
    stages, n_in = [], 24
    for n_out, repeats in zip(widths, _REPEATS, strict=True):
        stages.append(nn.Sequential(halve(n_in, n_out), *(keep(n_out // 2) for _ in range(repeats))))
        n_in = n_out
    norms, head = (nn.BatchNorm2d(24), nn.BatchNorm2d(last)), nn.Linear(last, n_classes)
    if is_kuangliu:
        stem: Layers = {"conv1": convolution(shape[2], 24), "bn1": norms[0], "relu1": nn.ReLU()}
        end: Layers = {"conv2": convolution(n_in, last, 1), "bn2": norms[1], "relu2": nn.ReLU()}
        hidden = {f"layer{number}": stage for number, stage in enumerate(stages, start=1)}
        return chain(stem, **hidden, **end, pool=pooling(), linear=head)
    pre = nn.Sequential(convolution(shape[2], 24, bias=True), norms[0])
    conv5 = nn.Sequential(convolution(n_in, last, 1, bias=True), norms[1], nn.ReLU())
    hidden = {f"stage{number}": stage for number, stage in enumerate(stages, start=2)}
    return chain(pre=pre, **hidden, conv5=conv5, pool=pooling(), fc=head)


class _Shuffle(nn.Module):
    """Takes channels in turn from the first and from the second half."""

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """The same shape, (n, channels, height, width)."""
        n, channels, height, width = hidden.shape
        return hidden.reshape(n, 2, channels // 2, height, width).transpose(1, 2).reshape(hidden.shape)


class _Kept(nn.Module):
    """A unit that changes the second half of the channels and keeps the first, under kuangliu's names."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self._names = tuple(layers := self._layers(width))
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.shuffle = _Shuffle()

    def _layers(self, width: int) -> dict[str, nn.Module]:
        path = _three(width, width, width, 1, bias=False)
        return dict(zip(("conv1", "bn1", "relu1", "conv2", "bn2", "conv3", "bn3", "relu3"), path, strict=True))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """The same shape, (n, channels, height, width)."""
        kept, changed = hidden.chunk(2, 1)
        for name in self._names:
            changed = getattr(self, name)(changed)
        shuffled: torch.Tensor = self.shuffle(torch.cat((kept, changed), 1))
        return shuffled


class _KeptWeiaicunzai(_Kept):
    def _layers(self, width: int) -> dict[str, nn.Module]:
        return {"residual": nn.Sequential(*_three(width, width, width, 1, bias=True))}


class _Halved(nn.Module):
    """Two paths on the whole input, put beside each other and shuffled."""

    def __init__(self, left: dict[str, nn.Module], right: dict[str, nn.Module]) -> None:
        super().__init__()
        self._left, self._right = tuple(left), tuple(right)
        for name, layer in {**left, **right}.items():
            self.add_module(name, layer)
        self.shuffle = _Shuffle()

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(n, channels out, height / 2, width / 2) from (n, channels, height, width)."""
        left, right = hidden, hidden
        for name in self._left:
            left = getattr(self, name)(left)
        for name in self._right:
            right = getattr(self, name)(right)
        shuffled: torch.Tensor = self.shuffle(torch.cat((left, right), 1))
        return shuffled


def _halve_kuangliu(n_in: int, n_out: int) -> nn.Module:
    half = n_out // 2
    left = dict(zip(("conv1", "bn1", "conv2", "bn2", "relu2"), _two(n_in, half, bias=False), strict=True))
    names = ("conv3", "bn3", "relu3", "conv4", "bn4", "conv5", "bn5", "relu5")
    return _Halved(left, dict(zip(names, _three(n_in, half, half, 2, bias=False), strict=True)))


def _halve_weiaicunzai(n_in: int, n_out: int) -> nn.Module:
    half = n_out // 2
    left, right = _two(n_in, half, bias=True), _three(n_in, n_in, half, 2, bias=True)
    return _Halved({"shortcut": nn.Sequential(*left)}, {"residual": nn.Sequential(*right)})


def _two(n_in: int, n_out: int, *, bias: bool) -> list[nn.Module]:
    depthwise = convolution(n_in, n_in, 3, 2, groups=n_in, bias=bias)
    mix = convolution(n_in, n_out, 1, bias=bias)
    return [depthwise, nn.BatchNorm2d(n_in), mix, nn.BatchNorm2d(n_out), nn.ReLU()]


def _three(n_in: int, inner: int, n_out: int, stride: int, *, bias: bool) -> list[nn.Module]:
    first = [convolution(n_in, inner, 1, bias=bias), nn.BatchNorm2d(inner), nn.ReLU()]
    depthwise = [convolution(inner, inner, 3, stride, groups=inner, bias=bias), nn.BatchNorm2d(inner)]
    return [*first, *depthwise, convolution(inner, n_out, 1, bias=bias), nn.BatchNorm2d(n_out), nn.ReLU()]
