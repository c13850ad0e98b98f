"""Recognising networks with grouped or dense connections: ResNeXt and DenseNet."""

from collections.abc import Iterable

from mi_audit.targets.architectures._recognising.family import BOTH, NORM, Family, Options, Outline

_DENSE = {
    "121": ((6, 12, 24, 16), 32),
    "169": ((6, 12, 32, 32), 32),
    "201": ((6, 12, 48, 32), 32),
    "161": ((6, 12, 36, 24), 48),
}


def _resnext(outline: Outline, stage: str, first: int, names: tuple[str, str, str], head: str) -> Iterable[Options]:
    """Names are those, within the first block, of its three convolutions."""
    begin = stage.format(first)
    reduce, grouped, expand = (f"{begin}.{name}.weight" for name in names)
    inner, each = outline.size(grouped), outline.size(grouped, 1)
    blocks = _stage_blocks(outline, stage, first)
    n_out = outline.size(expand)
    expected = {
        grouped: (inner, each, 3, 3),
        reduce: (inner, -1, 1, 1),
        f"{head}.weight": (-1, n_out << len(blocks) - 1),
    }
    if not blocks or not each or inner % each or not outline.fits(expected):
        return
    found: Options = {"blocks": blocks, "cardinality": inner // each, "base_width": each}
    if head == "linear":
        if n_out == 2 * inner:
            yield found
    elif n_out % 64 == 0:
        yield {**found, "widen": n_out // 64}


def _stage_blocks(outline: Outline, stage: str, first: int) -> tuple[int, ...]:
    """Blocks of each stage; bearpaw's repeat the name of the stage."""
    if not stage.startswith("stage_"):
        return outline.blocks(stage, first)
    found: list[int] = []
    while True:
        name, number = f"stage_{len(found) + 1}", 0
        while f"{name}.{name}_bottleneck_{number}" in outline:
            number += 1
        if not number:
            return tuple(found)
        found.append(number)


def _resnexts(name: str, sizes: Iterable[tuple[int, int]], widen: Options) -> dict[str, Options]:
    return {
        f"{name}{groups}x{width}d": {"blocks": (3, 3, 3), "cardinality": groups, "base_width": width, **widen}
        for groups, width in sizes
    }


def _dense(outline: Outline, head: str) -> Iterable[Options]:
    blocks = outline.blocks("dense{}")
    bottleneck = "dense1.0.conv2.weight" in outline.shapes
    growth = outline.size(f"dense1.0.conv{2 if bottleneck else 1}.weight")
    mix = outline.shape("trans1.conv1.weight" if head == "fc" else "trans1.conv.weight")
    if len(mix) != 4 or not outline.fits({"conv1.weight": (2 * growth, -1, 3, 3)}):
        return
    found: Options = {"blocks": blocks, "growth": growth, "compression": mix[1] // mix[0], "bottleneck": bottleneck}
    if outline.fits({f"{head}.weight": (-1, _ends_in(blocks, growth, mix[1] // mix[0]))}):
        yield found


def _ends_in(blocks: tuple[int, ...], growth: int, compression: int) -> int:
    """Channels of the head."""
    width = 2 * growth
    for number, n_layers in enumerate(blocks):
        width += n_layers * growth
        width //= compression if number < len(blocks) - 1 else 1
    return width


def _weiaicunzai_dense(outline: Outline) -> Iterable[Options]:
    growth = outline.size("features.dense_block_layer_0.bottle_neck_layer_0.bottle_neck.5.weight")
    blocks: list[int] = []
    while True:
        number = 0
        names = (f"features.dense_block_layer_{len(blocks)}", f"features.dense_block{len(blocks)}")
        while any(f"{name}.bottle_neck_layer_{number}" in outline for name in names):
            number += 1
        if not number:
            break
        blocks.append(number)
    if growth and outline.fits({"linear.weight": (-1, _ends_in(tuple(blocks), growth, 2))}):
        yield {"blocks": tuple(blocks), "growth": growth, "compression": 2, "bottleneck": True}


def _densenets(name: str, *, small: str | None) -> dict[str, Options]:
    sizes = {**_DENSE, **({small: ((6, 12, 24, 16), 12)} if small else {})}
    return {
        f"{name}{key}": {"blocks": blocks, "growth": growth, "compression": 2, "bottleneck": True}
        for key, (blocks, growth) in sizes.items()
    }


def _bearpaw_densenet(depth: int, growth: int) -> Options:
    return {"blocks": ((depth - 4) // 6,) * 3, "growth": growth, "compression": 2, "bottleneck": True}


_LAYER = rf"conv[12]\.weight|bn[12]\.{NORM}"

FAMILIES = (
    Family(
        name="cifar_resnext",
        module="resnext",
        trained_as="bearpaw",
        title="ResNeXt of 29 layers (bearpaw)",
        marks=("conv_1_3x3.weight", "bn_1.weight", "classifier.weight"),
        keys=rf"conv_1_3x3\.weight|bn_1\.{NORM}|classifier\.{BOTH}|stage_\d\.stage_\d_bottleneck_\d+\."
        rf"(conv_(reduce|conv|expand)\.weight|bn(_reduce|_expand)?\.{NORM}|shortcut\.shortcut_(conv\.weight|bn\.{NORM}))",
        read=lambda outline: _resnext(
            outline,
            "stage_{}",
            1,
            ("stage_1_bottleneck_0.conv_reduce", "stage_1_bottleneck_0.conv_conv", "stage_1_bottleneck_0.conv_expand"),
            "classifier",
        ),
        fixed={"style": "bearpaw"},
        listed=_resnexts("cifar_resnext29_", ((8, 64), (16, 64)), {"widen": 4}),
    ),
    Family(
        name="kuangliu_resnext",
        module="resnext",
        trained_as="kuangliu",
        title="ResNeXt of 29 layers (kuangliu)",
        marks=("conv1.weight", "bn1.weight", "layer1.0.conv3.weight", "layer1.0.shortcut.0.weight", "linear.weight"),
        keys=rf"conv1\.weight|bn1\.{NORM}|linear\.{BOTH}"
        rf"|layer\d\.\d+\.(conv[123]\.weight|bn[123]\.{NORM}|shortcut\.0\.weight|shortcut\.1\.{NORM})",
        read=lambda outline: _resnext(outline, "layer{}", 1, ("0.conv1", "0.conv2", "0.conv3"), "linear"),
        fixed={"style": "kuangliu"},
        listed=_resnexts("kuangliu_resnext29_", ((2, 64), (4, 64), (8, 64), (32, 4)), {}),
    ),
    Family(
        name="weiaicunzai_resnext",
        module="resnext",
        trained_as="weiaicunzai",
        title="ResNeXt (weiaicunzai)",
        marks=("conv1.0.weight", "conv2.0.split_transforms.0.weight", "fc.weight"),
        keys=rf"conv1\.0\.weight|conv1\.1\.{NORM}|fc\.{BOTH}"
        rf"|conv\d\.\d+\.(split_transforms\.\d\.{NORM}|shortcut\.0\.weight|shortcut\.1\.{NORM})",
        read=lambda outline: _resnext(
            outline, "conv{}", 2, ("0.split_transforms.0", "0.split_transforms.3", "0.split_transforms.6"), "fc"
        ),
        fixed={"style": "weiaicunzai"},
        listed={
            f"weiaicunzai_resnext{depth}": {"blocks": blocks, "cardinality": 32, "base_width": 4, "widen": 4}
            for depth, blocks in ((50, (3, 4, 6, 3)), (101, (3, 4, 23, 3)), (152, (3, 4, 36, 3)))
        },
    ),
    Family(
        name="cifar_densenet",
        module="densenet",
        trained_as="bearpaw",
        title="DenseNet-BC of three dense blocks (bearpaw)",
        marks=("conv1.weight", "dense1.0.conv1.weight", "trans1.bn1.weight", "bn.weight", "fc.weight"),
        keys=rf"conv1\.weight|dense\d\.\d+\.({_LAYER})|trans\d\.(conv1\.weight|bn1\.{NORM})|bn\.{NORM}|fc\.{BOTH}",
        read=lambda outline: _dense(outline, "fc"),
        fixed={"style": "bearpaw"},
        listed={
            f"cifar_densenet{depth}_{growth}": _bearpaw_densenet(depth, growth)
            for depth, growth in ((40, 12), (100, 12), (190, 40))
        },
    ),
    Family(
        name="kuangliu_densenet",
        module="densenet",
        trained_as="kuangliu",
        title="DenseNet (kuangliu)",
        marks=("conv1.weight", "dense1.0.conv1.weight", "trans1.bn.weight", "bn.weight", "linear.weight"),
        keys=rf"conv1\.weight|dense\d\.\d+\.({_LAYER})|trans\d\.(conv\.weight|bn\.{NORM})|bn\.{NORM}|linear\.{BOTH}",
        read=lambda outline: _dense(outline, "linear"),
        fixed={"style": "kuangliu"},
        listed=_densenets("kuangliu_densenet", small="_cifar"),
    ),
    Family(
        name="weiaicunzai_densenet",
        module="densenet",
        trained_as="weiaicunzai",
        title="DenseNet (weiaicunzai)",
        marks=(
            "conv1.weight",
            "features.transition_layer_0.down_sample.0.weight",
            "features.bn.weight",
            "linear.weight",
        ),
        keys=rf"conv1\.weight|features\.bn\.{NORM}|linear\.{BOTH}"
        rf"|features\.dense_block(_layer_)?\d\.bottle_neck_layer_\d+\.bottle_neck\.\d\.{NORM}"
        rf"|features\.transition_layer_\d\.down_sample\.[01]\.{NORM}",
        read=_weiaicunzai_dense,
        fixed={"style": "weiaicunzai"},
        listed=_densenets("weiaicunzai_densenet", small=None),
    ),
)
