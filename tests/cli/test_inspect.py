"""``mi-audit inspect``: what a file is, for people and for programs, and refusals that say what to do."""

import argparse
import json

import torch


def test_a_training_checkpoint(command, tmp_path):
    state = {"module.fc.weight": torch.ones(7, 3), "module.bn.running_mean": torch.ones(3)}
    content = {"epoch": 1, "arch": "resnet", "version": 2, "state_dict": state, "state_dict_ema": state}
    torch.save(content | {"args": argparse.Namespace(model="resnet18", num_classes=7)}, tmp_path / "last.pth.tar")
    done = command("inspect", "last.pth.tar")
    assert done.code == 0, done.stderr
    assert done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 80
    for part in (
        "training checkpoint of timm",
        "plain, under 'state_dict'",
        "--weights ema",
        "module.",
        "arch: resnet18",
    ):
        assert part in " ".join(done.stdout.split())
    found = json.loads(command("inspect", "last.pth.tar", "--json", "--weights", "ema").stdout)
    assert list(found) == sorted(found)
    assert (found["wrapper"], found["weights"], found["n_parameters"], found["n_classes"]) == (
        "state_dict_ema",
        "ema",
        21,
        7,
    )
    assert found["hints"]["arch"] == "resnet18"
    assert [one["weights"] for one in found["weight_sets"]] == ["raw", "ema"]


def test_a_public_checkpoint_is_recognised(command, assets):
    done = command("inspect", assets / "checkpoints" / "cifar10_resnet20_akamaster.th", "--json")
    found = json.loads(done.stdout)
    assert found["candidates"][0]["name"] == "cifar_resnet20_a"
    assert "0.485" in found["candidates"][0]["normalisation"]
    assert found["n_classes"] == 10
    assert found["needed"] == ["--data: the images it was trained on, and others like them"]


def test_weights_that_no_network_fits_ask_for_one(command, tmp_path):
    torch.save({"w": torch.ones(3, 2)}, tmp_path / "w.pt")
    done = command("inspect", "w.pt")
    assert "not recognised" in done.stdout
    assert "--arch" in done.stdout


def test_a_detector_is_no_classifier_and_its_boxes_are_no_classes(command, tmp_path):
    torch.save({"backbone.w": torch.ones(3, 2), "roi_heads.box.weight": torch.ones(364, 8)}, tmp_path / "w.pt")
    done = command("inspect", "w.pt")
    assert "a detector, not an image classifier" in done.stdout
    assert "364" not in done.stdout
    assert "--arch" not in done.stdout
    assert json.loads(command("inspect", "w.pt", "--json").stdout)["other_task"] == "a detector"


def test_refusals(command, tmp_path):
    (tmp_path / "page.pt").write_text("<!doctype html>")
    for arguments in (("page.pt",), ("nowhere.pt",)):
        done = command("inspect", *arguments)
        assert (done.code, done.stdout) == (2, "")
        assert done.stderr.startswith("error: ")
        assert "tip: " in done.stderr
    torch.save({"w": torch.ones(3, 2)}, tmp_path / "w.pt")
    assert command("inspect", "w.pt", "--weights", "ema").code == 2
    assert "expected --weights auto, raw, ema" in command("inspect", "w.pt", "--weights", "best").stderr


def test_a_hostile_name_stays_on_its_line(command, tmp_path):
    torch.save({"net": {"fc.weight": torch.ones(3, 2)}, "\x1b[31m\nred": 1}, tmp_path / "w.pt")
    done = command("inspect", "w.pt")
    assert "\x1b" not in done.stdout
    assert "\x1b" not in command("inspect", "w.pt", "--json").stdout
