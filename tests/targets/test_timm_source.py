"""Networks of timm: untrained by name, pretrained by tag from the cache; the network is never used unasked."""

import socket
from pathlib import Path

import huggingface_hub
import pytest
import timm
import torch
from safetensors.torch import save_file

from mi_audit.errors import CheckpointError, UsageError
from mi_audit.target_model import digest_of_weights
from mi_audit.targets.interface import TargetRequest
from mi_audit.targets.timm import Timm

SPEC = "test_resnet.r160_in1k"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("the network was used")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def request(n_classes: int = 10, shape: tuple[int, int, int] | None = (32, 32, 3), **more: object) -> TargetRequest:
    return TargetRequest(n_classes=n_classes, shape=shape, **more)


def cached_weights(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "model.safetensors") -> torch.nn.Module:
    """A network whose weights lie in the cache as if they had been fetched."""
    torch.manual_seed(0)
    module = timm.create_model("test_resnet").eval()
    if name.endswith(".safetensors"):
        save_file(module.state_dict(), folder / name)
    else:
        torch.save(module.state_dict(), folder / name)

    def look_up(repository: str, file: str, revision: str | None = None) -> str | None:
        assert (repository, revision) == (f"timm/{SPEC}", None)
        return str(folder / file) if file == name else None

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", look_up)
    return module


def test_an_untrained_network_says_so_and_fits_the_data() -> None:
    target = Timm().open("test_resnet", request(7, (28, 28, 1), data_name="mnist", seed=4))
    assert target.notes[0] == "untrained: random weights from seed 4"
    assert target.preprocessing.mean == (0.1307,)
    assert target.preprocessing.size is None
    assert target(torch.zeros(2, 28, 28, 1, dtype=torch.uint8)).shape == (2, 7)


def test_a_network_of_one_image_size_gets_the_images_resized() -> None:
    target = Timm().open("vit_tiny_patch16_224", request())
    assert target.preprocessing.size == (224, 224)
    assert "images are brought to 224 x 224 pixels for this network" in target.notes
    assert Timm().open("vit_tiny_patch16_224", request(shape=(224, 224, 3))).preprocessing.size is None


def test_images_of_varying_size_come_at_the_size_of_the_network() -> None:
    preprocessing = Timm().open("test_resnet", request(shape=None)).preprocessing
    assert (preprocessing.size, preprocessing.resize) == ((160, 160), 160)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_pretrained_weights_come_from_the_cache_with_their_preprocessing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = cached_weights(tmp_path, monkeypatch, name)
    target = Timm().open(SPEC, request(1000, (200, 180, 3)))
    settings = timm.models.get_pretrained_cfg(SPEC)
    preprocessing = target.preprocessing
    assert (preprocessing.mean, preprocessing.std) == (settings.mean, settings.std)
    assert (preprocessing.size, preprocessing.interpolation) == ((160, 160), settings.interpolation)
    assert preprocessing.resize == int(160 / settings.crop_pct)
    assert preprocessing.source == f"timm's settings of {SPEC}"
    assert target.weights_digest == digest_of_weights(module)
    assert "state_dict" not in target.module.pretrained_cfg


def test_pretrained_preprocessing_is_close_to_timms_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A smooth image through both; PIL rounds to whole pixels values after resizing, so that a few 1/255 remain."""
    from PIL import Image

    module = cached_weights(tmp_path, monkeypatch)
    target = Timm().open(SPEC, request(1000, (200, 240, 3)))
    rows, columns = torch.meshgrid(torch.arange(200), torch.arange(240), indexing="ij")
    image = torch.stack([rows, columns, (rows + columns) // 2], dim=-1).to(torch.uint8)
    settings = timm.data.resolve_data_config(pretrained_cfg=module.pretrained_cfg | {"input_size": (3, 160, 160)})
    settings |= {"crop_pct": timm.models.get_pretrained_cfg(SPEC).crop_pct}
    expected = timm.data.create_transform(**settings)(Image.fromarray(image.numpy()))
    assert (target.normalise(image[None])[0] - expected).abs().max() < 2.5 / 255 / 0.224


def test_flags_win_over_pretrained_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached_weights(tmp_path, monkeypatch)
    preprocessing = Timm().open(SPEC, request(1000, (200, 180, 3), mean=(0.1,), std=(0.2,))).preprocessing
    assert (preprocessing.mean, preprocessing.source) == ((0.1, 0.1, 0.1), "--mean/--std")


def test_weights_that_are_not_here_are_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: None)
    with pytest.raises(CheckpointError, match="weights are not on this machine") as caught:
        Timm().open(SPEC, request(1000))
    assert caught.value.tip == "add --download to fetch them"


def test_a_download_takes_the_first_file_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = cached_weights(tmp_path, monkeypatch, "pytorch_model.bin")
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: None)
    asked = []

    def fetch(repository: str, name: str, revision: str | None = None) -> str:
        asked.append((repository, name, revision))
        if name == "model.safetensors":
            raise huggingface_hub.errors.EntryNotFoundError("no such file")
        return str(tmp_path / name)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    target = Timm().open(SPEC, request(1000, (160, 160, 3), download=True))
    assert asked == [(f"timm/{SPEC}", name, None) for name in ("model.safetensors", "pytorch_model.bin")]
    assert target.weights_digest == digest_of_weights(module)


@pytest.mark.parametrize(
    "error",
    [huggingface_hub.errors.LocalEntryNotFoundError("no\nline"), huggingface_hub.errors.OfflineModeIsEnabled("off")],
    ids=repr,
)
def test_a_download_that_fails_is_one_line(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: None)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    with pytest.raises(CheckpointError, match="its weights cannot be fetched: ") as caught:
        Timm().open(SPEC, request(1000, download=True))
    assert str(caught.value).isprintable()


def test_cached_weights_of_another_network_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached_weights(tmp_path, monkeypatch)
    save_file({"conv1.weight": torch.ones(2)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"the weights in .* do not fit"):
        Timm().open(SPEC, request(1000))


@pytest.mark.parametrize(
    ("spec", "options", "error", "message", "tip"),
    [
        ("resnt18", {}, UsageError, "unknown architecture 'timm:resnt18'", "did you mean 'resnet18'?"),
        ("resnet18.a1_in2k", {}, UsageError, "unknown weights 'a1_in2k' of timm:resnet18", "did you mean 'a1_in1k'?"),
        ("hf-hub:some/net", {}, UsageError, "unknown architecture", "timm:NAME"),
        ("resnet18", {"arch": "x"}, UsageError, "names its network already, got --arch x", "leave --arch away"),
        (
            "resnet18",
            {"weights": "ema"},
            UsageError,
            "has one set of weights, got --weights ema",
            "leave --weights out",
        ),
        (SPEC, {}, CheckpointError, "tells 1000 classes apart, the data has 10", "give the --data"),
        ("vit_base_patch16_224.dino", {}, CheckpointError, "have no classifier", "choose a tag"),
    ],
)
def test_refusals(spec: str, options: dict[str, object], error: type[Exception], message: str, tip: str) -> None:
    with pytest.raises(error, match=message) as caught:
        Timm().open(spec, request(**options))
    assert tip in caught.value.tip
