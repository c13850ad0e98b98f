"""Repositories of the hub: never fetched unasked, found in the cache of the hub's own library, refused in one line."""

import json
import socket
from pathlib import Path

import huggingface_hub
import pytest
import timm
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import save_file

from mi_audit.errors import CheckpointError, UsageError
from mi_audit.plugins import load
from mi_audit.target_model import TargetModel
from mi_audit.targets.interface import TargetRequest

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("the network was used")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub's library."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def snapshot(cache: Path, revision: str = REVISION) -> Path:
    """The folder of a revision of someone/net in the cache, as the library lays it out."""
    repository = cache / "models--someone--net"
    (repository / "refs").mkdir(parents=True, exist_ok=True)
    (repository / "refs" / "main").write_text(REVISION)
    folder = repository / "snapshots" / revision
    folder.mkdir(parents=True)
    return folder


def write_config(folder: Path) -> None:
    settings = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "input_size": [3, 64, 64], "num_classes": 7}
    config = {"architecture": "test_resnet", "num_classes": 7, "pretrained_cfg": settings}
    (folder / "config.json").write_text(json.dumps(config))


def opened(spec: str, **more: object) -> TargetModel:
    return load("targets", "hf-hub").open(spec, TargetRequest(n_classes=7, shape=(64, 64, 3), **more))


@pytest.mark.parametrize(
    "spec", ["someone/net", "someone/net@main", f"someone/net@{REVISION}", "timm/resnet18.a1_in1k"]
)
def test_nothing_is_fetched_unasked(cache, spec):
    with pytest.raises(CheckpointError, match="not on this machine") as caught:
        opened(spec)
    assert "--download" in str(caught.value.tip)
    assert not list(cache.iterdir())


@pytest.mark.parametrize(
    "spec",
    ["net", "/net", "someone/", "a/b/c", "../secret", "someone/..", "someone/net@", "some one/net", "someone/net@a..b",
     "https://somewhere/net", "someone/net\n", "some--one/net", "someone/" + "n" * 200, "someone/net@\x1b[31m"],
)  # fmt: skip
def test_names_that_no_repository_has_are_refused_before_anything_is_looked_up(spec):
    with pytest.raises(UsageError, match="expected the name of a repository") as caught:
        opened(spec, download=True)
    assert str(caught.value).isprintable()
    assert "hf-hub:USER/REPO" in str(caught.value.tip)


def test_an_architecture_beside_a_repository_is_refused():
    with pytest.raises(UsageError, match="names its network already"):
        opened("someone/net", arch="resnet18")


def test_a_machine_without_a_connection_says_so(cache, monkeypatch):  # noqa: ARG001
    def offline(*_: object, **__: object) -> None:
        raise LocalEntryNotFoundError("An error happened while trying to locate the file on the Hub, and so on")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", offline)
    with pytest.raises(CheckpointError, match="cannot be fetched: there is no connection") as caught:
        opened("someone/net", download=True)
    assert "connection" in str(caught.value.tip)


def test_a_config_without_weights_is_not_enough(cache):
    write_config(snapshot(cache))
    with pytest.raises(CheckpointError, match="not on this machine"):
        opened("someone/net")


def test_a_config_and_weights_of_two_revisions_are_not_mixed(cache, monkeypatch):
    write_config(snapshot(cache))
    other = snapshot(cache, "f" * 40)
    (other / "model.safetensors").write_bytes(b"")
    found = {"config.json": str(cache / "models--someone--net" / "snapshots" / REVISION / "config.json")}
    monkeypatch.setattr(
        huggingface_hub,
        "try_to_load_from_cache",
        lambda _repository, name, revision=None: found.get(name, str(other / name)),  # noqa: ARG005
    )
    with pytest.raises(CheckpointError, match="of different revisions"):
        opened("someone/net")


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_cached_repository_is_opened_as_the_folder_that_it_is(cache, name):
    folder = snapshot(cache)
    write_config(folder)
    torch.manual_seed(0)
    module = timm.create_model("test_resnet", num_classes=7).eval()
    if name.endswith(".bin"):
        torch.save(module.state_dict(), folder / name)
    else:
        save_file(module.state_dict(), folder / name)
    target = opened("someone/net")
    assert target.source == "hf-hub:someone/net"
    assert f"revision {REVISION}" in target.notes
    assert target.preprocessing.mean == (0.1, 0.2, 0.3)
    images = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    torch.testing.assert_close(target(images), module(target.normalise(images)))
