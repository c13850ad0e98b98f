from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mi_audit import plugins
from mi_audit.errors import UsageError
from mi_audit.features.layer import Layer
from mi_audit.target_model import Batch, TargetModel
from mi_audit.targets.interface import TargetRequest
from tests.features.networks import SHAPE, WITH_RULES, batch_of, target_of


def seen(target: TargetModel, *layers: str, shape: tuple[int, int, int] = SHAPE) -> tuple[dict[str, np.ndarray], Batch]:
    bound = Layer(layers).bind(target, shape)
    batch = batch_of(target, shape=shape)
    batch = target.batch(batch.images, batch.label, bound.taps)
    values = {name: value.numpy() for name, value in bound.compute(batch).values.items()}
    assert {name: len(columns) for name, columns in bound.columns.items()} == {
        name: value.shape[1] for name, value in values.items()
    }
    return values, batch


def test_the_last_layer_pushed_through_the_head_gives_the_logits() -> None:
    target = target_of(WITH_RULES["batch norm"]())
    values, batch = seen(target, "-1")
    head = target.module[-1]
    logits = values["layer:-1"] @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    np.testing.assert_allclose(logits, batch.logits, rtol=1e-6, atol=1e-6)


def test_a_real_head_reproduces_its_logits(assets: Path) -> None:
    request = TargetRequest(n_classes=100, shape=(32, 32, 3), data_name="cifar100", arch="cifar_resnet20")
    target = plugins.load("targets", "file").open(str(assets / "checkpoints" / "cifar100_resnet20.pth"), request)
    values, batch = seen(target, "-1", shape=(32, 32, 3))
    head = [each for each in target.module.modules() if isinstance(each, nn.Linear)][-1]
    logits = head(torch.from_numpy(values["layer:-1"])).detach()
    torch.testing.assert_close(logits, batch.logits, rtol=1e-5, atol=1e-5)


def test_layers_count_from_the_last_and_share_a_pass() -> None:
    target = target_of(nn.Sequential(nn.Flatten(), nn.Linear(192, 7), nn.Tanh(), nn.Linear(7, 5)))
    calls = []
    target.module.register_forward_hook(lambda *_: calls.append(1))
    bound = Layer(("-1", "-2", "2")).bind(target, SHAPE)
    calls.clear()
    batch = batch_of(target)
    assert len(calls) == 1
    batch = target.batch(batch.images, batch.label, bound.taps)
    values = bound.compute(batch).values
    assert len(calls) == 2
    assert values["layer:-2"].shape == (4, 192)
    assert torch.equal(values["layer:-1"], values["layer:2"])
    assert bound.columns["layer:-1"] == tuple(f"unit-{number}" for number in range(7))


def test_maps_are_pooled_to_mean_and_maximum_and_say_so() -> None:
    target = target_of(WITH_RULES["convolution"]())
    bound = Layer(("1",)).bind(target, SHAPE)
    values, batch = seen(target, "1")
    hidden = target.module[:2](target.normalise(batch.images)).detach().numpy()
    wanted = np.concatenate([hidden.mean((2, 3)), hidden.max((2, 3))], axis=1)
    np.testing.assert_allclose(values["layer:1"], wanted, rtol=1e-5)
    assert bound.columns["layer:1"][3:5] == ("mean-3", "max-0")


def test_tokens_are_pooled_with_their_channels_last() -> None:
    target = target_of(nn.Sequential(nn.Flatten(2), nn.Linear(64, 6), nn.Tanh(), nn.Flatten(), nn.Linear(18, 5)))
    values, batch = seen(target, "1", "-2")
    hidden = target.module[:2](target.normalise(batch.images)).detach().numpy()
    np.testing.assert_allclose(values["layer:1"], np.concatenate([hidden.mean(1), hidden.max(1)], axis=1), rtol=1e-5)
    assert values["layer:-2"].shape == (4, 128)


@pytest.mark.parametrize(
    ("name", "words"),
    [("-2", "1 fully connected layer"), ("-0", "is not there"), ("9", "no module"), ("", "no module")],
)
def test_a_layer_that_is_not_there_is_an_error_with_a_tip(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        Layer((name,)).bind(target_of(WITH_RULES["convolution"]()), SHAPE)
    assert caught.value.tip


def test_activations_that_are_not_finite_are_nan_with_a_reason() -> None:
    target = target_of(nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.Linear(4, 5)))
    bound = Layer(("-1",)).bind(target, SHAPE)
    batch = batch_of(target)
    batch = target.batch(batch.images, batch.label, bound.taps)
    batch.activations[bound.taps[0]][2, 1] = torch.inf
    found = bound.compute(batch)
    assert bool(found.values["layer:-1"][2].isnan().all())
    assert bool(found.values["layer:-1"][[0, 1, 3]].isfinite().all())
    assert [(each.row, each.reason) for each in found.failures] == [(2, "activations are not finite")]
