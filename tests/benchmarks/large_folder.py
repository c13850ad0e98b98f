"""A large folder of small JPEG files through a tiny network: speed, memory, and an interruption in the middle.

python tests/benchmarks/large_folder.py [N_FILES]          100,000 files, written to a temporary folder

Goals: at least half the speed of decoding alone; peak memory that grows by less than 2 KB per file; the file of an
interrupted and resumed extraction equals that of one that ran through, byte by byte.
"""

import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from mi_audit import plugins
from mi_audit.datasets._images import FileImages
from mi_audit.datasets.interface import DataRequest, MembershipData
from mi_audit.stages.audit import extract_to
from mi_audit.stages.extract import Extraction, ExtractOptions
from mi_audit.stages.progress import Silence
from mi_audit.target_model import Preprocessing, TargetModel, digest_of_weights

N_FILES, N_CLASSES, SIDE, BATCH_SIZE = 100_000, 10, 64, 256
MIN_RATIO, MAX_BYTES_PER_FILE = 0.5, 2048


class Interrupting(Silence):
    """Interrupts at half of the samples."""

    def __init__(self, at: int) -> None:
        self._left = at

    def advance(self, steps: int) -> None:
        """Count down."""
        self._left -= steps
        if self._left <= 0:
            raise KeyboardInterrupt


def write_files(folder: Path, n: int) -> None:
    """Smooth random pictures, half of them members, in classes in turn."""
    rng = np.random.default_rng(0)
    for number in range(n):
        side = "members" if number % 2 else "non-members"
        path = folder / side / f"{number // 2 % N_CLASSES}" / f"{number:07}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        small = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
        small.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path, quality=90)


def extraction_of(folder: Path) -> Extraction:
    """The folder and a network of one convolution."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, N_CLASSES)
    ).eval()
    target = TargetModel(
        module, Preprocessing((0.5,) * 3, (0.5,) * 3), N_CLASSES, "tiny", "", digest_of_weights(module)
    )
    data: MembershipData = plugins.load("datasets", "folder").open(str(folder), DataRequest())
    return Extraction(ExtractOptions("tiny", str(folder), batch_size=BATCH_SIZE, device="cpu"), target, data)


def seconds_of_decoding(images: FileImages) -> float:
    """Time to decode everything, in batches, with the same threads."""
    start = time.perf_counter()
    for first in range(0, len(images), BATCH_SIZE):
        images.read(first, first + BATCH_SIZE)
    return time.perf_counter() - start


def peak_bytes() -> int:
    """Of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(n: int) -> int:
    """Print the table; 1 where a goal is missed."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder / "images", n)
        few = extraction_of(folder / "images")
        rows = np.arange(BATCH_SIZE * 4)
        few = replace(
            few,
            data=replace(few.data, members=few.data.members.take(rows), non_members=few.data.non_members.take(rows)),
        )
        extract_to(few, folder / "few.npz", Silence())  # loads what is loaded once
        del few
        before = peak_bytes()
        start = time.perf_counter()
        extract_to(extraction_of(folder / "images"), folder / "whole.npz", Silence())
        whole, growth = time.perf_counter() - start, (peak_bytes() - before) / n
        data = extraction_of(folder / "images").data
        decoding = sum(seconds_of_decoding(side.images) for side in (data.members, data.non_members))
        try:
            extract_to(extraction_of(folder / "images"), folder / "resumed.npz", Interrupting(n // 2))
        except KeyboardInterrupt:
            extract_to(extraction_of(folder / "images"), folder / "resumed.npz", Silence())
        is_same = (folder / "whole.npz").read_bytes() == (folder / "resumed.npz").read_bytes()
    ratio = decoding / whole
    print(f"{n:,} JPEG files of {SIDE} x {SIDE}, batches of {BATCH_SIZE}")
    print(f"  decoding alone        {n / decoding:10,.0f} images/s")
    print(f"  open, extract, write  {n / whole:10,.0f} images/s, {ratio:.2f} of decoding (goal {MIN_RATIO})")
    print(f"  peak memory grows by  {growth:10,.0f} bytes per file (goal {MAX_BYTES_PER_FILE:,})")
    print(f"  interrupted, resumed  {'the same bytes' if is_same else 'OTHER BYTES'}")
    return 0 if ratio >= MIN_RATIO and growth <= MAX_BYTES_PER_FILE and is_same else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else N_FILES))
