import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from mi_audit.errors import UsageError
from mi_audit.features import _fused_sums, _layer_sums, _moments
from mi_audit.features._frozen_copy import frozen_copy
from mi_audit.features._one_by_one import sample_gradients
from mi_audit.features.gradient_norm import GradientNorm
from mi_audit.target_model import Batch, Preprocessing, TargetModel
from tests.features.networks import SHAPE, WITH_RULES, WITHOUT_RULES, batch_of, plain, seven, target_of

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


class Switches(nn.Module):
    """Bright images go another way, on which a layer's weight is used without calling the layer."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(192, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)
        return nn.functional.linear(x.tanh(), self.head.weight) if x.mean() > 0 else self.head(x)


def test_a_network_that_goes_another_way_later_is_found_out() -> None:
    torch.manual_seed(0)
    target = target_of(Switches())
    dark = batch_of(target)
    dark = target.batch(dark.images // 8, dark.label)
    bright = target.batch(255 - dark.images, dark.label)
    bound = GradientNorm(dtype="float64").bind(target, SHAPE)
    for _ in range(3):
        bound.compute(dark)
    assert bound.findings() == ()
    got = bound.compute(bright).values["gradient-norm:w"].numpy()
    np.testing.assert_allclose(got[:, [0, 1, 3, 5, 6]], expected(target, bright)[0][:, [0, 1, 3, 5, 6]], rtol=1e-6)
    assert "gradients-corrected-late" in {finding.slug for finding in bound.findings()}
    assert {finding.severity for finding in bound.findings()} == {"warning", "note"}


class Relus(TorchFunctionMode):
    """Keeps which units of every ReLU are on; or, given that, puts it in the place of their own signs."""

    def __init__(self, forced: list[torch.Tensor] | None = None) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []
        self.forced = iter(forced) if forced is not None else None

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function not in (nn.functional.relu, torch.relu, torch.Tensor.relu):
            return function(*args, **(kwargs or {}))
        if self.forced is not None:
            return args[0] * next(self.forced).to(args[0])
        self.seen.append(args[0].detach() > 0)
        return function(*args, **(kwargs or {}))


def units_on(target: TargetModel, batch: Batch, dtype: torch.dtype) -> list[torch.Tensor]:
    """In the network as the feature runs it, with what it folds."""
    bound = GradientNorm(dtype=str(dtype).removeprefix("torch.")).bind(target, SHAPE)
    bound.compute(batch)
    target = bound.gradients.working
    with torch.no_grad(), Relus() as relus:
        target.module(target.prepare(batch.images.permute(0, 3, 1, 2).to(dtype) / 255))
    return relus.seen


def with_units(target: TargetModel, batch: Batch, on: list[torch.Tensor], row: int) -> np.ndarray:
    """The seven statistics of one sample's gradient in float64, with the units that are on given."""
    copied, only = frozen_copy(target, torch.float64), slice(row, row + 1)
    names = tuple(name for name, _ in target.module.named_parameters())
    with Relus([each[only] for each in on]):
        pixels = batch.images[only].permute(0, 3, 1, 2).double() / 255
        found, _, scale = sample_gradients(copied, names, pixels, batch.label[only])
    return seven(torch.cat([each.flatten() for each in found.values()]).numpy() * float(scale))


def relative(got: np.ndarray, wanted: np.ndarray, count: int) -> np.ndarray:
    """(n,) the largest error of L2, mean, skewness and kurtosis, each by its own size; the signed two, which may be
    anything near 0 by cancellation, not by less than a thousandth of the mean size, and a tenth."""
    least = np.stack([0 * wanted[:, 1], 1e-3 * wanted[:, 0] / count, 0 * wanted[:, 1] + 0.1, 0 * wanted[:, 1]], 1)
    columns = [1, 4, 5, 6]
    off = np.abs(got[:, columns] - wanted[:, columns]) / np.maximum(np.abs(wanted[:, columns]), least)
    return off.max(1)


@pytest.mark.parametrize(
    ("name", "arch", "n", "factor"),
    [
        ("cifar10_resnet20_chenyaofo.pth", "cifar_resnet20", 40, 1.0),
        ("cifar10_resnet20_chenyaofo.pth", "cifar_resnet20", 16, 3.0),
        ("cifar10_resnet56_akamaster.th", "cifar_resnet56_a", 8, 3.0),
    ],
)
def test_a_trained_network_in_float32_is_that_of_float64(
    name: str, arch: str, n: int, factor: float, assets: Path
) -> None:
    """To 1e-4, as is or with logits scaled up until 1 - p is 1e-15; except where float32 has other ReLUs on.

    An input of a ReLU that is 0 up to the rounding of the forward pass may be on either side of 0, and both sides give
    a gradient. In one sample of thirty or so there is such a unit, and that may change a statistic by a percent. With
    the same units on the two agree, so that nothing else differs.
    """
    from mi_audit import plugins
    from mi_audit.targets.interface import TargetRequest

    request = TargetRequest(n_classes=10, shape=(32, 32, 3), data_name="cifar10", arch=arch)
    target = plugins.load("targets", "file").open(str(assets / "checkpoints" / name), request)
    images = torch.from_numpy(np.load(assets / "data" / "cifar10_subset.npz")["images"][:n])
    label = target.batch(images, torch.zeros(n, dtype=torch.int64)).logits.argmax(1)
    head = next(each for each in reversed([*target.module.modules()]) if isinstance(each, nn.Linear))
    with torch.no_grad():
        head.weight.mul_(factor)
        head.bias.mul_(factor)
    batch = target.batch(images, label)
    got, wanted = both(target, batch)[0], both(target, batch, dtype="float64")[0]
    count = sum(each.numel() for each in target.module.parameters())
    on, exact = (units_on(target, batch, dtype) for dtype in (torch.float32, torch.float64))
    n_differing = sum((a != b).flatten(1).sum(1) for a, b in zip(on, exact, strict=True)).numpy()
    assert relative(got, wanted, count)[n_differing == 0].max() <= 1e-4
    assert (n_differing > 0).mean() < 0.2
    for row in np.flatnonzero(n_differing):
        same_units = with_units(target, batch, on, row)[None]
        assert relative(got[row : row + 1], same_units, count).max() <= 1e-4


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
