"""Targets that a user's own code builds, from files that are written here and really run."""

import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mi_audit.errors import CheckpointError, MiAuditError, UsageError
from mi_audit.plugins import load
from mi_audit.target_model import TargetModel
from mi_audit.targets.interface import TargetRequest

NETWORK = """
import torch
from torch import nn

def build(n_classes=5):
    return nn.Sequential(nn.Flatten(), nn.Linear(48, n_classes))
"""


def opened(folder: Path, code: str, name: str = "build", **request: object) -> TargetModel:
    (folder / "model.py").write_text(code)
    asked = {"n_classes": 5, "shape": (4, 4, 3), **request}
    target = load("targets", "python").open(f"{folder / 'model.py'}:{name}", TargetRequest(**asked))
    assert isinstance(target, TargetModel)
    return target


def images(n: int = 3, shape: tuple[int, int, int] = (4, 4, 3)) -> torch.Tensor:
    return torch.randint(0, 256, (n, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_the_network_answers_and_it_is_said_that_code_was_run(tmp_path):
    target = opened(tmp_path, NETWORK)
    assert target(images()).shape == (3, 5)
    assert any("model.py was run (SHA-256 " in note for note in target.notes)
    assert target.name.startswith("python:model.py:build@")


def test_the_number_of_classes_is_given_to_functions_that_take_it(tmp_path):
    code = NETWORK.replace("n_classes=5", "n_classes, width=48")
    assert opened(tmp_path, code, n_classes=7)(images()).shape == (3, 7)
    code = NETWORK.replace("n_classes=5", "").replace(", n_classes)", ", 5)")
    assert opened(tmp_path, code)(images()).shape == (3, 5)


def test_a_class_and_a_network_of_the_file_serve_as_well(tmp_path):
    code = (
        NETWORK
        + "\nclass Net(nn.Linear):\n    def __init__(self, n_classes):\n        super().__init__(48, n_classes)\n"
    )
    code += "    def forward(self, x):\n        return super().forward(x.flatten(1))\n\nready = build(5)\n"
    assert opened(tmp_path, code, "Net")(images()).shape == (3, 5)
    assert opened(tmp_path, code, "ready")(images()).shape == (3, 5)


def test_settings_beside_the_network_are_the_preprocessing(tmp_path):
    settings = "dict(mean=[0.1, 0.2, 0.3], std=torch.tensor(0.5), size=4, resize=6, interpolation='bicubic')"
    target = opened(tmp_path, NETWORK.replace("n_classes))", f"n_classes)), {settings}"), shape=(9, 7, 3))
    preprocessing = target.preprocessing
    assert preprocessing.mean == (0.1, 0.2, 0.3)
    assert preprocessing.std == (0.5, 0.5, 0.5)
    assert (preprocessing.size, preprocessing.resize, preprocessing.interpolation) == ((4, 4), 6, "bicubic")
    assert preprocessing.source == "the function"
    assert target(images(2, (9, 7, 3))).shape == (2, 5)


def test_what_the_user_types_comes_before_what_the_function_says(tmp_path):
    code = NETWORK.replace("n_classes))", "n_classes)), {'mean': 0.5, 'std': 0.5}")
    assert opened(tmp_path, code).preprocessing.mean == (0.5,) * 3
    assert opened(tmp_path, code, mean=(0.0,), std=(1.0,)).preprocessing.mean == (0.0,) * 3


def test_images_of_varying_sizes_are_brought_to_the_usual_one_and_it_is_said(tmp_path):
    code = "from torch import nn\ndef build():\n"
    code += "    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())\n"
    target = opened(tmp_path, code, shape=None)
    assert (target.preprocessing.size, target.preprocessing.resize) == ((224, 224), 256)
    assert any("nobody says a size" in note for note in target.notes)


def test_the_same_seed_gives_the_same_weights_whatever_generator_they_come_from(tmp_path):
    code = NETWORK.replace(
        "    return",
        "    import random, numpy\n    torch.rand(random.randint(1, 9) + int(numpy.random.rand() * 99))\n    return",
    )
    one, same, other = (opened(tmp_path, code, seed=seed).weights_digest for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_nothing_of_the_process_is_left_changed(tmp_path):
    (tmp_path / "helper_of_the_user.py").write_text("WIDTH = 48\n")
    code = "import helper_of_the_user, sys\nprint('hello')\n" + NETWORK.replace("48", "helper_of_the_user.WIDTH")
    code += "torch.set_grad_enabled(False)\n"
    before = (torch.get_rng_state(), random.getstate(), list(sys.path))
    opened(tmp_path, code)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert sys.path == before[2]
    assert torch.is_grad_enabled()
    assert "helper_of_the_user" not in sys.modules
    assert sorted(path.name for path in tmp_path.iterdir()) == ["helper_of_the_user.py", "model.py"]


def test_what_the_code_prints_stays_out_of_the_product(tmp_path, capsys):
    opened(tmp_path, "print('hello')\n" + NETWORK)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "hello" in printed.err


def test_helpers_of_the_same_name_in_two_folders_are_two(tmp_path):
    for width, folder in ((48, tmp_path / "a"), (48 * 2, tmp_path / "b")):
        folder.mkdir()
        (folder / "helper_of_the_user.py").write_text(f"FACTOR = {width}\n")
        code = "import helper_of_the_user as h\n" + NETWORK.replace(
            "nn.Linear(48", "nn.Linear(48, h.FACTOR), nn.Linear(h.FACTOR"
        )
        assert opened(folder, code).module[1].out_features == width


def test_a_callable_that_is_no_module_answers_too_and_is_known_by_its_answers(tmp_path):
    code = "import numpy as np\nclass Session:\n    scale = 1.0\n    def __call__(self, images):\n"
    code += "        return self.scale * images.numpy().reshape(len(images), -1)[:, :5].astype(np.float32)\n"
    code += "def build():\n    return Session()\n"
    one, same = opened(tmp_path, code), opened(tmp_path, code)
    torch.testing.assert_close(one(images()), images().reshape(3, -1)[:, [0, 3, 6, 9, 12]] / 255)
    assert one.weights_digest == same.weights_digest
    (tmp_path / "scale.txt").write_text("2.0")
    read = code.replace("1.0", f"float(np.loadtxt({str(tmp_path / 'scale.txt')!r}))")
    two = opened(tmp_path, read)
    (tmp_path / "scale.txt").write_text("3.0")
    three = opened(tmp_path, read)
    assert two.name == three.name
    assert two.weights_digest != three.weights_digest


def test_code_that_changes_is_another_target_even_with_the_same_weights(tmp_path):
    one, other = opened(tmp_path, NETWORK), opened(tmp_path, NETWORK + "# changed\n")
    assert one.weights_digest == other.weights_digest
    assert one.name != other.name


def test_one_logit_is_two_classes(tmp_path):
    code = NETWORK.replace("n_classes=5", "").replace(", n_classes)", ", 1)")
    assert opened(tmp_path, code, n_classes=2)(images()).shape == (3, 2)


@pytest.mark.parametrize("precision", ["half", "bfloat16", "double"])
def test_other_precision_is_run_in_single_and_it_is_said(tmp_path, precision):
    target = opened(tmp_path, NETWORK.replace("n_classes))", f"n_classes)).{precision}()"))
    assert target(images()).dtype == torch.float32
    assert any("other precision" in note for note in target.notes)


def raising(statement: str) -> str:
    return NETWORK.replace("    return", f"    {statement}\n    return")


def with_settings(settings: str) -> str:
    return NETWORK.replace("n_classes))", f"n_classes)), {settings}")


def returning(value: str) -> str:
    return f"import torch\nfrom torch import nn\ndef build():\n    return {value}\n"


REFUSED = {
    "an exception": (raising("1 / 0"), r"model\.py: line 6: build stopped: ZeroDivisionError: division by zero"),
    "an exception of the file": ("x = 1\nx.y\n", r"model\.py: line 2: its code stopped: AttributeError: 'int' object"),
    "sys.exit": (raising("raise SystemExit(3)"), "line 6: build stopped: SystemExit: 3"),
    "sys.exit of the file": ("import sys\nsys.exit('usage: train')\n", "line 2: its code stopped: SystemExit: usage"),
    "syntax": ("def build(:\n", r"line 1: its code stopped: SyntaxError: invalid syntax"),
    "null bytes": ("x = '\x00'", "its code stopped: SyntaxError"),
    "a library that is not there": ("import no_such_library\n", "line 1: .*ModuleNotFoundError.*no_such_library"),
    "colours": (raising(r"raise ValueError('\x1b[31mred\n\nlines\x07')"), "build stopped: ValueError: red lines"),
    "more arguments": (NETWORK.replace("n_classes=5", "n_classes, width"), "got one that needs width"),
    "positional arguments": (NETWORK.replace("n_classes=5", "n_classes=5, /"), "got one that needs n_classes"),
    "nothing": (returning("None"), "build: expected a network, got nothing"),
    "a state dict": (returning("nn.Linear(48, 5).state_dict()"), "expected a network, got a value of type OrderedDict"),
    "a class": (returning("nn.Linear"), "expected a network, got the class Linear"),
    "a number beside it": (returning("nn.Linear(48, 5), 3"), "expected .*dict of settings.*, got a value of type int"),
    "unknown setting": (with_settings("{'mena': 0, 'std': 1}"), "unknown setting 'mena'"),
    "mean alone": (with_settings("{'mean': 0}"), "expected mean and std together, got one of them"),
    "std of zero": (with_settings("{'mean': 0, 'std': 0}"), "expected every std above 0"),
    "text as mean": (with_settings("{'mean': 'a', 'std': 1}"), "expected numbers for mean, got a value of type str"),
    "other lengths": (with_settings("{'mean': (0, 0), 'std': (1, 1, 1)}"), "as many values of mean as of std"),
    "size of three": (with_settings("{'size': (3, 4, 4)}"), "expected size as height and width"),
    "size of zero": (with_settings("{'size': 0}"), "expected size in whole pixels, got 0"),
    "interpolation": (with_settings("{'interpolation': 'lanczos'}"), "interpolation bilinear or bicubic, got lanczos"),
    "another class count": (
        returning("nn.Sequential(nn.Flatten(), nn.Linear(48, 7))"),
        r"shape \(n, 5\).*, got \(1, 7\)",
    ),
    "another size": (
        returning("nn.Sequential(nn.Flatten(), nn.Linear(9, 5))"),
        "the network stopped at an image .*RuntimeError",
    ),
    "a tuple of outputs": (
        returning("type('Net', (nn.Linear,), {'forward': lambda self, x: (x, x)})(2, 2)"),
        "expected a tensor of logits .*tuple",
    ),
    "channels": (returning("nn.Conv2d(4, 5, 1)"), "expected images of 4 channels, got 3 in the data"),
    "exit at an image": (
        returning("type('Net', (nn.Module,), {'forward': lambda self, x: exit(4)})()"),
        "line 4: the network stopped .*SystemExit: 4",
    ),
}


@pytest.mark.parametrize(("code", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_with_the_users_code_is_one_line_in_its_own_terms(tmp_path, code, message):
    with pytest.raises(CheckpointError, match=message) as caught:
        opened(tmp_path, code)
    assert str(caught.value).startswith((str(tmp_path / "model.py"), "python:model.py:build"))
    assert str(caught.value).isprintable()
    assert caught.value.tip


def test_interrupting_the_users_code_interrupts(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        opened(tmp_path, raising("raise KeyboardInterrupt"))


def test_names_that_are_not_there_are_refused_with_the_nearest(tmp_path):
    with pytest.raises(UsageError, match="has no function 'biuld'") as caught:
        opened(tmp_path, NETWORK, "biuld")
    assert caught.value.tip == "did you mean 'build'? there is: build"
    with pytest.raises(CheckpointError, match="expected a function, got a value of type int"):
        opened(tmp_path, "build = 3\n")


@pytest.mark.parametrize("spec", ["model.py", "model.py:", ":build"])
def test_a_spec_without_file_or_function_says_the_form(spec):
    with pytest.raises(UsageError, match=r"expected --model python:FILE\.py:FUNCTION"):
        load("targets", "python").open(spec, TargetRequest(n_classes=5, shape=None))


def test_files_that_are_not_there_and_an_architecture_beside_are_refused(tmp_path):
    source = load("targets", "python")
    with pytest.raises(CheckpointError, match=r"gone\.py: no such file"):
        source.open(f"{tmp_path}/gone.py:build", TargetRequest(n_classes=5, shape=None))
    with pytest.raises(UsageError, match="names its network already"):
        source.open("model.py:build", TargetRequest(n_classes=5, shape=None, arch="lenet"))
    with pytest.raises(UsageError, match="has one set of weights, got --weights ema"):
        source.open("model.py:build", TargetRequest(n_classes=5, shape=None, weights="ema"))


@pytest.mark.parametrize("shape", [(4, 4, 3), None])
def test_a_network_of_one_channel_is_shown_image_files_in_grey(tmp_path, shape):
    code = returning("nn.Sequential(nn.Conv2d(1, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())")
    target = opened(tmp_path, code, shape=shape)
    assert target(torch.zeros(2, 4, 4, 3, dtype=torch.uint8)).shape == (2, 5)
    assert "images are shown in grey to this network, which takes one channel" in target.notes


def test_constants_of_another_number_of_channels_are_refused(tmp_path):
    with pytest.raises(MiAuditError, match="expected 1 or 3 values for --mean, got 2"):
        opened(tmp_path, NETWORK, mean=(0.1, 0.2), std=(1.0, 1.0))


def test_a_whole_audit_of_a_users_network_says_that_code_runs(tmp_path, demo_checkpoint, monkeypatch, capsys):
    from mi_audit.cli._app import app

    monkeypatch.chdir(tmp_path)
    code = "import torch\nfrom mi_audit.targets._build import build as of, find\ndef build(n_classes):\n"
    code += "    net = of(find('lenet_32_64_200')[0], n_classes, (8, 8, 1), seed=1)\n"
    code += f"    net.load_state_dict(torch.load({str(demo_checkpoint)!r}, weights_only=True)['state_dict'])\n"
    code += "    return net\n"
    (tmp_path / "mine.py").write_text(code)
    quick = ["--data", "digits", "--attack", "naive,threshold:loss", "--mean", "0.3053", "--std", "0.3760"]
    app(["evaluate", "--model", "python:mine.py:build", *quick, "--out", "a.npz"], standalone_mode=False)
    printed = capsys.readouterr()
    assert "this runs the code of mine.py" in printed.err
    assert "python:mine.py:build@" in printed.out
    app(
        [
            "evaluate",
            "--model",
            str(demo_checkpoint),
            "--arch",
            "lenet_32_64_200",
            *quick,
            "--out",
            "b.npz",
        ],
        standalone_mode=False,
    )
    import mi_audit

    ours, theirs = mi_audit.read("a.npz"), mi_audit.read("b.npz")
    np.testing.assert_array_equal(ours.samples.is_correct, theirs.samples.is_correct)
    assert ours.rows == theirs.rows
