from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from mi_audit import plugins
from mi_audit.features import _memory
from mi_audit.features._boundary_walk import Distances, Search
from mi_audit.features._frozen_copy import frozen_copy
from mi_audit.features._root_finding import roots
from mi_audit.features.boundary_distance import BoundaryDistance
from mi_audit.target_model import Batch, Preprocessing, TargetModel
from mi_audit.targets.interface import TargetRequest
from tests.features.networks import SHAPE, WITH_RULES, batch_of, target_of


def linear(n_classes: int, scale: float = 1.0) -> TargetModel:
    torch.manual_seed(4)
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, n_classes))
    with torch.no_grad():
        module[1].weight.mul_(scale)
        module[1].bias.mul_(scale)
    return target_of(module, n_classes=n_classes)


def weights_in_pixels(target: TargetModel) -> np.ndarray:
    """(n_classes, 192) slopes of the logits by pixels in [0, 1]."""
    std = np.repeat(np.array(target.preprocessing.std), 64)
    return target.module[1].weight.detach().double().numpy() / std


def distances(target: TargetModel, batch: Batch, **options: object) -> np.ndarray:
    return BoundaryDistance(**options).bind(target, SHAPE).compute(batch).values["boundary-distance"][:, 0].numpy()


def found(target: TargetModel, batch: Batch, **options: object) -> Distances:
    bound = BoundaryDistance(**options).bind(target, SHAPE)
    pixels = batch.images.permute(0, 3, 1, 2).to(bound.dtype) / 255
    return Search(bound.target, pixels, batch.label, bound.walk).run()


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("step", ["fixed", "angle"])
def test_two_classes_of_a_linear_softmax_are_as_far_as_the_formula_says(scale: float, step: str) -> None:
    target = linear(2, scale)
    batch = batch_of(target, n=6)
    slopes = weights_in_pixels(target)
    margins = (batch.logits[:, 0] - batch.logits[:, 1]).abs().numpy()
    wanted = margins / np.linalg.norm(slopes[0] - slopes[1])
    got = distances(target, batch, dtype="float64", theta=1e-9, step=step)
    np.testing.assert_allclose(got, wanted, rtol=1e-4)


def test_more_classes_are_never_nearer_than_the_nearest_plane_and_end_on_the_boundary() -> None:
    target = linear(7)
    batch = batch_of(target, n=8)
    slopes, logits = weights_in_pixels(target), batch.logits.numpy()
    predicted = logits.argmax(1)
    floor = []
    for row, own in enumerate(predicted):
        others = [j for j in range(7) if j != own]
        floor.append(min((logits[row, own] - logits[row, j]) / np.linalg.norm(slopes[own] - slopes[j]) for j in others))
    search = found(target, batch, dtype="float64")
    assert (search.distance.numpy() >= np.array(floor) * (1 - 1e-3)).all()
    with torch.no_grad():
        confidences = target.module.double()(target.prepare(search.end)).softmax(1).topk(2, dim=1)
    assert (confidences.values[:, 0] - confidences.values[:, 1]).max() < 1e-4
    assert all(own in pair for own, pair in zip(predicted, confidences.indices.tolist(), strict=True))


def test_another_normalisation_of_the_same_function_is_as_far() -> None:
    target = linear(3)
    folded = linear(3).module
    mean, std = (torch.tensor(v).repeat_interleave(64) for v in (target.preprocessing.mean, target.preprocessing.std))
    with torch.no_grad():
        folded[1].bias -= (folded[1].weight * mean / std).sum(1)
        folded[1].weight /= std
    other = TargetModel(folded, Preprocessing((0.0,) * 3, (1.0,) * 3), 3, "", "", "")
    batch = batch_of(target)
    np.testing.assert_allclose(distances(other, batch), distances(target, batch), rtol=1e-3)


def one_at_a_time(target: TargetModel, pixels: torch.Tensor, epsilon: float, theta: float = 1e-4) -> tuple[float, int]:
    """Algorithm 1 as it is written, with bisection, for one sample in float64; and how often it called the model."""
    calls = 0

    def logits(x: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return target.module(target.prepare(x))

    x = pixels.clone()
    with torch.no_grad():
        start = logits(x).argmax(1)
    while True:
        before = x
        moving = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(logits(moving), start), moving)
        x = (before + epsilon * gradient / gradient.norm()).detach()
        with torch.no_grad():
            if logits(x).argmax(1) != start:
                break
    with torch.no_grad():
        for _ in range(60):
            middle = (before + x) / 2
            p = logits(middle).softmax(1)[0]
            others = p.clone()
            others[start] = 0
            if (p[start] - others.max()).abs() < theta:
                break
            if p[start] > others.max():
                before = middle
            else:
                x = middle
    return float((middle - pixels).norm()), calls


def test_the_pool_gives_what_one_sample_at_a_time_gives_in_few_calls() -> None:
    torch.manual_seed(1)
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Tanh(), nn.Flatten(), nn.Linear(288, 5))
    with torch.no_grad():
        module[3].weight.mul_(20)  # confident, as trained networks are
    target = target_of(module.double())
    images = batch_of(target_of(WITH_RULES["linear"]()), n=24).images
    label = torch.zeros(24, dtype=torch.int64)
    pixels = images.permute(0, 3, 1, 2).double() / 255
    slow = [one_at_a_time(target, pixels[row : row + 1], 0.02) for row in range(24)]
    bound = BoundaryDistance(dtype="float64", slots=24).bind(target, SHAPE)
    calls = []
    bound.target.module.register_forward_hook(lambda *_: calls.append(1))
    search = Search(bound.target, pixels, label, bound.walk).run()
    got = search.distance.numpy()
    off = np.abs(got - [distance for distance, _ in slow]) / got
    assert np.median(off) < 1e-4
    assert off.max() < 5e-3  # theta leaves so much where the confidences change slowly
    assert search.n_evaluations.double().mean() <= 4
    assert len(calls) <= sum(n for _, n in slow) / 20


def test_few_slots_give_the_same_as_many() -> None:
    target = linear(4)
    batch = batch_of(target, n=9)
    np.testing.assert_allclose(
        distances(target, batch, slots=2, dtype="float64"), distances(target, batch, dtype="float64"), rtol=1e-6
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_samples_of_any_confidence_are_walked(dtype: str) -> None:
    """1 - p below what float32 can tell from 0: the direction is still there."""
    target = linear(2, scale=300.0)
    batch = batch_of(target, n=6)
    confidence = batch.logits.double().log_softmax(1).max(1).values
    assert (-confidence).min() < 1e-12
    slopes = weights_in_pixels(target)
    wanted = (batch.logits[:, 0] - batch.logits[:, 1]).abs().numpy() / np.linalg.norm(slopes[0] - slopes[1])
    np.testing.assert_allclose(distances(target, batch, dtype=dtype), wanted, rtol=1e-3)


def test_a_sample_on_the_boundary_is_at_distance_0() -> None:
    target = linear(2)
    with torch.no_grad():
        target.module[1].weight[1] = target.module[1].weight[0]
        target.module[1].bias[1] = target.module[1].bias[0]
    batch = batch_of(target)
    assert distances(target, batch).tolist() == [0.0] * 4


def test_a_constant_network_is_nan_with_its_reason() -> None:
    target = linear(3)
    with torch.no_grad():
        target.module[1].weight.zero_()
    seen = BoundaryDistance().bind(target, SHAPE).compute(batch_of(target))
    assert bool(seen.values["boundary-distance"].isnan().all())
    assert [(each.row, each.radius) for each in seen.failures] == [(row, 0.0) for row in range(4)]
    assert {each.reason for each in seen.failures} == {"the gradient is zero or not finite"}


def test_a_sample_that_never_crosses_says_how_far_it_went() -> None:
    target = linear(2)
    batch = batch_of(target)
    full = distances(target, batch)
    seen = BoundaryDistance(max_steps=3, epsilon=0.001).bind(target, SHAPE).compute(batch)
    failed = [each.row for each in seen.failures]
    assert failed == np.flatnonzero(full > 0.003).tolist()
    assert failed
    np.testing.assert_allclose([each.radius for each in seen.failures], 0.003, rtol=1e-3)
    assert seen.values["boundary-distance"][:, 0].isnan().nonzero().flatten().tolist() == failed


def test_clipping_keeps_pixels_in_the_box() -> None:
    target = linear(3)
    batch = batch_of(target)
    ends = found(target, batch, clip=True).end
    assert ends.min() >= 0
    assert ends.max() <= 1
    free, clipped = distances(target, batch, epsilon=0.1), distances(target, batch, clip=True, epsilon=0.1)
    assert not np.array_equal(free, clipped)


def test_the_true_label_is_climbed_where_asked_for() -> None:
    target = linear(4)
    batch = batch_of(target, n=8)
    predicted = batch.logits.argmax(1)
    right = target.batch(batch.images, predicted)
    assert np.array_equal(distances(target, right, loss="label"), distances(target, right))
    wrong = target.batch(batch.images, (predicted + 1) % 4)
    assert not np.array_equal(distances(target, wrong, loss="label", max_steps=50), distances(target, right))


@pytest.mark.parametrize("options", [{"epsilon": 0}, {"theta": 1.0}, {"slots": 0}, {"max_steps": 0}])
def test_options_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        BoundaryDistance(**options)


def test_roots_of_functions_with_known_ones() -> None:
    wanted = torch.tensor([0.2, 0.5, 0.999, 1e-4, 0.37], dtype=torch.float64)
    power = torch.tensor([1.0, 3.0, 1.0, 1.0, 9.0], dtype=torch.float64)

    def value(rows: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        return (wanted[rows] - at).sign() * (wanted[rows] - at).abs() ** power[rows]

    rows = torch.arange(5)
    result = roots(
        value(rows, torch.zeros(5, dtype=torch.float64)),
        value(rows, torch.ones(5, dtype=torch.float64)),
        lambda some, at: (value(some, at), value(some, at).abs() < 1e-12),
    )
    torch.testing.assert_close(result.position[:4], wanted[:4], rtol=0, atol=2e-4)
    assert abs(float(result.position[4]) - 0.37) < 0.05
    assert result.n_evaluations.max() <= 60


def real_network(assets: Path, n: int) -> tuple[TargetModel, Batch]:
    request = TargetRequest(n_classes=100, shape=(32, 32, 3), data_name="cifar100", arch="cifar_resnet20")
    target = plugins.load("targets", "file").open(str(assets / "checkpoints" / "cifar100_resnet20.pth"), request)
    from mi_audit.datasets.interface import DataRequest

    data = plugins.load("datasets", "cifar100").open(None, DataRequest(assets / "data"))
    images, label = torch.from_numpy(data.members.images.read(0, n)), torch.from_numpy(data.members.label[:n])
    return target, target.batch(images, label)


def test_in_float64_the_pool_is_one_at_a_time_on_every_sample_of_a_real_network(assets: Path) -> None:
    """So that what differs in float32 (up to 5e-2 for a few samples, whose paths part at a ReLU) is round-off."""
    target, batch = real_network(assets, 4)
    exact = frozen_copy(target, torch.float64)
    pixels = batch.images.permute(0, 3, 1, 2).double() / 255
    slow = [one_at_a_time(exact, pixels[row : row + 1], 0.02, theta=1e-6)[0] for row in range(4)]
    search = found(target, batch, dtype="float64", theta=1e-6, slots=3)
    np.testing.assert_allclose(search.distance.numpy(), slow, rtol=1e-4)
    assert search.n_evaluations.double().mean() <= 6  # of an accuracy a hundred times that of the default


def test_a_real_network_by_angle_is_near_the_fine_fixed_steps_at_fewer_steps(assets: Path) -> None:
    target, batch = real_network(assets, 12)
    fine, angle = (found(target, batch, **options) for options in ({"epsilon": 0.005}, {"step": "angle"}))
    assert bool(fine.distance.isfinite().all())
    assert float((angle.distance / fine.distance - 1).median()) < 0.03
    assert int(angle.n_steps.sum()) < 0.7 * int(fine.n_steps.sum())


def test_slots_are_as_many_as_memory_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    target = linear(4)
    batch = batch_of(target, n=9)
    roomy = BoundaryDistance(slots=6, dtype="float64").bind(target, SHAPE)
    assert roomy.n_at_once == 6
    wanted = roomy.compute(batch).values["boundary-distance"]
    monkeypatch.setattr(_memory, "GRAPH_BYTES", 2 * 8 * (192 + 4) * 3 // 2)  # of two samples: flattened, and logits
    narrow = BoundaryDistance(slots=6, dtype="float64").bind(target, SHAPE)
    assert narrow.n_at_once == narrow.walk.n_slots == 2
    torch.testing.assert_close(narrow.compute(batch).values["boundary-distance"], wanted, rtol=1e-6, atol=0)
