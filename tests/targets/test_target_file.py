"""Local checkpoints: what fits answers as the network that was saved, what does not says why and what would fit."""

from pathlib import Path

import pytest
import torch
import torchvision

from mi_audit.errors import CheckpointError, UsageError
from mi_audit.target_model import TargetModel
from mi_audit.targets._build import OWN_NETWORK, build, find
from mi_audit.targets.file import File
from mi_audit.targets.interface import TargetRequest

CIFAR = (32, 32, 3)


def request(
    arch: str | None, n_classes: int = 10, shape: tuple[int, int, int] | None = CIFAR, **more: object
) -> TargetRequest:
    return TargetRequest(n_classes=n_classes, shape=shape, arch=arch, **more)


def network(name: str, n_classes: int = 10, shape: tuple[int, int, int] = CIFAR) -> torch.nn.Module:
    return build(find(name)[0], n_classes, shape, seed=1).eval()


def saved(path: Path, name: str, n_classes: int = 10, shape: tuple[int, int, int] = CIFAR) -> str:
    torch.save(network(name, n_classes, shape).state_dict(), path)
    return str(path)


def images(shape: tuple[int, int, int], n: int = 3) -> torch.Tensor:
    return torch.randint(0, 256, (n, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def expected_logits(module: torch.nn.Module, target: TargetModel, pixels: torch.Tensor) -> torch.Tensor:
    """By hand: pixels to [0, 1], normalised channel by channel, channels first."""
    mean, std = torch.tensor(target.preprocessing.mean), torch.tensor(target.preprocessing.std)
    with torch.no_grad():
        return module(((pixels / 255 - mean) / std).permute(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("arch", "n_classes", "shape"),
    [
        ("cifar_resnet20", 100, CIFAR),
        ("cifar_resnet20_a", 10, CIFAR),
        ("lenet", 10, (8, 8, 1)),
        ("lenet_32_64_200", 10, (28, 28, 1)),
        ("torchvision:resnet18", 7, CIFAR),
        ("timm:test_efficientnet", 10, (28, 28, 1)),
    ],
)
def test_the_opened_network_answers_as_the_saved_one(
    arch: str, n_classes: int, shape: tuple[int, int, int], tmp_path: Path
) -> None:
    spec = saved(tmp_path / "net.pt", arch, n_classes, shape)
    target = File().open(spec, request(arch, n_classes, shape, seed=9))
    pixels = images(shape)
    with torch.no_grad():
        logits = target(pixels)
    torch.testing.assert_close(logits, expected_logits(network(arch, n_classes, shape), target, pixels))
    assert (target.name, target.source, target.n_classes) == (arch, "net.pt", n_classes)
    assert not target.module.training


def test_a_torchvision_network_goes_round(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = torchvision.models.resnet18(num_classes=5).eval()
    torch.save({"model": {f"module.{name}": value for name, value in module.state_dict().items()}}, tmp_path / "m.pth")
    # timm's network of this name has the same names and shapes.
    for arch in ("torchvision:resnet18", "resnet18"):
        target = File().open(str(tmp_path / "m.pth"), request(arch, 5, (64, 64, 3)))
        pixels = images((64, 64, 3))
        with torch.no_grad():
            torch.testing.assert_close(target(pixels), expected_logits(module, target, pixels), rtol=1e-4, atol=1e-4)


def test_a_bare_name_falls_to_torchvision_where_timms_does_not_fit(tmp_path: Path) -> None:
    spec = saved(tmp_path / "net.pt", "torchvision:mobilenet_v3_small")
    assert File().open(spec, request("mobilenet_v3_small")).name == "torchvision:mobilenet_v3_small"


def test_a_network_with_a_module_of_its_own_keeps_its_names(tmp_path: Path) -> None:
    spec = saved(tmp_path / "net.pt", "timm:iformer_t", shape=(224, 224, 3))
    assert any(".module." in name for name in network("timm:iformer_t").state_dict())
    assert File().open(spec, request("timm:iformer_t")).name == "timm:iformer_t"


def test_files_from_before_batch_counters_open(tmp_path: Path) -> None:
    state = {name: value for name, value in network("cifar_resnet20").state_dict().items() if "num_batches" not in name}
    torch.save(state, tmp_path / "old.pt")
    assert File().open(str(tmp_path / "old.pt"), request("cifar_resnet20")).n_classes == 10


def test_one_logit_tells_two_classes_apart(tmp_path: Path) -> None:
    spec = saved(tmp_path / "net.pt", "cifar_resnet20", n_classes=1)
    target = File().open(spec, request("cifar_resnet20", n_classes=2))
    assert target.n_classes == 2
    assert target(images(CIFAR)).shape == (3, 2)


def test_grey_images_for_a_colour_network(tmp_path: Path) -> None:
    spec = saved(tmp_path / "net.pt", "cifar_resnet20")
    target = File().open(spec, request("cifar_resnet20", shape=(28, 28, 1), data_name="mnist"))
    assert target.preprocessing.mean == (0.1307,) * 3


def test_a_transformer_gets_the_images_resized(tmp_path: Path) -> None:
    spec = saved(tmp_path / "net.pt", "timm:test_vit", shape=(160, 160, 3))
    target = File().open(spec, request("timm:test_vit"))
    assert target(images(CIFAR)).shape == (3, 10)


def test_images_of_varying_size_come_at_the_size_of_the_network(tmp_path: Path) -> None:
    spec = saved(tmp_path / "net.pt", "lenet_32_64_200", shape=(8, 8, 1))
    target = File().open(spec, request("lenet_32_64_200", shape=None))
    assert (target.preprocessing.size, target.preprocessing.resize) == ((8, 8), 8)
    assert target(images((40, 30, 1))).shape == (3, 10)


def refused(spec: str, asked: TargetRequest, error: type[Exception] = CheckpointError) -> tuple[str, str]:
    with pytest.raises(error) as caught:
        File().open(spec, asked)
    return str(caught.value), str(caught.value.tip)


def test_without_arch_the_network_that_fits_is_found_and_named(tmp_path: Path) -> None:
    spec = saved(tmp_path / "net.pt", "cifar_resnet32_a", 100)
    target = File().open(spec, request(None, 100))
    assert target.name == "cifar_resnet32_a"
    assert target.notes[0].startswith("the network is cifar_resnet32_a: a built-in network")


def test_without_arch_a_foreign_network_gets_a_general_tip(tmp_path: Path) -> None:
    torch.save({"own.weight": torch.ones(4, 3), "own.bias": torch.ones(4)}, tmp_path / "net.pt")
    message, tip = refused(str(tmp_path / "net.pt"), request(None), UsageError)
    assert "needs --arch: no known network has its 2 tensors" in message
    assert "--arch python:FILE.py:CLASS for a network of your own" in tip


def test_a_misfit_lists_three_of_each_kind_and_the_nearest(tmp_path: Path) -> None:
    state = network("cifar_resnet20").state_dict()
    del state["layer1.0.bn1.bias"], state["layer1.0.bn2.bias"], state["layer1.1.bn1.bias"], state["layer1.1.bn2.bias"]
    state["extra.weight"] = torch.ones(1)
    state["conv1.weight"] = torch.ones(16, 3, 7, 7)
    torch.save(state, tmp_path / "net.pt")
    message, tip = refused(str(tmp_path / "net.pt"), request("cifar_resnet20"))
    assert "4 missing (layer1.0.bn1.bias, layer1.0.bn2.bias, layer1.1.bn1.bias, ...)" in message
    assert "1 unexpected (extra.weight)" in message
    assert "1 of another shape (conv1.weight: expected (16, 3, 3, 3), got (16, 3, 7, 7))" in message
    assert tip == f"the nearest built-in network is --arch cifar_resnet20: 123 of 125 tensors fit; or {OWN_NETWORK}"


@pytest.mark.parametrize(
    ("saved_as", "asked_as", "count"),
    [("cifar_resnet56", "cifar_resnet20", 344), ("cifar_resnet20_a", "cifar_resnet20", 116)],
)
def test_a_misfit_names_the_network_that_fits_whole(saved_as: str, asked_as: str, count: int, tmp_path: Path) -> None:
    message, tip = refused(saved(tmp_path / "net.pt", saved_as), request(asked_as))
    assert f"does not fit --arch {asked_as}: " in message
    assert tip == f"--arch {saved_as} fits all its {count} tensors"


def test_both_class_counts_are_named(tmp_path: Path) -> None:
    spec = saved(tmp_path / "net.pt", "cifar_resnet20", 100)
    assert "tells 100 classes apart, the data has 10" in refused(spec, request("cifar_resnet20"))[0]


def test_both_sizes_are_named(tmp_path: Path) -> None:
    spec = saved(tmp_path / "net.pt", "lenet_32_64_200", shape=(28, 28, 1))
    message, _ = refused(spec, request("lenet_32_64_200", shape=(8, 8, 1)))
    assert "was trained on images of 28 x 28 pixels, the data has 8 x 8" in message


def test_both_channel_counts_are_named(tmp_path: Path) -> None:
    spec = saved(tmp_path / "net.pt", "lenet", shape=(32, 32, 1))
    assert "expected images of 1 channels, got 4" in refused(spec, request("lenet", shape=(32, 32, 4)))[0]


def test_a_network_of_one_channel_is_shown_colour_in_grey_and_says_so(tmp_path: Path) -> None:
    spec = saved(tmp_path / "net.pt", "lenet", shape=(32, 32, 1))
    target = File().open(spec, request("lenet"))
    assert target(torch.zeros(2, 32, 32, 3, dtype=torch.uint8)).shape == (2, 10)
    assert "images are shown in grey to this network, which takes one channel" in target.notes


def test_an_unknown_architecture_names_the_nearest(tmp_path: Path) -> None:
    spec = saved(tmp_path / "net.pt", "lenet", shape=(28, 28, 1))
    message, tip = refused(spec, request("cifar_resnet65"), UsageError)
    assert message == "unknown architecture 'cifar_resnet65'"
    assert tip.startswith("did you mean 'cifar_resnet56'?")
    assert "NAME, timm:NAME or torchvision:NAME" in refused(spec, request("hf-hub:some/net"), UsageError)[1]
