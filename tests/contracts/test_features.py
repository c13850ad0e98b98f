"""What every feature promises, for every plug-in in the room."""

import dataclasses

import pytest
import torch

from mi_audit import plugins
from mi_audit.features.interface import BoundFeature, Feature
from mi_audit.target_model import Batch, TargetModel
from tests.features.networks import SHAPE, batch_of, target_of

NAMES = plugins.names("features")


def network() -> torch.nn.Module:
    torch.manual_seed(3)
    layers = [torch.nn.Conv2d(3, 6, 3), torch.nn.BatchNorm2d(6), torch.nn.Tanh(), torch.nn.Flatten()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(216, 5))


@pytest.fixture
def target() -> TargetModel:
    return target_of(network())


@pytest.fixture(params=NAMES)
def feature(request: pytest.FixtureRequest) -> Feature:
    return plugins.load("features", request.param)


def seen(target: TargetModel, bound: BoundFeature, n: int = 8) -> Batch:
    batch = batch_of(target, n)
    return target.batch(batch.images, batch.label, bound.taps)


def test_the_four_features_are_there() -> None:
    assert {"layer", "gradient-norm", "boundary-distance", "label-only-distance"} <= set(NAMES)


def test_a_feature_is_a_frozen_dataclass_whose_argument_is_a_field_of_texts(feature: Feature) -> None:
    assert dataclasses.is_dataclass(feature)
    assert type(feature).__dataclass_params__.frozen
    if feature.argument is not None:
        assert all(isinstance(text, str) for text in getattr(feature, feature.argument))


def test_values_have_the_promised_names_and_shapes(feature: Feature, target: TargetModel) -> None:
    bound = feature.bind(target, SHAPE)
    found = bound.compute(seen(target, bound))
    assert set(found.values) == set(bound.columns)
    for name, columns in bound.columns.items():
        assert found.values[name].shape == (8, len(columns))
        assert found.values[name].dtype == torch.float32
        assert not found.values[name].requires_grad
        assert len(set(columns)) == len(columns)


def test_a_batch_of_one_is_its_row_in_a_batch_of_eight(feature: Feature, target: TargetModel) -> None:
    bound = feature.bind(target, SHAPE)
    batch = seen(target, bound)
    together = bound.compute(batch).values
    alone = target.batch(batch.images[3:4], batch.label[3:4], bound.taps)
    for name, values in feature.bind(target, SHAPE).compute(alone).values.items():
        torch.testing.assert_close(values, together[name][3:4], rtol=5e-3, atol=1e-6, equal_nan=True)


def test_input_and_target_are_left_as_they_were(feature: Feature, target: TargetModel) -> None:
    bound = feature.bind(target, SHAPE)
    batch = seen(target, bound)
    before = {name: value.clone() for name, value in target.module.state_dict().items()}
    images, logits = batch.images.clone(), batch.logits.clone()
    kept = {tap: value.clone() for tap, value in batch.activations.items()}
    bound.compute(batch)
    assert torch.equal(batch.images, images)
    assert torch.equal(batch.logits, logits)
    assert all(torch.equal(batch.activations[tap], value) for tap, value in kept.items())
    assert all(torch.equal(value, before[name]) for name, value in target.module.state_dict().items())
    assert all(each.requires_grad and each.grad is None for each in target.module.parameters())
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in target.module.modules())


def test_the_same_batch_gives_the_same_bytes_with_gradients_switched_off(feature: Feature, target: TargetModel) -> None:
    bound = feature.bind(target, SHAPE)
    batch = seen(target, bound)
    first = bound.compute(batch).values
    with torch.no_grad():
        again = bound.compute(batch).values
    assert all(torch.equal(value, again[name]) for name, value in first.items())


def test_every_nan_has_its_reason(feature: Feature, target: TargetModel) -> None:
    with torch.no_grad():
        target.module[-1].weight.zero_()
    bound = feature.bind(target, SHAPE)
    found = bound.compute(seen(target, bound))
    for name, values in found.values.items():
        rows = values.isnan().any(1).nonzero().flatten().tolist()
        assert rows == [failure.row for failure in found.failures if failure.feature == name]
    assert all(failure.reason for failure in found.failures)
