"""One row for every kind of file that people have: made here, with what comes out of it, or the message."""

import argparse
import collections
import pathlib
import subprocess
import sys
import types
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mi_audit.errors import CheckpointError, UsageError
from mi_audit.targets._checkpoint.opening import OpenedCheckpoint, open_state_dict


class Net(nn.Module):
    """Some of everything: weights, running statistics, a buffer that is not saved, a module inside a module."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3)
        self.layer1 = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU())
        self.fc = nn.Linear(4, 10)
        self.register_buffer("scratch", torch.ones(3), persistent=False)
        self.act = torch.nn.functional.relu

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.fc(self.layer1(self.conv1(images)).mean((2, 3)))
        return found


class Box(dict[str, object]):
    """A dict with attributes, as many libraries of settings have one."""


NET = Net()
STATE = NET.state_dict()
AVERAGED = {name: tensor + 1 if tensor.is_floating_point() else tensor for name, tensor in STATE.items()}


def with_prefix(prefix: str, state: Any = STATE) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in state.items()}


def arguments(**entries: object) -> argparse.Namespace:
    return argparse.Namespace(lr=0.1, data_dir=pathlib.PosixPath("/data"), betas=(0.9, 0.999), none=None, **entries)


def optimiser_state() -> dict[str, Any]:
    optimiser = torch.optim.SGD(NET.parameters(), lr=0.1, momentum=0.9)
    torch.autograd.backward(NET(torch.ones(2, 1, 5, 5)).sum())
    optimiser.step()
    NET.load_state_dict(STATE)
    return optimiser.state_dict()


def settings_of_omegaconf() -> object:
    """An object of a class that cannot be imported when the file is opened."""
    module = types.ModuleType("omegaconf_of_nobody")
    made = type("DictConfig", (), {"__module__": module.__name__})
    module.DictConfig = made  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    settings = made()
    settings.content = {"lr": [1, 2], "path": pathlib.PurePosixPath("a")}
    return settings


def counts() -> collections.defaultdict[str, list[int]]:
    return collections.defaultdict(list, {str(number): [number] for number in range(2500)})


def swa() -> dict[str, torch.Tensor]:
    model = torch.optim.swa_utils.AveragedModel(NET)
    model.update_parameters(NET)
    return model.state_dict()


LIGHTNING = {
    "epoch": 3,
    "global_step": 9,
    "pytorch-lightning_version": "2.4.0",
    "loops": {"fit_loop": {"state_dict": {}}},
    "callbacks": {},
    "optimizer_states": [],
    "lr_schedulers": [],
}
TIMM = {"epoch": 4, "arch": "resnet", "optimizer": {"state": {}}, "version": 2, "metric": np.float64(71.5)}
TORCHVISION = {"model": STATE, "optimizer": {}, "lr_scheduler": {}, "epoch": 1, "args": arguments(model="resnet18")}

# What is saved; what wrote it, in words; the wrapper; "raw" or "ema".
OPENED: dict[str, tuple[Callable[[], object], str, str | None, str]] = {
    "state dict": (lambda: STATE, "state dict", None, "raw"),
    "parameters, device and optimiser": (
        lambda: {"model": STATE | dict(NET.named_parameters()), "optimizer": optimiser_state(),
                 "device": torch.device("cpu"), "scheduler": {"last_epoch": 3}},
        "training checkpoint", "model", "raw",
    ),
    "model_state_dict": (
        lambda: {"model_state_dict": STATE, "optimizer_state_dict": optimiser_state()},
        "training checkpoint", "model_state_dict", "raw",
    ),
    "kuangliu": (lambda: {"net": with_prefix("module."), "acc": 94.2, "epoch": 7}, "training checkpoint", "net", "raw"),
    "DeepSpeed": (lambda: {"module": STATE, "ds_version": "0.14", "ds_config": {}}, "DeepSpeed checkpoint", "module",
                  "raw"),
    "numpy scalar": (lambda: {"net": STATE, "acc": np.float64(0.5), "n": np.int64(3)}, "training checkpoint", "net",
                     "raw"),
    "numpy array": (lambda: {"net": STATE, "history": np.arange(5.0)}, "training checkpoint", "net", "raw"),
    "defaultdict": (lambda: {"net": STATE, "counts": counts()}, "training checkpoint", "net", "raw"),
    "dict of a foreign class": (lambda: Box(state_dict=STATE, cfg=Box(a=Box(b=1))), "training checkpoint",
                                "state_dict", "raw"),
    "set and path": (lambda: {"net": STATE, "seen": {1, 2}, "out": pathlib.PosixPath("x")}, "training checkpoint",
                     "net", "raw"),
    "foreign settings": (lambda: {"net": STATE, "cfg": settings_of_omegaconf()}, "training checkpoint", "net", "raw"),
    "timm": (
        lambda: TIMM | {"state_dict": STATE, "args": arguments(model="resnet18"), "state_dict_ema": AVERAGED},
        "training checkpoint of timm", "state_dict", "raw",
    ),
    "torchvision reference": (lambda: TORCHVISION, "training checkpoint of torchvision's reference scripts", "model",
                              "raw"),
    "torchvision reference with an average": (
        lambda: TORCHVISION | {"model_ema": {"n_averaged": torch.tensor(3), **with_prefix("module.", AVERAGED)}},
        "training checkpoint of torchvision's reference scripts", "model", "raw",
    ),
    "ImageNet example": (
        lambda: {"epoch": 2, "arch": "resnet18", "state_dict": with_prefix("module."), "best_acc1": torch.tensor(7.0)},
        "training checkpoint of PyTorch's ImageNet example", "state_dict", "raw",
    ),
    "Lightning": (
        lambda: LIGHTNING | {"state_dict": {**with_prefix("model."), "crit.weight": torch.ones(10)},
                             "hparams_name": "kwargs", "hyper_parameters": {"lr": 0.1, "args": arguments()}},
        "Lightning checkpoint", "state_dict", "raw",
    ),
    "Lightning, attribute of any name": (
        lambda: LIGHTNING | {"state_dict": {**with_prefix("resnet."), "loss_fn.weight": torch.ones(10)}},
        "Lightning checkpoint", "state_dict", "raw",
    ),
    "Lightning without a network inside": (lambda: LIGHTNING | {"state_dict": STATE}, "Lightning checkpoint",
                                           "state_dict", "raw"),
    "Lightning with an average": (
        lambda: LIGHTNING | {"state_dict": {**with_prefix("net."), **with_prefix("ema.module.", AVERAGED)}},
        "Lightning checkpoint", "state_dict", "raw",
    ),
    "SWA": (swa, "average of weights (SWA or EMA)", None, "ema"),
    "whole network": (lambda: NET, "whole network, pickled", None, "raw"),
    "whole network in DataParallel": (lambda: nn.DataParallel(NET), "whole network, pickled", None, "raw"),
    "whole network in a dict": (lambda: {"net": NET, "acc": 1.0, "epoch": 2}, "whole network, pickled", "net", "raw"),
    "compiled, parallel, wrapped": (lambda: {"state_dict": with_prefix("module._orig_mod.model.")},
                                    "training checkpoint", "state_dict", "raw"),
    "parts sharded and checkpointed": (
        lambda: {name.replace(".", "._fsdp_wrapped_module._checkpoint_wrapped_module.", 1): tensor
                 for name, tensor in STATE.items()},
        "state dict", None, "raw",
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def without_foreign_modules() -> Iterator[None]:
    yield
    sys.modules.pop("omegaconf_of_nobody", None)


def save(content: object, path: Path, *, legacy: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch cannot find the source text of every class
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    sys.modules.pop("omegaconf_of_nobody", None)


def assert_weights(opened: OpenedCheckpoint, expected: Any) -> None:
    assert set(opened.state_dict) == set(expected)
    for name, tensor in expected.items():
        assert torch.equal(opened.state_dict[name], tensor), name


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("name", OPENED)
def test_opened(name: str, legacy: bool, tmp_path: Path) -> None:
    make, kind, wrapper, weights = OPENED[name]
    save(make(), tmp_path / "model.pt", legacy=legacy)
    opened = open_state_dict(tmp_path / "model.pt")
    assert_weights(opened, STATE)
    assert (opened.kind, opened.wrapper, opened.weights) == (kind, wrapper, weights)
    assert opened.file_format == ("legacy" if legacy else "zip")
    assert all(note.isprintable() for note in opened.notes)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("timm", "'state_dict_ema'"),
        ("torchvision reference with an average", "'model_ema'"),
        ("Lightning with an average", "'state_dict' as 'ema'"),
    ],
)
def test_the_average_is_named_and_taken_when_it_is_asked_for(name: str, place: str, tmp_path: Path) -> None:
    save(OPENED[name][0](), tmp_path / "model.pt", legacy=False)
    [note] = [note for note in open_state_dict(tmp_path / "model.pt").notes if "EMA" in note]
    assert f"averaged ones (EMA) are under {place}: --weights ema" in note
    assert [found.weights for found in open_state_dict(tmp_path / "model.pt").found] == ["raw", "ema"]
    opened = open_state_dict(tmp_path / "model.pt", "ema")
    assert_weights(opened, AVERAGED)
    assert opened.weights == "ema"
    assert_weights(open_state_dict(tmp_path / "model.pt", "raw"), STATE)


def test_weights_that_are_not_there_are_an_error_of_usage(tmp_path: Path) -> None:
    save({"state_dict": STATE}, tmp_path / "raw.pt", legacy=False)
    with pytest.raises(UsageError, match=r"raw\.pt: holds no averaged weights .* only plain ones under 'state_dict'"):
        open_state_dict(tmp_path / "raw.pt", "ema")
    save(swa(), tmp_path / "swa.pt", legacy=False)
    with pytest.raises(UsageError, match=r"swa\.pt: holds no plain weights, only averaged"):
        open_state_dict(tmp_path / "swa.pt", "raw")


def test_what_lightning_keeps_beside_the_network_is_left_out_and_listed(tmp_path: Path) -> None:
    save(OPENED["Lightning"][0](), tmp_path / "model.ckpt", legacy=False)
    opened = open_state_dict(tmp_path / "model.ckpt")
    assert opened.dropped == ("crit.weight",)
    assert any("1 tensor of something else was left out: crit.weight" in note for note in opened.notes)


def test_a_backbone_and_its_head_stay_together(tmp_path: Path) -> None:
    whole = {**with_prefix("backbone."), "head.weight": torch.ones(3, 10)}
    save(LIGHTNING | {"state_dict": whole}, tmp_path / "model.ckpt", legacy=False)
    assert_weights(open_state_dict(tmp_path / "model.ckpt"), whole)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_whole_network_of_torchvision_gives_its_state_dict_and_its_class(legacy: bool, tmp_path: Path) -> None:
    from torchvision.models import resnet18

    network = resnet18()
    save(network, tmp_path / "model.pth", legacy=legacy)
    opened = open_state_dict(tmp_path / "model.pth")
    assert_weights(opened, network.state_dict())
    assert opened.class_name == "torchvision.models.resnet.ResNet"
    assert list(opened.state_dict) == list(network.state_dict())


def test_the_classes_of_a_file_are_not_imported(tmp_path: Path) -> None:
    (tmp_path / "evil_module.py").write_text("raise SystemExit('imported')")
    code = (
        "import sys, types, torch\n"
        "module = types.ModuleType('evil_module'); sys.modules['evil_module'] = module\n"
        "module.Thing = type('Thing', (), {'__module__': 'evil_module'})\n"
        "torch.save({'net': {'w': torch.ones(3)}, 'cfg': module.Thing()}, 'model.pt')\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    open_it = (
        "from pathlib import Path\nfrom mi_audit.targets._checkpoint.opening import open_state_dict\n"
        "open_state_dict(Path('model.pt'))"
    )
    done = subprocess.run([sys.executable, "-c", open_it], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_checkpoint_that_timm_writes(tmp_path: Path) -> None:
    import timm
    from timm.utils import CheckpointSaver, ModelEmaV2

    network = timm.create_model("resnet18", num_classes=7)
    average = ModelEmaV2(network)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    saver = CheckpointSaver(
        network, optimiser, arguments(model="resnet18", num_classes=7), average, checkpoint_dir=str(tmp_path)
    )
    saver.save_checkpoint(1, metric=50.0)
    opened = open_state_dict(tmp_path / "last.pth.tar")
    assert_weights(opened, network.state_dict())
    assert opened.kind == "training checkpoint of timm"
    assert_weights(open_state_dict(tmp_path / "last.pth.tar", "ema"), network.state_dict())


def test_safetensors(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "model.safetensors")
    opened = open_state_dict(tmp_path / "model.safetensors")
    assert_weights(opened, STATE)
    assert (opened.kind, opened.file_format) == ("safetensors file", "safetensors")


def save_torchscript(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)).save(str(path))


def save_exported(path: Path) -> None:
    torch.export.save(torch.export.export(nn.Linear(2, 2), (torch.ones(1, 2),)), path)


def save_distributed(path: Path) -> None:
    import torch.distributed.checkpoint as dcp

    dcp.save({"model": STATE}, checkpoint_id=path, no_dist=True)


def quantised() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 2)), {nn.Linear}, dtype=torch.qint8)


REFUSED: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "TorchScript": (save_torchscript, "is a TorchScript program: it is code", "--model predictions:FILE"),
    "exported program": (save_exported, r"is an exported program \(.pt2\): it is code", "torch.save"),
    "distributed": (save_distributed, "is a folder, not a checkpoint file", "dcp_to_torch"),
    "quantised network": (
        lambda path: save(quantised(), path, legacy=False), "holds quantised layers", "--model predictions:FILE",
    ),
    "quantised weights": (
        lambda path: save(quantised().state_dict(), path, legacy=False), "holds quantised layers", "predictions:FILE",
    ),
    "protocol 4": (lambda path: torch.save(STATE, path, pickle_protocol=4), "pickle protocol 4", "pickle_protocol"),
    "protocol 5": (lambda path: torch.save(NET, path, pickle_protocol=5), "pickle protocol 5", "pickle_protocol"),
    "optimiser alone": (
        lambda path: save({"optimizer": {"state": {}}, "epoch": 1}, path, legacy=False), "and no weights", "torch.save",
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, tmp_path: Path) -> None:
    make, message, tip = REFUSED[name]
    path = tmp_path / "model"
    make(path)
    with pytest.raises(CheckpointError, match=message) as caught:
        open_state_dict(path)
    assert tip in str(caught.value.tip)
    assert "\n" not in f"{caught.value}{caught.value.tip}"
    assert "weights_only" not in f"{caught.value}{caught.value.tip}"


def test_old_file_of_a_whole_network_in_a_dict_keeps_the_order_of_its_tensors(tmp_path: Path) -> None:
    save({"net": NET, "acc": 3.0}, tmp_path / "ckpt.t7", legacy=True)
    assert list(open_state_dict(tmp_path / "ckpt.t7").state_dict) == list(OrderedDict(STATE))
