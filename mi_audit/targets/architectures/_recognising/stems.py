"""Recognising networks with torchvision's names whose first convolution is 3 x 3."""

from collections.abc import Iterable

from mi_audit.targets.architectures._recognising.family import BOTH, NORM, Family, Options, Outline, Shape

_RESNETS = {
    # Blocks, bottleneck, groups, base width.
    "resnet18": ((2, 2, 2, 2), False, 1, 64),
    "resnet34": ((3, 4, 6, 3), False, 1, 64),
    "resnet50": ((3, 4, 6, 3), True, 1, 64),
    "resnet101": ((3, 4, 23, 3), True, 1, 64),
    "resnet152": ((3, 8, 36, 3), True, 1, 64),
    "resnext50_32x4d": ((3, 4, 6, 3), True, 32, 4),
    "wide_resnet50_2": ((3, 4, 6, 3), True, 1, 128),
}
_DENSENETS = {
    "densenet121": ((6, 12, 24, 16), 32, 64),
    "densenet169": ((6, 12, 32, 32), 32, 64),
    "densenet201": ((6, 12, 48, 32), 32, 64),
    "densenet161": ((6, 12, 36, 24), 48, 96),
}
_SHUFFLED = {48: "0.5", 116: "1", 176: "1.5", 244: "2"}
_CHANNELS = {"0_5": 50, "0_75": 75, "1_0": 100, "1_4": 140}


def _resnet(outline: Outline, *, max_pool: bool) -> Iterable[Options]:
    blocks = outline.blocks("layer{}")
    bottleneck = "layer1.0.conv3.weight" in outline.shapes
    inner, each = outline.size("layer1.0.conv2.weight"), outline.size("layer1.0.conv2.weight", 1)
    expected: dict[str, Shape] = {"conv1.weight": (64, -1, 3, 3), "fc.weight": (-1, 2048 if bottleneck else 512)}
    for number in range(4):
        expected[f"layer{number + 1}.0.conv2.weight"] = (inner << number, each << number, 3, 3)
    if len(blocks) != 4 or not each or not outline.fits(expected) or (not bottleneck and (inner, each) != (64, 64)):
        return
    groups = inner // each
    for stride_first in (False, True) if bottleneck else (False,):
        yield _resnet_options(blocks, bottleneck, groups, each, max_pool, stride_first)


def _resnet_options(
    blocks: tuple[int, ...], bottleneck: bool, groups: int, width: int, max_pool: bool, stride_first: bool
) -> Options:
    return {
        "blocks": blocks,
        "bottleneck": bottleneck,
        "groups": groups,
        "base_width": width,
        "max_pool": max_pool,
        "stride_first": stride_first,
    }


def _resnets(*, max_pool: bool) -> dict[str, Options]:
    """Under the name of torchvision's network, and each bottleneck network with its stride in the 1 x 1 as well."""
    return {
        f"cifar_stem_{name}{'_pool' * max_pool}{'_stride1x1' * stride_first}": _resnet_options(
            blocks, bottleneck, groups, width, max_pool, stride_first
        )
        for name, (blocks, bottleneck, groups, width) in _RESNETS.items()
        for stride_first in ((False, True) if bottleneck else (False,))
    }


def _densenet(outline: Outline) -> Iterable[Options]:
    blocks: list[int] = []
    while True:
        number, name = 0, f"features.denseblock{len(blocks) + 1}"
        while f"{name}.denselayer{number + 1}" in outline:
            number += 1
        if not number:
            break
        blocks.append(number)
    width, growth = outline.size("features.conv0.weight"), outline.size("features.denseblock1.denselayer1.conv2.weight")
    expected = {"features.conv0.weight": (width, -1, 3, 3)}
    expected["features.denseblock1.denselayer1.conv1.weight"] = (4 * growth, width, 1, 1)
    if growth and outline.fits(expected):
        # huyvnphan, the only public source of these, keeps the pooling.
        for max_pool in (True, False):
            yield {"blocks": tuple(blocks), "growth": growth, "width": width, "max_pool": max_pool}


def _mobilenetv2(outline: Outline) -> Iterable[Options]:
    stem, last = outline.size("features.0.0.weight"), outline.size("classifier.1.weight", 1)
    for percent in (50, 75, 100, 140):
        widths = (_divisible(32 * percent), _divisible(1280 * max(100, percent)), _divisible(160 * percent))
        if widths == (stem, last, outline.size("features.16.conv.2.weight")):
            yield from ({"percent": percent, "relu6": True}, {"percent": percent, "relu6": False})


def _divisible(hundredths: int) -> int:
    """Channels as MobileNets round them: to the nearest multiple of 8, and not down by more than a tenth."""
    channels = hundredths / 100
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def _shufflenetv2(outline: Outline) -> Iterable[Options]:
    size = _SHUFFLED.get(2 * outline.size("stage2.0.branch1.2.weight"))
    if size and outline.fits({"conv1.0.weight": (24, -1, 3, 3)}):
        for max_pool in (False, True):
            yield {"size": size, "max_pool": max_pool}


_BLOCK = rf"conv[123]\.weight|bn[123]\.{NORM}|downsample\.0\.weight|downsample\.1\.{NORM}"


def _resnet_family(name: str, trained_as: str, title: str, *, max_pool: bool) -> Family:
    return Family(
        name=name,
        module="cifar_stem",
        trained_as=trained_as,
        title=title,
        marks=("conv1.weight", "bn1.weight", "layer4.0.downsample.0.weight", "fc.weight"),
        keys=rf"conv1\.weight|bn1\.{NORM}|layer[1-4]\.\d+\.({_BLOCK})|fc\.{BOTH}",
        read=lambda outline: _resnet(outline, max_pool=max_pool),
        fixed={"network": "resnet"},
        listed=_resnets(max_pool=max_pool),
    )


FAMILIES = (
    # Who removes the pooling, as most do, says no constants; huyvnphan kept it.
    _resnet_family("cifar_stem_resnet", "cifar-stem", "torchvision ResNet, 3 x 3 stem, no pooling", max_pool=False),
    _resnet_family("cifar_stem_resnet_pool", "huyvnphan", "torchvision ResNet, 3 x 3 stem (huyvnphan)", max_pool=True),
    Family(
        name="cifar_stem_densenet",
        module="cifar_stem",
        trained_as="huyvnphan",
        title="torchvision DenseNet, 3 x 3 stem (huyvnphan)",
        marks=("features.conv0.weight", "features.norm5.weight", "classifier.weight"),
        keys=rf"features\.(conv0\.weight|norm[05]\.{NORM}|transition\d\.(conv\.weight|norm\.{NORM})"
        rf"|denseblock\d\.denselayer\d+\.(conv[12]\.weight|norm[12]\.{NORM}))|classifier\.{BOTH}",
        read=_densenet,
        fixed={"network": "densenet"},
        listed={
            f"cifar_stem_{name}{'_pool' * max_pool}": {
                "blocks": blocks,
                "growth": growth,
                "width": width,
                "max_pool": max_pool,
            }
            for name, (blocks, growth, width) in _DENSENETS.items()
            for max_pool in (True, False)
        },
    ),
    Family(
        name="cifar_stem_mobilenetv2",
        module="cifar_stem",
        trained_as="chenyaofo",
        title="MobileNetV2, stem of stride 1 (chenyaofo, huyvnphan)",
        marks=("features.0.0.weight", "features.18.0.weight", "features.17.conv.2.weight", "classifier.1.weight"),
        keys=rf"features\.(0|18)\.(0\.weight|1\.{NORM})|features\.\d+\.conv\.\d\.(\d\.)?{NORM}|classifier\.1\.{BOTH}",
        read=_mobilenetv2,
        fixed={"network": "mobilenetv2"},
        listed={
            f"cifar_stem_mobilenetv2_x{name}{'' if relu6 else '_relu'}": {"percent": percent, "relu6": relu6}
            for name, percent in _CHANNELS.items()
            for relu6 in (True, False)
        },
    ),
    Family(
        name="cifar_stem_shufflenetv2",
        module="cifar_stem",
        trained_as="chenyaofo",
        title="ShuffleNetV2, stem of stride 1 (chenyaofo)",
        marks=("conv1.0.weight", "stage2.0.branch1.2.weight", "conv5.0.weight", "fc.weight"),
        keys=rf"conv[15]\.0\.weight|conv[15]\.1\.{NORM}|stage[234]\.\d\.branch[12]\.\d\.{NORM}|fc\.{BOTH}",
        read=_shufflenetv2,
        fixed={"network": "shufflenetv2"},
        listed={
            f"cifar_stem_shufflenetv2_x{name}{'_pool' * max_pool}": {"size": size, "max_pool": max_pool}
            for name, size in (("0_5", "0.5"), ("1_0", "1"), ("1_5", "1.5"), ("2_0", "2"))
            for max_pool in (False, True)
        },
    ),
    Family(
        name="cifar_stem_googlenet",
        module="cifar_stem",
        trained_as="huyvnphan",
        title="GoogLeNet, stem of one convolution (huyvnphan)",
        marks=("conv1.conv.weight", "inception5b.branch4.1.conv.weight", "fc.weight"),
        keys=rf"conv1\.(conv\.weight|bn\.{NORM})|fc\.{BOTH}"
        rf"|inception[345][a-e]\.branch[1-4]\.(\d\.)?(conv\.weight|bn\.{NORM})",
        read=lambda outline: [{}] if outline.fits({"conv1.conv.weight": (192, -1, 3, 3)}) else [],
        fixed={"network": "googlenet"},
        listed={"cifar_stem_googlenet": {}},
    ),
)
