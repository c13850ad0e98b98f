"""VGG networks for 32 x 32 images (Simonyan & Zisserman 2015, configurations A, B, D and E, or any other).

The names are ``features.N`` and ``classifier``. The public forms differ in their head only: one fully connected layer
(bearpaw, kuangliu), three with 512 hidden units (chenyaofo) or three with 4096 (weiaicunzai, huyvnphan).
"""

from torch import nn

from mi_audit.targets.architectures._containers import pooling


def build(
    n_classes: int,
    shape: tuple[int, int, int],
    *,
    layers: tuple[int, ...],
    batch_norm: bool,
    hidden: int = 0,
    last_dropout: bool = True,
) -> nn.Module:
    """A VGG network with random weights.

    Args:
        n_classes: how many logits it returns.
        shape: (height, width, channels) of the images.
        layers: channels of each convolution, and 0 for a pooling that halves the image.
        batch_norm: whether every convolution is followed by batch normalisation.
        hidden: units of the two hidden layers of the head; 0 for a head of one layer.
        last_dropout: whether a dropout stands before the last layer of a head of three, which moves its index.

    Raises:
        ValueError: the images are so small that the poolings leave nothing.
    """
    smallest = 2 ** layers.count(0)
    if min(shape[:2]) < smallest:
        raise ValueError(f"expected images of at least {smallest} x {smallest} pixels, got {shape[0]} x {shape[1]}")
    network = nn.Sequential()
    network.add_module("features", _features(shape[2], layers, batch_norm=batch_norm))
    network.add_module("pool", pooling())
    width = [n_out for n_out in layers if n_out][-1]
    network.add_module("classifier", _head(width, n_classes, hidden, last_dropout=last_dropout))
    return network


def _features(n_in: int, layers: tuple[int, ...], *, batch_norm: bool) -> nn.Sequential:
    found: list[nn.Module] = []
    for n_out in layers:
        if n_out == 0:
            found.append(nn.MaxPool2d(2))
            continue
        found.append(nn.Conv2d(n_in, n_out, 3, padding=1))
        found += [nn.BatchNorm2d(n_out)] if batch_norm else []
        found.append(nn.ReLU())
        n_in = n_out
    return nn.Sequential(*found)


def _head(n_in: int, n_classes: int, hidden: int, *, last_dropout: bool) -> nn.Module:
    if hidden == 0:
        return nn.Linear(n_in, n_classes)
    between = [nn.ReLU(), nn.Dropout()] if last_dropout else [nn.ReLU()]
    first = [nn.Linear(n_in, hidden), nn.ReLU(), nn.Dropout()]
    return nn.Sequential(*first, nn.Linear(hidden, hidden), *between, nn.Linear(hidden, n_classes))
