"""The built-in networks: sizes from the papers and repositories, shapes, shortcuts, names."""

from functools import cache

import numpy as np
import pytest
import torch

from mi_audit.errors import UsageError
from mi_audit.targets._build import build, built_in, find
from mi_audit.targets._catalogue import ARCHITECTURES
from mi_audit.targets.architectures.cifar_resnet import ZeroPadding
from mi_audit.targets.architectures.lenet import VARIANTS, LeNet

SIZELESS = [
    *(f"cifar_resnet{depth}{end}" for depth in (20, 32, 44, 56, 110) for end in ("", "_a")),
    *(architecture.name for architecture in ARCHITECTURES if architecture.depends_on_size),
    "cifar_wrn16_4",
    "cifar_preresnet20",
    "cifar_densenet40_12",
    "kuangliu_resnext29_32x4d",
    "kuangliu_mobilenetv2",
    "weiaicunzai_shufflenetv2_x0_5",
    "cifar_stem_mobilenetv2_x0_5",
    "cifar_stem_shufflenetv2_x0_5_pool",
]


def network(name: str, n_classes: int = 10, shape: tuple[int, int, int] = (32, 32, 3)) -> torch.nn.Module:
    return build(find(name)[0], n_classes, shape, seed=0).eval()


@cache
def outline(name: str, n_classes: int = 10) -> torch.nn.Module:
    """The network without memory for its weights."""
    blueprint = find(name)[0]
    grey = blueprint.own_size == (28, 28)
    with torch.device("meta"):
        return build(blueprint, n_classes, (*blueprint.own_size, 1 if grey else 3), seed=0).eval()


def n_parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        # The README of akamaster/pytorch_resnet_cifar10, whose figures agree with table 6 of He et al. 2016.
        ("cifar_resnet20_a", 0.270),
        ("cifar_resnet32_a", 0.464),
        ("cifar_resnet44_a", 0.659),
        ("cifar_resnet56_a", 0.853),
        ("cifar_resnet110_a", 1.728),
        ("cifar_resnet110", 1.731),
        # The README of bearpaw/pytorch-classification.
        ("cifar_alexnet", 2.472),
        ("cifar_vgg19_bn", 20.041),
        ("cifar_resnet164_bottleneck", 1.704),
        ("cifar_preresnet164_bottleneck", 1.703),
        ("cifar_wrn28_10", 36.479),
        ("cifar_resnext29_8x64d", 34.427),
        ("cifar_resnext29_16x64d", 68.155),
        ("cifar_densenet100_12", 0.769),
        ("cifar_densenet190_40", 25.624),
        # Counted in the other repositories.
        ("cifar_vgg16_bn", 14.728),
        ("cifar_vgg16_bn_512", 15.254),
        ("cifar_vgg16_bn_4096", 33.647),
        ("kuangliu_resnet18", 11.174),
        ("kuangliu_preactresnet18", 11.171),
        ("cifar_stem_mobilenetv2_x1_0", 2.237),
    ],
)
def test_published_numbers_of_parameters(name: str, millions: float) -> None:
    assert round(n_parameters(outline(name)) / 1e6, 3) == millions


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_projections_add_two_small_convolutions_with_their_normalisation(depth: int) -> None:
    added = (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)
    assert n_parameters(network(f"cifar_resnet{depth}")) == n_parameters(network(f"cifar_resnet{depth}_a")) + added


@pytest.mark.parametrize(
    "architecture", [one for one in ARCHITECTURES if "M parameters" in one.summary], ids=lambda one: one.name
)
def test_the_summary_says_the_number_of_parameters(architecture: object) -> None:
    millions = n_parameters(outline(architecture.name)) / 1e6
    assert f" {millions:.2f} M parameters" in architecture.summary


@pytest.mark.parametrize(
    ("name", "n_tensors", "head", "has_downsample"),
    [
        # With a batch counter for each normalisation; the files of akamaster have 97 and 277 without them.
        ("cifar_resnet20", 128, "fc.weight", True),
        ("cifar_resnet56", 344, "fc.weight", True),
        ("cifar_resnet20_a", 97 + 19, "linear.weight", False),
        ("cifar_resnet56_a", 277 + 55, "linear.weight", False),
    ],
)
def test_names_of_the_public_files(name: str, n_tensors: int, head: str, *, has_downsample: bool) -> None:
    state = network(name, 100).state_dict()
    assert len(state) == n_tensors
    assert tuple(state[head].shape) == (100, 64)
    assert any("downsample" in key for key in state) == has_downsample
    assert next(iter(state)) == "conv1.weight"


def test_the_zero_padding_shortcut_against_loops() -> None:
    hidden = np.random.default_rng(0).normal(size=(2, 16, 5, 6)).astype(np.float32)
    expected = np.zeros((2, 32, 3, 3), np.float32)
    for channel in range(16):
        for row in range(3):
            for column in range(3):
                expected[:, channel + 8, row, column] = hidden[:, channel, 2 * row, 2 * column]
    np.testing.assert_array_equal(ZeroPadding(16)(torch.from_numpy(hidden)).numpy(), expected)


@pytest.mark.parametrize("name", SIZELESS)
@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 32, 3), (13, 24, 2)], ids=str)
def test_logits_for_images_of_any_size(name: str, shape: tuple[int, int, int]) -> None:
    height, width, channels = shape
    module = network(name, 7, shape)
    images = torch.rand(2, channels, height, width, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits = module(images)
        alone = module(images[:1])
    assert logits.shape == (2, 7)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(alone, logits[:1])
    assert not torch.equal(logits[0], logits[1])


@pytest.mark.parametrize("name", [architecture.name for architecture in ARCHITECTURES])
def test_every_network_gives_a_logit_for_every_class(name: str) -> None:
    blueprint = find(name)[0]
    images = torch.zeros(2, 1 if blueprint.own_size == (28, 28) else 3, *blueprint.own_size, device="meta")
    assert outline(name)(images).shape == (2, 10)


@pytest.mark.parametrize(
    ("name", "message"),
    [("cifar_alexnet", "at least 29 x 29 pixels, got 28 x 32"), ("cifar_vgg11", "at least 32 x 32 pixels")],
)
def test_images_of_which_nothing_would_be_left(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        network(name, 10, (28, 32, 3))


def test_the_lenet_of_the_paper_has_the_sizes_of_the_paper() -> None:
    shapes = [
        tuple(parameter.shape)
        for parameter in LeNet(10, (28, 28, 1), VARIANTS["paper"]).parameters()
        if parameter.ndim > 1
    ]
    # 28 - 2 = 26, halved 13; 13 - 2 = 11, halved 5.
    assert shapes == [(6, 1, 3, 3), (16, 6, 3, 3), (120, 16 * 5 * 5), (84, 120), (10, 84)]


def test_the_lenet_pools_by_averages() -> None:
    """With kernels that pass one pixel on, the pooled image is the mean of 2 x 2 blocks, computed by hand."""
    module = LeNet(1, (12, 12, 1), VARIANTS["paper"])
    kernel = torch.zeros(3, 3)
    kernel[1, 1] = 1
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
        module.conv1.weight[0, 0] = kernel
        module.conv2.weight[0, 0] = kernel
        for layer in (module.fc1, module.fc2, module.fc3):
            layer.weight[0, 0] = 1
        image = torch.arange(144.0).reshape(1, 1, 12, 12)
        # Valid convolution keeps rows and columns 1 to 10; pooling halves to 5; then 1 to 3 of those, pooled to one.
        pooled = image[0, 0, 1:11, 1:11].reshape(5, 2, 5, 2).mean((1, 3))
        assert module(image).item() == pytest.approx(pooled[1:3, 1:3].mean().item())


def test_the_wide_lenet_has_the_shapes_of_the_public_file() -> None:
    shapes = {
        name: tuple(tensor.shape) for name, tensor in network("lenet_32_64_200", 10, (28, 28, 1)).state_dict().items()
    }
    assert shapes["conv1.weight"] == (32, 1, 3, 3)
    assert shapes["conv2.weight"] == (64, 32, 3, 3)
    assert shapes["linear1.weight"] == (200, 3136)
    assert shapes["linear2.weight"] == (10, 200)
    assert len(shapes) == 8


@pytest.mark.parametrize("name", ["lenet", "lenet_32_64_200"])
def test_images_too_small_for_a_lenet(name: str) -> None:
    with pytest.raises(UsageError, match="at least 4 x 4 pixels, got 3 x 9"):
        network(name, 10, (3, 9, 1))


def test_the_seed_decides_the_weights_and_nothing_global_moves() -> None:
    blueprint = built_in(ARCHITECTURES[0])
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = (build(blueprint, 10, (32, 32, 3), seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.conv1.weight, same.conv1.weight)
    assert not torch.equal(one.conv1.weight, other.conv1.weight)
