"""Densely connected networks for 32 x 32 images (Huang et al. 2017) with the names of three repositories.

- ``bearpaw`` (bearpaw/pytorch-classification): three dense blocks, ``trans1.bn1``, ``fc``; new channels go behind.
- ``kuangliu`` (kuangliu/pytorch-cifar): four dense blocks, ``trans1.bn``, ``linear``; new channels go in front.
- ``weiaicunzai`` (weiaicunzai/pytorch-cifar100): four dense blocks under ``features``; new channels go behind, and a
  transition has no ReLU.
"""

from torch import nn

from mi_audit.targets.architectures._containers import Dense, chain, convolution, pooling


def build(
    n_classes: int,
    shape: tuple[int, int, int],
    *,
    style: str,
    blocks: tuple[int, ...],
    growth: int,
    compression: int = 2,
    bottleneck: bool = True,
) -> nn.Module:
    """A dense network with random weights.

    Args:
        n_classes: how many logits it returns.
        shape: (height, width, channels) of the images; only the channels matter.
        style: whose names, ``"bearpaw"``, ``"kuangliu"`` or ``"weiaicunzai"``.
        blocks: layers of each dense block.
        growth: new channels of a layer.
        compression: a transition divides the channels by it.
        bottleneck: whether a 1 x 1 convolution to four times the growth stands before each 3 x 3 convolution.
    """
    n_hidden = 2 * growth
    hidden: dict[str, nn.Module] = {}
    for number, n_layers in enumerate(blocks):
        is_last = number == len(blocks) - 1
        dense, transition = _names(style, number, is_last=is_last)
        hidden[dense] = _dense(style, n_hidden, n_layers, growth, bottleneck=bottleneck)
        n_hidden += n_layers * growth
        if not is_last:
            hidden[transition] = _transition(style, n_hidden, n_hidden // compression)
            n_hidden //= compression
    last = {"bn": nn.BatchNorm2d(n_hidden), "relu": nn.ReLU()}
    stem, head = convolution(shape[2], 2 * growth), nn.Linear(n_hidden, n_classes)
    if style == "weiaicunzai":
        return chain(conv1=stem, features=chain(hidden, **last), pool=pooling(), linear=head)
    return chain(conv1=stem, **hidden, **last, pool=pooling(), **{"fc" if style == "bearpaw" else "linear": head})


def _names(style: str, number: int, *, is_last: bool) -> tuple[str, str]:
    """Of a dense block and of the transition after it."""
    if style == "weiaicunzai":
        # The last block goes by another pattern.
        return f"dense_block{number}" if is_last else f"dense_block_layer_{number}", f"transition_layer_{number}"
    return f"dense{number + 1}", f"trans{number + 1}"


def _dense(style: str, n_in: int, n_layers: int, growth: int, *, bottleneck: bool) -> nn.Sequential:
    layers: dict[str, nn.Module] = {}
    for index in range(n_layers):
        path = _layer(n_in + index * growth, growth, bottleneck=bottleneck)
        if style == "weiaicunzai":
            layers[f"bottle_neck_layer_{index}"] = Dense({"bottle_neck": nn.Sequential(*path)}, new_first=False)
        else:
            named = dict(zip(("bn1", "relu1", "conv1", "bn2", "relu2", "conv2"), path, strict=False))
            layers[str(index)] = Dense(named, new_first=style == "kuangliu")
    return chain(layers)


def _layer(n_in: int, growth: int, *, bottleneck: bool) -> list[nn.Module]:
    if not bottleneck:
        return [nn.BatchNorm2d(n_in), nn.ReLU(), convolution(n_in, growth)]
    inner = 4 * growth
    first = [nn.BatchNorm2d(n_in), nn.ReLU(), convolution(n_in, inner, 1)]
    return [*first, nn.BatchNorm2d(inner), nn.ReLU(), convolution(inner, growth)]


def _transition(style: str, n_in: int, n_out: int) -> nn.Sequential:
    norm, mix, pool = nn.BatchNorm2d(n_in), convolution(n_in, n_out, 1), nn.AvgPool2d(2)
    if style == "weiaicunzai":
        return chain(down_sample=nn.Sequential(norm, mix, pool))
    end = "1" if style == "bearpaw" else ""
    return chain({f"bn{end}": norm, "relu": nn.ReLU(), f"conv{end}": mix, "pool": pool})
