import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mi_audit.errors import UsageError
from mi_audit.features import _fused_sums, _layer_sums, _moments
from mi_audit.features.gradient_norm import GradientNorm
from mi_audit.target_model import Batch, Preprocessing, TargetModel
from tests.features.networks import SHAPE, WITH_RULES, WITHOUT_RULES, batch_of, plain, target_of

SIZES, SHAPES = slice(0, 5), slice(5, 7)


def made(name: str) -> TargetModel:
    torch.manual_seed(0)
    module = {**WITH_RULES, **WITHOUT_RULES}[name]()
    return target_of(module, n_classes=2 if name == "one logit" else 5)


def both(target: TargetModel, batch: Batch, **options: object) -> tuple[np.ndarray, np.ndarray]:
    """(n, 7) float64 of the parameters and of the image, before they are rounded for the cache."""
    bound = GradientNorm(**options).bind(target, SHAPE)
    pixels = batch.images.permute(0, 3, 1, 2).to(bound.dtype) / 255
    sums = bound.gradients(pixels, batch.label)
    image = _moments.statistics(sums.image, pixels[0].numel(), sums.scale)
    return _moments.statistics(sums.parameters, sum(bound.sizes.values()), sums.scale).numpy(), image.numpy()


def expected(target: TargetModel, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    rows = [plain(target, batch, row) for row in range(len(batch))]
    return np.stack([row[0] for row in rows]), np.stack([row[1] for row in rows])


def assert_close(got: np.ndarray, wanted: np.ndarray, rtol: float) -> None:
    """All but the smallest size, which is round-off where nothing is exactly 0."""
    columns = [0, 1, 3, 4, 5, 6]
    np.testing.assert_allclose(got[:, columns], wanted[:, columns], rtol=rtol, atol=rtol * 1e-3)
    np.testing.assert_allclose(got[:, 2], wanted[:, 2], rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize("name", [*WITH_RULES, *WITHOUT_RULES])
def test_every_kind_of_layer_gives_what_scipy_says_of_the_flattened_gradient(name: str) -> None:
    target = made(name)
    batch = batch_of(target)
    for got, wanted in zip(both(target, batch, dtype="float64"), expected(target, batch), strict=True):
        assert_close(got, wanted, rtol=1e-10)


@pytest.mark.parametrize("name", WITH_RULES)
def test_layers_with_rules_say_nothing(name: str) -> None:
    target = made(name)
    bound = GradientNorm().bind(target, SHAPE)
    bound.compute(batch_of(target))
    assert bound.findings() == ()


@pytest.mark.parametrize("name", WITHOUT_RULES)
def test_the_general_way_is_said_once(name: str) -> None:
    target = made(name)
    bound = GradientNorm().bind(target, SHAPE)
    for _ in range(2):
        bound.compute(batch_of(target))
    assert [finding.severity for finding in bound.findings()] == ["note"]


@pytest.mark.parametrize(
    "name", ["convolution", "grouped", "windows", "twice", "attention", "tokens", "tied and transposed"]
)
def test_samples_in_small_chunks_give_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    target = made(name)
    batch = batch_of(target, n=5)
    whole = both(target, batch, dtype="float64")
    monkeypatch.setattr(_layer_sums, "CHUNK_BYTES", 1)
    for got, wanted in zip(both(target, batch, dtype="float64"), whole, strict=True):
        assert_close(got, wanted, rtol=1e-12)


@pytest.mark.parametrize("shape", [(40, 40, 3), (60, 60, 3)])
@pytest.mark.parametrize("width", [4, 80])
def test_every_way_to_a_convolution_gives_the_same(shape: tuple[int, int, int], width: int) -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, width, 3), nn.Tanh(), nn.Conv2d(width, width, 3, stride=2), nn.AdaptiveAvgPool2d(5)]
    module = nn.Sequential(*layers, nn.Conv2d(width, 2048, 3), nn.Flatten(), nn.Linear(2048 * 9, 5))
    target = target_of(module)
    batch = batch_of(target, n=2, shape=shape)
    (got, _), (wanted, _) = both(target, batch), expected(target, batch)
    np.testing.assert_allclose(got[:, [0, 1, 3, 5, 6]], wanted[:, [0, 1, 3, 5, 6]], rtol=2e-5)


@pytest.mark.parametrize("confidence", [0.5, 1e-3, 1e-7, 1e-11, 1e-15])
def test_confident_samples_keep_their_gradient(confidence: float) -> None:
    """Logits far apart: 1 - p of the label is `confidence`, and the float32 run is still that of float64."""
    torch.manual_seed(0)
    target = target_of(WITH_RULES["batch norm"]())
    batch = batch_of(target)
    head = target.module[-1]
    with torch.no_grad():
        head.weight.mul_(3)
        raised = np.log(1 / confidence - 1) + 1e-9
        label = target(batch.images).argmax(1)
        head.bias[label[0]] += float(raised)
    batch = target.batch(batch.images, label[0].expand(len(label)))
    exact = both(target, batch, dtype="float64")
    for got, wanted in zip(both(target, batch), exact, strict=True):
        np.testing.assert_allclose(got[:, [0, 1, 3, 4]], wanted[:, [0, 1, 3, 4]], rtol=1e-4, atol=0)
        np.testing.assert_allclose(got[:, SHAPES], wanted[:, SHAPES], rtol=1e-4, atol=1e-4)


def test_where_the_other_classes_underflow_the_shape_is_still_right() -> None:
    target = made("linear")
    with torch.no_grad():
        target.module[-1].bias[0] += 2000
    batch = batch_of(target)
    batch = target.batch(batch.images, torch.zeros_like(batch.label))
    values = GradientNorm().bind(target, SHAPE).compute(batch).values["gradient-norm:w"]
    assert torch.equal(values[:, SIZES], torch.zeros(4, 5))
    assert bool(values[:, SHAPES].isfinite().all())


def test_finite_differences_agree() -> None:
    target = made("linear")
    batch = batch_of(target, n=2)
    module = copy.deepcopy(target.module).double()
    pixels = batch.images.permute(0, 3, 1, 2).double() / 255

    def loss() -> torch.Tensor:
        with torch.no_grad():
            logits = module(target.prepare(pixels))
        return nn.functional.cross_entropy(logits, batch.label, reduction="none")

    slopes = []
    for parameter in module.parameters():
        for index in range(parameter.numel()):
            flat, step = parameter.data.view(-1), 1e-6
            flat[index] += step
            above = loss()
            flat[index] -= 2 * step
            slopes.append((above - loss()) / (2 * step))
            flat[index] += step
    norms = torch.stack(slopes).norm(dim=0).numpy()
    np.testing.assert_allclose(both(target, batch)[0][:, 1], norms, rtol=1e-5)


def test_norms_of_layers_make_up_that_of_the_network() -> None:
    target = made("tokens")
    bound = GradientNorm(parts=("layers", "w")).bind(target, SHAPE)
    values = bound.compute(batch_of(target)).values
    assert set(bound.columns["gradient-norm:layers"]) >= {"cls_token", "positions", "patches", "attention.out_proj"}
    together = values["gradient-norm:layers"].square().sum(1).sqrt()
    torch.testing.assert_close(together, values["gradient-norm:w"][:, 1])


def test_frozen_parameters_do_not_count_and_the_target_is_left_as_it_was() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout(0.5), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 5))
    target = target_of(module)
    module[0].weight.requires_grad_(requires_grad=False)
    batch = batch_of(target)
    module.train()  # as a user may leave it
    state = {name: value.clone() for name, value in module.state_dict().items()}
    first, again = both(target, batch), both(target, batch)
    np.testing.assert_allclose(first[0][:, 1], expected(target, batch)[0][:, 1], rtol=2e-5)
    assert np.array_equal(first[0], again[0])
    assert module.training
    assert not module[0].weight.requires_grad
    assert module[4].weight.requires_grad
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in module.modules())


def test_a_network_whose_samples_depend_on_their_batch_is_taken_one_by_one() -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.ReLU(), nn.Flatten()]
    target = target_of(nn.Sequential(*layers, nn.Linear(144, 5)))
    batch = batch_of(target)
    assert_close(both(target, batch, dtype="float64")[0], expected(target, batch)[0], rtol=1e-10)
    bound = GradientNorm().bind(target, SHAPE)
    bound.compute(batch)
    assert [finding.slug for finding in bound.findings()] == ["gradients-one-by-one"]


def test_grey_images_and_one_logit() -> None:
    torch.manual_seed(0)
    target = target_of(nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(75, 1)), 1, 2)
    batch = batch_of(target, shape=(7, 7, 1))
    for got, wanted in zip(both(target, batch, dtype="float64"), expected(target, batch), strict=True):
        assert_close(got, wanted, rtol=1e-10)


class Constant(nn.Module):
    """Answers whatever the image."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor([0.3, 0.1, 0.0, -1.0, 2.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(x), -1)


def test_a_constant_network_has_no_skewness_and_says_why() -> None:
    target = target_of(Constant())
    batch = batch_of(target)
    seen = GradientNorm().bind(target, SHAPE).compute(batch)
    image = seen.values["gradient-norm:x"]
    assert torch.equal(image[:, SIZES], torch.zeros(4, 5))
    assert bool(image[:, SHAPES].isnan().all())
    assert [(each.feature, each.row) for each in seen.failures] == [("gradient-norm:x", row) for row in range(4)]
    assert {each.reason for each in seen.failures} == {"all gradients are equal"}
    np.testing.assert_allclose(both(target, batch)[0], expected(target, batch)[0], rtol=1e-5, atol=1e-8)


def test_a_part_that_is_not_there_has_a_tip() -> None:
    with pytest.raises(UsageError) as caught:
        GradientNorm(parts=("y",))
    assert "gradient-norm:layers" in str(caught.value.tip)


@pytest.mark.skipif(not _fused_sums.is_available(), reason="needs a C compiler")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kernels_agree(dtype: str) -> None:
    target = made("depthwise")
    batch = batch_of(target)
    eager, fused = (both(target, batch, kernel=kernel, dtype=dtype)[0] for kernel in ("eager", "fused"))
    np.testing.assert_allclose(fused, eager, rtol=1e-5 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize("name", ["cifar10_resnet20_chenyaofo.pth"])
def test_a_trained_network_in_float32_is_that_of_float64(name: str, assets: Path) -> None:
    """Members and non-members alike, with their own labels; then with logits scaled up until 1 - p is 1e-15."""
    from mi_audit import plugins
    from mi_audit.targets.interface import TargetRequest

    request = TargetRequest(n_classes=10, shape=(32, 32, 3), data_name="cifar10", arch="cifar_resnet20")
    target = plugins.load("targets", "file").open(str(assets / "checkpoints" / name), request)
    images = torch.from_numpy(np.load(assets / "data" / "cifar10_subset.npz")["images"][:24])
    label = target.batch(images, torch.zeros(24, dtype=torch.int64)).logits.argmax(1)
    for factor in (1.0, 3.0):
        with torch.no_grad():
            target.module.fc.weight.mul_(factor)
            target.module.fc.bias.mul_(factor)
        batch = target.batch(images, label)
        got, wanted = both(target, batch)[0], both(target, batch, dtype="float64")[0]
        got, wanted = got[:, [0, 1, 4, 5, 6]], wanted[:, [0, 1, 4, 5, 6]]
        off = np.abs(got - wanted) / np.abs(wanted)

        assert np.median(off, axis=0).max() < 1e-4


def test_preprocessing_is_part_of_the_image_gradient() -> None:
    """The gradient is by pixels in [0, 1], so that a network that undoes another normalisation has the same one."""
    torch.manual_seed(0)
    first = nn.Conv2d(3, 4, 3)
    rest = [nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)]
    target = target_of(nn.Sequential(first, *rest))
    folded = copy.deepcopy(first)
    mean, std = (torch.tensor(v) for v in (target.preprocessing.mean, target.preprocessing.std))
    with torch.no_grad():
        folded.bias -= (first.weight * (mean / std).view(1, 3, 1, 1)).sum((1, 2, 3))
        folded.weight /= std.view(1, 3, 1, 1)
    raw = Preprocessing((0.0,) * 3, (1.0,) * 3)
    other = TargetModel(nn.Sequential(folded, *rest).eval(), raw, 5, "", "", "")
    batch = batch_of(target)
    np.testing.assert_allclose(both(other, batch)[1][:, 1], both(target, batch)[1][:, 1], rtol=1e-4)
