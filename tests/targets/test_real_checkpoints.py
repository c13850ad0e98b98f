"""Public checkpoints on real images: every file opens with its --arch and is as accurate as it was measured to be."""

import functools
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from mi_audit import plugins
from mi_audit.datasets.interface import DataRequest, MembershipData
from mi_audit.errors import CheckpointError
from mi_audit.target_model import TargetModel
from mi_audit.targets._checkpoint.opening import open_state_dict
from mi_audit.targets._identification.summaries import candidates_of
from mi_audit.targets.interface import Probe, TargetRequest

N_IMAGES = 300
SHAPES = {"cifar100": (32, 32, 3), "cifar10": (32, 32, 3), "mnist": (28, 28, 1)}

# File, architecture, data set, accuracy on members and on non-members as measured on the full splits.
CHECKPOINTS = [
    ("cifar100_resnet20.pth", "cifar_resnet20", "cifar100", 0.9342, 0.6883),
    ("cifar100_resnet56.pt", "cifar_resnet56", "cifar100", 0.9990, 0.7263),
    ("cifar10_resnet20_chenyaofo.pth", "cifar_resnet20", "cifar10", None, 0.9260),
    ("cifar10_resnet20_akamaster.th", "cifar_resnet20_a", "cifar10", 0.9984, 0.9173),
    ("cifar10_resnet56_akamaster.th", "cifar_resnet56_a", "cifar10", 0.9998, 0.9339),
    ("mnist_lenet5.pt", "lenet_32_64_200", "mnist", None, 0.9889),
]


@functools.cache
def opened_data(data_name: str, assets: Path) -> MembershipData:
    """A data set of the assets; CIFAR-10 is a file of arrays there."""
    if data_name == "cifar10":
        location = str(assets / "data" / "cifar10_subset.npz")
        return plugins.load("datasets", "arrays").open(location, DataRequest())
    return plugins.load("datasets", data_name).open(None, DataRequest(assets / "data"))


def some(data_name: str, assets: Path, *, members: bool) -> tuple[torch.Tensor, np.ndarray]:
    """Images and labels of one side."""
    data = opened_data(data_name, assets)
    side = data.members if members else data.non_members
    return torch.from_numpy(side.images.read(0, N_IMAGES).copy()), side.label[:N_IMAGES]


def accuracy(target: TargetModel, images: torch.Tensor, labels: np.ndarray) -> float:
    with torch.inference_mode():
        return float(np.mean(target(images).argmax(dim=1).numpy() == labels))


@pytest.mark.parametrize(("file", "arch", "data_name", "on_members", "on_non_members"), CHECKPOINTS)
def test_accuracy_is_the_measured_one(
    file: str, arch: str, data_name: str, on_members: float | None, on_non_members: float, assets: Path
) -> None:
    n_classes = 100 if data_name == "cifar100" else 10
    request = TargetRequest(n_classes=n_classes, shape=SHAPES[data_name], data_name=data_name, arch=arch)
    target = plugins.load("targets", "file").open(str(assets / "checkpoints" / file), request)
    for expected, members in ((on_members, True), (on_non_members, False)):
        if expected is not None:
            sd = math.sqrt(expected * (1 - expected) / N_IMAGES)
            # Four standard deviations of sampling, and two images for accuracies close to one.
            assert accuracy(target, *some(data_name, assets, members=members)) == pytest.approx(
                expected, abs=4 * sd + 2 / N_IMAGES
            )


PIXELS = ((0.0,), (1.0,))
CIFAR10 = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
CIFAR100 = ((0.5070, 0.4865, 0.4409), (0.2673, 0.2564, 0.2761))
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CONSTANTS = [CIFAR100, CIFAR100, CIFAR10, IMAGENET, IMAGENET, PIXELS]


def probe_of(data_name: str, assets: Path) -> Probe:
    sides = [some(data_name, assets, members=members) for members in (True, False)]
    images = np.concatenate([images.numpy() for images, _ in sides])
    return Probe(images, np.concatenate([labels for _, labels in sides]), np.arange(len(images)) < N_IMAGES)


@pytest.mark.parametrize(
    ("file", "arch", "data_name", "constants"),
    [(*row[:3], constants) for row, constants in zip(CHECKPOINTS, CONSTANTS, strict=True)],
)
def test_without_arch_the_right_network_and_normalisation_are_found(
    file: str, arch: str, data_name: str, constants: tuple[tuple[float, ...], ...], assets: Path
) -> None:
    """With samples to try the candidates on, and with nothing but the name of the data; as with ``--arch``."""
    path = str(assets / "checkpoints" / file)
    known = {"n_classes": 100 if data_name == "cifar100" else 10, "shape": SHAPES[data_name], "data_name": data_name}
    probe = probe_of(data_name, assets)
    source = plugins.load("targets", "file")
    requests = [TargetRequest(**known, **more) for more in ({"probe": lambda _: probe}, {}, {"arch": arch})]
    tried, untried, named = (source.open(path, request) for request in requests)
    for target in (tried, untried, named):
        assert target.name == arch
        assert (target.preprocessing.mean, target.preprocessing.std) == constants
        assert target.preprocessing == named.preprocessing
        assert target.weights_digest == named.weights_digest
    assert any(note.startswith("tried on 600 samples: ") for note in tried.notes)
    assert not any("ruled out" in note for note in tried.notes)
    (summary, *_) = candidates_of(open_state_dict(Path(path)))
    assert summary.name == arch


def test_the_wrong_shortcut_form_names_the_right_one(assets: Path) -> None:
    request = TargetRequest(n_classes=10, shape=(32, 32, 3), arch="cifar_resnet56")
    with pytest.raises(CheckpointError) as caught:
        plugins.load("targets", "file").open(str(assets / "checkpoints" / "cifar10_resnet56_akamaster.th"), request)
    assert caught.value.tip == "--arch cifar_resnet56_a fits all its 277 tensors"
