"""The stacked networks against torch's own layers and optimiser, one network at a time."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from mi_audit.attacks import _stack
from mi_audit.attacks._stack import Recipe, Samples, train
from mi_audit.errors import UsageError

RECIPE = Recipe(hidden=(8, 4), epochs=3, batch_size=16, learning_rate=0.01, weight_decay=0.1, device="cpu")


def samples(n: int, seed: int, k: int = 5) -> Samples:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(n, k)).astype(np.float32)
    target = (inputs[:, 0] + rng.normal(size=n) > 0).astype(np.float32)
    return Samples(inputs, target, rng.uniform(0.5, 1.5, n).astype(np.float32))


def by_torch(group: Samples, recipe: Recipe, rng: np.random.Generator) -> list[np.ndarray]:
    """The parameters after training by `torch.nn` and `torch.optim`, with the same draws."""
    import torch

    sizes = (group.inputs.shape[1], *recipe.hidden, 1)
    parameters = []
    for n_in, n_out in itertools.pairwise(sizes):
        limit = math.sqrt(6 / (n_in + n_out))
        weight = torch.from_numpy(rng.uniform(-limit, limit, (n_in, n_out)).astype(np.float32))
        parameters += [weight.requires_grad_(), torch.zeros(n_out, requires_grad=True)]
    optimiser = torch.optim.AdamW(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    inputs, target, weight = (torch.from_numpy(values) for values in (group.inputs, group.target, group.weight))
    for _ in range(recipe.epochs):
        for batch in np.split(
            order := rng.permutation(len(target)), range(recipe.batch_size, len(order), recipe.batch_size)
        ):
            hidden = inputs[batch]
            for i in range(0, len(parameters), 2):
                hidden = torch.nn.functional.linear(hidden, parameters[i].T, parameters[i + 1])
                hidden = hidden if i == len(parameters) - 2 else hidden.relu()
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                hidden[:, 0], target[batch], weight=weight[batch]
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return [parameter.detach().numpy() for parameter in parameters]


def assert_same(layers: tuple[_stack.Layer, ...], expected: list[np.ndarray]) -> None:
    flat = [array for layer in layers for array in layer]
    assert len(flat) == len(expected)
    for got, wanted in zip(flat, expected, strict=True):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, wanted, atol=2e-5)


@pytest.mark.parametrize(
    "recipe", [RECIPE, replace(RECIPE, weight_decay=0.0), replace(RECIPE, batch_size=1000), replace(RECIPE, hidden=())]
)
def test_a_stack_of_unequal_groups_makes_the_updates_of_each_alone(recipe):
    groups = [samples(n, seed) for seed, n in enumerate((40, 7, 96, 33))]
    networks = train(groups, recipe, [np.random.default_rng(seed) for seed in range(4)])
    for seed, (group, layers) in enumerate(zip(groups, networks, strict=True)):
        assert_same(layers, by_torch(group, recipe, np.random.default_rng(seed)))


def test_training_changed_the_parameters_by_more_than_the_tolerance():
    start = by_torch(samples(40, 0), replace(RECIPE, epochs=0), np.random.default_rng(0))
    end = by_torch(samples(40, 0), RECIPE, np.random.default_rng(0))
    assert max(np.abs(after - before).max() for after, before in zip(end, start, strict=True)) > 0.01


def test_how_many_are_stacked_at_a_time_changes_nothing(monkeypatch):
    groups = [samples(n, seed) for seed, n in enumerate((40, 7, 96))]
    together = train(groups, RECIPE, [np.random.default_rng(seed) for seed in range(3)])
    monkeypatch.setattr(_stack, "_STACK_PARAMETERS", 1)
    apart = train(groups, RECIPE, [np.random.default_rng(seed) for seed in range(3)])
    for one, other in zip(together, apart, strict=True):
        assert_same(one, [array for layer in other for array in layer])


def test_a_single_sample_is_enough():
    (layers,) = train([samples(1, 0)], RECIPE, [np.random.default_rng(0)])
    assert all(np.isfinite(array).all() for layer in layers for array in layer)


@pytest.mark.parametrize("device", ["cuda:99", "abacus", ""])
def test_a_device_that_is_not_there_is_refused(device):
    with pytest.raises(UsageError, match="device") as caught:
        train([samples(4, 0)], replace(RECIPE, device=device), [np.random.default_rng(0)])
    assert "mlp.device=cpu" in caught.value.tip


def test_torch_gets_its_threads_back_even_after_an_error():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        broken = replace(samples(4, 0), weight=np.ones(1, np.float32))
        with pytest.raises(IndexError):
            train([broken], RECIPE, [np.random.default_rng(0)])
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)
