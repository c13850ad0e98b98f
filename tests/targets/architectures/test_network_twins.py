"""The built-in networks against others with the same weights: classes of torchvision and timm, or plain arithmetic."""

import pytest
import timm
import torch
import torchvision
from torch import nn
from torch.nn import functional
from torchvision.models.resnet import BasicBlock, Bottleneck

from mi_audit.targets._build import build, find

IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def network(name: str, n_classes: int = 10) -> nn.Module:
    """With statistics and factors of batch normalisation that are not those of a fresh network."""
    module = build(find(name)[0], n_classes, (32, 32, 3), seed=0).eval()
    generator = torch.Generator().manual_seed(2)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
                tensor.data = torch.rand(tensor.shape, generator=generator) / 2 + 0.5
    return module


def assert_twins(module: nn.Module, twin: nn.Module) -> None:
    """The same logits, once the twin has the module's tensors, in the order in which both have them."""
    ours, theirs = module.state_dict(), twin.state_dict()
    assert [tensor.shape for tensor in ours.values()] == [tensor.shape for tensor in theirs.values()]
    twin.load_state_dict(dict(zip(theirs, ours.values(), strict=True)))
    with torch.no_grad():
        logits = module(IMAGES)
        torch.testing.assert_close(logits, twin.eval()(IMAGES), rtol=1e-4, atol=1e-4 * float(logits.abs().max()))
        assert logits.std() > 0


def stemmed(network: nn.Module, *, pool: bool = False) -> nn.Module:
    network.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    if not pool:
        network.maxpool = nn.Identity()
    return network


def tv(kind: type, blocks: list[int], **options: int) -> nn.Module:
    return torchvision.models.ResNet(kind, blocks, num_classes=10, **options)


@pytest.mark.parametrize("name", ["kuangliu_resnet18", "weiaicunzai_resnet18", "cifar_stem_resnet18"])
def test_resnet18_is_that_of_torchvision_with_another_stem(name: str) -> None:
    assert_twins(network(name), stemmed(tv(BasicBlock, [2, 2, 2, 2])))


@pytest.mark.parametrize("name", ["kuangliu_resnet50", "weiaicunzai_resnet50", "cifar_stem_resnet50"])
def test_resnet50_is_that_of_torchvision_with_another_stem(name: str) -> None:
    assert_twins(network(name), stemmed(tv(Bottleneck, [3, 4, 6, 3])))


def test_resnets_with_pooling_and_groups_are_those_of_torchvision() -> None:
    assert_twins(network("cifar_stem_resnet18_pool"), stemmed(tv(BasicBlock, [2, 2, 2, 2]), pool=True))
    twin = stemmed(tv(Bottleneck, [3, 4, 6, 3], groups=32, width_per_group=4))
    assert_twins(network("cifar_stem_resnext50_32x4d"), twin)


def test_names_and_logits_of_a_stemmed_resnet_are_those_of_timm() -> None:
    twin = timm.create_model("resnet18", num_classes=10)
    twin.conv1, twin.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    module = network("cifar_stem_resnet18")
    twin.load_state_dict(module.state_dict(), strict=True)
    with torch.no_grad():
        torch.testing.assert_close(module(IMAGES), twin.eval()(IMAGES), rtol=1e-4, atol=1e-4)


def test_the_place_of_the_stride_and_the_pooling_change_the_logits_and_no_name() -> None:
    ends = ("", "_stride1x1", "_pool", "_pool_stride1x1")
    modules = [network(f"cifar_stem_resnet50{end}") for end in ends]
    for module in modules[1:]:
        module.load_state_dict(modules[0].state_dict(), strict=True)
    with torch.no_grad():
        logits = [module(IMAGES[:1]) for module in modules]
    assert len({tuple(one[0].tolist()) for one in logits}) == 4
    assert modules[1].layer2[0].conv1.stride == (2, 2)
    assert modules[0].layer2[0].conv2.stride == (2, 2)


class Tower(nn.Sequential):
    """Three stages of torchvision's blocks for a 3 x 3 stem."""

    def __init__(self, kind: type, n_in: int, planes: list[int], n_blocks: int, **options: int) -> None:
        layers: list[nn.Module] = [nn.Conv2d(3, n_in, 3, padding=1, bias=False), nn.BatchNorm2d(n_in), nn.ReLU()]
        for number, width in enumerate(planes):
            for index in range(n_blocks):
                stride = 2 if number and not index else 1
                n_out = width * kind.expansion
                down = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride=stride, bias=False), nn.BatchNorm2d(n_out))
                layers.append(kind(n_in, width, stride, down if n_in != n_out else None, **options))
                n_in = n_out
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n_in, 10))


@pytest.mark.parametrize(
    ("name", "twin"),
    [
        ("cifar_resnet20", lambda: Tower(BasicBlock, 16, [16, 32, 64], 3)),
        ("cifar_resnet164_bottleneck", lambda: Tower(Bottleneck, 16, [16, 32, 64], 18)),
        ("cifar_resnext29_8x64d", lambda: Tower(Bottleneck, 64, [64, 128, 256], 3, groups=8, base_width=64)),
    ],
)
def test_cifar_networks_are_towers_of_the_blocks_of_torchvision(name: str, twin: object) -> None:
    assert_twins(network(name), twin())


@pytest.mark.parametrize("depth", [11, 16])
def test_vgg_has_the_layers_of_torchvision(depth: int) -> None:
    for end, suffix in (("", ""), ("_bn", "_bn")):
        features = torchvision.models.get_model(f"vgg{depth}{end}", init_weights=False).features
        assert_twins(network(f"cifar_vgg{depth}{suffix}"), nn.Sequential(features, nn.Flatten(), nn.Linear(512, 10)))


@pytest.mark.parametrize(("end", "hidden"), [("_512", 512), ("_4096", 4096)])
def test_the_larger_heads_of_vgg_have_the_layers_of_torchvision(end: str, hidden: int) -> None:
    features = torchvision.models.vgg11(init_weights=False).features
    head = [nn.Linear(512, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 10)]
    assert_twins(network(f"cifar_vgg11{end}"), nn.Sequential(features, nn.Flatten(), *head))


def test_shufflenetv2_of_kuangliu_is_that_of_torchvision_with_another_stem() -> None:
    twin = torchvision.models.shufflenet_v2_x0_5(num_classes=10)
    twin.conv1[0], twin.maxpool = nn.Conv2d(3, 24, 3, padding=1, bias=False), nn.Identity()
    assert_twins(network("kuangliu_shufflenetv2_x0_5"), twin)
    assert_twins(network("cifar_stem_shufflenetv2_x0_5"), twin)


def norm(hidden: torch.Tensor, weights: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    mean, variance, factor, offset = (
        weights[f"{name}.{key}"].reshape(1, -1, 1, 1) for key in ("running_mean", "running_var", "weight", "bias")
    )
    return (hidden - mean) / (variance + 1e-5).sqrt() * factor + offset


def conv(hidden: torch.Tensor, weights: dict[str, torch.Tensor], name: str, stride: int = 1) -> torch.Tensor:
    weight = weights[f"{name}.weight"]
    groups = hidden.shape[1] // weight.shape[1]
    padding = weight.shape[-1] // 2
    return functional.conv2d(hidden, weight, weights.get(f"{name}.bias"), stride, padding, groups=groups)


def full(hidden: torch.Tensor, weights: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    return hidden.mean((2, 3)) @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def assert_logits(name: str, arithmetic: object) -> None:
    module = network(name)
    with torch.no_grad():
        logits = module(IMAGES)
        expected = arithmetic(IMAGES, module.state_dict())
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4 * float(logits.abs().max()))


def test_preactivation_of_bearpaw_in_plain_arithmetic() -> None:
    def arithmetic(hidden, w):
        hidden = conv(hidden, w, "conv1")
        for stage in (1, 2, 3):
            for block in range(3):
                name, stride = f"layer{stage}.{block}", 2 if stage > 1 and not block else 1
                inner = conv(norm(hidden, w, f"{name}.bn1").relu(), w, f"{name}.conv1", stride)
                inner = conv(norm(inner, w, f"{name}.bn2").relu(), w, f"{name}.conv2")
                has = f"{name}.downsample.0.weight" in w
                hidden = inner + (conv(hidden, w, f"{name}.downsample.0", stride) if has else hidden)
        return full(norm(hidden, w, "bn").relu(), w, "fc")

    assert_logits("cifar_preresnet20", arithmetic)


def test_preactivation_of_kuangliu_in_plain_arithmetic() -> None:
    """With squeeze and excitation, which has the norm of the stem as well, and without."""

    def arithmetic(hidden, w):
        gated = "bn1.weight" in w
        hidden = conv(hidden, w, "conv1")
        hidden = norm(hidden, w, "bn1").relu() if gated else hidden
        for stage in (1, 2, 3, 4):
            for block in range(2):
                name, stride = f"layer{stage}.{block}", 2 if stage > 1 and not block else 1
                active = norm(hidden, w, f"{name}.bn1").relu()
                has = f"{name}.shortcut.0.weight" in w
                short = conv(active, w, f"{name}.shortcut.0", stride) if has else hidden
                inner = conv(active, w, f"{name}.conv1", stride)
                inner = conv(norm(inner, w, f"{name}.bn2").relu(), w, f"{name}.conv2")
                if gated:
                    squeezed = conv(inner.mean((2, 3), keepdim=True), w, f"{name}.fc1").relu()
                    inner = inner * conv(squeezed, w, f"{name}.fc2").sigmoid()
                hidden = inner + short
        return full(hidden, w, "linear")

    assert_logits("kuangliu_preactresnet18", arithmetic)
    assert_logits("kuangliu_senet18", arithmetic)


def test_bottlenecks_with_preactivation_of_weiaicunzai_halve_in_the_first_convolution() -> None:
    def arithmetic(hidden, w):
        hidden = norm(conv(hidden, w, "pre.0"), w, "pre.1").relu()
        for stage, n_blocks in ((1, 3), (2, 4), (3, 6), (4, 3)):
            for block in range(n_blocks):
                name, stride = f"stage{stage}.{block}", 2 if stage > 1 and not block else 1
                inner = conv(norm(hidden, w, f"{name}.residual.0").relu(), w, f"{name}.residual.2", stride)
                inner = conv(norm(inner, w, f"{name}.residual.3").relu(), w, f"{name}.residual.5")
                inner = conv(norm(inner, w, f"{name}.residual.6").relu(), w, f"{name}.residual.8")
                has = f"{name}.shortcut.weight" in w
                hidden = inner + (conv(hidden, w, f"{name}.shortcut", stride) if has else hidden)
        return full(hidden, w, "linear")

    assert_logits("weiaicunzai_preactresnet50", arithmetic)


def test_squeeze_and_excitation_of_weiaicunzai_in_plain_arithmetic() -> None:
    def arithmetic(hidden, w):
        hidden = norm(conv(hidden, w, "pre.0"), w, "pre.1").relu()
        for stage in (1, 2, 3, 4):
            for block in range(2):
                name, stride = f"stage{stage}.{block}", 2 if stage > 1 and not block else 1
                inner = norm(conv(hidden, w, f"{name}.residual.0", stride), w, f"{name}.residual.1").relu()
                inner = norm(conv(inner, w, f"{name}.residual.3"), w, f"{name}.residual.4").relu()
                factors = full(inner, w, f"{name}.excitation.0").relu()[:, :, None, None]
                inner = inner * full(factors, w, f"{name}.excitation.2").sigmoid()[:, :, None, None]
                if f"{name}.shortcut.0.weight" in w:
                    hidden = norm(conv(hidden, w, f"{name}.shortcut.0", stride), w, f"{name}.shortcut.1")
                hidden = (inner + hidden).relu()
        return full(hidden, w, "linear")

    assert_logits("weiaicunzai_seresnet18", arithmetic)


def test_wide_networks_of_bearpaw_project_the_activated_input() -> None:
    def arithmetic(hidden, w):
        hidden = conv(hidden, w, "conv1")
        for stage in (1, 2, 3):
            for block in range(2):
                name, stride = f"block{stage}.layer.{block}", 2 if stage > 1 and not block else 1
                active = norm(hidden, w, f"{name}.bn1").relu()
                has = f"{name}.convShortcut.weight" in w
                short = conv(active, w, f"{name}.convShortcut", stride) if has else hidden
                inner = conv(active, w, f"{name}.conv1", stride)
                hidden = conv(norm(inner, w, f"{name}.bn2").relu(), w, f"{name}.conv2") + short
        return full(norm(hidden, w, "bn1").relu(), w, "fc")

    assert_logits("cifar_wrn16_4", arithmetic)


@pytest.mark.parametrize(("name", "is_rectified"), [("last_relu=true", True), ("last_relu=false", False)])
def test_wide_networks_of_weiaicunzai_with_and_without_the_last_relu(name: str, *, is_rectified: bool) -> None:
    def arithmetic(hidden, w):
        hidden = conv(hidden, w, "init_conv")
        for stage in (2, 3, 4):
            for block in range(1):
                inner, stride = f"conv{stage}.{block}", 2 if stage > 2 else 1
                residual = conv(norm(hidden, w, f"{inner}.residual.0").relu(), w, f"{inner}.residual.2", stride)
                residual = conv(norm(residual, w, f"{inner}.residual.3").relu(), w, f"{inner}.residual.6")
                hidden = residual + conv(hidden, w, f"{inner}.shortcut.0", stride)
        hidden = norm(hidden, w, "bn")
        return full(hidden.relu() if is_rectified else hidden, w, "linear")

    assert_logits(f"weiaicunzai_wrn,depth=10,widen=2,{name}", arithmetic)


@pytest.mark.parametrize(
    ("name", "blocks", "transition", "head"),
    [
        ("cifar_densenet40_12", (6, 6, 6), ("bn1", "conv1"), "fc"),
        ("kuangliu_densenet_cifar", (6, 12, 24, 16), ("bn", "conv"), "linear"),
    ],
)
def test_dense_networks_in_plain_arithmetic(
    name: str, blocks: tuple[int, ...], transition: tuple[str, str], head: str
) -> None:
    def arithmetic(hidden, w):
        hidden = conv(hidden, w, "conv1")
        for number, n_layers in enumerate(blocks, start=1):
            for index in range(n_layers):
                layer = f"dense{number}.{index}"
                new = conv(norm(hidden, w, f"{layer}.bn1").relu(), w, f"{layer}.conv1")
                new = conv(norm(new, w, f"{layer}.bn2").relu(), w, f"{layer}.conv2")
                hidden = torch.cat((new, hidden) if head == "linear" else (hidden, new), 1)
            if number < len(blocks):
                norm_name, mix = (f"trans{number}.{key}" for key in transition)
                hidden = functional.avg_pool2d(conv(norm(hidden, w, norm_name).relu(), w, mix), 2)
        return full(norm(hidden, w, "bn").relu(), w, head)

    assert_logits(name, arithmetic)


def test_transitions_of_weiaicunzai_have_no_relu() -> None:
    def arithmetic(hidden, w):
        hidden = conv(hidden, w, "conv1")
        for number, n_layers in enumerate((2, 3)):
            block = f"features.dense_block{'_layer_0' if number == 0 else 1}"
            for index in range(n_layers):
                layer = f"{block}.bottle_neck_layer_{index}.bottle_neck"
                new = conv(norm(hidden, w, f"{layer}.0").relu(), w, f"{layer}.2")
                hidden = torch.cat((hidden, conv(norm(new, w, f"{layer}.3").relu(), w, f"{layer}.5")), 1)
            if number == 0:
                name = "features.transition_layer_0.down_sample"
                hidden = functional.avg_pool2d(conv(norm(hidden, w, f"{name}.0"), w, f"{name}.1"), 2)
        return full(norm(hidden, w, "features.bn").relu(), w, "linear")

    assert_logits("weiaicunzai_densenet,blocks=2-3,growth=8", arithmetic)


def test_mobilenetv2_of_kuangliu_adds_on_every_block_of_stride_one() -> None:
    strides = {0: 1, 3: 2, 6: 2, 13: 2}

    def arithmetic(hidden, w):
        hidden = norm(conv(hidden, w, "conv1"), w, "bn1").relu()
        for index in range(17):
            name, stride = f"layers.{index}", strides.get(index, 1)
            inner = norm(conv(hidden, w, f"{name}.conv1"), w, f"{name}.bn1").relu()
            inner = norm(conv(inner, w, f"{name}.conv2", stride), w, f"{name}.bn2").relu()
            inner = norm(conv(inner, w, f"{name}.conv3"), w, f"{name}.bn3")
            if f"{name}.shortcut.0.weight" in w:
                hidden = norm(conv(hidden, w, f"{name}.shortcut.0"), w, f"{name}.shortcut.1")
            hidden = inner + hidden if stride == 1 else inner
        return full(norm(conv(hidden, w, "conv2"), w, "bn2").relu(), w, "linear")

    assert_logits("kuangliu_mobilenetv2", arithmetic)


@pytest.mark.parametrize(
    ("name", "top"), [("cifar_stem_mobilenetv2_x0_5", 6.0), ("cifar_stem_mobilenetv2_x0_5_relu", 1e9)]
)
def test_mobilenetv2_with_the_names_of_torchvision(name: str, top: float) -> None:
    strides = {4: 2, 7: 2, 14: 2}

    def arithmetic(hidden, w):
        hidden = norm(conv(hidden, w, "features.0.0"), w, "features.0.1").clamp(0, top)
        for index in range(1, 18):
            inner, start = hidden, f"features.{index}.conv"
            for step in range(1 if index == 1 else 2):
                stride = strides.get(index, 1) if step == 1 else 1
                inner = norm(conv(inner, w, f"{start}.{step}.0", stride), w, f"{start}.{step}.1").clamp(0, top)
            last = 1 if index == 1 else 2
            inner = norm(conv(inner, w, f"{start}.{last}"), w, f"{start}.{last + 1}")
            hidden = inner + hidden if inner.shape == hidden.shape else inner
        return full(norm(conv(hidden, w, "features.18.0"), w, "features.18.1").clamp(0, top), w, "classifier.1")

    assert_logits(name, arithmetic)


def test_a_fused_repvgg_gives_the_logits_of_its_branches() -> None:
    """The kernel of a fused block is the sum of its branches' kernels, each scaled by its normalisation."""
    options = "blocks=1-2-2-1,widths=16-24-32-48"
    module, fused = network(f"chenyaofo_repvgg,{options}"), network(f"chenyaofo_repvgg,{options},fused=true")
    weights, kernels = module.state_dict(), {}
    for name in [
        key.removesuffix(".rbr_dense.conv.weight") for key in weights if key.endswith("rbr_dense.conv.weight")
    ]:
        n_out, n_in = weights[f"{name}.rbr_dense.conv.weight"].shape[:2]
        one = functional.pad(weights[f"{name}.rbr_1x1.conv.weight"], (1, 1, 1, 1))
        branches = {"rbr_dense.bn": weights[f"{name}.rbr_dense.conv.weight"], "rbr_1x1.bn": one}
        if f"{name}.rbr_identity.weight" in weights:
            branches["rbr_identity"] = functional.pad(torch.eye(n_in)[:, :, None, None], (1, 1, 1, 1))
        kernel, bias = torch.zeros(n_out, n_in, 3, 3), torch.zeros(n_out)
        for branch, weight in branches.items():
            mean, variance, factor, offset = (
                weights[f"{name}.{branch}.{key}"] for key in ("running_mean", "running_var", "weight", "bias")
            )
            scale = factor / (variance + 1e-5).sqrt()
            kernel, bias = kernel + weight * scale[:, None, None, None], bias + offset - mean * scale
        kernels |= {f"{name}.rbr_reparam.weight": kernel, f"{name}.rbr_reparam.bias": bias}
    fused.load_state_dict({**kernels, **{f"linear.{key}": weights[f"linear.{key}"] for key in ("weight", "bias")}})
    with torch.no_grad():
        logits = module(IMAGES)
        torch.testing.assert_close(fused(IMAGES), logits, rtol=1e-3, atol=1e-4 * float(logits.abs().max()))


def test_pytorchs_mnist_example_returns_log_probabilities() -> None:
    module = build(find("lenet_32_64_128")[0], 10, (28, 28, 1), seed=0).eval()
    images = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(3))
    weights = module.state_dict()
    hidden = functional.conv2d(images, weights["conv1.weight"], weights["conv1.bias"]).relu()
    hidden = functional.conv2d(hidden, weights["conv2.weight"], weights["conv2.bias"]).relu()
    hidden = functional.max_pool2d(hidden, 2).flatten(1)
    assert hidden.shape[1] == 9216
    hidden = (hidden @ weights["fc1.weight"].T + weights["fc1.bias"]).relu()
    expected = (hidden @ weights["fc2.weight"].T + weights["fc2.bias"]).log_softmax(1)
    with torch.no_grad():
        torch.testing.assert_close(module(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "sides"),
    [
        ("cifar_stem_resnet18", {"layer1": 32, "layer4": 4}),
        ("cifar_stem_resnet18_pool", {"layer1": 16, "layer4": 2}),
        ("cifar_stem_densenet121_pool", {"features.denseblock1": 16, "features.denseblock4": 2}),
        ("cifar_stem_densenet121", {"features.denseblock1": 32}),
        ("cifar_stem_googlenet", {"inception3a": 32, "inception4a": 16, "inception5b": 8}),
        ("cifar_stem_mobilenetv2_x1_0", {"features.3": 32, "features.4": 16, "features.18": 4}),
        ("cifar_stem_shufflenetv2_x1_0", {"conv1": 32, "stage2": 16, "stage4": 4}),
        ("cifar_alexnet", {"features.0": 8, "features.5": 2, "features": 1}),
        ("cifar_vgg16_bn", {"features.0": 32, "features": 1}),
        ("cifar_resnet20_a", {"layer1": 32, "layer2": 16, "layer3": 8}),
        ("cifar_wrn28_10", {"block1": 32, "block3": 8}),
        ("cifar_resnext29_8x64d", {"stage_1": 32, "stage_3": 8}),
        ("kuangliu_resnext29_2x64d", {"conv1": 32, "layer3": 8}),
        ("weiaicunzai_resnext50", {"conv2": 32, "conv5": 4}),
        ("cifar_densenet100_12", {"dense1": 32, "dense3": 8}),
        ("kuangliu_densenet121", {"dense1": 32, "dense4": 4}),
        ("weiaicunzai_densenet121", {"features.dense_block_layer_0": 32, "features.dense_block3": 4}),
        ("kuangliu_mobilenet", {"layers.0": 32, "layers.12": 2}),
        ("weiaicunzai_mobilenet", {"stem": 32, "conv1": 16, "conv4": 2}),
        ("weiaicunzai_mobilenetv2", {"pre": 34, "stage1": 34, "stage2": 17, "stage7": 5}),
        ("kuangliu_shufflenetv2_x1", {"conv1": 32, "layer3": 4}),
        ("weiaicunzai_shufflenetv2_x1", {"pre": 32, "stage4": 4}),
        ("chenyaofo_repvgg_a0", {"stage0": 32, "stage1": 32, "stage2": 16, "stage4": 4}),
        ("kuangliu_googlenet", {"a3": 32, "a4": 16, "b5": 8}),
        ("weiaicunzai_googlenet", {"a3": 16, "a4": 8, "b5": 4}),
        ("weiaicunzai_googlenet_1", {"prelayer": 30, "b5": 8}),
    ],
)
def test_where_the_image_is_halved(name: str, sides: dict[str, int]) -> None:
    with torch.device("meta"):
        module = build(find(name)[0], 10, (32, 32, 3), seed=0).eval()
    seen: dict[str, int] = {}
    for key in sides:
        module.get_submodule(key).register_forward_hook(lambda _, __, out, key=key: seen.update({key: out.shape[-1]}))
    module(IMAGES.to("meta"))
    assert seen == sides
