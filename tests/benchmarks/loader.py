"""What a batch costs before the network sees it: one by one through Pillow, and as a block. Goal: at most 1/8.

python tests/benchmarks/loader.py
"""

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import nn
from torchvision.transforms import Compose, Normalize, ToTensor

from mi_audit.datasets._images import ArrayImages
from mi_audit.target_model import Preprocessing, TargetModel

GOAL = 1 / 8
N_IMAGES, BATCH_SIZE, N_ROUNDS = 2048, 256, 9
MEAN, STD = (0.5070, 0.4865, 0.4409), (0.2673, 0.2564, 0.2761)


def one_by_one(pixels: np.ndarray, start: int, stop: int) -> torch.Tensor:
    """The usual data loader's way: a Pillow image, a tensor and a normalisation per sample."""
    steps = Compose([ToTensor(), Normalize(MEAN, STD)])
    return torch.stack([steps(Image.fromarray(image)) for image in pixels[start:stop]])


def as_block(images: ArrayImages, target: TargetModel, start: int, stop: int) -> torch.Tensor:
    """Ours: read uint8 pixels, normalise the batch."""
    return target.normalise(torch.from_numpy(images.read(start, stop)))


def seconds(batch: Callable[[int, int], torch.Tensor]) -> float:
    """Time for all images, batch by batch."""
    start = time.perf_counter()
    for first in range(0, N_IMAGES, BATCH_SIZE):
        batch(first, first + BATCH_SIZE)
    return time.perf_counter() - start


def main() -> int:
    """Print the table; 1 where the goal is missed."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (N_IMAGES, 32, 32, 3), np.uint8)
    images, target = ArrayImages(pixels), TargetModel(nn.Identity(), Preprocessing(MEAN, STD), 3, "", "", "")
    shuffled = images.take(rng.permutation(N_IMAGES))
    ways: dict[str, Callable[[int, int], torch.Tensor]] = {
        "one by one (Pillow, ToTensor, Normalize)": lambda first, stop: one_by_one(pixels, first, stop),
        "block (read, normalise)": lambda first, stop: as_block(images, target, first, stop),
        "block of a selection (take, read, normalise)": lambda first, stop: as_block(shuffled, target, first, stop),
    }
    reference, ours = (way(0, BATCH_SIZE) for way in list(ways.values())[:2])
    difference = float((reference - ours).abs().max())
    assert difference <= 1e-6, difference
    rounds = [{name: seconds(way) for name, way in ways.items()} for _ in range(N_ROUNDS)]
    medians = {name: statistics.median(each[name] for each in rounds) for name in ways}
    slowest = next(iter(medians.values()))
    print(
        f"{N_IMAGES} images of 32 x 32 x 3, batches of {BATCH_SIZE}, 1 thread, median of {N_ROUNDS} interleaved rounds"
    )
    for name, median in medians.items():
        print(f"  {name:<46}{median / N_IMAGES * 1e6:8.2f} us per image   1/{slowest / median:.1f}")
    print(f"largest difference of a pixel: {difference:g}{' (bit-identical)' if torch.equal(reference, ours) else ''}")
    is_met = max(list(medians.values())[1:]) <= GOAL * slowest
    print(f"goal, at most 1/{1 / GOAL:.0f}: {'met' if is_met else 'MISSED'}")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
