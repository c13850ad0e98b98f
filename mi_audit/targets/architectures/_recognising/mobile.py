"""Recognising small networks: MobileNet, ShuffleNetV2, RepVGG, GoogLeNet."""

from collections.abc import Iterable

from mi_audit.targets.architectures._recognising.family import BOTH, NORM, Family, Options, Outline

# Channels after the first stage, by size.
_SHUFFLED = {48: "0.5", 116: "1", 176: "1.5", 244: "2", 224: "2-kuangliu"}
_REPVGG = {"a0": (48, 96, 192, 1280), "a1": (64, 128, 256, 1280), "a2": (96, 192, 384, 1408)}


def _first_mobile(outline: Outline, stem: str, head: str) -> Iterable[Options]:
    width = outline.size(f"{stem}.weight")
    if width and width * 100 % 32 == 0 and outline.fits({f"{head}.weight": (-1, width * 32)}):
        yield {"percent": width * 100 // 32}


def _second_mobile(outline: Outline, stem: tuple[str, int], head: tuple[str, tuple[int, ...]]) -> Iterable[Options]:
    if outline.fits({stem[0]: (32, -1, stem[1], stem[1]), head[0]: head[1]}):
        yield {}


def _shuffled(outline: Outline, mix: str) -> Iterable[Options]:
    """By the second convolution of the first unit's left branch, which gives half the channels."""
    size = _SHUFFLED.get(2 * outline.size(mix))
    if size:
        yield {"size": size}


def _repvgg(outline: Outline) -> Iterable[Options]:
    fused = "stage0.rbr_reparam.weight" in outline.shapes
    blocks = outline.blocks("stage{}")
    conv = "rbr_reparam" if fused else "rbr_dense.conv"
    widths = tuple(outline.size(f"stage{number}.0.{conv}.weight") for number in range(1, len(blocks) + 1))
    if widths and all(widths) and outline.fits({"linear.weight": (-1, widths[-1])}):
        yield {"blocks": blocks, "widths": widths, "fused": fused}


_MIX = rf"conv[1-5]\.weight|bn[1-5]\.{NORM}"

FAMILIES = (
    Family(
        name="kuangliu_mobilenet",
        module="mobilenet",
        trained_as="kuangliu",
        title="MobileNet (kuangliu)",
        marks=("conv1.weight", "layers.12.conv2.weight", "linear.weight"),
        keys=rf"conv1\.weight|bn1\.{NORM}|layers\.\d+\.(conv[12]\.weight|bn[12]\.{NORM})|linear\.{BOTH}",
        read=lambda outline: _first_mobile(outline, "conv1", "linear"),
        fixed={"style": "kuangliu", "version": 1},
        listed={"kuangliu_mobilenet": {"percent": 100}},
    ),
    Family(
        name="kuangliu_mobilenetv2",
        module="mobilenet",
        trained_as="kuangliu",
        title="MobileNetV2 (kuangliu)",
        marks=("conv2.weight", "layers.16.conv3.weight", "layers.0.shortcut.0.weight", "linear.weight"),
        keys=rf"conv[12]\.weight|bn[12]\.{NORM}|linear\.{BOTH}"
        rf"|layers\.\d+\.(conv[123]\.weight|bn[123]\.{NORM}|shortcut\.0\.weight|shortcut\.1\.{NORM})",
        read=lambda outline: _second_mobile(outline, ("conv1.weight", 3), ("linear.weight", (-1, 1280))),
        fixed={"style": "kuangliu", "version": 2},
        listed={"kuangliu_mobilenetv2": {}},
    ),
    Family(
        name="weiaicunzai_mobilenet",
        module="mobilenet",
        trained_as="weiaicunzai",
        title="MobileNet (weiaicunzai)",
        marks=("stem.0.conv.weight", "conv4.1.pointwise.0.bias", "fc.weight"),
        keys=rf"stem\.0\.(conv\.weight|bn\.{NORM})|fc\.{BOTH}"
        rf"|(stem|conv[1-4])\.\d\.(depthwise\.0\.weight|depthwise\.1\.{NORM}|pointwise\.0\.{BOTH}|pointwise\.1\.{NORM})",
        read=lambda outline: _first_mobile(outline, "stem.0.conv", "fc"),
        fixed={"style": "weiaicunzai", "version": 1},
        listed={"weiaicunzai_mobilenet": {"percent": 100}},
    ),
    Family(
        name="weiaicunzai_mobilenetv2",
        module="mobilenet",
        trained_as="weiaicunzai",
        title="MobileNetV2 (weiaicunzai)",
        marks=("pre.0.bias", "stage1.residual.7.weight", "stage2.0.residual.0.weight", "conv2.weight"),
        keys=rf"pre\.0\.{BOTH}|pre\.1\.{NORM}|conv1\.0\.{BOTH}|conv1\.1\.{NORM}|conv2\.{BOTH}"
        rf"|stage\d\.(\d\.)?residual\.\d\.{NORM}",
        read=lambda outline: _second_mobile(outline, ("pre.0.weight", 1), ("conv2.weight", (-1, 1280, 1, 1))),
        fixed={"style": "weiaicunzai", "version": 2},
        listed={"weiaicunzai_mobilenetv2": {}},
    ),
    Family(
        name="kuangliu_shufflenetv2",
        module="shufflenetv2",
        trained_as="kuangliu",
        title="ShuffleNetV2 (kuangliu)",
        marks=("conv1.weight", "layer3.0.conv5.weight", "layer1.3.conv3.weight", "bn2.weight", "linear.weight"),
        keys=rf"conv[12]\.weight|bn[12]\.{NORM}|layer[123]\.\d\.({_MIX})|linear\.{BOTH}",
        read=lambda outline: _shuffled(outline, "layer1.0.conv2.weight"),
        fixed={"style": "kuangliu"},
        listed={
            f"kuangliu_shufflenetv2_x{size.partition('-')[0].replace('.', '_')}": {"size": size}
            for size in ("0.5", "1", "1.5", "2-kuangliu")
        },
    ),
    Family(
        name="weiaicunzai_shufflenetv2",
        module="shufflenetv2",
        trained_as="weiaicunzai",
        title="ShuffleNetV2 (weiaicunzai)",
        marks=("pre.0.bias", "stage2.0.shortcut.3.weight", "conv5.0.weight", "fc.weight"),
        keys=rf"pre\.0\.{BOTH}|pre\.1\.{NORM}|conv5\.0\.{BOTH}|conv5\.1\.{NORM}|fc\.{BOTH}"
        rf"|stage[234]\.\d\.(residual|shortcut)\.\d\.{NORM}",
        read=lambda outline: _shuffled(outline, "stage2.0.shortcut.2.weight"),
        fixed={"style": "weiaicunzai"},
        listed={
            f"weiaicunzai_shufflenetv2_x{size.replace('.', '_')}": {"size": size} for size in ("0.5", "1", "1.5", "2")
        },
    ),
    Family(
        name="chenyaofo_repvgg",
        module="repvgg",
        trained_as="chenyaofo",
        title="RepVGG (chenyaofo)",
        marks=("linear.weight",),
        keys=rf"linear\.{BOTH}|stage(0|\d\.\d+)\."
        rf"(rbr_reparam\.{BOTH}|rbr_identity\.{NORM}|rbr_(dense|1x1)\.(conv\.weight|bn\.{NORM}))",
        read=_repvgg,
        listed={
            f"chenyaofo_repvgg_{name}{end}": {"blocks": (2, 4, 14, 1), "widths": widths, "fused": bool(end)}
            for name, widths in _REPVGG.items()
            for end in ("", "_fused")
        },
    ),
    Family(
        name="kuangliu_googlenet",
        module="googlenet",
        trained_as="kuangliu",
        title="GoogLeNet (kuangliu)",
        marks=("pre_layers.0.weight", "b5.b4.1.weight", "linear.weight"),
        keys=rf"pre_layers\.[01]\.{NORM}|[a-e][345]\.b[1-4]\.\d\.{NORM}|linear\.{BOTH}",
        read=lambda outline: [{}] if outline.fits({"pre_layers.0.weight": (192, -1, 3, 3)}) else [],
        fixed={"style": "kuangliu"},
        listed={"kuangliu_googlenet": {}},
    ),
    Family(
        name="weiaicunzai_googlenet",
        module="googlenet",
        trained_as="weiaicunzai",
        title="GoogLeNet (weiaicunzai)",
        marks=("prelayer.0.weight", "b5.b4.1.weight", "linear.weight"),
        keys=rf"prelayer\.\d\.{NORM}|[a-e][345]\.b[1-4]\.\d\.{NORM}|linear\.{BOTH}",
        read=lambda outline: [{"n_first": 3 if "prelayer.6.weight" in outline.shapes else 1}],
        fixed={"style": "weiaicunzai"},
        listed={"weiaicunzai_googlenet": {"n_first": 3}, "weiaicunzai_googlenet_1": {"n_first": 1}},
    ),
)
