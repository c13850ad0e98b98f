"""Networks told from the names and shapes of a checkpoint's tensors."""

import importlib
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
import torchvision

from mi_audit.errors import UsageError
from mi_audit.targets._build import build, find
from mi_audit.targets._catalogue import Architecture, listed, named, recognised

Shapes = dict[str, tuple[int, ...]]
NAMES = [architecture.name for architecture in listed()]


# A number that is the length of no tensor of any network, unless it counts classes.
ELEVEN = 11


@cache
def laid_out(architecture: Architecture) -> Shapes:
    channels = 1 if architecture.own_size == (28, 28) else 3
    with torch.device("meta"):
        build_it = importlib.import_module(architecture.module).build
        module = build_it(ELEVEN, (*architecture.own_size, channels), **dict(architecture.options))
    found = shapes(module)
    assert sum(shape[:1] == (ELEVEN,) for shape in found.values()) == 2, "the last layer has a weight and a bias"
    return found


def outline(architecture: Architecture, n_classes: int) -> Shapes:
    return {
        name: (n_classes, *shape[1:]) if shape[:1] == (ELEVEN,) else shape
        for name, shape in laid_out(architecture).items()
    }


def shapes(module: torch.nn.Module) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize("n_classes", [10, 100])
@pytest.mark.parametrize("name", NAMES)
def test_every_listed_network_is_recognised_with_all_that_have_its_tensors(name: str, n_classes: int) -> None:
    architecture = named(name)
    assert architecture is not None
    mine = outline(architecture, n_classes)
    found = recognised(mine)
    assert architecture in found
    # Whatever else is named fits as well; what fits and is listed is named.
    assert all(outline(one, n_classes) == mine for one in found)


def test_networks_share_their_tensors_only_where_they_compute_differently() -> None:
    """The first of each group is the most likely; the others say in their name what is different."""
    groups = {recognised(outline(architecture, 10)) for architecture in listed()}
    assert sum(len(group) for group in groups) == len(listed())
    differences = ("_pool", "_stride1x1", "_relu", "_norelu")
    for first, *others in (sorted(group, key=lambda one: len(one.name)) for group in groups):
        assert all(other.name.removeprefix(first.name).startswith(differences) for other in others)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("cifar_stem_resnet18", ["cifar_stem_resnet18", "cifar_stem_resnet18_pool"]),
        (
            "cifar_stem_resnet50",
            [f"cifar_stem_resnet50{end}" for end in ("", "_stride1x1", "_pool", "_pool_stride1x1")],
        ),
        # huyvnphan, the public source of these, kept the pooling.
        ("cifar_stem_densenet121", ["cifar_stem_densenet121_pool", "cifar_stem_densenet121"]),
        ("cifar_stem_mobilenetv2_x1_0", ["cifar_stem_mobilenetv2_x1_0", "cifar_stem_mobilenetv2_x1_0_relu"]),
        ("weiaicunzai_wrn40_10", ["weiaicunzai_wrn40_10", "weiaicunzai_wrn40_10_norelu"]),
        ("kuangliu_resnet18", ["kuangliu_resnet18"]),
    ],
)
def test_the_order_of_networks_with_the_same_tensors(name: str, names: list[str]) -> None:
    assert [one.name for one in recognised(outline(named(name), 10))] == names


@pytest.mark.parametrize(
    "name",
    [
        "cifar_resnet,depth=26",
        "cifar_resnet,depth=29,bottleneck=true",
        "cifar_resnet_a,depth=62",
        "cifar_preresnet,blocks=2-1-3,bottleneck=false,width=24",
        "cifar_wrn,depth=22,widen=3",
        "cifar_densenet,blocks=3-3-3,growth=8,compression=1,bottleneck=false",
        "cifar_resnext,blocks=2-2-2,cardinality=4,base_width=32,widen=2",
        "cifar_vgg,layers=16-0-32-32-0-48-0,batch_norm=true",
        "chenyaofo_vgg,layers=16-0-32-0,batch_norm=false,hidden=512,last_dropout=false",
        "cifar_vgg_4096,layers=16-0-32-0,batch_norm=false,hidden=128,last_dropout=true",
        "kuangliu_resnet,blocks=2-2-2-3,bottleneck=false,width=32",
        # akamaster's option B.
        "kuangliu_resnet,blocks=3-3-3,bottleneck=false,width=16",
        "kuangliu_preactresnet,blocks=2-2-2-2,bottleneck=false,width=64,gated=false,last_norm=true",
        "kuangliu_mobilenet,percent=50",
        "weiaicunzai_resnet,blocks=1-1-1-1,bottleneck=true,width=64",
        "chenyaofo_repvgg,blocks=1-2-2-1,widths=16-24-32-48,fused=true",
        "cifar_stem_resnet,blocks=1-2-1-2,bottleneck=false,groups=1,base_width=64,max_pool=false,stride_first=false",
    ],
)
def test_networks_without_a_name_of_their_own_are_named_by_their_options(name: str) -> None:
    architecture = named(name)
    assert architecture is not None
    assert architecture.name == name
    found = recognised(outline(architecture, 17))
    assert architecture in found
    assert named(found[0].name) == found[0]


@pytest.mark.parametrize(
    "name",
    [
        "kuangliu_resnet19",
        "kuangliu_resnet,",
        "kuangliu_resnet,blocks",
        "kuangliu_resnet,blocks=",
        "kuangliu_resnet,style=other",
        "kuangliu_resnet,blocks=2-2",
        "kuangliu_resnet,blocks=2-two,bottleneck=false,width=64",
        "kuangliu_resnet,blocks=2-2,bottleneck=maybe,width=64",
        "kuangliu_resnet,blocks=2-2,bottleneck=false,width=0",
        "kuangliu_resnet,blocks=2-2,bottleneck=false,width=999999",
        "no_family,blocks=2-2",
        "",
    ],
)
def test_what_names_no_network(name: str) -> None:
    assert named(name) is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("kuangliu_resnet,blocks=2-0,bottleneck=false,width=64", "at least one block in every stage, got 0"),
        ("cifar_resnet,depth=5", "at least one block in every stage, got 0"),
        ("cifar_vgg,layers=0-0,batch_norm=true", "at least one convolution"),
    ],
)
def test_options_of_which_no_network_can_be_built_are_errors_of_usage(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build(find(name)[0], 10, (32, 32, 3), seed=0)


@pytest.mark.parametrize(
    "name",
    [
        "alexnet",
        "vgg11_bn",
        "resnet18",
        "resnet50",
        "densenet121",
        "googlenet",
        "regnet_x_400mf",
        "mnasnet0_5",
        "vit_b_16",
    ],
)
def test_networks_for_large_images_are_not_taken_for_small_ones(name: str) -> None:
    options = {"init_weights": False} if name == "googlenet" else {}
    assert recognised(shapes(torchvision.models.get_model(name, weights=None, **options))) == ()


def test_missing_further_and_misshapen_tensors_are_not_overlooked() -> None:
    mine = outline(named("kuangliu_resnet18"), 10)
    assert recognised({}) == ()
    assert recognised({**mine, "extra.weight": (3,)}) == ()
    assert recognised({**mine, "linear.weight": (10, 256)}) == ()
    assert recognised({name: shape for name, shape in mine.items() if name != "linear.weight"}) == ()
    assert recognised({**mine, "conv1.weight": ()}) == ()
    vgg = outline(named("cifar_vgg11"), 10)
    assert recognised({**vgg, f"features.{'9' * 5000}.weight": (3,)}) == ()


def test_counters_of_batches_may_be_absent() -> None:
    mine = {name: shape for name, shape in outline(named("cifar_resnet20"), 10).items() if "num_batches" not in name}
    assert [one.name for one in recognised(mine)] == ["cifar_resnet20"]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("cifar100_resnet20.pth", "cifar_resnet20"),
        ("cifar100_resnet56.pt", "cifar_resnet56"),
        ("cifar10_resnet20_chenyaofo.pth", "cifar_resnet20"),
        ("cifar10_resnet20_akamaster.th", "cifar_resnet20_a"),
        ("cifar10_resnet56_akamaster.th", "cifar_resnet56_a"),
        ("mnist_lenet5.pt", "lenet_32_64_200"),
    ],
)
def test_public_checkpoints_are_recognised(assets: Path, file: str, name: str) -> None:
    loaded = torch.load(assets / "checkpoints" / file, map_location="cpu", weights_only=True)
    tensors = loaded.get("state_dict", loaded)
    found = recognised({key.removeprefix("module."): tuple(tensor.shape) for key, tensor in tensors.items()})
    assert [one.name for one in found] == [name]


def test_recognising_needs_no_torch() -> None:
    code = (
        "import sys; from mi_audit.targets._catalogue import recognised;"
        "found = recognised({'conv1.weight': (16, 3, 3, 3)}); sys.exit('torch' in sys.modules or bool(found))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
