"""The layers of a network, as ``list layers`` prints them."""

import pytest
import torch
from torch import nn

from mi_audit.errors import UsageError
from mi_audit.stages.layers import LayerRow, LayersOptions, layers, rendered, rows_of
from tests.features.networks import SHAPE, target_of


def test_rows_say_what_the_feature_gives():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 7), nn.Linear(7, 5))
    rows = {row.name: row for row in rows_of(target_of(module), SHAPE)}
    assert list(rows) == ["-1", "-2", "0", "1", "2", "3", "4"]
    assert rows["-1"] == LayerRow("-1", "into 4", (7,), 7, 28)
    assert rows["-2"] == LayerRow("-2", "into 3", (144,), 144, 576)
    assert rows["0"] == LayerRow("0", "Conv2d", (4, 6, 6), 8, 32)


def test_what_gives_no_tensor_per_sample_is_left_out():
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.text, self.linear, self.unused = Says(), nn.Linear(192, 5), nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.text(x)
            return self.linear(x.flatten(1))

    class Says(nn.Module):
        def forward(self, _: torch.Tensor) -> str:
            return "nothing to see"

    assert [row.name for row in rows_of(target_of(Odd()), SHAPE)] == ["-1", "linear"]


def test_a_network_without_modules_has_no_layers():
    class Bare(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1)[:, :5]

    assert "no layer" in rendered(rows_of(target_of(Bare()), SHAPE))


@pytest.mark.parametrize("model", ["timm:vit_tiny_patch16_224", "torchvision:vgg11"])
def test_the_table_is_80_columns_wide_and_every_name_is_whole(model):
    rows = layers(LayersOptions(model))
    lines = rendered(rows).splitlines()
    assert max(len(line) for line in lines) <= 80
    assert {row.name for row in rows} <= {line.split()[0] for line in lines if line}
    assert rows[0].name == "-1"


def test_a_checkpoint_needs_no_data_for_its_layers(demo_checkpoint):
    rows = layers(LayersOptions(str(demo_checkpoint), arch="lenet_32_64_200"))
    assert [row.name for row in rows[:2]] == ["-1", "-2"]
    assert rows[0].n_columns == 200


def test_with_data_the_shapes_are_those_of_the_data(demo_checkpoint):
    with_data = layers(LayersOptions(str(demo_checkpoint), data="digits"))
    assert with_data[0].shape == (200,)
    assert next(row.shape for row in with_data if row.kind == "Conv2d")[1:] == (8, 8)


@pytest.mark.parametrize(
    ("model", "message"), [("predictions:a.csv", "has no layers"), ("python:net.py:build", "without --data")]
)
def test_what_has_no_layers_or_needs_data_says_so(model, message):
    with pytest.raises(UsageError, match=message):
        layers(LayersOptions(model))
