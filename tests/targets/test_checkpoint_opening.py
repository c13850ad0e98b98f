"""Checkpoints as people save them, and what comes out of them."""

import hashlib
import itertools
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mi_audit.targets._checkpoint.opening import open_state_dict
from mi_audit.targets._checkpoint.prefixes import without_prefixes
from mi_audit.targets._checkpoint.unwrapping import WRAPPERS

PLAIN = OrderedDict(
    [
        ("conv1.weight", torch.arange(54.0).reshape(6, 1, 3, 3)),
        ("bn1.running_mean", torch.linspace(-1, 1, 6)),
        ("bn1.num_batches_tracked", torch.tensor(3)),
        ("fc.weight", torch.linspace(0, 2, 60).reshape(10, 6)),
    ]
)


def save_zip(state: object, path: Path) -> None:
    torch.save(state, path)


def save_legacy(state: object, path: Path) -> None:
    torch.save(state, path, _use_new_zipfile_serialization=False)


FORMATS: dict[str, Callable[[object, Path], None]] = {"zip": save_zip, "legacy": save_legacy}
PREFIXES = ["", "module.", "_orig_mod.", "module._orig_mod.", "model.", "net.backbone.", "_fsdp_wrapped_module."]


def assert_same(opened: object, expected: dict[str, torch.Tensor]) -> None:
    assert list(opened) == list(expected)
    for name, tensor in expected.items():
        assert torch.equal(opened[name], tensor)


@pytest.mark.parametrize(
    ("wrapper", "prefix", "file_format"), [*itertools.product([None, *WRAPPERS], PREFIXES, FORMATS)], ids=str
)
def test_every_wrapper_prefix_and_format(wrapper: str | None, prefix: str, file_format: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.anything"
    named = OrderedDict((prefix + name, tensor) for name, tensor in PLAIN.items())
    around = {"epoch": 7, "best_acc": 0.5, "optimizer": {"lr": 0.1}}
    FORMATS[file_format](named if wrapper is None else {**around, wrapper: named}, path)
    opened = open_state_dict(path)
    assert_same(opened.state_dict, PLAIN)
    assert_same(opened.as_saved(), named)
    assert opened.wrapper == wrapper
    assert set(opened.other_keys) == (set() if wrapper is None else set(around))
    assert "".join(sorted(opened.prefixes)) == "".join(sorted(part + "." for part in prefix.split(".")[:-1]))
    assert opened.file_digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert all("EMA" in note for note in opened.notes)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_safetensors_by_content_whatever_the_suffix(prefix: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    save_file({prefix + name: tensor for name, tensor in PLAIN.items()}, path)
    opened = open_state_dict(path)
    assert_same(dict(sorted(opened.state_dict.items())), dict(sorted(PLAIN.items())))
    assert opened.wrapper is None


def test_a_torch_file_that_is_called_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    torch.save(PLAIN, path)
    assert_same(open_state_dict(path).state_dict, PLAIN)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn], ids=str)
def test_other_precisions_become_float32_with_a_note(dtype: torch.dtype, tmp_path: Path) -> None:
    saved = {"fc.weight": torch.tensor([0.5, -2.0, 448.0]).to(dtype), "fc.count": torch.tensor(2)}
    torch.save(saved, tmp_path / "half.pt")
    opened = open_state_dict(tmp_path / "half.pt")
    assert opened.state_dict["fc.weight"].dtype == torch.float32
    assert opened.state_dict["fc.weight"].tolist() == [0.5, -2.0, 448.0]
    assert opened.state_dict["fc.count"].dtype == torch.int64
    assert str(dtype).removeprefix("torch.") in opened.notes[0]


def test_parameters_lose_their_gradients_and_views_stay_whole(tmp_path: Path) -> None:
    shared = torch.arange(12.0)
    torch.save({"a.weight": torch.nn.Parameter(shared[:6]), "b.weight": shared[6:].view(2, 3).t()}, tmp_path / "w.pt")
    opened = open_state_dict(tmp_path / "w.pt").state_dict
    assert not opened["a.weight"].requires_grad
    assert opened["b.weight"].tolist() == [[6, 9], [7, 10], [8, 11]]


def test_the_plain_weights_are_used_and_the_averaged_ones_named(tmp_path: Path) -> None:
    averaged = {name: tensor + 1 for name, tensor in PLAIN.items()}
    torch.save({"state_dict_ema": averaged, "state_dict": PLAIN}, tmp_path / "both.pt")
    opened = open_state_dict(tmp_path / "both.pt")
    assert_same(opened.state_dict, PLAIN)
    assert "'state_dict_ema'" in opened.notes[0]


def test_averaged_weights_alone_are_said_to_be_averaged(tmp_path: Path) -> None:
    torch.save({"state_dict_ema": PLAIN}, tmp_path / "ema.pt")
    assert "averaged" in open_state_dict(tmp_path / "ema.pt").notes[0]


def test_counters_of_profilers_and_of_averaging_are_dropped(tmp_path: Path) -> None:
    counted = {f"module.{name}": tensor for name, tensor in PLAIN.items()}
    counters = {"module.total_ops": torch.tensor([9.0]), "module.conv1.total_params": torch.tensor([9.0])}
    torch.save({**counted, **counters, "n_averaged": torch.tensor(4)}, tmp_path / "counted.pt")
    opened = open_state_dict(tmp_path / "counted.pt")
    assert_same(opened.state_dict, PLAIN)
    assert set(opened.other_keys) == {*counters, "n_averaged"}


def test_a_dict_in_a_dict_in_a_dict(tmp_path: Path) -> None:
    torch.save({"model": {"state_dict": PLAIN, "arch": "x"}}, tmp_path / "deep.pt")
    opened = open_state_dict(tmp_path / "deep.pt")
    assert opened.wrapper == "model.state_dict"
    assert_same(opened.state_dict, PLAIN)


@pytest.mark.parametrize(
    ("saved", "expected", "prefixes"),
    [
        # DataParallel around a part of the network only.
        (["features.module.0.weight", "classifier.weight"], ["features.0.weight", "classifier.weight"], ("module.",)),
        # A common prefix only while all names share it.
        (["model.a.weight", "head.weight"], ["model.a.weight", "head.weight"], ()),
        (["model.net.a.w", "model.net.b.w"], ["a.w", "b.w"], ("model.", "net.")),
        # No part of a longer word.
        (["my_module.weight"], ["my_module.weight"], ()),
        # Two names would become one.
        (["module.a.weight", "a.weight"], ["module.a.weight", "a.weight"], ()),
        (
            ["features.denseblock1.denselayer1.norm.1.weight", "features.denseblock1.denselayer1.conv2.weight"],
            ["features.denseblock1.denselayer1.norm1.weight", "features.denseblock1.denselayer1.conv2.weight"],
            (),
        ),
    ],
)
def test_prefixes(saved: list[str], expected: list[str], prefixes: tuple[str, ...]) -> None:
    names, taken = without_prefixes(saved)
    assert list(names) == expected
    assert list(names.values()) == saved
    assert taken == prefixes
