"""What files, folders and sidecars say of a network, and what of it is believed."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from mi_audit.targets._checkpoint.hint_reading import hints_from
from mi_audit.targets._checkpoint.hints import Hints
from mi_audit.targets._checkpoint.opening import open_state_dict

STATE = {"fc.weight": torch.ones(7, 3)}
TIMM = {"epoch": 1, "arch": "resnet", "optimizer": {}, "version": 2, "state_dict": STATE}
ARGUMENTS: dict[str, Any] = {
    "model": "resnet18.a1_in1k",
    "num_classes": 7,
    "in_chans": 1,
    "img_size": None,
    "input_size": [1, 64, 64],
    "mean": [0.5],
    "std": (0.25,),
    "interpolation": "bicubic",
    "crop_pct": 0.875,
    "gp": "avg",
    "bn_eps": None,
    "model_kwargs": {"drop_rate": 0.1, "checkpoint_path": "/etc/passwd", "pretrained": True, "act_layer": "relu"},
    "pretrained": True,
    "initial_checkpoint": "http://localhost/x",
}
OF_TIMM = Hints(
    arch="resnet18",
    library="timm",
    n_classes=7,
    n_channels=1,
    size=(64, 64),
    mean=(0.5,),
    std=(0.25,),
    resize=73,
    interpolation="bicubic",
    builder_options={"drop_rate": 0.1, "act_layer": "relu", "global_pool": "avg"},
    source="args in the file",
)


def hints_of(content: object, path: Path) -> Hints:
    torch.save(content, path / "model.pt")
    return open_state_dict(path / "model.pt").hints


@pytest.mark.parametrize("legacy", [False, True])
def test_the_arguments_of_timm(legacy: bool, tmp_path: Path) -> None:
    content = TIMM | {"args": argparse.Namespace(**ARGUMENTS)}
    torch.save(content, tmp_path / "model.pt", _use_new_zipfile_serialization=not legacy)
    assert open_state_dict(tmp_path / "model.pt").hints == OF_TIMM


def test_the_class_name_that_timm_writes_without_arguments_is_no_network(tmp_path: Path) -> None:
    assert hints_of(TIMM, tmp_path).arch is None


def test_the_reference_scripts_of_torchvision(tmp_path: Path) -> None:
    arguments = argparse.Namespace(model="resnet50", val_crop_size=224, val_resize_size=232, interpolation="bilinear")
    content = {"model": STATE, "optimizer": {}, "lr_scheduler": {}, "epoch": 1, "args": arguments}
    found = hints_of(content, tmp_path)
    assert (found.arch, found.library, found.size, found.resize) == ("resnet50", "torchvision", (224, 224), 232)
    assert (found.mean, found.interpolation) == ((0.485, 0.456, 0.406), "bilinear")


def test_the_imagenet_example(tmp_path: Path) -> None:
    found = hints_of({"epoch": 1, "arch": "resnet18", "state_dict": STATE, "best_acc1": 3.0}, tmp_path)
    assert (found.arch, found.library, found.source) == ("resnet18", "torchvision", "arch in the file")


def test_hyper_parameters_of_lightning(tmp_path: Path) -> None:
    content = {
        "pytorch-lightning_version": "2.4.0",
        "state_dict": {"model.fc.weight": STATE["fc.weight"]},
        "hyper_parameters": {"model_name": "vit_tiny", "num_classes": 7, "image_size": 32, "loss": object},
    }
    found = hints_of(content | {"hyper_parameters": content["hyper_parameters"] | {"loss": Path("x")}}, tmp_path)
    assert (found.arch, found.library, found.n_classes, found.size) == ("vit_tiny", None, 7, (32, 32))
    assert found.source == "hyper_parameters in the file"


@pytest.mark.parametrize("around", ["bare", "dict", "parallel"])
def test_a_whole_network_of_timm_names_itself(around: str, tmp_path: Path) -> None:
    import timm

    network = timm.create_model("resnet18", num_classes=7)
    forms = {"bare": network, "dict": {"net": network, "acc": 1.0}, "parallel": torch.nn.DataParallel(network)}
    torch.save(forms[around], tmp_path / "model.pt")
    opened = open_state_dict(tmp_path / "model.pt")
    found = opened.hints
    assert (found.arch, found.library, found.n_classes, found.size) == ("resnet18", "timm", 7, (224, 224))
    assert opened.class_name == "timm.models.resnet.ResNet"


def test_a_bare_state_dict_says_nothing(tmp_path: Path) -> None:
    assert hints_of(STATE, tmp_path) == Hints()


@pytest.mark.parametrize(
    "claim",
    [
        {"arch": "hf-hub:evil/model"},
        {"arch": "local-dir:/etc"},
        {"arch": "../../model"},
        {"arch": "x" * 200},
        {"arch": ["resnet18"]},
        {"num_classes": True},
        {"num_classes": 10**9},
        {"num_classes": -1},
        {"num_classes": 10.0},
        {"img_size": 10**6},
        {"input_size": [3, "a", 4]},
        {"input_size": [1, 2, 3, 4]},
        {"mean": [123.7], "std": [58.4]},
        {"mean": [0.5], "std": [0.0]},
        {"mean": [0.5], "std": [0.1, 0.2]},
        {"mean": [float("nan")], "std": [1.0]},
        {"mean": [0.5] * 100, "std": [0.5] * 100},
        {"interpolation": "random"},
        {"crop_pct": 0.9},
    ],
    ids=str,
)
def test_claims_that_are_not_believed(claim: dict[str, object]) -> None:
    assert hints_from(claim, "") == Hints()


def test_options_of_builders_are_plain_and_bounded() -> None:
    options = {"depth": 10**6, "embed_dim": 64, "block": "os.system", "features_only": True, "class_token": False}
    assert hints_from({"arch": "vit", "model_args": options}, "").builder_options == {
        "embed_dim": 64,
        "class_token": False,
    }


def saved_by_timm(folder: Path, name: str) -> Path:
    settings = {"input_size": [3, 32, 32], "mean": [0.5] * 3, "std": [0.2] * 3, "interpolation": "bicubic",
                "crop_pct": 0.95, "num_classes": 1000, "crop_mode": "center"}  # fmt: skip
    config = {"architecture": "resnet18", "num_classes": 7, "global_pool": "avg", "pretrained_cfg": settings}
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    if name.endswith("safetensors"):
        from safetensors.torch import save_file

        save_file(STATE, folder / name)
    else:
        torch.save(STATE, folder / name)
    return folder


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_folder_as_timm_saves_it(name: str, tmp_path: Path) -> None:
    folder = saved_by_timm(tmp_path / "net", name)
    opened = open_state_dict(folder)
    assert opened.path == folder / name
    assert opened.hints == Hints(
        "resnet18", "timm", 7, 3, (32, 32), (0.5,) * 3, (0.2,) * 3, 33, "bicubic", {"global_pool": "avg"}, "config.json"
    )
    assert open_state_dict(folder / name).hints == opened.hints


@pytest.mark.parametrize("name", ["model.pt.json", "model.json", "model.pt.yaml", "model.yml"])
def test_a_sidecar_goes_before_the_file(name: str, tmp_path: Path) -> None:
    # JSON is YAML, too.
    (tmp_path / name).write_text(json.dumps({"arch": "cifar_resnet20", "num_classes": 7, "mean": [0.5], "std": [0.5]}))
    found = hints_of(TIMM | {"args": argparse.Namespace(**ARGUMENTS)}, tmp_path)
    assert (found.arch, found.library, found.mean, found.std) == ("cifar_resnet20", None, (0.5,), (0.5,))
    assert (found.size, found.source) == ((64, 64), f"{name} and args in the file")


@pytest.mark.parametrize(
    ("name", "content", "note"),
    [
        ("model.json", b"{not json", "it is no JSON"),
        ("model.json", b"[" * 50_000, "it is no JSON"),
        ("model.json", b"9" * 60_000, "it is no JSON"),
        ("model.json", b" " * 70_000, "it is longer than 65536 bytes"),
        ("model.json", b"\xff\xfe{}", "it is no text in UTF-8"),
        ("model.yaml", b" " * 17_000, "it is longer than 16384 bytes"),
        ("model.yaml", b"a: &x [1, 1]\nb: *x", "it has aliases"),
        ("model.yaml", b"a: !!python/object/apply:os.system ['touch ran']", "it is no YAML"),
        ("model.yaml", b"a: [", "it is no YAML"),
        ("model.yaml", b"- " * 8_000, "it is no YAML"),
        ("model.yaml", b"[" * 10_000, "it has more than 200 brackets"),
    ],
)
def test_a_sidecar_that_cannot_be_read_is_noted(name: str, content: bytes, note: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    torch.save(STATE, tmp_path / "model.pt")
    opened = open_state_dict(tmp_path / "model.pt")
    assert opened.hints == Hints()
    [said] = opened.notes
    assert said.startswith(f"{name} beside the weights was not used: {note}")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([name, "model.pt"])


@pytest.mark.parametrize("content", ["[1, 2]", '"text"', "{}", '{"loss": [3, 2, 1]}'])
def test_a_file_about_something_else_is_passed_over(content: str, tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(content)
    torch.save(STATE, tmp_path / "model.pt")
    opened = open_state_dict(tmp_path / "model.pt")
    assert opened.hints == Hints()
    assert opened.notes == ()


def test_a_broken_config_leaves_the_weights(tmp_path: Path) -> None:
    folder = saved_by_timm(tmp_path / "net", "model.safetensors")
    (folder / "config.json").write_text("")
    opened = open_state_dict(folder)
    assert opened.hints == Hints()
    assert "config.json beside the weights was not used" in opened.notes[0]
