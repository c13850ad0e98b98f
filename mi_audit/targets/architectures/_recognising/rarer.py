"""Recognising the rarer networks: deep layer aggregation, dual paths, RegNet, EfficientNet, SqueezeNet."""

from collections.abc import Iterable

from mi_audit.targets.architectures._recognising.family import BOTH, NORM, Family, Options, Outline

_REGNETS = {
    "x_200mf": ((1, 1, 4, 7), (24, 56, 152, 368), 8, False),
    "x_400mf": ((1, 2, 7, 12), (32, 64, 160, 384), 16, False),
    "y_400mf": ((1, 2, 7, 12), (32, 64, 160, 384), 16, True),
}
_BLOCK = rf"conv[123]\.weight|bn[123]\.{NORM}|shortcut\.0\.weight|shortcut\.1\.{NORM}"
_LAYERS = ("base", "layer1", "layer2")


def _dual(outline: Outline) -> Iterable[Options]:
    blocks = outline.blocks("layer{}")
    expected = {"layer1.0.conv2.weight": (96, 3, 3, 3), "layer4.0.conv2.weight": (768, 24, 3, 3)}
    if len(blocks) == 4 and outline.fits({**expected, "linear.weight": (-1, 2048 + (blocks[3] + 1) * 128)}):
        yield {"blocks": blocks}


def _regnet(outline: Outline) -> Iterable[Options]:
    blocks = outline.blocks("layer{}")
    widths = tuple(outline.size(f"layer{number}.0.conv2.weight") for number in range(1, len(blocks) + 1))
    each = outline.size("layer1.0.conv2.weight", 1)
    if len(blocks) != 4 or not each or not all(width and width % each == 0 for width in widths):
        return
    # A bottleneck here ends in its inner channels, unlike those of ResNets.
    ends = {f"layer{number}.0.conv3.weight": (width, width, 1, 1) for number, width in enumerate(widths, start=1)}
    if outline.fits({**ends, "linear.weight": (-1, widths[-1])}):
        gated = "layer1.0.se.se1.weight" in outline.shapes
        yield {"blocks": blocks, "widths": widths, "group_width": each, "gated": gated}


def _dla(name: str, title: str, inner: str, *, simple: bool) -> Family:
    return Family(
        name=name,
        module="dla",
        trained_as="kuangliu",
        title=title,
        marks=("base.0.weight", f"layer3.{'left_tree' if simple else 'left_node'}.conv1.weight", "linear.weight"),
        keys=rf"({'|'.join(_LAYERS)})\.(0\.weight|1\.{NORM})|linear\.{BOTH}"
        rf"|layer[3-6]\.({inner})(root\.(conv\.weight|bn\.{NORM})|(left|right)_(tree|node)\.({_BLOCK}))",
        read=lambda outline: [{}] if outline.fits({"linear.weight": (-1, 512)}) else [],
        fixed={"simple": simple},
        listed={name: {}},
    )


FAMILIES = (
    _dla("kuangliu_dla", "deep layer aggregation (kuangliu)", r"level_1\.|", simple=False),
    _dla("kuangliu_simpledla", "deep layer aggregation, simple (kuangliu)", r"(left|right)_tree\.|", simple=True),
    Family(
        name="kuangliu_dpn",
        module="dpn",
        trained_as="kuangliu",
        title="dual path network (kuangliu)",
        marks=("conv1.weight", "layer1.0.conv3.weight", "layer1.0.shortcut.0.weight", "linear.weight"),
        keys=rf"conv1\.weight|bn1\.{NORM}|layer[1-4]\.\d+\.({_BLOCK})|linear\.{BOTH}",
        read=_dual,
        listed={"kuangliu_dpn26": {"blocks": (2, 2, 2, 2)}, "kuangliu_dpn92": {"blocks": (3, 4, 20, 3)}},
    ),
    Family(
        name="kuangliu_regnet",
        module="regnet",
        trained_as="kuangliu",
        title="RegNet (kuangliu)",
        marks=("conv1.weight", "layer1.0.conv3.weight", "layer1.0.shortcut.0.weight", "linear.weight"),
        keys=rf"conv1\.weight|bn1\.{NORM}|layer[1-4]\.\d+\.({_BLOCK}|se\.se[12]\.{BOTH})|linear\.{BOTH}",
        read=_regnet,
        listed={
            f"kuangliu_regnet{name}": {"blocks": blocks, "widths": widths, "group_width": each, "gated": gated}
            for name, (blocks, widths, each, gated) in _REGNETS.items()
        },
    ),
    Family(
        name="kuangliu_efficientnetb0",
        module="efficientnet",
        trained_as="kuangliu",
        title="EfficientNet-B0 (kuangliu)",
        marks=("conv1.weight", "layers.0.se.se1.weight", "layers.15.conv3.weight", "linear.weight"),
        keys=rf"conv1\.weight|bn1\.{NORM}|layers\.\d+\.({_BLOCK}|se\.se[12]\.{BOTH})|linear\.{BOTH}",
        read=lambda outline: [{}] if outline.fits({"linear.weight": (-1, 320)}) else [],
        listed={"kuangliu_efficientnetb0": {}},
    ),
    Family(
        name="weiaicunzai_squeezenet",
        module="squeezenet",
        trained_as="weiaicunzai",
        title="SqueezeNet (weiaicunzai)",
        marks=("stem.0.weight", "fire9.expand_3x3.0.weight", "conv10.weight"),
        keys=rf"stem\.[01]\.{NORM}|fire[2-9]\.(squeeze|expand_1x1|expand_3x3)\.[01]\.{NORM}|conv10\.{BOTH}",
        read=lambda outline: [{}] if outline.fits({"conv10.weight": (-1, 512, 1, 1)}) else [],
        listed={"weiaicunzai_squeezenet": {}},
    ),
)
