"""MobileNets for 32 x 32 images (Howard et al. 2017; Sandler et al. 2018) with the names of two repositories.

- ``kuangliu`` (kuangliu/pytorch-cifar): one list of blocks, ``layers``. Its MobileNetV2 has ReLU where the paper has
  ReLU6, a projection on every shortcut that changes the channels, and halves the image three times.
- ``weiaicunzai`` (weiaicunzai/pytorch-cifar100): ``stem`` and ``conv1`` to ``conv4``; its MobileNetV2 has biased
  convolutions, a 1 x 1 convolution first, which is padded, and a 1 x 1 convolution as the last layer.
"""

from torch import nn

from mi_audit.targets.architectures._containers import Layers, Residual, chain, convolution, pooling

# Channels and stride of every block of the first version.
_FIRST = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
# Where weiaicunzai's stages end.
_STAGES = {"stem": (0, 1), "conv1": (1, 3), "conv2": (3, 5), "conv3": (5, 11), "conv4": (11, 13)}
# Expansion, channels, blocks and stride of the stages of the second version.
_SECOND = ((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
_SECOND_WEIAICUNZAI = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 1),
    (6, 320, 1, 1),
)


def build(n_classes: int, shape: tuple[int, int, int], *, style: str, version: int, percent: int = 100) -> nn.Module:
    """A MobileNet with random weights.

    Args:
        n_classes: how many logits it returns.
        shape: (height, width, channels) of the images; only the channels matter.
        style: whose names, ``"kuangliu"`` or ``"weiaicunzai"``.
        version: 1 or 2.
        percent: of the channels, for version 1.
    """
    if version == 1:
        return (_first_kuangliu if style == "kuangliu" else _first_weiaicunzai)(n_classes, shape[2], percent)
    return (_second_kuangliu if style == "kuangliu" else _second_weiaicunzai)(n_classes, shape[2])


def _first_kuangliu(n_classes: int, channels: int, percent: int) -> nn.Module:
    n_in = 32 * percent // 100
    stem: Layers = {"conv1": convolution(channels, n_in), "bn1": nn.BatchNorm2d(n_in), "relu": nn.ReLU()}
    blocks = []
    for width, stride in _FIRST:
        n_out = width * percent // 100
        depthwise: Layers = {"conv1": convolution(n_in, n_in, 3, stride, groups=n_in), "bn1": nn.BatchNorm2d(n_in)}
        pointwise: Layers = {"conv2": convolution(n_in, n_out, 1), "bn2": nn.BatchNorm2d(n_out), "relu2": nn.ReLU()}
        blocks.append(chain({**depthwise, "relu1": nn.ReLU(), **pointwise}))
        n_in = n_out
    return chain(stem, layers=nn.Sequential(*blocks), pool=pooling(), linear=nn.Linear(n_in, n_classes))


def _first_weiaicunzai(n_classes: int, channels: int, percent: int) -> nn.Module:
    n_in = 32 * percent // 100
    stem = chain(conv=convolution(channels, n_in), bn=nn.BatchNorm2d(n_in), relu=nn.ReLU())
    blocks = []
    for width, stride in _FIRST:
        n_out = width * percent // 100
        depthwise = nn.Sequential(convolution(n_in, n_in, 3, stride, groups=n_in), nn.BatchNorm2d(n_in), nn.ReLU())
        pointwise = nn.Sequential(convolution(n_in, n_out, 1, bias=True), nn.BatchNorm2d(n_out), nn.ReLU())
        blocks.append(chain(depthwise=depthwise, pointwise=pointwise))
        n_in = n_out
    stages = {name: nn.Sequential(*blocks[begin:end]) for name, (begin, end) in _STAGES.items()}
    stages["stem"].insert(0, stem)
    return chain(stages, pool=pooling(), fc=nn.Linear(n_in, n_classes))


def _second_kuangliu(n_classes: int, channels: int) -> nn.Module:
    stem: Layers = {"conv1": convolution(channels, 32), "bn1": nn.BatchNorm2d(32), "relu1": nn.ReLU()}
    blocks, n_in = [], 32
    for expansion, n_out, n_blocks, stride in _SECOND:
        for number in range(n_blocks):
            blocks.append(_inverted_kuangliu(n_in, n_out, expansion, stride if number == 0 else 1))
            n_in = n_out
    last: Layers = {"conv2": convolution(n_in, 1280, 1), "bn2": nn.BatchNorm2d(1280), "relu2": nn.ReLU()}
    return chain(stem, layers=nn.Sequential(*blocks), **last, pool=pooling(), linear=nn.Linear(1280, n_classes))


def _inverted_kuangliu(n_in: int, n_out: int, expansion: int, stride: int) -> nn.Module:
    inner = n_in * expansion
    path: Layers = {
        "conv1": convolution(n_in, inner, 1),
        "bn1": nn.BatchNorm2d(inner),
        "relu1": nn.ReLU(),
        "conv2": convolution(inner, inner, 3, stride, groups=inner),
        "bn2": nn.BatchNorm2d(inner),
        "relu2": nn.ReLU(),
        "conv3": convolution(inner, n_out, 1),
        "bn3": nn.BatchNorm2d(n_out),
    }
    if stride == 2:
        return chain(path)
    projection = nn.Sequential(convolution(n_in, n_out, 1), nn.BatchNorm2d(n_out))
    return Residual(path, {"shortcut": projection} if n_in != n_out else None)


def _second_weiaicunzai(n_classes: int, channels: int) -> nn.Module:
    pre = nn.Sequential(nn.Conv2d(channels, 32, 1, padding=1), nn.BatchNorm2d(32), nn.ReLU6())
    stages: dict[str, nn.Module] = {}
    n_in = 32
    for number, (expansion, n_out, n_blocks, stride) in enumerate(_SECOND_WEIAICUNZAI, start=1):
        first = _inverted_weiaicunzai(n_in, n_out, expansion, stride)
        rest = [_inverted_weiaicunzai(n_out, n_out, expansion, 1) for _ in range(n_blocks - 1)]
        stages[f"stage{number}"] = nn.Sequential(first, *rest) if n_blocks > 1 else first
        n_in = n_out
    last = nn.Sequential(convolution(n_in, 1280, 1, bias=True), nn.BatchNorm2d(1280), nn.ReLU6())
    head = convolution(1280, n_classes, 1, bias=True)
    return chain(pre=pre, **stages, conv1=last, pool=nn.AdaptiveAvgPool2d(1), conv2=head, flatten=nn.Flatten())


def _inverted_weiaicunzai(n_in: int, n_out: int, expansion: int, stride: int) -> nn.Module:
    inner = n_in * expansion
    path = nn.Sequential(
        convolution(n_in, inner, 1, bias=True),
        nn.BatchNorm2d(inner),
        nn.ReLU6(),
        convolution(inner, inner, 3, stride, groups=inner, bias=True),
        nn.BatchNorm2d(inner),
        nn.ReLU6(),
        convolution(inner, n_out, 1, bias=True),
        nn.BatchNorm2d(n_out),
    )
    layers: Layers = {"residual": path}
    return Residual(layers) if stride == 1 and n_in == n_out else chain(layers)
