"""Small neural networks of one shape, trained side by side: every array carries a leading axis of networks.

Forward and backward passes are batched matrix products. Each network draws its initial weights and its minibatches
from a generator of its own and makes exactly the updates that it would make alone, whatever is trained beside it.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mi_audit.errors import UsageError

Float32Array = npt.NDArray[np.float32]
Layer = tuple[Float32Array, Float32Array]

# Parameters that are trained at a time, with Adam's two moments and the gradient 16 bytes each: 64 MB.
_STACK_PARAMETERS = 4_000_000

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class Recipe:
    """How the networks are built and trained.

    Attributes:
        hidden: units of the hidden layers.
        epochs: passes over the samples.
        batch_size: samples per update.
        learning_rate: Adam's.
        weight_decay: decoupled from the gradient (Loshchilov & Hutter, ICLR 2019).
        device: as torch names it.
    """

    hidden: tuple[int, ...]
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    device: str


@dataclass(frozen=True)
class Samples:
    """What one network learns from: inputs (n, k), target (n,) 0 or 1, weight (n,) of mean 1; all float32."""

    inputs: Float32Array
    target: Float32Array
    weight: Float32Array


def train(groups: Sequence[Samples], recipe: Recipe, rngs: Sequence[np.random.Generator]) -> list[tuple[Layer, ...]]:
    """One trained network per group, as its layers (weight (in, out), bias (out,)): ReLU between, a logit at the end.

    The loss of a minibatch is the mean of weight times binary cross-entropy.

    Args:
        groups: at least one, all with the same number of columns; they may differ in the number of samples.
        recipe: see there.
        rngs: one generator per group.

    Raises:
        UsageError: a device that is not there.
    """
    sizes = (groups[0].inputs.shape[1], *recipe.hidden, 1)
    n_at_once = max(1, _STACK_PARAMETERS // sum(_lengths(sizes)))
    device = _device(recipe.device)
    # The longest first: in a stack, the networks that are still training are then always the leading ones.
    order = sorted(range(len(groups)), key=lambda group: -len(groups[group].target))
    networks: dict[int, tuple[Layer, ...]] = {}
    with _one_thread():
        for first in range(0, len(order), n_at_once):
            stack = order[first : first + n_at_once]
            trained = _train_stack([groups[i] for i in stack], sizes, recipe, [rngs[i] for i in stack], device)
            networks |= dict(zip(stack, trained, strict=True))
    return [networks[group] for group in range(len(groups))]


def _train_stack(
    groups: Sequence[Samples], sizes: tuple[int, ...], recipe: Recipe, rngs: Sequence[np.random.Generator], device: Any
) -> list[tuple[Layer, ...]]:
    """`train` for groups of falling length that fit into memory together."""
    import torch

    theta = torch.from_numpy(np.stack([_initial(sizes, rng) for rng in rngs])).to(device)
    inputs, target, weight = (
        torch.from_numpy(np.concatenate([getattr(group, name) for group in groups])).to(device)
        for name in ("inputs", "target", "weight")
    )
    mean, square = torch.zeros_like(theta), torch.zeros_like(theta)
    lengths = [len(group.target) for group in groups]
    for update, (rows, share) in enumerate(_batches(lengths, recipe, rngs), start=1):
        batch, active = torch.from_numpy(rows).to(device), slice(0, len(rows))
        weights = theta[active].detach().requires_grad_()
        logit = _forward(inputs[batch], weights, sizes)
        loss = torch.nn.functional.softplus(logit) - target[batch] * logit
        total = (torch.from_numpy(share).to(device) * weight[batch] * loss).sum()
        (gradient,) = torch.autograd.grad(total, weights)
        _adam(theta[active], gradient, mean[active], square[active], update, recipe)
    return [_layers(parameters, sizes) for parameters in theta.cpu().numpy()]


def _batches(
    lengths: Sequence[int], recipe: Recipe, rngs: Sequence[np.random.Generator]
) -> Iterator[tuple[npt.NDArray[np.int64], Float32Array]]:
    """The minibatches of every update, until the last network has had its epochs.

    Yields:
        rows: (n_active, size) positions in the concatenated samples.
        share: (n_active, size) one over the size of the network's own minibatch; 0 where a row only fills up.
    """
    size = min(recipe.batch_size, max(lengths))
    starts = np.cumsum([0, *lengths])
    queues = [_shuffled(length, size, recipe.epochs, rng) for length, rng in zip(lengths, rngs, strict=True)]
    n_updates = [recipe.epochs * -(-length // size) for length in lengths]
    for update in range(max(n_updates)):
        n_active = sum(update < n for n in n_updates)
        rows = np.repeat(starts[:n_active, None], size, axis=1)
        share = np.zeros((n_active, size), dtype=np.float32)
        for network in range(n_active):
            chosen = next(queues[network])
            rows[network, : len(chosen)] += chosen
            share[network, : len(chosen)] = 1 / len(chosen)
        yield rows, share


def _shuffled(length: int, size: int, epochs: int, rng: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
    """Every position once an epoch, in a new order each time, `size` at a time."""
    for _ in range(epochs):
        order = rng.permutation(length)
        for first in range(0, length, size):
            yield order[first : first + size]


def _forward(inputs: Any, theta: Any, sizes: tuple[int, ...]) -> Any:
    """Logits (n_networks, n) of inputs (n_networks, n, k) under parameters (n_networks, n_parameters)."""
    import torch

    pieces = theta.split(_lengths(sizes), dim=1)
    hidden = inputs
    for layer, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        weight = pieces[2 * layer].view(-1, n_in, n_out)
        hidden = torch.baddbmm(pieces[2 * layer + 1].unsqueeze(1), hidden, weight)
        if layer < len(sizes) - 2:
            hidden = hidden.relu()
    return hidden.squeeze(2)


def _adam(theta: Any, gradient: Any, mean: Any, square: Any, update: int, recipe: Recipe) -> None:
    """One step of Adam, in place (Kingma & Ba, ICLR 2015, algorithm 1), its weight decay decoupled (see `Recipe`)."""
    mean.lerp_(gradient, 1 - _BETA1)
    square.mul_(_BETA2).addcmul_(gradient, gradient, value=1 - _BETA2)
    correction = math.sqrt(1 - _BETA2**update)
    if recipe.weight_decay:
        theta.mul_(1 - recipe.learning_rate * recipe.weight_decay)
    step = recipe.learning_rate * correction / (1 - _BETA1**update)
    theta.addcdiv_(mean, square.sqrt().add_(_EPSILON * correction), value=-step)


def _initial(sizes: tuple[int, ...], rng: np.random.Generator) -> Float32Array:
    """Parameters (n_parameters,): weights by Glorot & Bengio (AISTATS 2010, equation 16), biases 0."""
    pieces = []
    for n_in, n_out in itertools.pairwise(sizes):
        limit = math.sqrt(6 / (n_in + n_out))
        pieces += [rng.uniform(-limit, limit, n_in * n_out), np.zeros(n_out)]
    return np.concatenate(pieces).astype(np.float32)


def _lengths(sizes: tuple[int, ...]) -> list[int]:
    """How many parameters each weight and each bias has, in order."""
    return [length for n_in, n_out in itertools.pairwise(sizes) for length in (n_in * n_out, n_out)]


def _layers(parameters: Float32Array, sizes: tuple[int, ...]) -> tuple[Layer, ...]:
    pieces = np.split(parameters, np.cumsum(_lengths(sizes))[:-1])
    shapes = itertools.pairwise(sizes)
    return tuple((pieces[2 * i].reshape(shape), pieces[2 * i + 1]) for i, shape in enumerate(shapes))


def _device(name: str) -> Any:
    import torch

    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch asserts where it was built without CUDA
        raise UsageError(f"expected a device that torch can use, got {name!r}", tip="mlp.device=cpu") from error
    return device


@contextmanager
def _one_thread() -> Iterator[None]:
    """Torch on one thread for a while.

    These products are too small to be worth sharing out, the more so where other work wants the cores; and on one
    thread the same seed gives the same bytes on every number of cores.
    """
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)
