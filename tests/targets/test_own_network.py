"""A checkpoint of a network of the user's own, which ``--arch python:FILE.py:CLASS`` builds."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mi_audit.errors import CheckpointError, MiAuditError, UsageError
from mi_audit.plugins import load
from mi_audit.target_model import Preprocessing, TargetModel
from mi_audit.targets._build import OWN_NETWORK, find
from mi_audit.targets._checkpoint.hints import Hints
from mi_audit.targets._checkpoint.opening import OpenedCheckpoint, open_state_dict
from mi_audit.targets._identification.claims import named_by_file
from mi_audit.targets.file import File
from mi_audit.targets.interface import Probe, TargetRequest
from tests.targets.identification.networks import pictures

SHAPE = (8, 8, 3)
NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes=5):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4 * 64, num_classes)

    def forward(self, x):
        return self.head(torch.relu(self.norm(self.conv(x))).flatten(1))

def with_constants():
    return Net(), dict(mean=(0.1, 0.2, 0.3), std=0.5)

def wrapped():
    net = nn.Module()
    net.backbone = Net()
    net.forward = lambda x: net.backbone(x)
    return net

def function():
    return lambda x: x.flatten(1)[:, :5]
"""


def code_in(folder: Path, text: str = NET, name: str = "Net") -> str:
    (folder / "net.py").write_text(text)
    return f"python:{folder / 'net.py'}:{name}"


def network(folder: Path, arch: str | None = None) -> nn.Module:
    """The user's network with some weights, as the user's training script would have it."""
    asked = TargetRequest(n_classes=5, shape=SHAPE, seed=7, mean=(0.0,), std=(1.0,))
    target = load("targets", "python").open((arch or code_in(folder)).removeprefix("python:"), asked)
    assert isinstance(target, TargetModel)
    return target.module


def opened(folder: Path, arch: str, content: object, **request: object) -> TargetModel:
    torch.save(content, folder / "run.pt")
    asked = {"n_classes": 5, "shape": SHAPE, "arch": arch, **request}
    return File().open(str(folder / "run.pt"), TargetRequest(**asked))


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def prefixed(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in state.items()}


WRAPPERS = {
    "bare": lambda state: state,
    "training checkpoint": lambda state: {"epoch": 9, "optimizer": {}, "model_state_dict": state},
    "DataParallel": lambda state: {"state_dict": prefixed(state, "module.")},
    "Lightning": lambda state: {"state_dict": prefixed(state, "model."), "pytorch-lightning_version": "2.0"},
    "without counters": lambda state: {name: t for name, t in state.items() if "num_batches" not in name},
}


@pytest.mark.parametrize("wrapper", WRAPPERS.values(), ids=WRAPPERS)
def test_the_weights_of_any_wrapper_are_loaded_into_what_the_code_builds(tmp_path, wrapper):
    module = network(tmp_path)
    target = opened(tmp_path, code_in(tmp_path), wrapper(module.state_dict()))
    assert same(target.module, module)
    assert not target.module.training
    assert target.name.startswith("python:net.py:Net@")
    assert target.source == "run.pt"
    assert any("net.py was run (SHA-256 " in note for note in target.notes)
    assert target(torch.zeros((2, *SHAPE), dtype=torch.uint8)).shape == (2, 5)


@pytest.mark.parametrize("prefix", ["", "model.", "module.", "net.module."])
def test_a_prefix_that_is_the_networks_own_stays_on_its_names(tmp_path, prefix):
    arch = code_in(tmp_path, name="wrapped")
    module = network(tmp_path, arch)
    assert all(name.startswith("backbone.") for name in module.state_dict())
    assert same(opened(tmp_path, arch, prefixed(module.state_dict(), prefix)).module, module)


def test_what_is_missing_left_over_or_of_another_shape_is_named(tmp_path):
    state = network(tmp_path).state_dict()
    state["extra.weight"] = torch.ones(1)
    state["conv.weight"] = torch.ones(4, 3, 5, 5)
    del state["norm.bias"]
    with pytest.raises(CheckpointError, match=r"does not fit --arch python:.*net\.py:Net") as caught:
        opened(tmp_path, code_in(tmp_path), state)
    message = str(caught.value)
    assert "1 missing (norm.bias)" in message
    assert "1 unexpected (extra.weight)" in message
    assert "1 of another shape (conv.weight: expected (4, 3, 3, 3), got (4, 3, 5, 5))" in message
    assert "mi-audit inspect" in str(caught.value.tip)


def test_a_network_whose_layers_find_their_sizes_themselves_gets_its_weights(tmp_path):
    arch = code_in(tmp_path, NET.replace("nn.Linear(4 * 64, ", "nn.LazyLinear("))
    module = network(tmp_path, arch)
    assert same(opened(tmp_path, arch, module.state_dict()).module, module)


def test_constants_that_the_function_returns_are_taken_and_flags_come_before(tmp_path):
    state, arch = network(tmp_path).state_dict(), code_in(tmp_path, name="with_constants")
    target = opened(tmp_path, arch, state)
    assert (target.preprocessing.mean, target.preprocessing.std) == ((0.1, 0.2, 0.3), (0.5,) * 3)
    assert target.preprocessing.source == "the function"
    assert target.doubts == ()
    assert opened(tmp_path, arch, state, mean=(0.0,), std=(1.0,)).preprocessing.mean == (0.0,) * 3


def labelled(module: nn.Module, preprocessing: Preprocessing, n: int = 256) -> Probe:
    """Images with the answers of the network under this normalisation as labels."""
    images = pictures(n, SHAPE)
    with torch.no_grad():
        label = TargetModel(module, preprocessing, 5, "", "", "")(torch.from_numpy(images)).argmax(dim=1).numpy()
    return Probe(images, label, np.arange(n) % 2 == 0)


def centred(module: nn.Module, preprocessing: Preprocessing) -> nn.Module:
    """The network with its head shifted so that it says every class of these images."""
    with torch.no_grad():
        logits = TargetModel(module, preprocessing, 5, "", "", "")(torch.from_numpy(pictures(256, SHAPE)))
        module.head.bias.sub_(logits.mean(dim=0))
    return module


IDENTITY = Preprocessing((0.0,) * 3, (1.0,) * 3)
CIFAR10 = Preprocessing((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))


def test_a_normalisation_that_nobody_gave_is_a_doubt_and_a_given_one_is_none(tmp_path):
    module, arch = centred(network(tmp_path), IDENTITY), code_in(tmp_path)
    probe = labelled(module, IDENTITY)
    target = opened(tmp_path, arch, module.state_dict(), probe=lambda _: probe)
    (doubt,) = target.doubts
    assert doubt.startswith("--mean/--std were not given: pixels go in as [0, 1], and another choice may")
    assert doubt.endswith("(--mean 0 --std 1 where the network takes pixels in [0, 1])")
    assert (target.preprocessing.mean, target.preprocessing.std) == (IDENTITY.mean, IDENTITY.std)
    given = opened(tmp_path, arch, module.state_dict(), probe=lambda _: probe, mean=(0.0,), std=(1.0,))
    assert given.doubts == ()
    of_code = load("targets", "python").open(arch.removeprefix("python:"), TargetRequest(n_classes=5, shape=SHAPE))
    assert of_code.doubts == target.doubts


def test_a_normalisation_that_the_data_speak_for_is_used_and_stays_a_doubt(tmp_path):
    module, arch = centred(network(tmp_path), CIFAR10), code_in(tmp_path)
    probe = labelled(module, CIFAR10)
    said = []
    target = opened(tmp_path, arch, module.state_dict(), probe=lambda _: probe, say=said.append)
    assert target.preprocessing.mean == CIFAR10.mean
    (doubt,) = target.doubts
    assert doubt.startswith("--mean/--std were not given: images are normalised with 0.4914,0.4822,0.4465 / ")
    assert any("gives 100.0 %" in note for note in target.notes)
    assert said == ["finding the normalisation, since --mean/--std were not given"]


def test_constants_of_the_data_set_are_a_guess_about_ones_own_network(tmp_path):
    module, arch = centred(network(tmp_path), IDENTITY), code_in(tmp_path)
    right, wrong = labelled(module, IDENTITY), labelled(module, CIFAR10)
    doubts = [
        opened(tmp_path, arch, module.state_dict(), data_name="cifar10", probe=lambda _, probe=probe: probe).doubts
        for probe in (right, wrong)
    ]
    assert doubts[0][0].startswith("--mean/--std were not given: pixels go in as [0, 1]")
    assert doubts[1][0].startswith("--mean/--std were not given: images are normalised with 0.4914,0.4822,0.4465 / ")


def test_what_takes_no_weights_is_refused(tmp_path):
    state = network(tmp_path).state_dict()
    with pytest.raises(CheckpointError, match=r"net\.py: function: expected a torch\.nn\.Module"):
        opened(tmp_path, code_in(tmp_path, name="function"), state)


def test_what_is_wrong_with_the_file_is_said_before_code_runs(tmp_path):
    arch = code_in(tmp_path, f"open({str(tmp_path / 'ran')!r}, 'w')\n{NET}")
    with pytest.raises(CheckpointError, match=r"gone\.pt"):
        File().open(str(tmp_path / "gone.pt"), TargetRequest(n_classes=5, shape=SHAPE, arch=arch))
    assert not (tmp_path / "ran").exists()
    with pytest.raises(UsageError, match=r"expected --arch python:FILE\.py:FUNCTION, got python:net\.py"):
        File().open("gone.pt", TargetRequest(n_classes=5, shape=SHAPE, arch="python:net.py"))


def test_code_that_a_checkpoint_names_is_never_run(tmp_path):
    path = tmp_path / "run.pt"
    torch.save(network(tmp_path).state_dict(), path)
    plain = open_state_dict(path)
    known = {name: getattr(plain, name) for name in plain.__dataclass_fields__}
    claiming = OpenedCheckpoint(**{**known, "hints": Hints(arch=code_in(tmp_path, "raise SystemExit\n"))})
    candidate, notes = named_by_file(claiming, SHAPE[:2])
    assert candidate is None
    assert "is not known" in notes[0]


@pytest.mark.parametrize("name", ["my_network", "net:Net"])
def test_an_unknown_architecture_says_how_ones_own_is_named(name):
    with pytest.raises(UsageError, match="unknown architecture") as caught:
        find(name)
    assert OWN_NETWORK in str(caught.value.tip)


def test_a_file_without_the_prefix_is_told_to_have_it():
    with pytest.raises(UsageError) as caught:
        find("net.py:Net")
    assert caught.value.tip == "--arch python:net.py:Net"


SPLIT = "from layers.blocks import Net\n"


def named(folder: Path, text: str = SPLIT) -> TargetModel:
    target = load("targets", "python").open(
        code_in(folder, text).removeprefix("python:"), TargetRequest(n_classes=5, shape=SHAPE, seed=1)
    )
    assert isinstance(target, TargetModel)
    return target


def test_what_the_code_imports_from_its_folder_is_part_of_the_name(tmp_path):
    (tmp_path / "layers").mkdir()
    blocks = tmp_path / "layers" / "blocks.py"
    blocks.write_text(NET)
    (tmp_path / "train.py").write_text("lr = 1\n")
    first = named(tmp_path)
    assert any("with what it imports (layers/blocks.py)" in note for note in first.notes)
    (tmp_path / "train.py").write_text("lr = 2\n")
    assert named(tmp_path).name == first.name
    blocks.write_text(NET.replace("torch.relu", "torch.tanh"))
    changed = named(tmp_path)
    assert changed.weights_digest == first.weights_digest
    assert changed.name != first.name


def test_what_is_imported_when_the_network_runs_is_part_of_the_name_too(tmp_path):
    once = "        if not hasattr(self, 'x') and len(x) > 1:\n            from late_of_the_user import x as self_x\n"
    late = NET.replace("        return self.head", f"{once}            self.x = self_x\n        return self.head")
    (tmp_path / "late_of_the_user.py").write_text("x = 1\n")
    first = named(tmp_path, late)
    (tmp_path / "late_of_the_user.py").write_text("x = 2\n")
    assert named(tmp_path, late).name != first.name


def test_a_network_that_imports_whenever_it_runs_is_refused(tmp_path):
    late = NET.replace("        return self.head", "        import late_of_the_user\n        return self.head")
    (tmp_path / "late_of_the_user.py").write_text("x = 1\n")
    with pytest.raises(CheckpointError, match="the network imports 'late_of_the_user' while it runs") as caught:
        named(tmp_path, late)
    assert caught.value.tip == "import it at the top of the file"


def test_code_from_elsewhere_is_part_of_the_name_and_where_it_lies_is_not(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "run").mkdir()
    library = tmp_path / "src" / "elsewhere_of_the_user.py"
    library.write_text("x = 1\n")
    text = f"import sys\nsys.path.insert(0, {str(tmp_path / 'src')!r})\nimport elsewhere_of_the_user\n{NET}"
    first = named(tmp_path / "run", text)
    assert any("with what it imports (elsewhere_of_the_user)" in note for note in first.notes)
    assert named(tmp_path / "run", text).name == first.name
    library.write_text("x = 2\n")
    assert named(tmp_path / "run", text).name != first.name
    sys.path.remove(str(tmp_path / "src")) if str(tmp_path / "src") in sys.path else None


def test_weights_that_the_network_does_not_keep_are_refused(tmp_path):
    deaf = NET.replace("    def forward", "    def load_state_dict(self, *_, **__):\n        pass\n\n    def forward")
    module = network(tmp_path)
    with pytest.raises(CheckpointError, match=r"did not keep the weights that it was given: conv\.weight"):
        opened(tmp_path, code_in(tmp_path, deaf), module.state_dict())


def test_what_the_process_had_imported_before_is_part_of_the_name_too(tmp_path, monkeypatch):
    (tmp_path / "early_of_the_user.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import early_of_the_user

    first = named(tmp_path, "import early_of_the_user\n" + NET)
    assert sys.modules["early_of_the_user"] is early_of_the_user
    (tmp_path / "early_of_the_user.py").write_text("x = 2\n")
    assert named(tmp_path, "import early_of_the_user\n" + NET).name != first.name
    monkeypatch.delitem(sys.modules, "early_of_the_user")


def test_libraries_in_a_virtual_environment_of_the_folder_are_not_and_stay_loaded(tmp_path, monkeypatch):
    packages = tmp_path / ".venv" / "lib" / "python3" / "site-packages"
    packages.mkdir(parents=True)
    library = packages / "library_of_the_user.py"
    library.write_text("x = 1\n")
    monkeypatch.syspath_prepend(packages)
    text = "import library_of_the_user\n" + NET
    first = named(tmp_path, text)
    assert "library_of_the_user" in sys.modules
    monkeypatch.delitem(sys.modules, "library_of_the_user")
    library.write_text("x = 2\n")
    assert named(tmp_path, text).name == first.name
    monkeypatch.delitem(sys.modules, "library_of_the_user")


def test_a_single_file_is_named_by_its_own_digest(tmp_path):
    import hashlib

    assert named(tmp_path, NET).name.endswith(hashlib.sha256(NET.encode()).hexdigest()[:12])


def test_data_of_other_classes_is_refused(tmp_path):
    state = network(tmp_path).state_dict()
    with pytest.raises(MiAuditError, match=r"head\.weight: expected \(7, 256\), got \(5, 256\)"):
        opened(tmp_path, code_in(tmp_path), state, n_classes=7)
