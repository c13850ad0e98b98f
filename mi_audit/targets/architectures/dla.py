"""Deep layer aggregation for 32 x 32 images (Yu et al. 2018) with the names of kuangliu/pytorch-cifar.

A tree of two levels is two trees of one level, joined by a root. In the plain form (``DLA``) the first tree's result
goes to the root as well; in the simple form (``SimpleDLA``) the root joins two trees, whatever their levels.
"""

import torch
from torch import nn

from mi_audit.targets.architectures._containers import chain, convolution, pooling
from mi_audit.targets.architectures.resnet import kuangliu_block

# Channels and levels of the last four stages.
_STAGES = ((64, 1), (128, 2), (256, 2), (512, 1))


def build(n_classes: int, shape: tuple[int, int, int], *, simple: bool) -> nn.Module:
    """A network with random weights.

    Args:
        n_classes: how many logits it returns.
        shape: (height, width, channels) of the images; only the channels matter.
        simple: the simple form.
    """
    layers: dict[str, nn.Module] = {}
    for name, n_in, n_out in (("base", shape[2], 16), ("layer1", 16, 16), ("layer2", 16, 32)):
        layers[name] = nn.Sequential(convolution(n_in, n_out), nn.BatchNorm2d(n_out), nn.ReLU())
    tree, n_in = SimpleTree if simple else Tree, 32
    for number, (n_out, level) in enumerate(_STAGES):
        layers[f"layer{number + 3}"] = tree(n_in, n_out, level, 2 if number else 1)
        n_in = n_out
    return chain(layers, pool=pooling(), linear=nn.Linear(n_in, n_classes))


def _root(n_in: int, n_out: int) -> nn.Sequential:
    return chain(conv=convolution(n_in, n_out, 1), bn=nn.BatchNorm2d(n_out), relu=nn.ReLU())


class Tree(nn.Module):
    """Two residual blocks and, on the second level, a tree before them, all joined by a root."""

    def __init__(self, n_in: int, n_out: int, level: int, stride: int) -> None:
        super().__init__()
        self.root = _root((level + 1) * n_out, n_out)
        self.level_1 = Tree(n_in, n_out, 1, stride) if level == 2 else None
        first = (n_out, 1) if level == 2 else (n_in, stride)
        self.left_node = kuangliu_block(first[0], n_out, first[1])
        self.right_node = kuangliu_block(n_out, n_out, 1)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(n, channels out, height / stride, width / stride) from (n, channels, height, width)."""
        joined = []
        if self.level_1 is not None:
            hidden = self.level_1(hidden)
            joined.append(hidden)
        left = self.left_node(hidden)
        result: torch.Tensor = self.root(torch.cat((*joined, left, self.right_node(left)), 1))
        return result


class SimpleTree(nn.Module):
    """Two residual blocks or two trees of one level less, joined by a root."""

    def __init__(self, n_in: int, n_out: int, level: int, stride: int) -> None:
        super().__init__()
        self.root = _root(2 * n_out, n_out)
        if level == 1:
            self.left_tree = kuangliu_block(n_in, n_out, stride)
            self.right_tree = kuangliu_block(n_out, n_out, 1)
        else:
            self.left_tree = SimpleTree(n_in, n_out, level - 1, stride)
            self.right_tree = SimpleTree(n_out, n_out, level - 1, 1)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(n, channels out, height / stride, width / stride) from (n, channels, height, width)."""
        left = self.left_tree(hidden)
        result: torch.Tensor = self.root(torch.cat((left, self.right_tree(left)), 1))
        return result
