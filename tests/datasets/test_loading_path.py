import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.transforms import Compose, Normalize, ToTensor

from mi_audit.datasets._images import ArrayImages
from mi_audit.target_model import Preprocessing, TargetModel


@pytest.mark.parametrize("channels", [1, 3])
def test_blocks_normalised_at_once_have_the_bits_of_the_per_sample_path(channels: int) -> None:
    mean, std = (0.507, 0.4865, 0.4409)[:channels], (0.2673, 0.2564, 0.2761)[:channels]
    pixels = np.random.default_rng(0).integers(0, 256, (20, 7, 9, channels), np.uint8)
    steps = Compose([ToTensor(), Normalize(mean, std)])
    expected = torch.stack([steps(Image.fromarray(image.squeeze())) for image in pixels])
    target = TargetModel(nn.Identity(), Preprocessing(mean, std), channels, "", "", "")
    images = target.normalise(torch.from_numpy(ArrayImages(pixels).read(0, 20)))
    assert torch.equal(images, expected)
    assert images.is_contiguous(memory_format=torch.channels_last)
