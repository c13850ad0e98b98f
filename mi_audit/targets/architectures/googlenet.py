"""GoogLeNet with batch normalisation for 32 x 32 images (Szegedy et al. 2015) with the names of two repositories.

- ``kuangliu`` (kuangliu/pytorch-cifar): ``pre_layers`` of one convolution, padded.
- ``weiaicunzai`` (weiaicunzai/pytorch-cifar100): ``prelayer`` of three convolutions, then a pooling; early versions
  have one, which is not padded, and no pooling.

The network of huyvnphan has torchvision's names: see ``cifar_stem``.
"""

from torch import nn

from mi_audit.targets.architectures._containers import Branches, chain, convolution, pooling

# Channels in, then of each branch: 1 x 1; 3 x 3 reduced and full; 5 x 5 reduced and full; after pooling.
_INCEPTIONS = {
    "a3": (192, 64, 96, 128, 16, 32, 32),
    "b3": (256, 128, 128, 192, 32, 96, 64),
    "a4": (480, 192, 96, 208, 16, 48, 64),
    "b4": (512, 160, 112, 224, 24, 64, 64),
    "c4": (512, 128, 128, 256, 24, 64, 64),
    "d4": (512, 112, 144, 288, 32, 64, 64),
    "e4": (528, 256, 160, 320, 32, 128, 128),
    "a5": (832, 256, 160, 320, 32, 128, 128),
    "b5": (832, 384, 192, 384, 48, 128, 128),
}


def build(n_classes: int, shape: tuple[int, int, int], *, style: str, n_first: int = 1) -> nn.Module:
    """A GoogLeNet with random weights.

    Args:
        n_classes: how many logits it returns.
        shape: (height, width, channels) of the images; only the channels matter.
        style: whose names, ``"kuangliu"`` or ``"weiaicunzai"``.
        n_first: convolutions before the first inception block, 1 or 3.
    """
    if style == "kuangliu":
        first: dict[str, nn.Module] = {"pre_layers": nn.Sequential(*_unit(shape[2], 192, 3))}
    elif n_first == 1:
        first = {"prelayer": nn.Sequential(nn.Conv2d(shape[2], 192, 3), nn.BatchNorm2d(192), nn.ReLU())}
    else:
        pairs = ((shape[2], 64), (64, 64), (64, 192))
        layers = [layer for n_in, n_out in pairs for layer in _unit(n_in, n_out, 3, bias=False)]
        first = {"prelayer": nn.Sequential(*layers), "maxpool2": nn.MaxPool2d(3, stride=2, padding=1)}
    hidden: dict[str, nn.Module] = {}
    for name, widths_of in _INCEPTIONS.items():
        hidden[name] = _inception(*widths_of)
        if name in ("b3", "e4"):
            hidden[f"maxpool_{name}"] = nn.MaxPool2d(3, stride=2, padding=1)
    return chain(first, **hidden, pool=pooling(), linear=nn.Linear(1024, n_classes))


def _inception(n_in: int, one: int, reduce3: int, three: int, reduce5: int, five: int, pooled: int) -> nn.Module:
    return Branches(
        {
            "b1": nn.Sequential(*_unit(n_in, one, 1)),
            "b2": nn.Sequential(*_unit(n_in, reduce3, 1), *_unit(reduce3, three, 3)),
            # Two 3 x 3 convolutions stand for one of 5 x 5.
            "b3": nn.Sequential(*_unit(n_in, reduce5, 1), *_unit(reduce5, five, 3), *_unit(five, five, 3)),
            "b4": nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), *_unit(n_in, pooled, 1)),
        }
    )


def _unit(n_in: int, n_out: int, kernel: int, *, bias: bool = True) -> list[nn.Module]:
    return [convolution(n_in, n_out, kernel, bias=bias), nn.BatchNorm2d(n_out), nn.ReLU()]
