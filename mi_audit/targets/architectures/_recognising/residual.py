"""Recognising residual networks: basic, bottleneck, with pre-activation, wide, and with squeeze and excitation."""

from collections.abc import Iterable

from mi_audit.targets.architectures._recognising.family import BOTH, NORM, Family, Options, Outline, Shape, residual

_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
_DEPTHS = (20, 32, 44, 56, 110)


def _cifar(outline: Outline) -> Iterable[Options]:
    option_a = "linear.weight" in outline.shapes
    found = residual(outline, "layer{}", "conv2", "conv3", "conv1", "linear" if option_a else "fc")
    if not found or found["width"] != 16 or len(_counts(found)) != 3 or len(set(_counts(found))) != 1:
        return
    each = _counts(found)[0]
    if found["bottleneck"]:
        yield {"depth": 9 * each + 2, "bottleneck": True}
    else:
        yield {"depth": 6 * each + 2}


def _counts(found: Options) -> tuple[int, ...]:
    blocks = found["blocks"]
    return blocks if isinstance(blocks, tuple) else ()


def _named(outline: Outline, head: str) -> Iterable[Options]:
    return _one(residual(outline, "layer{}", "conv2", "conv3", "conv1", head))


def _one(found: Options) -> Iterable[Options]:
    return (found,) if found else ()


def _deep(name: str, depths: Iterable[int]) -> dict[str, Options]:
    """The networks of four stages of the first paper, by name."""
    return {f"{name}{depth}": {"blocks": _BLOCKS[depth], "bottleneck": depth >= 50, "width": 64} for depth in depths}


def _kuangliu_preact(outline: Outline) -> Iterable[Options]:
    for found in _named(outline, "linear"):
        gated = "layer1.0.fc1.weight" in outline.shapes
        yield {**found, "gated": gated, "last_norm": "bn.weight" in outline.shapes}


def _preact(name: str) -> dict[str, Options]:
    return {key: {**one, "gated": False, "last_norm": False} for key, one in _deep(name, _BLOCKS).items()}


def _wide(outline: Outline, stage: str, stem: str, head: str, first: int, conv: str) -> Iterable[Options]:
    counts = outline.blocks(stage, first)
    widen = outline.size(f"{head}.weight", 1) // 64
    expected: dict[str, Shape] = {f"{stem}.weight": (16, -1, 3, 3), f"{head}.weight": (-1, 64 * widen)}
    for number, width in enumerate((16, 32, 64)):
        expected[f"{stage.format(first + number)}.0.{conv}.weight"] = (width * widen, width * widen, 3, 3)
    if widen and len(counts) == 3 and len(set(counts)) == 1 and outline.fits(expected):
        yield {"depth": 6 * counts[0] + 4, "widen": widen}


def _weiaicunzai_wide(outline: Outline) -> Iterable[Options]:
    for found in _wide(outline, "conv{}", "init_conv", "linear", 2, "residual.6"):
        yield from ({**found, "last_relu": True}, {**found, "last_relu": False})


_SHORTCUT = rf"shortcut\.0\.weight|shortcut\.1\.{NORM}"
_BLOCK = rf"conv[123]\.weight|bn[123]\.{NORM}"

PROJECTION = Family(
    name="cifar_resnet",
    module="cifar_resnet",
    trained_as="cifar-resnet",
    title="CIFAR ResNet, projection shortcuts (chenyaofo, bearpaw)",
    marks=("conv1.weight", "layer3.0.downsample.1.weight", "fc.weight"),
    keys=rf"conv1\.weight|bn1\.{NORM}|layer[1-3]\.\d+\.({_BLOCK}|downsample\.0\.weight|downsample\.1\.{NORM})|fc\.{BOTH}",
    read=_cifar,
    fixed={"option_a": False},
    listed={
        **{f"cifar_resnet{depth}": {"depth": depth} for depth in _DEPTHS},
        # What bearpaw calls "ResNet-110".
        "cifar_resnet164_bottleneck": {"depth": 164, "bottleneck": True},
    },
)
OPTION_A = Family(
    name="cifar_resnet_a",
    module="cifar_resnet",
    trained_as="cifar-resnet-option-a",
    title="CIFAR ResNet, zero-padding shortcuts (akamaster)",
    marks=("conv1.weight", "layer3.0.conv1.weight", "linear.weight", "bn1.weight"),
    keys=rf"conv1\.weight|bn1\.{NORM}|layer[1-3]\.\d+\.(conv[12]\.weight|bn[12]\.{NORM})|linear\.{BOTH}",
    read=_cifar,
    fixed={"option_a": True},
    listed={f"cifar_resnet{depth}_a": {"depth": depth} for depth in (*_DEPTHS, 1202)},
)
FAMILIES = (
    PROJECTION,
    OPTION_A,
    Family(
        name="cifar_preresnet",
        module="preact_resnet",
        trained_as="bearpaw",
        title="CIFAR ResNet with pre-activation (bearpaw)",
        marks=("conv1.weight", "bn.weight", "layer2.0.downsample.0.weight", "fc.weight", "layer1.0.bn1.weight"),
        keys=rf"conv1\.weight|bn\.{NORM}|layer\d\.\d+\.({_BLOCK}|downsample\.0\.weight)|fc\.{BOTH}",
        read=lambda outline: _named(outline, "fc"),
        fixed={"style": "bearpaw"},
        listed={
            **{
                f"cifar_preresnet{depth}": {"blocks": ((depth - 2) // 6,) * 3, "bottleneck": False, "width": 16}
                for depth in (20, 32, 44, 56, 110)
            },
            "cifar_preresnet164_bottleneck": {"blocks": (18, 18, 18), "bottleneck": True, "width": 16},
        },
    ),
    Family(
        name="cifar_wrn",
        module="wide_resnet",
        trained_as="bearpaw",
        title="wide ResNet (bearpaw, xternalz)",
        marks=("conv1.weight", "block1.layer.0.bn1.weight", "bn1.weight", "fc.weight"),
        keys=rf"conv1\.weight|bn1\.{NORM}|fc\.{BOTH}"
        rf"|block[123]\.layer\.\d+\.(conv[12]\.weight|bn[12]\.{NORM}|convShortcut\.weight)",
        read=lambda outline: _wide(outline, "block{}.layer", "conv1", "fc", 1, "conv2"),
        fixed={"style": "bearpaw"},
        listed={
            f"cifar_wrn{depth}_{widen}": {"depth": depth, "widen": widen}
            for depth, widen in ((16, 4), (16, 8), (28, 4), (28, 10), (34, 10), (40, 2), (40, 4))
        },
    ),
    Family(
        name="kuangliu_resnet",
        module="resnet",
        trained_as="kuangliu",
        title="ResNet (kuangliu)",
        marks=("conv1.weight", "bn1.weight", "layer2.0.shortcut.1.weight", "linear.weight"),
        keys=rf"conv1\.weight|bn1\.{NORM}|layer\d\.\d+\.({_BLOCK}|{_SHORTCUT})|linear\.{BOTH}",
        read=lambda outline: _named(outline, "linear"),
        fixed={"style": "kuangliu"},
        listed=_deep("kuangliu_resnet", _BLOCKS),
    ),
    Family(
        name="kuangliu_preactresnet",
        module="preact_resnet",
        trained_as="kuangliu",
        title="ResNet with pre-activation (kuangliu)",
        marks=("conv1.weight", "layer1.0.bn1.weight", "layer2.0.shortcut.0.weight", "linear.weight"),
        keys=rf"conv1\.weight|bn1?\.{NORM}|layer\d\.\d+\.({_BLOCK}|shortcut\.0\.weight|fc[12]\.{BOTH})|linear\.{BOTH}",
        read=_kuangliu_preact,
        fixed={"style": "kuangliu"},
        listed={
            **_preact("kuangliu_preactresnet"),
            "kuangliu_senet18": {**_preact("")["18"], "gated": True},
        },
    ),
    Family(
        name="weiaicunzai_resnet",
        module="resnet",
        trained_as="weiaicunzai",
        title="ResNet (weiaicunzai)",
        marks=("conv1.0.weight", "conv2_x.0.residual_function.0.weight", "fc.weight"),
        keys=rf"conv1\.0\.weight|conv1\.1\.{NORM}|fc\.{BOTH}"
        rf"|conv\d_x\.\d+\.(residual_function\.[036]\.weight|residual_function\.[147]\.{NORM}|{_SHORTCUT})",
        read=lambda outline: _one(
            residual(outline, "conv{}_x", "residual_function.3", "residual_function.6", "conv1.0", "fc", 2)
        ),
        fixed={"style": "weiaicunzai"},
        listed=_deep("weiaicunzai_resnet", _BLOCKS),
    ),
    Family(
        name="weiaicunzai_seresnet",
        module="resnet",
        trained_as="weiaicunzai",
        title="ResNet with squeeze and excitation (weiaicunzai)",
        marks=("pre.0.weight", "stage1.0.excitation.0.weight", "linear.weight"),
        keys=rf"pre\.0\.{BOTH}|pre\.1\.{NORM}|linear\.{BOTH}"
        rf"|stage\d\.\d+\.(residual\.\d\.{NORM}|shortcut\.0\.{BOTH}|shortcut\.1\.{NORM}|excitation\.[02]\.{BOTH})",
        read=lambda outline: _one(residual(outline, "stage{}", "residual.3", "residual.6", "pre.0", "linear")),
        fixed={"style": "weiaicunzai-se"},
        listed=_deep("weiaicunzai_seresnet", _BLOCKS),
    ),
    Family(
        name="weiaicunzai_preactresnet",
        module="preact_resnet",
        trained_as="weiaicunzai",
        title="ResNet with pre-activation (weiaicunzai)",
        marks=("pre.0.weight", "stage1.0.residual.5.weight", "stage2.0.shortcut.weight", "linear.weight"),
        keys=rf"pre\.0\.{BOTH}|pre\.1\.{NORM}|stage\d\.\d+\.(residual\.\d\.{NORM}|shortcut\.{BOTH})|linear\.{BOTH}",
        read=lambda outline: _one(residual(outline, "stage{}", "residual.5", "residual.8", "pre.0", "linear")),
        fixed={"style": "weiaicunzai"},
        listed=_deep("weiaicunzai_preactresnet", _BLOCKS),
    ),
    Family(
        name="weiaicunzai_wrn",
        module="wide_resnet",
        trained_as="weiaicunzai",
        title="wide ResNet (weiaicunzai)",
        marks=("init_conv.bias", "conv2.0.residual.6.weight", "bn.weight", "linear.weight"),
        keys=rf"init_conv\.{BOTH}|bn\.{NORM}|conv[234]\.\d+\.(residual\.\d\.{NORM}|shortcut\.0\.{BOTH})|linear\.{BOTH}",
        read=_weiaicunzai_wide,
        fixed={"style": "weiaicunzai"},
        listed={
            "weiaicunzai_wrn40_10": {"depth": 40, "widen": 10, "last_relu": True},
            "weiaicunzai_wrn40_10_norelu": {"depth": 40, "widen": 10, "last_relu": False},
        },
    ),
)
