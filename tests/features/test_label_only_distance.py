from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mi_audit import plugins
from mi_audit.features._label_only_search import NO_START, Budget, Found, LabelOnlySearch
from mi_audit.features.boundary_distance import BoundaryDistance
from mi_audit.features.label_only_distance import LabelOnlyDistance
from mi_audit.target_model import Batch, TargetModel
from mi_audit.targets.interface import TargetRequest
from tests.features.networks import batch_of, target_of

SMALL = (4, 4, 3)


def linear(n_classes: int) -> TargetModel:
    torch.manual_seed(4)
    return target_of(nn.Sequential(nn.Flatten(), nn.Linear(48, n_classes)), n_classes=n_classes)


def right(target: TargetModel, n: int = 8, shape: tuple[int, int, int] = SMALL) -> Batch:
    """Samples that the target has right."""
    batch = batch_of(target, n, shape)
    return target.batch(batch.images, target(batch.images).argmax(1))


def nearest_plane(target: TargetModel, batch: Batch) -> np.ndarray:
    slopes = target.module[1].weight.detach().double().numpy() / np.repeat(target.preprocessing.std, 16)
    logits, found = batch.logits.double().numpy(), []
    for row, own in enumerate(batch.label.tolist()):
        others = [j for j in range(target.n_classes) if j != own]
        found.append(min((logits[row, own] - logits[row, j]) / np.linalg.norm(slopes[own] - slopes[j]) for j in others))
    return np.array(found)


def search(target: TargetModel, batch: Batch, n_queries: int = 2000, n_directions: int = 100) -> Found:
    pixels = batch.images.permute(0, 3, 1, 2).float() / 255
    return LabelOnlySearch(target, pixels, batch.label, Budget(n_queries, n_directions, 0)).run()


def test_two_classes_of_a_linear_model_are_as_far_as_the_formula_says() -> None:
    target = linear(2)
    batch = right(target)
    ratio = search(target, batch).distance.numpy() / nearest_plane(target, batch)
    assert ratio.min() > 0.999
    assert ratio.max() < 1.1


def test_more_classes_are_never_nearer_than_the_nearest_plane() -> None:
    target = linear(6)
    batch = right(target, n=12)
    ratio = search(target, batch).distance.numpy() / nearest_plane(target, batch)
    assert ratio.min() > 0.999
    assert np.median(ratio) < 1.1


def test_more_queries_find_nearer_points() -> None:
    target = linear(2)
    batch = right(target)
    few, many = (search(target, batch, n).distance.median() for n in (200, 1500))
    assert many < few


def test_every_query_is_counted_and_none_is_beyond_the_budget() -> None:
    target = linear(4)
    batch = right(target, n=5)
    asked: list[int] = []
    target.module.register_forward_hook(lambda _module, _args, output: asked.append(len(output)))
    for budget in (50, 333, 1000):
        asked.clear()
        found = search(target, batch, budget)
        assert int(found.n_queries.sum()) == sum(asked)
        assert int(found.n_queries.max()) <= budget
        assert int(found.n_queries.min()) > budget - 30


def test_only_the_order_of_the_logits_matters() -> None:
    """Outputs that tell nothing but the predicted class give the same distances."""
    target = linear(4)

    class LabelsOnly(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.one_hot(target.module(x).argmax(1), 4).float()

    batch = right(target)
    blind = TargetModel(LabelsOnly().eval(), target.preprocessing, 4, "", "", "")
    assert torch.equal(search(target, batch, 600).distance, search(blind, batch, 600).distance)


def test_end_points_are_of_another_class_in_the_box_and_as_far_as_was_said() -> None:
    target = linear(5)
    batch = right(target)
    found = search(target, batch, 600)
    pixels = batch.images.permute(0, 3, 1, 2).float() / 255
    assert bool((target.module(target.prepare(found.end)).argmax(1) != batch.label).all())
    assert 0 <= found.end.min() <= found.end.max() <= 1
    torch.testing.assert_close((found.end - pixels).double().flatten(1).norm(dim=1), found.distance, rtol=1e-5, atol=0)


def test_a_misclassified_image_is_at_distance_0_after_one_query() -> None:
    target = linear(4)
    batch = right(target)
    wrong = target.batch(batch.images, (batch.label + 1) % 4)
    values = LabelOnlyDistance().bind(target, SMALL).compute(wrong).values["label-only-distance"]
    assert values[:, 0].tolist() == [0.0] * 8
    assert values[:, 1].tolist() == [1.0] * 8


def test_where_no_point_of_another_class_is_found_it_is_nan_with_the_reason() -> None:
    target = linear(3)
    with torch.no_grad():
        target.module[1].bias[1] += 1e4
    batch = right(target)
    seen = LabelOnlyDistance(queries=200).bind(target, SMALL).compute(batch)
    assert bool(seen.values["label-only-distance"][:, 0].isnan().all())
    assert {(each.row, each.reason) for each in seen.failures} == {(row, NO_START) for row in range(8)}


def test_another_batch_gives_a_sample_the_same_distance() -> None:
    target = linear(4)
    bound = LabelOnlyDistance(queries=300, dtype="float64").bind(target, SMALL)
    batch = right(target, n=40)  # more than walk at a time
    together = bound.compute(batch).values["label-only-distance"]
    some = target.batch(batch.images[30:35], batch.label[30:35])
    torch.testing.assert_close(bound.compute(some).values["label-only-distance"], together[30:35], rtol=1e-6, atol=0)


def test_the_subsample_takes_each_side_and_class_alike_and_changes_with_the_seed() -> None:
    label = np.repeat(np.arange(10), 60)
    label[:300] = 0  # a class that is most of the samples
    is_member = np.arange(600) % 3 > 0
    chosen = LabelOnlyDistance(n=60).bind(linear(10), SMALL).subsample(label, is_member)
    assert chosen is not None
    assert (chosen & is_member).sum() == (chosen & ~is_member).sum() == 30
    counts = np.bincount(label[chosen & is_member], minlength=10)
    present = np.unique(label)
    assert counts[present].max() - counts[present].min() <= 1
    other = LabelOnlyDistance(n=60, seed=1).bind(linear(10), SMALL).subsample(label, is_member)
    assert not np.array_equal(chosen, other)
    assert LabelOnlyDistance(n=0).bind(linear(10), SMALL).subsample(label, is_member) is None


def test_a_class_with_few_samples_leaves_its_share_to_the_others() -> None:
    label, is_member = np.array([0] * 2 + [1] * 50 + [0, 1] * 20), np.arange(92) < 52
    chosen = LabelOnlyDistance(n=40).bind(linear(2), SMALL).subsample(label, is_member)
    assert np.bincount(label[chosen & is_member]).tolist() == [2, 18]


@pytest.mark.parametrize("options", [{"n": -1}, {"queries": 10}, {"directions": 0}, {"seed": -1}])
def test_options_that_make_no_sense_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        LabelOnlyDistance(**options)


def test_on_a_real_network_it_is_an_upper_bound_of_the_distance_along_the_gradient(assets: Path) -> None:
    request = TargetRequest(n_classes=10, shape=(32, 32, 3), data_name="cifar10", arch="cifar_resnet20")
    path = assets / "checkpoints" / "cifar10_resnet20_chenyaofo.pth"
    target = plugins.load("targets", "file").open(str(path), request)
    images = torch.from_numpy(np.load(assets / "data" / "cifar10_subset.npz")["images"][:6])
    batch = target.batch(images, target(images).argmax(1))
    found = search(target, batch, 400, n_directions=30)
    gradient = BoundaryDistance().bind(target, (32, 32, 3)).compute(batch).values["boundary-distance"][:, 0]
    assert bool((found.distance > 0.95 * gradient).all())
    with torch.no_grad():
        ends = target.module(target.prepare(found.end)).argmax(1)
    assert int((ends != batch.label).sum()) >= 5  # on the boundary to within float32, which another batch may round
