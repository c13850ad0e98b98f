"""RepVGG for 32 x 32 images (Ding et al. 2021) with the names of chenyaofo/pytorch-cifar-models.

While it is trained, a block is the sum of a 3 x 3 convolution, a 1 x 1 convolution and, where the shape stays, the
input itself, each with batch normalisation; for use all of it becomes one 3 x 3 convolution. The first two stages keep
the size of the image, where those for large images halve it.
"""

from torch import nn

from mi_audit.targets.architectures._containers import Branches, chain, convolution, pooling, stages


def build(
    n_classes: int,
    shape: tuple[int, int, int],
    *,
    blocks: tuple[int, ...],
    widths: tuple[int, ...],
    fused: bool = False,
) -> nn.Module:
    """A RepVGG with random weights.

    Args:
        n_classes: how many logits it returns.
        shape: (height, width, channels) of the images; only the channels matter.
        blocks: of each of the four stages.
        widths: channels of each stage.
        fused: whether every block is one convolution.
    """
    block = _fused if fused else _branched
    first = min(64, widths[0])
    hidden = stages(block, "stage{}", first, widths, blocks)
    return chain(stage0=block(shape[2], first, 1), **hidden, pool=pooling(), linear=nn.Linear(widths[-1], n_classes))


def _fused(n_in: int, n_out: int, stride: int) -> nn.Module:
    return chain(rbr_reparam=convolution(n_in, n_out, 3, stride, bias=True), relu=nn.ReLU())


def _branched(n_in: int, n_out: int, stride: int) -> nn.Module:
    branches: dict[str, nn.Module] = {
        f"rbr_{name}": chain(conv=convolution(n_in, n_out, kernel, stride), bn=nn.BatchNorm2d(n_out))
        for name, kernel in (("dense", 3), ("1x1", 1))
    }
    if n_in == n_out and stride == 1:
        branches["rbr_identity"] = nn.BatchNorm2d(n_in)
    return Branches(branches, summed=True, relu=True)
