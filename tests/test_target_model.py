"""Preprocessing on the device: torchvision's transforms are the reference."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision import transforms

from mi_audit.target_model import Preprocessing, TargetModel, digest_of_weights, grey, two_classes

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)


def target(preprocessing: Preprocessing, module: nn.Module | None = None) -> TargetModel:
    return TargetModel(module or nn.Identity(), preprocessing, 10, "net", "net.pt", "digest")


def images(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, height, width, channels), np.uint8)


def test_normalisation_is_that_of_torchvision_bit_for_bit():
    pixels = images(8, 8)
    reference = transforms.Compose([transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
    expected = torch.stack([reference(Image.fromarray(image)) for image in pixels])
    given = target(Preprocessing(MEAN, STD)).normalise(torch.from_numpy(pixels))
    assert torch.equal(given, expected)
    assert given.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("shape", [(40, 60), (61, 40), (33, 33), (20, 50)])
@pytest.mark.parametrize("resize", [None, 32])
def test_resizing_is_that_of_torchvision(shape, resize):
    pixels = images(*shape)
    size = (24, 24)
    steps = [transforms.Resize(size)] if resize is None else [transforms.Resize(resize), transforms.CenterCrop(size)]
    floats = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    expected = transforms.Compose(steps)(floats)
    identity = Preprocessing((0.0,) * 3, (1.0,) * 3, size=size, resize=resize)
    assert torch.allclose(target(identity).normalise(torch.from_numpy(pixels)), expected, atol=1e-6)


def test_grey_images_are_repeated_for_a_network_of_three_channels():
    grey = torch.from_numpy(images(4, 4, 1))
    out = target(Preprocessing((0.0,) * 3, (1.0,) * 3)).normalise(grey)
    assert torch.equal(out, (grey.permute(0, 3, 1, 2).float() / 255).expand(-1, 3, -1, -1))


def test_colour_is_shown_in_the_grey_of_pillow_to_a_network_of_one_channel():
    pixels = images(16, 16)
    expected = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in pixels])
    assert np.array_equal(grey(torch.from_numpy(pixels))[..., 0].numpy(), expected)
    out = target(Preprocessing((0.0,), (1.0,))).normalise(torch.from_numpy(pixels))
    assert torch.equal(out[:, 0], torch.from_numpy(expected).float() / 255)


def test_grey_that_was_stored_as_colour_is_what_it_was():
    once = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1)
    assert torch.equal(grey(once.expand(-1, -1, -1, 3)), once)


def test_colour_with_transparency_does_not_fit_a_network_of_one_channel():
    with pytest.raises(ValueError, match="expected images of 1 channels, got 4"):
        target(Preprocessing((0.0,), (1.0,))).normalise(torch.from_numpy(images(4, 4, 4)))


def test_images_are_not_changed():
    pixels = torch.from_numpy(images(4, 4))
    before = pixels.clone()
    target(Preprocessing(MEAN, STD)).normalise(pixels)
    assert torch.equal(pixels, before)


@pytest.mark.parametrize("shape", [(5,), (5, 1)])
def test_one_logit_is_two_classes_of_the_same_probability(shape):
    z = torch.linspace(-30, 30, 5).reshape(shape)
    logits = two_classes(z)
    assert torch.allclose(logits.softmax(1)[:, 1], torch.sigmoid(z).reshape(-1))


def test_the_digest_tells_weights_apart_and_nothing_else():
    first, second = (nn.BatchNorm1d(3) for _ in range(2))
    assert digest_of_weights(first) == digest_of_weights(second.train(mode=False))
    second.running_mean[0] = 1e-30
    assert digest_of_weights(first) != digest_of_weights(second)


@pytest.mark.parametrize(("mean", "std"), [((0.5,), (0.5, 0.5)), ((), ()), ((0.5,), (0.0,))])
def test_constants_that_make_no_sense_are_refused(mean, std):
    with pytest.raises(ValueError, match="expected"):
        Preprocessing(mean, std)


def test_where_the_constants_come_from_does_not_change_the_digest():
    assert Preprocessing(MEAN, STD, source="a").digest() == Preprocessing(MEAN, STD, source="b").digest()
    assert Preprocessing(MEAN, STD).digest() != Preprocessing(STD, MEAN).digest()


def test_gradients_see_colour_as_grey_up_to_rounding():
    module = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    target = TargetModel(module, Preprocessing((0.4,), (0.3,)), 3, "mine", "mine", "digest")
    images = torch.randint(0, 256, (5, 4, 4, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    pixels = images.permute(0, 3, 1, 2).double() / 255
    difference = target.prepare(pixels) - target.normalise(images).double()
    assert difference.abs().max() <= 0.5 / 255 / 0.3 + 1e-6


class Viewing(torch.nn.Module):
    """A convolution whose map is flattened by `view`, as in many tutorials."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.convolution = torch.nn.Conv2d(n_channels, 4, 3)
        self.head = torch.nn.Linear(4 * 6 * 6, 5)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.head(self.convolution(pixels).view(len(pixels), -1))


@pytest.mark.parametrize("n_channels", [1, 3])
def test_a_network_that_flattens_by_view_gets_its_pixels_channels_first(n_channels):
    module = Viewing(n_channels).eval().to(memory_format=torch.channels_last)
    constants = Preprocessing((0.0,) * n_channels, (1.0,) * n_channels)
    target = TargetModel(module, constants, 5, "viewing", "viewing", "")
    images = torch.randint(256, (7, 8, 8, n_channels), dtype=torch.uint8)
    expected = module.head(module.convolution(images.permute(0, 3, 1, 2).float().div(255)).reshape(7, -1))
    torch.testing.assert_close(target(images), expected)
    assert target.layout.memory_format is torch.contiguous_format  # and is not tried the other way again
    torch.testing.assert_close(target.batch(images, torch.zeros(7, dtype=torch.int64)).logits, expected)


def test_other_errors_of_a_network_are_its_own():
    target = TargetModel(torch.nn.Linear(3, 5), Preprocessing((0.0,) * 3, (1.0,) * 3), 5, "odd", "odd", "")
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        target(torch.zeros((1, 8, 8, 3), dtype=torch.uint8))
    assert target.layout.memory_format is torch.channels_last
