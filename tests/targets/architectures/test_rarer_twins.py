"""The rarer built-in networks in plain arithmetic, from their tensors by name."""

import pytest
import torch
from torch.nn import functional

from tests.targets.architectures.arithmetic import IMAGES, assert_logits, conv, full, network, norm


def basic(hidden, w, name, stride):
    """A residual block under kuangliu's names."""
    inner = norm(conv(hidden, w, f"{name}.conv1", stride), w, f"{name}.bn1").relu()
    inner = norm(conv(inner, w, f"{name}.conv2"), w, f"{name}.bn2")
    if f"{name}.shortcut.0.weight" in w:
        hidden = norm(conv(hidden, w, f"{name}.shortcut.0", stride), w, f"{name}.shortcut.1")
    return (inner + hidden).relu()


def root(parts, w, name):
    return norm(conv(torch.cat(parts, 1), w, f"{name}.root.conv"), w, f"{name}.root.bn").relu()


def started(hidden, w):
    for name in ("base", "layer1", "layer2"):
        hidden = norm(conv(hidden, w, f"{name}.0"), w, f"{name}.1").relu()
    return hidden


def test_deep_layer_aggregation() -> None:
    def arithmetic(hidden, w):
        hidden = started(hidden, w)
        for number in (3, 4, 5, 6):
            name, stride, parts = f"layer{number}", 1 if number == 3 else 2, []
            if f"{name}.level_1.root.conv.weight" in w:
                one = basic(hidden, w, f"{name}.level_1.left_node", stride)
                hidden = root([one, basic(one, w, f"{name}.level_1.right_node", 1)], w, f"{name}.level_1")
                parts, stride = [hidden], 1
            left = basic(hidden, w, f"{name}.left_node", stride)
            hidden = root([*parts, left, basic(left, w, f"{name}.right_node", 1)], w, name)
        return full(hidden, w, "linear")

    assert_logits("kuangliu_dla", arithmetic)


def test_simple_deep_layer_aggregation() -> None:
    def tree(hidden, w, name, stride):
        if f"{name}.conv1.weight" in w:
            return basic(hidden, w, name, stride)
        left = tree(hidden, w, f"{name}.left_tree", stride)
        return root([left, tree(left, w, f"{name}.right_tree", 1)], w, name)

    def arithmetic(hidden, w):
        hidden = started(hidden, w)
        for number in (3, 4, 5, 6):
            hidden = tree(hidden, w, f"layer{number}", 1 if number == 3 else 2)
        return full(hidden, w, "linear")

    assert_logits("kuangliu_simpledla", arithmetic)


def test_dual_paths() -> None:
    def arithmetic(hidden, w):
        hidden = norm(conv(hidden, w, "conv1"), w, "bn1").relu()
        for stage, first in ((1, 256), (2, 512), (3, 1024), (4, 2048)):
            for block in range(2):
                name, stride = f"layer{stage}.{block}", 2 if stage > 1 and not block else 1
                inner = norm(conv(hidden, w, f"{name}.conv1"), w, f"{name}.bn1").relu()
                inner = norm(conv(inner, w, f"{name}.conv2", stride), w, f"{name}.bn2").relu()
                inner = norm(conv(inner, w, f"{name}.conv3"), w, f"{name}.bn3")
                if block == 0:
                    hidden = norm(conv(hidden, w, f"{name}.shortcut.0", stride), w, f"{name}.shortcut.1")
                added = hidden[:, :first] + inner[:, :first]
                hidden = torch.cat((added, hidden[:, first:], inner[:, first:]), 1).relu()
        return full(hidden, w, "linear")

    assert_logits("kuangliu_dpn26", arithmetic)


@pytest.mark.parametrize("name", ["kuangliu_regnetx_200mf", "kuangliu_regnety_400mf"])
def test_regnets(name: str) -> None:
    def arithmetic(hidden, w):
        hidden = norm(conv(hidden, w, "conv1"), w, "bn1").relu()
        for stage in (1, 2, 3, 4):
            for block in range(len([key for key in w if key.startswith(f"layer{stage}.") and "conv3.weight" in key])):
                start, stride = f"layer{stage}.{block}", 2 if stage > 2 and not block else 1
                inner = norm(conv(hidden, w, f"{start}.conv1"), w, f"{start}.bn1").relu()
                inner = norm(conv(inner, w, f"{start}.conv2", stride), w, f"{start}.bn2").relu()
                if f"{start}.se.se1.weight" in w:
                    squeezed = conv(inner.mean((2, 3), keepdim=True), w, f"{start}.se.se1").relu()
                    inner = inner * conv(squeezed, w, f"{start}.se.se2").sigmoid()
                inner = norm(conv(inner, w, f"{start}.conv3"), w, f"{start}.bn3")
                if f"{start}.shortcut.0.weight" in w:
                    hidden = norm(conv(hidden, w, f"{start}.shortcut.0", stride), w, f"{start}.shortcut.1")
                hidden = (inner + hidden).relu()
        return full(hidden, w, "linear")

    assert_logits(name, arithmetic)


def test_efficientnet_leaves_the_first_expansion_out() -> None:
    strides = {1: 2, 3: 2, 5: 2, 11: 2}

    def swish(hidden):
        return hidden * hidden.sigmoid()

    def arithmetic(hidden, w):
        hidden = swish(norm(conv(hidden, w, "conv1"), w, "bn1"))
        for index in range(16):
            name, stride = f"layers.{index}", strides.get(index, 1)
            inner = hidden if index == 0 else swish(norm(conv(hidden, w, f"{name}.conv1"), w, f"{name}.bn1"))
            inner = swish(norm(conv(inner, w, f"{name}.conv2", stride), w, f"{name}.bn2"))
            squeezed = swish(conv(inner.mean((2, 3), keepdim=True), w, f"{name}.se.se1"))
            inner = inner * conv(squeezed, w, f"{name}.se.se2").sigmoid()
            inner = norm(conv(inner, w, f"{name}.conv3"), w, f"{name}.bn3")
            hidden = inner + hidden if inner.shape == hidden.shape else inner
        return full(hidden, w, "linear")

    assert_logits("kuangliu_efficientnetb0", arithmetic)


def test_squeezenet_and_its_bypasses() -> None:
    def arithmetic(hidden, w):
        hidden = functional.max_pool2d(norm(conv(hidden, w, "stem.0"), w, "stem.1").relu(), 2)
        for number in range(2, 10):
            name = f"fire{number}"
            inner = norm(conv(hidden, w, f"{name}.squeeze.0"), w, f"{name}.squeeze.1").relu()
            sides = [
                norm(conv(inner, w, f"{name}.{one}.0"), w, f"{name}.{one}.1").relu()
                for one in ("expand_1x1", "expand_3x3")
            ]
            hidden = torch.cat(sides, 1) + (hidden if number in (3, 5, 7) else 0)
            hidden = functional.max_pool2d(hidden, 2) if number in (4, 8) else hidden
        return conv(hidden, w, "conv10").mean((2, 3))

    assert_logits("weiaicunzai_squeezenet", arithmetic)


@pytest.mark.parametrize(
    ("name", "stem", "n_first"),
    [
        ("kuangliu_googlenet", "pre_layers", 1),
        ("weiaicunzai_googlenet", "prelayer", 3),
        ("weiaicunzai_googlenet_1", "prelayer", 1),
    ],
)
def test_googlenets(name: str, stem: str, n_first: int) -> None:
    def run(hidden, w, start, n_units, first=0):
        for unit in range(n_units):
            index = first + 3 * unit
            hidden = norm(conv(hidden, w, f"{start}.{index}"), w, f"{start}.{index + 1}").relu()
        return hidden

    def pool(hidden, stride=2):
        return functional.max_pool2d(hidden, 3, stride, 1)

    def arithmetic(hidden, w):
        if name.endswith("_1"):
            # This one does not pad its first convolution: what padding would add is cut off.
            hidden = norm(conv(hidden, w, f"{stem}.0")[:, :, 1:-1, 1:-1], w, f"{stem}.1").relu()
        else:
            hidden = run(hidden, w, stem, n_first)
        hidden = pool(hidden) if n_first == 3 else hidden
        for block in ("a3", "b3", "a4", "b4", "c4", "d4", "e4", "a5", "b5"):
            branches = [run(hidden, w, f"{block}.b{number}", number) for number in (1, 2, 3)]
            hidden = torch.cat((*branches, run(pool(hidden, 1), w, f"{block}.b4", 1, first=1)), 1)
            hidden = pool(hidden) if block in ("b3", "e4") else hidden
        return full(hidden, w, "linear")

    assert_logits(name, arithmetic)


def test_the_googlenet_of_huyvnphan() -> None:
    """With torchvision's names, its constant of normalisation, and a 3 x 3 convolution in the 5 x 5 branch."""

    def unit(hidden, w, name):
        mean, variance, factor, offset = (
            w[f"{name}.bn.{key}"].reshape(1, -1, 1, 1) for key in ("running_mean", "running_var", "weight", "bias")
        )
        return ((conv(hidden, w, f"{name}.conv") - mean) / (variance + 1e-3).sqrt() * factor + offset).relu()

    def arithmetic(hidden, w):
        hidden = unit(hidden, w, "conv1")
        for block in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"):
            name = f"inception{block}"
            branches = [unit(hidden, w, f"{name}.branch1")]
            branches += [unit(unit(hidden, w, f"{name}.branch{two}.0"), w, f"{name}.branch{two}.1") for two in (2, 3)]
            pooled = functional.max_pool2d(hidden, 3, 1, 1)
            hidden = torch.cat((*branches, unit(pooled, w, f"{name}.branch4.1")), 1)
            hidden = functional.max_pool2d(hidden, 3, 2, 1) if block in ("3b", "4e") else hidden
        return full(hidden, w, "fc")

    assert_logits("cifar_stem_googlenet", arithmetic)


@pytest.mark.parametrize("has_pool", [True, False])
def test_the_densenet_of_huyvnphan(*, has_pool: bool) -> None:
    def arithmetic(hidden, w):
        hidden = norm(conv(hidden, w, "features.conv0"), w, "features.norm0").relu()
        hidden = functional.max_pool2d(hidden, 3, 2, 1) if has_pool else hidden
        for number, n_layers in enumerate((6, 12, 24, 16), start=1):
            for index in range(1, n_layers + 1):
                layer = f"features.denseblock{number}.denselayer{index}"
                new = conv(norm(hidden, w, f"{layer}.norm1").relu(), w, f"{layer}.conv1")
                hidden = torch.cat((hidden, conv(norm(new, w, f"{layer}.norm2").relu(), w, f"{layer}.conv2")), 1)
            if number < 4:
                name = f"features.transition{number}"
                hidden = functional.avg_pool2d(conv(norm(hidden, w, f"{name}.norm").relu(), w, f"{name}.conv"), 2)
        return full(norm(hidden, w, "features.norm5").relu(), w, "classifier")

    assert_logits(f"cifar_stem_densenet121{'_pool' * has_pool}", arithmetic)


def test_mobilenets_of_the_first_version() -> None:
    strides = {1: 2, 3: 2, 5: 2, 11: 2}

    def kuangliu(hidden, w):
        hidden = norm(conv(hidden, w, "conv1"), w, "bn1").relu()
        for index in range(13):
            name = f"layers.{index}"
            hidden = norm(conv(hidden, w, f"{name}.conv1", strides.get(index, 1)), w, f"{name}.bn1").relu()
            hidden = norm(conv(hidden, w, f"{name}.conv2"), w, f"{name}.bn2").relu()
        return full(hidden, w, "linear")

    def weiaicunzai(hidden, w):
        hidden = norm(conv(hidden, w, "stem.0.conv"), w, "stem.0.bn").relu()
        for stage, blocks in (
            ("stem", [1]),
            ("conv1", [0, 1]),
            ("conv2", [0, 1]),
            ("conv3", range(6)),
            ("conv4", [0, 1]),
        ):
            for block in blocks:
                for part in ("depthwise", "pointwise"):
                    stride = 2 if block == 0 and part == "depthwise" else 1
                    name = f"{stage}.{block}.{part}"
                    hidden = norm(conv(hidden, w, f"{name}.0", stride), w, f"{name}.1").relu()
        return full(hidden, w, "fc")

    assert_logits("kuangliu_mobilenet", kuangliu)
    assert_logits("weiaicunzai_mobilenet", weiaicunzai)


def test_mobilenetv2_of_weiaicunzai_pads_its_first_1x1_convolution() -> None:
    repeats = {1: 1, 2: 2, 3: 3, 4: 4, 5: 3, 6: 3, 7: 1}

    def arithmetic(hidden, w):
        hidden = functional.conv2d(hidden, w["pre.0.weight"], w["pre.0.bias"], padding=1)
        hidden = norm(hidden, w, "pre.1").clamp(0, 6)
        for stage, n_blocks in repeats.items():
            for block in range(n_blocks):
                name = f"stage{stage}.{block}.residual" if n_blocks > 1 else f"stage{stage}.residual"
                stride = 2 if stage in (2, 3, 4) and not block else 1
                inner = norm(conv(hidden, w, f"{name}.0"), w, f"{name}.1").clamp(0, 6)
                inner = norm(conv(inner, w, f"{name}.3", stride), w, f"{name}.4").clamp(0, 6)
                inner = norm(conv(inner, w, f"{name}.6"), w, f"{name}.7")
                hidden = inner + hidden if inner.shape == hidden.shape else inner
        hidden = norm(conv(hidden, w, "conv1.0"), w, "conv1.1").clamp(0, 6)
        return full(hidden, {**w, "conv2.weight": w["conv2.weight"][:, :, 0, 0]}, "conv2")

    assert_logits("weiaicunzai_mobilenetv2", arithmetic)


def test_shufflenetv2_of_weiaicunzai() -> None:
    def shuffled(left, right):
        return torch.stack((left, right), 2).flatten(1, 2)

    def residual(hidden, w, name, stride):
        hidden = norm(conv(hidden, w, f"{name}.0"), w, f"{name}.1").relu()
        hidden = norm(conv(hidden, w, f"{name}.3", stride), w, f"{name}.4")
        return norm(conv(hidden, w, f"{name}.5"), w, f"{name}.6").relu()

    def arithmetic(hidden, w):
        hidden = norm(conv(hidden, w, "pre.0"), w, "pre.1")
        for stage, n_blocks in ((2, 4), (3, 8), (4, 4)):
            for block in range(n_blocks):
                name = f"stage{stage}.{block}"
                if block:
                    left, right = hidden.chunk(2, 1)
                    hidden = shuffled(left, residual(right, w, f"{name}.residual", 1))
                else:
                    left = norm(conv(hidden, w, f"{name}.shortcut.0", 2), w, f"{name}.shortcut.1")
                    left = norm(conv(left, w, f"{name}.shortcut.2"), w, f"{name}.shortcut.3").relu()
                    hidden = shuffled(left, residual(hidden, w, f"{name}.residual", 2))
        return full(norm(conv(hidden, w, "conv5.0"), w, "conv5.1").relu(), w, "fc")

    assert_logits("weiaicunzai_shufflenetv2_x0_5", arithmetic)


@pytest.mark.parametrize(
    ("name", "stem", "stages", "path", "head"),
    [
        (
            "weiaicunzai_resnext50",
            ("conv1.0", "conv1.1"),
            ("conv2", "conv3", "conv4", "conv5"),
            "split_transforms",
            "fc",
        ),
        ("kuangliu_resnext29_32x4d", ("conv1", "bn1"), ("layer1", "layer2", "layer3"), None, "linear"),
    ],
)
def test_resnexts(name: str, stem: tuple[str, str], stages: tuple[str, ...], path: str | None, head: str) -> None:
    """Groups are told from the shapes: weiaicunzai's first convolution of a block is grouped as well."""

    def arithmetic(hidden, w):
        hidden = norm(conv(hidden, w, stem[0]), w, stem[1]).relu()
        for stage in stages:
            thirds = [key for key in w if key.startswith(stage) and key.endswith((".6.weight", ".conv3.weight"))]
            for block in range(len(thirds)):
                start, stride = f"{stage}.{block}", 2 if stage != stages[0] and not block else 1
                pairs = (
                    [(f"{path}.{index}", f"{path}.{index + 1}") for index in (0, 3, 6)]
                    if path
                    else [(f"conv{number}", f"bn{number}") for number in (1, 2, 3)]
                )
                inner = hidden
                for number, (mix, scale) in enumerate(pairs):
                    step = stride if number == 1 else 1
                    inner = norm(conv(inner, w, f"{start}.{mix}", step), w, f"{start}.{scale}")
                    inner = inner.relu() if number < 2 else inner
                if f"{start}.shortcut.0.weight" in w:
                    hidden = norm(conv(hidden, w, f"{start}.shortcut.0", stride), w, f"{start}.shortcut.1")
                hidden = (inner + hidden).relu()
        return full(hidden, w, head)

    assert_logits(name, arithmetic)


def test_networks_return_the_same_for_one_image_as_for_many() -> None:
    for name in ("kuangliu_dpn26", "kuangliu_simpledla", "kuangliu_regnety_400mf", "weiaicunzai_squeezenet"):
        module = network(name)
        with torch.no_grad():
            logits = module(IMAGES)
            torch.testing.assert_close(module(IMAGES[:1]), logits[:1], rtol=1e-4, atol=1e-4 * float(logits.abs().max()))
