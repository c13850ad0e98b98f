"""The stage ``demo``: a small network, trained on the members of the digits until it knows them by heart."""

from pathlib import Path

import torch
from torch import nn

from mi_audit import store
from mi_audit.datasets.interface import DataRequest, Side
from mi_audit.stages._sources import open_data
from mi_audit.stages._split import checked_seed
from mi_audit.stages.progress import Progress, Silence
from mi_audit.targets._build import build, find

ARCHITECTURE = "lenet_32_64_200"
EPOCHS, BATCH_SIZE, LEARNING_RATE = 60, 64, 2e-3


def train_target(path: Path, seed: int, progress: Progress | None = None, epochs: int = EPOCHS) -> None:
    """Train on the members of ``digits`` and save the state dict; nothing global is seeded.

    Args:
        path: of the checkpoint.
        seed: of the weights and of the order of the batches.
        progress: told about every epoch.
        epochs: when to stop; with the same seed a shorter training is the beginning of a longer one.

    Raises:
        OutputError: the file cannot be written.
        UsageError: the seed is out of range.
    """
    checked_seed(seed)
    members = open_data("digits", DataRequest()).members
    n_threads = torch.get_num_threads()
    torch.set_num_threads(
        1
    )  # the batches are too small to share out: a second thread only waits, and slows busy machines
    try:
        module = _trained(members, seed, progress or Silence(), epochs)
    finally:
        torch.set_num_threads(n_threads)
    with store.replacing(path) as file:
        torch.save({"state_dict": module.state_dict(), "epoch": epochs}, file)


def _trained(members: Side, seed: int, progress: Progress, epochs: int) -> nn.Module:
    images = torch.from_numpy(members.images.read(0, len(members))).permute(0, 3, 1, 2).float() / 255
    label = torch.from_numpy(members.label)
    module = build(find(ARCHITECTURE)[0], n_classes=10, shape=(8, 8, 1), seed=seed)
    optimiser = torch.optim.Adam(module.parameters(), lr=LEARNING_RATE)
    generator = torch.Generator().manual_seed(seed)
    progress.start(f"training {ARCHITECTURE}", epochs)
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(len(label), generator=generator), BATCH_SIZE):
            optimiser.zero_grad()
            torch.autograd.backward(nn.functional.cross_entropy(module(images[rows]), label[rows]))
            optimiser.step()
        progress.advance(1)
    progress.finish()
    return module
