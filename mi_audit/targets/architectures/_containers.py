"""What the built-in networks are put together from.

The networks of public repositories differ in the names of their layers more than in their mathematics. So layers are
given here under the names that a repository uses, and the few ways in which results meet (sum, concatenation) are
written once.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

Layers = Mapping[str, nn.Module]
# (channels in, channels out, stride) -> block
Block = Callable[[int, int, int], nn.Module]


def chain(layers: Layers | None = None, /, **more: nn.Module) -> nn.Sequential:
    """Layers one after the other, each under its name; what has no weights leaves no name in a checkpoint."""
    return nn.Sequential(OrderedDict({**(layers or {}), **more}))


def convolution(
    n_in: int, n_out: int, kernel: int = 3, stride: int = 1, *, groups: int = 1, bias: bool = False
) -> nn.Conv2d:
    """A convolution padded so that stride 1 keeps the size."""
    return nn.Conv2d(n_in, n_out, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=bias)


def pooling() -> nn.Sequential:
    """The mean of every channel over the image: (n, channels) from (n, channels, height, width)."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


def stage(block: Block, n_in: int, n_out: int, n_blocks: int, stride: int) -> nn.Sequential:
    """Blocks one after the other, of which the first changes channels and size."""
    return nn.Sequential(block(n_in, n_out, stride), *(block(n_out, n_out, 1) for _ in range(n_blocks - 1)))


def stages(block: Block, name: str, n_in: int, widths: Sequence[int], blocks: Sequence[int], first: int = 1) -> Layers:
    """Stages ``name`` with their number in place of ``{}``; each after the first halves the image."""
    layers = {}
    for number, (n_out, n_blocks) in enumerate(zip(widths, blocks, strict=True)):
        layers[name.format(number + first)] = stage(block, n_in, n_out, n_blocks, 1 if number == 0 else 2)
        n_in = n_out
    return layers


class _Named(nn.Module):
    """A module whose parts are runs of layers, all under names of the module itself."""

    def _take(self, layers: Layers | None) -> tuple[str, ...]:
        for name, layer in (layers or {}).items():
            self.add_module(name, layer)
        return tuple(layers or ())

    def _run(self, names: Sequence[str], hidden: torch.Tensor) -> torch.Tensor:
        for name in names:
            hidden = getattr(self, name)(hidden)
        return hidden


class Residual(_Named):
    """A path of layers, added to a shortcut.

    Args:
        path: from the input to what is added.
        shortcut: from the input to what it is added to; the input itself by default.
        first: layers that both begin with.
        gate: squeeze and excitation (Hu et al. 2018): from the path's channel means (n, channels, 1, 1) to one factor
            for each channel.
        relu: whether the sum is rectified.
    """

    def __init__(
        self,
        path: Layers,
        shortcut: Layers | None = None,
        *,
        first: Layers | None = None,
        gate: Layers | None = None,
        relu: bool = False,
    ) -> None:
        super().__init__()
        self._first, self._path = self._take(first), self._take(path)
        self._gate, self._shortcut = self._take(gate), self._take(shortcut)
        self._relu = relu

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """The sum, (n, channels out, height / stride, width / stride), of an input (n, channels, height, width)."""
        hidden = self._run(self._first, hidden)
        added = self._run(self._path, hidden)
        if self._gate:
            factors = self._run(self._gate, nn.functional.adaptive_avg_pool2d(added, 1))
            added = added * factors.reshape(*added.shape[:2], 1, 1)
        total = added + self._run(self._shortcut, hidden)
        return total.relu() if self._relu else total


class Dense(_Named):
    """A path of layers whose result is put beside its input, as further channels.

    Args:
        path: from the input to the new channels.
        new_first: whether the new channels stand in front of the old ones.
    """

    def __init__(self, path: Layers, *, new_first: bool) -> None:
        super().__init__()
        self._path = self._take(path)
        self._new_first = new_first

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(n, channels + new, height, width) from (n, channels, height, width)."""
        new = self._run(self._path, hidden)
        return torch.cat((new, hidden) if self._new_first else (hidden, new), 1)


class Branches(_Named):
    """Layers side by side, each on the whole input; their results become one, as channels or as a sum.

    Args:
        branches: by name.
        summed: whether the results are added, instead of put beside each other.
        relu: whether that is rectified.
    """

    def __init__(self, branches: Layers, *, summed: bool = False, relu: bool = False) -> None:
        super().__init__()
        self._branches = self._take(branches)
        self._summed, self._relu = summed, relu

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """What the branches give together, of an input (n, channels, height, width)."""
        results = [getattr(self, name)(hidden) for name in self._branches]
        together = torch.stack(results).sum(0) if self._summed else torch.cat(results, 1)
        return together.relu() if self._relu else together


class Gate(nn.Module):
    """Squeeze and excitation (Hu et al. 2018) as a layer: every channel times a factor drawn from all channels' means.

    Args:
        width: channels of the input.
        squeezed: channels between the two convolutions, ``se1`` and ``se2``.
        activation: between them.
    """

    def __init__(self, width: int, squeezed: int, activation: nn.Module) -> None:
        super().__init__()
        self.se1 = nn.Conv2d(width, squeezed, 1)
        self.activation = activation
        self.se2 = nn.Conv2d(squeezed, width, 1)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """The same shape, (n, channels, height, width)."""
        squeezed = self.activation(self.se1(nn.functional.adaptive_avg_pool2d(hidden, 1)))
        gated: torch.Tensor = hidden * self.se2(squeezed).sigmoid()
        return gated
