"""Networks that are right on made-up images, without training: the labels are the answers they give."""

import numpy as np
import torch
from torch import nn

from mi_audit.target_model import Preprocessing, TargetModel
from mi_audit.targets._build import build, find
from mi_audit.targets.interface import Probe

SHAPE = (32, 32, 3)


def pictures(n: int = 128, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """Blurred noise of varying brightness and colour, (n, height, width, channels) uint8."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.normal(0, 40, (n, shape[2], 4, 4)) + rng.normal(0, 30, (n, shape[2], 1, 1)) + 120)
    smooth = nn.functional.interpolate(coarse, shape[:2], mode="bilinear").permute(0, 2, 3, 1).numpy()
    return np.clip(smooth + rng.normal(0, 8, smooth.shape), 0, 255).astype(np.uint8)


def fitted(name: str, preprocessing: Preprocessing, images: np.ndarray, n_classes: int = 10) -> tuple[nn.Module, Probe]:
    """A network whose BatchNorm layers hold the statistics of these images, and the images with its answers as labels.

    The head is centred on the images, so that all classes occur.
    """
    module = build(find(name)[0], n_classes, images.shape[1:], seed=5)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
    target = TargetModel(module, preprocessing, n_classes, name, "", "")
    pixels = torch.from_numpy(images)
    with torch.no_grad():
        module.train()
        target(pixels)
        module.eval()
        logits = target(pixels)
        head = [layer for layer in module.modules() if isinstance(layer, nn.Linear)][-1]
        spread = logits.std(dim=0) + 1e-6
        head.bias.sub_(logits.mean(dim=0))
        head.weight.div_(spread[:, None] / 4)
        head.bias.div_(spread / 4)
        labels = target(pixels).argmax(dim=1).numpy()
    return module, Probe(images, labels, np.arange(len(labels)) % 2 == 0)
