"""Checkpoints without --arch: the right network and normalisation, a word on them, or one line with the next step."""

import json
from pathlib import Path

import pytest
import timm
import torch
import torchvision

from mi_audit.errors import CheckpointError, MiAuditError, UsageError
from mi_audit.target_model import Preprocessing
from mi_audit.targets._build import OWN_NETWORK
from mi_audit.targets._checkpoint.hints import Hints
from mi_audit.targets._checkpoint.opening import OpenedCheckpoint, open_state_dict
from mi_audit.targets._identification.candidates import search
from mi_audit.targets._identification.identifying import identified
from mi_audit.targets._identification.summaries import candidates_of
from mi_audit.targets.file import File
from mi_audit.targets.interface import Probe, TargetRequest
from tests.targets.identification.networks import SHAPE, fitted, pictures

CIFAR10 = Preprocessing((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
PIXELS = Preprocessing((0.0,) * 3, (1.0,) * 3)


def request(probe: Probe | None = None, **more: object) -> TargetRequest:
    known = {"n_classes": 10, "shape": SHAPE, "probe": None if probe is None else lambda _: probe, **more}
    return TargetRequest(**known)


def saved(path: Path, module: torch.nn.Module) -> str:
    torch.save(module.state_dict(), path)
    return str(path)


def refused(spec: str, asked: TargetRequest, error: type[MiAuditError]) -> tuple[str, str]:
    with pytest.raises(error) as caught:
        File().open(spec, asked)
    return str(caught.value), str(caught.value.tip)


def with_hints(path: str, **hints: object) -> OpenedCheckpoint:
    opened = open_state_dict(Path(path))
    known = {name: getattr(opened, name) for name in opened.__dataclass_fields__}
    return OpenedCheckpoint(**{**known, "hints": Hints(**hints)})


def test_the_likeliest_normalisation_stands_where_it_is_right(tmp_path: Path) -> None:
    module, probe = fitted("cifar_resnet20", CIFAR10, pictures())
    target = File().open(saved(tmp_path / "net.pt", module), request(probe))
    assert target.name == "cifar_resnet20"
    assert target.preprocessing.mean == CIFAR10.mean
    assert target.notes[0].startswith("the network is cifar_resnet20")
    assert "tried on 128 samples: 0.4914,0.4822,0.4465 / 0.2023,0.1994,0.201 gives 100.0 %" in target.notes[1]


def test_a_normalisation_that_nothing_says_is_a_doubt_and_one_that_goes_with_the_weights_is_none(
    tmp_path: Path,
) -> None:
    of_library = saved(tmp_path / "library.pt", timm.create_model("test_resnet"))
    trained = saved(tmp_path / "own.pt", timm.create_model("test_resnet", num_classes=10))
    on_large, on_ten = request(n_classes=1000, shape=(160, 160, 3)), request(shape=(160, 160, 3))
    assert File().open(of_library, on_large).doubts == ()
    target = File().open(trained, on_ten)
    (doubt,) = target.doubts
    assert doubt.startswith("--mean/--std were not given, and nothing says them: images are normalised with ")
    assert not target.is_guessed
    assert File().open(trained, request(shape=(160, 160, 3), mean=(0.0,), std=(1.0,))).doubts == ()
    known = File().open(saved(tmp_path / "net.pt", fitted("cifar_resnet20", CIFAR10, pictures())[0]), request())
    assert known.doubts == ()


@pytest.mark.parametrize("arch", [None, "cifar_resnet20"])
def test_the_data_vetoes_a_normalisation_that_is_wrong(arch: str | None, tmp_path: Path) -> None:
    module, probe = fitted("cifar_resnet20", PIXELS, pictures())
    target = File().open(saved(tmp_path / "net.pt", module), request(probe, arch=arch))
    assert (target.preprocessing.mean, target.preprocessing.std) == (PIXELS.mean, PIXELS.std)
    assert any("was ruled out by the data" in note for note in target.notes)


def test_flags_are_not_tried_against_others(tmp_path: Path) -> None:
    module, probe = fitted("cifar_resnet20", CIFAR10, pictures())
    asked = request(probe, mean=(0.47,), std=(0.21,))
    assert File().open(saved(tmp_path / "net.pt", module), asked).preprocessing.mean == (0.47,) * 3


def test_a_network_that_is_right_no_more_often_than_chance_is_refused(tmp_path: Path) -> None:
    module, probe = fitted("cifar_resnet20", CIFAR10, pictures())
    wrong = Probe(probe.images, (probe.label + 1) % 10, probe.is_member)
    spec = saved(tmp_path / "net.pt", module)
    message, tip = refused(spec, request(wrong), CheckpointError)
    assert "none of the candidates classifies the data better than chance (cifar_resnet20 with" in message
    assert "--data" in tip
    assert File().open(spec, request(wrong, arch="cifar_resnet20")).name == "cifar_resnet20"


def test_two_networks_of_equal_tensors_need_data_or_a_name(tmp_path: Path) -> None:
    module, probe = fitted("timm:tf_mobilenetv3_small_100", CIFAR10, pictures(64))
    spec = saved(tmp_path / "net.pt", module)
    message, tip = refused(spec, request(data_name="cifar10"), UsageError)
    assert "2 networks have these tensors and answer differently" in message
    assert tip.startswith("name the one it is, for example --arch timm:")
    target = File().open(spec, request(probe, data_name="cifar10"))
    assert target.name == "timm:tf_mobilenetv3_small_100"
    assert "what fits too: timm:mobilenetv3_small_100" in target.notes[0]


def test_a_network_that_timm_and_torchvision_share_is_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    spec = saved(tmp_path / "net.pt", torchvision.models.resnet34(num_classes=10))
    (candidate,) = search(open_state_dict(Path(spec)), None).candidates
    assert (candidate.name, candidate.alike) == ("timm:resnet34", ("torchvision:resnet34",))
    assert "answers as torchvision:resnet34" in candidates_of(open_state_dict(Path(spec)))[0].why


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_the_library_of_a_pickled_network_is_the_one_of_its_class(library: str, tmp_path: Path) -> None:
    module = torchvision.models.resnet18(num_classes=10) if library == "torchvision" else timm.create_model("resnet18")
    module.__dict__.pop("pretrained_cfg", None)  # which would name it
    module.__dict__.pop("default_cfg", None)
    torch.save(module, tmp_path / "net.pt")
    found = search(open_state_dict(tmp_path / "net.pt"), None).candidates
    names = {"timm": ["timm:resnet18", "timm:resnetblur18"], "torchvision": ["timm:resnet18"]}
    assert [one.name for one in found] == names[library]
    assert "torchvision:resnet18" in found[0].alike


def test_a_transformer_for_another_size_is_found(tmp_path: Path) -> None:
    module = timm.create_model("vit_tiny_patch16_224", num_classes=10, img_size=64)
    target = File().open(saved(tmp_path / "net.pt", module), request(shape=(64, 64, 3)))
    assert target.name == "timm:vit_tiny_patch16_224"
    assert target.preprocessing.size in (None, (64, 64))


def test_a_name_in_the_file_comes_before_the_search(tmp_path: Path) -> None:
    module = timm.create_model("tf_mobilenetv3_small_100", num_classes=10)
    spec = saved(tmp_path / "net.pt", module)
    hints = {"arch": "tf_mobilenetv3_small_100", "library": "timm", "mean": (0.1, 0.2, 0.3), "std": (0.5, 0.5, 0.5)}
    checkpoint = with_hints(spec, **hints, source="config.json")
    target = identified(Path(spec), checkpoint, (), request())
    assert target.name == "timm:tf_mobilenetv3_small_100"
    assert target.preprocessing.mean == (0.1, 0.2, 0.3)
    assert "named by config.json" in target.notes[0]


@pytest.mark.parametrize(
    ("arch", "what"), [("resnet50", "does not fit the tensors"), ("nonsense\x1b[31m", "is not known")]
)
def test_a_name_in_the_file_that_leads_to_nothing_is_said(arch: str, what: str, tmp_path: Path) -> None:
    module, _ = fitted("cifar_resnet20", CIFAR10, pictures(8))
    spec = saved(tmp_path / "net.pt", module)
    target = identified(Path(spec), with_hints(spec, arch=arch, source="args in the file"), (), request())
    assert target.name == "cifar_resnet20"
    (note,) = [note for note in target.notes if "args in the file" in note]
    assert what in note
    assert note.isprintable()


def test_builder_options_in_the_file_are_given_to_the_builder(tmp_path: Path) -> None:
    module = timm.create_model("test_vit", num_classes=10, img_size=96)
    spec = saved(tmp_path / "net.pt", module)
    checkpoint = with_hints(spec, arch="test_vit", library="timm", builder_options={"img_size": 96}, size=(96, 96))
    target = identified(Path(spec), checkpoint, (), request(shape=(96, 96, 3)))
    assert (target.name, target.module.pos_embed.shape) == ("timm:test_vit", module.pos_embed.shape)
    odd = with_hints(spec, arch="test_vit", library="timm", builder_options={"no_such_option": 1})
    with pytest.raises(MiAuditError):
        identified(Path(spec), odd, (), request(shape=(96, 96, 3), n_classes=3))


def test_a_detector_is_named_as_such(tmp_path: Path) -> None:
    with torch.device("meta"):
        module = torchvision.models.detection.fasterrcnn_mobilenet_v3_large_320_fpn(weights=None, weights_backbone=None)
    weights = {name: torch.ones(1).expand(1) for name in module.state_dict()}
    torch.save({name: tensor.clone() for name, tensor in weights.items()}, tmp_path / "net.pt")
    message, tip = refused(str(tmp_path / "net.pt"), request(), CheckpointError)
    assert "is a detector, not an image classifier" in message
    assert "predictions" in tip


def test_a_network_with_another_stem_names_the_one_it_is_near(tmp_path: Path) -> None:
    state = timm.create_model("test_byobnet", num_classes=10).state_dict()
    first = next(name for name, tensor in state.items() if tensor.ndim == 4)
    state[first] = torch.ones(*state[first].shape[:2], 7, 7)
    torch.save(state, tmp_path / "net.pt")
    message, tip = refused(str(tmp_path / "net.pt"), request(), CheckpointError)
    assert "its tensors have the names of timm:test_byobnet, but other shapes" in message
    assert OWN_NETWORK in tip


def test_another_number_of_classes_names_both(tmp_path: Path) -> None:
    module, _ = fitted("cifar_resnet20", CIFAR10, pictures(8))
    message, _ = refused(saved(tmp_path / "net.pt", module), request(n_classes=7), CheckpointError)
    assert "tells 10 classes apart, the data has 7" in message


def test_what_is_said_can_be_stored(tmp_path: Path) -> None:
    module, probe = fitted("cifar_resnet20", CIFAR10, pictures())
    target = File().open(saved(tmp_path / "net.pt", module), request(probe))
    assert json.loads(json.dumps(target.notes)) == list(target.notes)
    assert all(note.isprintable() and len(note) < 500 for note in target.notes)
