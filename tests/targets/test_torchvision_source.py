"""Networks of torchvision: untrained by name, pretrained from torch's cache; the network is never used unasked."""

import hashlib
import re
from pathlib import Path

import pytest
import torch
import torchvision

from mi_audit.errors import CheckpointError, UsageError
from mi_audit.targets.interface import TargetRequest
from mi_audit.targets.torchvision import Torchvision

WEIGHTS = torchvision.models.SqueezeNet1_1_Weights.IMAGENET1K_V1
SPEC = "squeezenet1_1.IMAGENET1K_V1"


def request(n_classes: int = 10, shape: tuple[int, int, int] | None = (32, 32, 3), **more: object) -> TargetRequest:
    return TargetRequest(n_classes=n_classes, shape=shape, **more)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch's cache, empty, and a download that fails."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no route\nto host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    return tmp_path / "hub" / "checkpoints"


def weights_in(cache: Path, name: str, url: str, **options: object) -> torch.nn.Module:
    """A network whose weights lie in the cache, in the legacy format that torchvision uses for most."""
    torch.manual_seed(0)
    module = torchvision.models.get_model(name, num_classes=1000, **options).eval()
    cache.mkdir(parents=True)
    torch.save(module.state_dict(), cache / url.rpartition("/")[2], _use_new_zipfile_serialization=False)
    return module


def test_an_untrained_network_says_so_and_repeats_grey_images() -> None:
    target = Torchvision().open("resnet18", request(7, (28, 28, 1), data_name="mnist", seed=4))
    assert target.notes[0] == "untrained: random weights from seed 4"
    assert target.preprocessing.mean == (0.1307,) * 3
    assert target.name == target.source == "torchvision:resnet18"
    assert target(torch.zeros(2, 28, 28, 1, dtype=torch.uint8)).shape == (2, 7)


def test_small_images_are_brought_to_the_size_that_a_network_needs() -> None:
    assert Torchvision().open("inception_v3", request()).preprocessing.size == (299, 299)


def test_pretrained_weights_come_from_the_cache_with_their_preprocessing(cache: Path) -> None:
    module = weights_in(cache, "squeezenet1_1", WEIGHTS.url)
    target = Torchvision().open(SPEC, request(1000, (240, 300, 3)))
    preprocessing = target.preprocessing
    assert (preprocessing.size, preprocessing.resize, preprocessing.interpolation) == ((224, 224), 256, "bilinear")
    image = torch.stack(torch.meshgrid(torch.arange(240), torch.arange(300), indexing="ij"), -1).sum(-1) // 3
    image = image.to(torch.uint8)[None, :, :, None].expand(-1, -1, -1, 3).contiguous()
    expected = WEIGHTS.transforms()(image.permute(0, 3, 1, 2))
    assert (target.normalise(image) - expected).abs().max() < 1.5 / 255 / 0.224
    with torch.no_grad():
        torch.testing.assert_close(target(image), module(target.normalise(image)))


def test_the_inception_networks_convert_the_constants(cache: Path) -> None:
    url = torchvision.models.GoogLeNet_Weights.IMAGENET1K_V1.url
    weights_in(cache, "googlenet", url, init_weights=False)
    assert Torchvision().open("googlenet.IMAGENET1K_V1", request(1000)).module.transform_input


def test_old_names_of_a_densenet(cache: Path) -> None:
    weights = torchvision.models.DenseNet121_Weights.IMAGENET1K_V1
    module = weights_in(cache, "densenet121", weights.url)
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", name): value
        for name, value in module.state_dict().items()
        if "num_batches" not in name
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, cache / weights.url.rpartition("/")[2])
    target = Torchvision().open("densenet121.IMAGENET1K_V1", request(1000))
    assert torch.equal(target.module.classifier.weight, module.classifier.weight)


def test_weights_that_are_not_here_are_not_fetched(cache: Path) -> None:
    with pytest.raises(CheckpointError, match="weights are not on this machine") as caught:
        Torchvision().open(SPEC, request(1000))
    assert caught.value.tip == "add --download to fetch them"
    assert not cache.exists()


def test_a_download_that_fails_is_one_line(cache: Path) -> None:
    with pytest.raises(CheckpointError, match="its weights cannot be fetched: no route to host") as caught:
        Torchvision().open(SPEC, request(1000, download=True))
    assert str(caught.value).isprintable()
    assert list(cache.iterdir()) == []


def test_a_download_is_checked_against_the_sum_in_its_name(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fetch(url: str, path: str, checksum: str | None) -> None:
        asked.append((url, checksum))
        Path(path).write_bytes(hashlib.sha256(b"other").digest())

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    with pytest.raises(CheckpointError, match="is not a PyTorch or safetensors checkpoint"):
        Torchvision().open(SPEC, request(1000, download=True))
    assert asked == [(WEIGHTS.url, "b8a52dc0")]
    assert cache.exists()


def test_cached_weights_of_another_network_are_refused(cache: Path) -> None:
    weights_in(cache, "resnet18", WEIGHTS.url)
    with pytest.raises(CheckpointError, match=r"the weights in .* do not fit: features.0.weight"):
        Torchvision().open(SPEC, request(1000))


@pytest.mark.parametrize(
    ("spec", "options", "error", "message", "tip"),
    [
        ("resnet19", {}, UsageError, "unknown architecture 'torchvision:resnet19'", "did you mean 'resnet1"),
        ("resnet18.IMAGENET1K_V9", {}, UsageError, "unknown weights 'IMAGENET1K_V9'", "did you mean 'IMAGENET1K_V1'?"),
        ("fcn_resnet50", {}, UsageError, "unknown architecture", "did you mean"),
        ("resnet18", {"arch": "x"}, UsageError, "names its network already, got --arch x", "leave --arch away"),
        (
            "resnet18",
            {"weights": "ema"},
            UsageError,
            "has one set of weights, got --weights ema",
            "leave --weights out",
        ),
        (SPEC, {}, CheckpointError, "tells 1000 classes apart, the data has 10", "give the --data"),
    ],
)
def test_refusals(spec: str, options: dict[str, object], error: type[Exception], message: str, tip: str) -> None:
    with pytest.raises(error, match=message) as caught:
        Torchvision().open(spec, request(**options))
    assert tip in caught.value.tip
