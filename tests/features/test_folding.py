"""Normalisations folded into the convolutions before them: when, and that nothing changes."""

import numpy as np
import pytest
import torch
from torch import nn

from mi_audit.features import _fused_sums, _moments
from mi_audit.features._layer_gradients import convolution_weight
from mi_audit.features.gradient_norm import BoundGradientNorm, GradientNorm
from mi_audit.target_model import Batch, TargetModel
from tests.features.networks import SHAPE, batch_of, plain, target_of

ALL_BUT_LEAST = [0, 1, 3, 4, 5, 6]


class Block(nn.Module):
    """Convolution, normalisation, and what a subclass makes of them."""

    def __init__(self, *, bias: bool = False, groups: int = 1) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.convolution, self.norm = nn.Conv2d(8, 8, 3, bias=bias, groups=groups), nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 5)
        with torch.no_grad():
            self.norm.weight.copy_(torch.linspace(-1, 2, 8))
            self.norm.bias.copy_(torch.linspace(0.5, -0.5, 8))

    def middle(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.convolution(x))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.middle(self.stem(x).tanh()).relu().mean((2, 3)))


class InPlace(Block):
    """An activation that writes over what the normalisation gave."""

    def middle(self, x: torch.Tensor) -> torch.Tensor:
        out = self.norm(self.convolution(x))
        out += x[:, :, 1:-1, 1:-1]
        return out.relu_()


class Repeated(Block):
    """Both of them twice."""

    def middle(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.convolution(self.norm(self.convolution(x)).tanh()))


class AlsoUsed(Block):
    """What the convolution gave is used again, as in the stem of a DenseNet."""

    def middle(self, x: torch.Tensor) -> torch.Tensor:
        found = self.convolution(x)
        return self.norm(found) + found


class AlsoUsedUnseen(Block):
    """The same without a trace in the graph."""

    def middle(self, x: torch.Tensor) -> torch.Tensor:
        found = self.convolution(x)
        return self.norm(found) * found.detach().abs().mean((1, 2, 3), keepdim=True)


class InBetween(Block):
    """Something between the two."""

    def middle(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.convolution(x).tanh())


class LaterUsedUnseen(Block):
    """For bright images only."""

    def middle(self, x: torch.Tensor) -> torch.Tensor:
        found = self.convolution(x)
        return self.norm(found) * (found.detach().abs().mean((1, 2, 3), keepdim=True) if self.is_bright else 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.is_bright = bool(x.mean() > 0)
        return super().forward(x)


def shared() -> nn.Module:
    """Two convolutions with one weight."""
    first, second = nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3)
    second.weight = first.weight
    return nn.Sequential(
        first, nn.BatchNorm2d(3), nn.Tanh(), second, nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 5)
    )


def dead() -> nn.Module:
    """A channel whose gamma is 0."""
    block = Block()
    nn.init.zeros_(block.norm.weight[:2])
    return block


def watched() -> nn.Module:
    """Someone looks at what the convolution gives."""
    block, seen = Block(), []
    block.convolution.register_forward_hook(lambda _module, _args, output: seen.append(output.mean()))
    return block


FOLDED = {
    "plain": Block,
    "with a bias": lambda: Block(bias=True),
    "grouped": lambda: Block(groups=2),
    "in place": InPlace,
    "a gamma of 0": dead,
}
LEFT = {
    "repeated": Repeated,
    "also used": AlsoUsed,
    "also used unseen": AlsoUsedUnseen,
    "in between": InBetween,
    "shared": shared,
    "watched": watched,
}


def made(name: str) -> tuple[TargetModel, Batch]:
    torch.manual_seed(0)
    target = target_of({**FOLDED, **LEFT}[name]())
    return target, batch_of(target)


def statistics(bound: BoundGradientNorm, batch: Batch) -> np.ndarray:
    pixels = (batch.images.permute(0, 3, 1, 2).to(bound.dtype) / 255).contiguous()
    sums = bound.gradients(pixels, batch.label)
    return _moments.statistics(sums.parameters, sum(bound.sizes.values()), sums.scale).numpy()


def assert_right(target: TargetModel, batch: Batch, bound: BoundGradientNorm, rtol: float) -> None:
    wanted = np.stack([plain(target, batch, row)[0] for row in range(len(batch))])
    got = statistics(bound, batch)
    np.testing.assert_allclose(got[:, ALL_BUT_LEAST], wanted[:, ALL_BUT_LEAST], rtol=rtol, atol=rtol * 1e-3)


@pytest.mark.parametrize("name", [*FOLDED, *LEFT])
def test_with_and_without_a_fold_the_gradient_is_what_scipy_says(name: str) -> None:
    target, batch = made(name)
    bound = GradientNorm(dtype="float64").bind(target, SHAPE)
    assert_right(target, batch, bound, rtol=1e-10)
    assert bound.findings() == ()
    assert bool(bound.gradients.folds) == (name in FOLDED)


@pytest.mark.parametrize("name", FOLDED)
@pytest.mark.parametrize("kernel", ["eager", *(["fused"] if _fused_sums.is_available() else [])])
def test_float32_with_a_fold_is_as_right_as_without(name: str, kernel: str) -> None:
    target, batch = made(name)
    assert_right(target, batch, GradientNorm(kernel=kernel).bind(target, SHAPE), rtol=1e-4)


@pytest.mark.parametrize("frozen", ["norm.weight", "norm.bias", "convolution.weight", "convolution.bias"])
def test_what_is_frozen_does_not_count_in_a_fold(frozen: str) -> None:
    target, batch = made("with a bias")
    target.module.get_parameter(frozen).requires_grad_(requires_grad=False)
    bound = GradientNorm(dtype="float64").bind(target, SHAPE)
    assert_right(target, batch, bound, rtol=1e-10)
    assert bool(bound.gradients.folds) == (frozen not in ("norm.weight", "convolution.weight"))


def test_norms_of_both_layers_are_told_apart() -> None:
    target, batch = made("plain")
    bound = GradientNorm(parts=("layers",)).bind(target, SHAPE)
    values = bound.compute(batch).values["gradient-norm:layers"]
    loss = nn.functional.cross_entropy(
        target.module(target.prepare(batch.images[:1].permute(0, 3, 1, 2) / 255)), batch.label[:1]
    )
    loss.backward()
    for name in ("convolution", "norm"):
        of_layer = [each.grad.flatten() for each in target.module.get_submodule(name).parameters()]
        column = bound.columns["gradient-norm:layers"].index(name)
        torch.testing.assert_close(values[0, column], torch.cat(of_layer).norm(), rtol=1e-4, atol=0)


def test_the_target_keeps_its_weights_and_its_forward() -> None:
    target, batch = made("plain")
    before = {name: value.clone() for name, value in target.module.state_dict().items()}
    outputs = target(batch.images)
    GradientNorm().bind(target, SHAPE).compute(batch)
    assert all(torch.equal(value, before[name]) for name, value in target.module.state_dict().items())
    assert torch.equal(target(batch.images), outputs)


def test_a_fold_that_turns_out_wrong_later_is_taken_back_and_told() -> None:
    torch.manual_seed(0)
    target = target_of(LaterUsedUnseen())
    dark = batch_of(target)
    dark = target.batch(dark.images // 8, dark.label)
    bright = target.batch(255 - dark.images, dark.label)
    bound = GradientNorm(dtype="float64").bind(target, SHAPE)
    for _ in range(3):
        assert_right(target, dark, bound, rtol=1e-10)
    assert bound.gradients.folds
    assert_right(target, bright, bound, rtol=1e-10)
    assert [finding.slug for finding in bound.findings()] == ["gradients-corrected-late"]


@pytest.mark.skipif(not _fused_sums.is_available(), reason="needs a C compiler")
@pytest.mark.parametrize("k", [1, 16, 27, 32, 75, 4608])
def test_row_products_of_both_kernels_are_those_of_float64(k: int) -> None:
    generator = torch.Generator().manual_seed(k)
    gradients, weights = (torch.randn(*shape, k, generator=generator) for shape in ((3, 5), (5,)))
    factors = torch.tensor([1.0, -2.0, 0.0, 0.5, 3.0])
    expected = (gradients.double() * weights.double()).sum(2)
    for kernels in (_moments.EAGER, _fused_sums.FUSED):
        scaled = gradients.clone()
        products = kernels.row_products(scaled, weights, factors)
        assert torch.equal(scaled, gradients * factors[:, None])
        torch.testing.assert_close(products.double(), expected, rtol=1e-5, atol=1e-6 * k**0.5)


NEEDS_CONVOLUTION = pytest.mark.skipif(not _fused_sums.has_convolution(), reason="needs a C compiler and AVX-512")


@NEEDS_CONVOLUTION
@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize(
    ("c_in", "c_out", "size", "options"),
    [
        (16, 8, (9, 7), {"kernel_size": 3, "padding": 1}),
        (16, 16, (32, 32), {"kernel_size": 3, "stride": 2, "padding": 1}),
        (48, 24, (8, 11), {"kernel_size": (1, 3), "padding": (2, 0)}),
        (32, 40, (12, 9), {"kernel_size": (5, 6), "stride": (2, 3), "padding": (1, 4)}),
        (16, 16, (8, 8), {"kernel_size": 1, "stride": 2}),
        (16, 16, (3, 3), {"kernel_size": 3}),
    ],
)
def test_the_kernel_of_convolutions_is_that_of_float64(
    c_in: int, c_out: int, size: tuple[int, int], options: dict, n_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: n_threads)
    layer = nn.Conv2d(c_in, c_out, **options)
    a = torch.randn(4, c_in, *size).to(memory_format=torch.channels_last)
    d = torch.randn_like(layer(a).detach())
    got = _fused_sums.fused_convolution_weight(layer, a, d)
    wanted = convolution_weight(layer.double(), a.double(), d.double())
    torch.testing.assert_close(got.double(), wanted, rtol=1e-5, atol=1e-4)


@NEEDS_CONVOLUTION
@pytest.mark.parametrize(
    "layer",
    [nn.Conv2d(16, 16, 3, groups=2), nn.Conv2d(8, 16, 3), nn.Conv2d(16, 12, 3), nn.Conv2d(16, 16, 3, dilation=2)],
)
def test_what_the_kernel_of_convolutions_is_not_made_for_is_left(layer: nn.Conv2d) -> None:
    a = torch.randn(2, layer.in_channels, 9, 9).to(memory_format=torch.channels_last)
    assert _fused_sums.fused_convolution_weight(layer, a, torch.randn_like(layer(a).detach())) is None


def wide(last: nn.Module) -> nn.Module:
    """Wide enough for the kernel, and two maps of it at the end."""
    layers = [nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.BatchNorm2d(16), nn.Tanh()]
    layers += [nn.Conv2d(16, 32, 1, bias=False), nn.BatchNorm2d(32), nn.Conv2d(32, 32, 3, stride=2)]
    return nn.Sequential(*layers, last, nn.Linear(128, 5))


class View(nn.Module):
    """What some networks have instead of a flatten, which only channels first allow."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(len(x), -1)


@NEEDS_CONVOLUTION
@pytest.mark.parametrize("last", [nn.Flatten(), View()])
def test_channels_last_where_the_network_takes_it_and_the_gradient_is_right(last: nn.Module) -> None:
    torch.manual_seed(0)
    layers = wide(nn.Flatten())
    target, reference = target_of(nn.Sequential(*layers[:-2], last, layers[-1])), target_of(layers)
    images = torch.randint(0, 256, (4, 10, 10, 3), dtype=torch.uint8)
    batch = Batch(images, torch.arange(4), torch.zeros(4, 5), {})
    bound = GradientNorm(kernel="fused").bind(target, (10, 10, 3))
    assert_right(reference, batch, bound, rtol=1e-4)
    weight = bound.gradients.working.module[3].weight
    assert weight.is_contiguous(memory_format=torch.channels_last) == isinstance(last, nn.Flatten)
    eager = GradientNorm(kernel="eager").bind(target, (10, 10, 3))
    one, other = statistics(bound, batch), statistics(eager, batch)
    np.testing.assert_allclose(one[:, ALL_BUT_LEAST], other[:, ALL_BUT_LEAST], rtol=1e-4, atol=1e-7)
