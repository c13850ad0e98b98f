"""A network of the user's own, from its checkpoint and its code to a verified audit."""

import numpy as np
import pytest
import torch

import mi_audit

LAYERS = """
from torch import nn
from mi_audit.targets._build import build, find

def network(n_classes):
    return build(find("lenet_32_64_200")[0], n_classes, (8, 8, 1), seed=1)
"""
NET = """
from layers_of_the_user import network

class Net:
    def __new__(cls, num_classes=10):
        return network(num_classes)
"""
ARCH = ("--arch", "python:net.py:Net")
QUICK = ("--data", "digits", "--max-members", 200, "--max-non-members", 200, "--attack", "naive,threshold:loss")
RUNS = "this runs the code of net.py, which can do whatever you can\n"


@pytest.fixture
def folder(tmp_path, demo_checkpoint):
    """The user's folder: two files of code, and the checkpoint of a training run."""
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "layers_of_the_user.py").write_text(LAYERS)
    state = torch.load(demo_checkpoint, weights_only=True)["state_dict"]
    torch.save({"epoch": 9, "model_state_dict": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "net.pt")
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_an_audit_of_it_is_that_of_the_same_network_by_name(command):
    given = ("--mean", "0", "--std", "1")
    own = command("evaluate", "--model", "net.pt", *ARCH, *QUICK, *given, "--out", "own.npz")
    assert own.code in (0, 1, 3), own.stderr
    assert own.stderr.count(RUNS) == 1
    by_name = command("evaluate", "--model", "net.pt", "--arch", "lenet_32_64_200", *QUICK, *given, "--out", "name.npz")
    assert by_name.code == own.code
    assert mi_audit.read("own.npz").rows == mi_audit.read("name.npz").rows
    ours = mi_audit.audit(
        *("net.pt", "digits"),
        arch=ARCH[1],
        mean=0,
        std=1,
        attacks=("naive", "threshold:loss"),
        max_members=200,
        max_non_members=200,
    )
    assert ours.rows == mi_audit.read("own.npz").rows


def test_its_cache_is_found_again_until_any_of_its_code_changes(command, folder):
    asked = ("evaluate", "--model", "net.pt", *ARCH, *QUICK)
    assert "extracting" in command(*asked).stderr
    again = command(*asked)
    assert again.stderr.count("using .mi-audit/") == 2
    assert "extracting" not in again.stderr
    (folder / "layers_of_the_user.py").write_text(LAYERS + "# changed\n")
    assert "extracting" in command(*asked).stderr
    assert command(*asked, "--quiet").stderr == ""


def test_verify_knows_its_checkpoint(command, folder):
    command("evaluate", "--model", "net.pt", *ARCH, *QUICK, "--out", "a.npz")
    verified = command("verify", "a.npz", "--model", "net.pt")
    assert verified.code == 0
    assert "the file that was audited; the code of its network is not compared" in verified.stdout
    torch.save({}, folder / "other.pt")
    assert command("verify", "a.npz", "--model", "other.pt").code == 1
    command("evaluate", "--model", "python:net.py:Net", *QUICK, "--out", "b.npz")
    refused = command("verify", "b.npz", "--model", "net.pt")
    assert refused.code == 2
    assert "an audit with --model CHECKPOINT --arch python:net.py:Net knows its checkpoint" in refused.stderr


def test_a_series_of_its_checkpoints_is_one_command_that_says_once_that_code_runs(command, folder):
    for epoch in (1, 2):
        (folder / f"epoch-{epoch}.pt").write_bytes((folder / "net.pt").read_bytes())
    done = command("evaluate", "--model", "epoch-*.pt", *ARCH, *QUICK, "--out", "audits")
    assert done.code in (0, 1, 3), done.stderr
    assert done.stderr.count(RUNS) == 1
    assert sorted(path.name for path in (folder / "audits").iterdir()) == ["epoch-1.npz", "epoch-2.npz"]


@pytest.mark.usefixtures("folder")
def test_its_layers_are_listed_with_data_and_needed_without(command):
    done = command("list", "layers", "--model", "net.pt", *ARCH, "--data", "digits")
    assert done.code == 0, done.stderr
    assert done.stderr == RUNS
    assert done.stdout.splitlines()[1].startswith("-1")
    assert "add --data" in command("list", "layers", "--model", "net.pt", *ARCH).stderr


@pytest.mark.usefixtures("folder")
def test_extract_says_that_nobody_gave_the_normalisation_unless_somebody_does(command):
    torch.manual_seed(0)
    images = (torch.rand(80, 8, 8, 1) * 255).to(torch.uint8).numpy()
    np.savez("mine.npz", images=images, labels=np.arange(80) % 10, is_member=np.arange(80) % 2 == 0)
    asked = ("extract", "--model", "net.pt", *ARCH, "--data", "mine.npz", "--out")
    doubt = (
        "error: --mean/--std were not given: pixels go in as [0, 1], and another choice may show more leakage or less"
    )
    assert doubt in command(*asked, "a.npz").stderr
    assert "pixels go in as" not in command(*asked, "b.npz", "--mean", 0, "--std", 1).stderr
    (finding,) = (one for one in mi_audit.read("a.npz").findings if one.slug == "normalisation-not-given")
    assert finding.severity == "error"


@pytest.mark.usefixtures("folder")
def test_code_that_loads_no_weights_is_told_how_they_are_loaded(command):
    done = command("evaluate", "--model", "python:net.py:Net", *QUICK)
    assert done.code == 3
    advice = "its code may have loaded no weights (--model CHECKPOINT --arch python:net.py:Net loads them)"
    assert advice in " ".join(done.stdout.split())


def test_the_audit_is_not_written_over_the_code(command, folder):
    done = command("evaluate", "--model", "net.pt", *ARCH, *QUICK, "--out", "net.py")
    assert done.code == 2
    assert (folder / "net.py").read_text() == NET


def test_finding_a_network_is_said_before_it_takes_long(command, demo_checkpoint):
    asked = ("extract", "--model", demo_checkpoint, "--data", "digits", "--max-members", 50, "--max-non-members", 50)
    lines = command(*asked, "--out", "a.npz").stderr.splitlines()
    assert lines[0] == "finding the network and its normalisation"
    assert command(*asked, "--out", "b.npz", "--quiet").stderr == ""
