"""What every source of target models promises, checked for each that is discovered."""

from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from pathlib import Path

import pytest
import torch

from mi_audit import plugins
from mi_audit.errors import MiAuditError
from mi_audit.target_model import TargetModel, digest_of_weights
from mi_audit.targets._build import build, find
from mi_audit.targets.interface import TargetRequest, TargetSource

SHAPE = (28, 28, 1)
N_CLASSES = 6


@dataclass(frozen=True)
class Example:
    """A spec that a source opens, and one that it has to refuse."""

    spec: str
    wrong: str
    arch: str | None = None


def of_a_file(folder: Path) -> Example:
    network = build(find("lenet")[0], N_CLASSES, SHAPE, seed=3)
    torch.save(network.state_dict(), folder / "lenet.pt")
    return Example(str(folder / "lenet.pt"), str(folder / "lenett.pt"), arch="lenet")


def of_own_code(folder: Path) -> Example:
    code = f"""
from torch import nn

def network(n_classes):
    layers = nn.Sequential(nn.Flatten(), nn.Linear({SHAPE[0] * SHAPE[1]}, n_classes))
    return layers, dict(mean=[0.5], std=[0.5])
"""
    (folder / "mine.py").write_text(code, encoding="utf-8")
    return Example(f"{folder / 'mine.py'}:network", f"{folder / 'mine.py'}:netwrok")


# Predictions give a feature cache, and what lies on a hub cannot be opened without a network; both have own tests.
MODELS = [name for name in plugins.names("targets") if name not in ("predictions", "hf-hub")]

EXAMPLES: dict[str, Callable[[Path], Example]] = {
    "file": of_a_file,
    "python": of_own_code,
    "timm": lambda _: Example("test_resnet", "test_resnot"),
    "torchvision": lambda _: Example("shufflenet_v2_x0_5", "shufflenet_v3_x0_5"),
}


@pytest.fixture(params=MODELS)
def source(request: pytest.FixtureRequest) -> TargetSource:
    return plugins.load("targets", request.param)


@pytest.fixture
def example(source: TargetSource, tmp_path: Path) -> Example:
    return EXAMPLES[type(source).__name__.lower()](tmp_path)


def opened(source: TargetSource, example: Example) -> TargetModel:
    request = TargetRequest(n_classes=N_CLASSES, shape=SHAPE, data_name="mnist", arch=example.arch, seed=2)
    return source.open(example.spec, request)


def images(n: int) -> torch.Tensor:
    return torch.randint(0, 256, (n, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_a_source_is_a_frozen_dataclass(source: TargetSource) -> None:
    assert is_dataclass(source)
    assert type(source).__dataclass_params__.frozen


def test_a_target_is_ready_to_answer(source: TargetSource, example: Example) -> None:
    target = opened(source, example)
    assert not any(module.training for module in target.module.modules())
    assert all(parameter.requires_grad for parameter in target.module.parameters())
    assert target.n_classes == N_CLASSES
    assert target.name
    assert target.preprocessing.source
    assert target.weights_digest == digest_of_weights(target.module)


def test_logits_do_not_depend_on_the_batch(source: TargetSource, example: Example) -> None:
    target = opened(source, example)
    pixels = images(8)
    before = pixels.clone()
    with torch.no_grad():
        logits = target(pixels)
        alone = target(pixels[3:4])
    assert logits.shape == (8, N_CLASSES)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(alone, logits[3:4], rtol=1e-4, atol=1e-5)
    assert torch.equal(pixels, before)


def test_opening_twice_gives_the_same_and_moves_no_global_generator(source: TargetSource, example: Example) -> None:
    torch.manual_seed(11)
    before = torch.get_rng_state()
    one, two = opened(source, example), opened(source, example)
    assert torch.equal(torch.get_rng_state(), before)
    assert one.weights_digest == two.weights_digest
    assert one.preprocessing == two.preprocessing
    assert one.notes == two.notes


def test_a_wrong_spec_has_a_tip(source: TargetSource, example: Example) -> None:
    with pytest.raises(MiAuditError) as caught:
        opened(source, Example(example.wrong, "", example.arch))
    assert "did you mean" in str(caught.value.tip)
