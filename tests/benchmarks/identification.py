"""How well networks are named from their state dicts alone: timm models drawn at random, saved with 100 classes.

    python -m tests.benchmarks.identification [--n 70] [--seed 0]

For each model: built with random weights, saved as a bare state dict, opened, named; no data is involved. Candidates
with equal answers are one (they are merged by comparing outputs). "Right" means that the model is among the
candidates or answers as one of them does.
"""

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import timm
import torch

from mi_audit.targets._checkpoint.opening import OpenedCheckpoint, open_state_dict
from mi_audit.targets._identification.candidates import search

N_CLASSES = 100


def checkpoint_of(name: str, folder: Path) -> OpenedCheckpoint:
    """The model with random weights, through a file."""
    path = folder / "model.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(timm.create_model(name, num_classes=N_CLASSES).state_dict(), path)
    try:
        return open_state_dict(path)
    finally:
        path.unlink()


def outcome_of(name: str, checkpoint: OpenedCheckpoint) -> tuple[str, float, str]:
    """What became of it, seconds of the search, and the candidates in words."""
    start = time.perf_counter()
    found = search(checkpoint, None).candidates
    seconds = time.perf_counter() - start
    named = [f"{one.name}{list(one.alike) or ''}" for one in found]
    is_right = any(f"timm:{name}" in (one.name, *one.alike) for one in found)
    if is_right:
        outcome = "unique and right" if len(found) == 1 else "ambiguous, right one included"
    else:
        outcome = "wrong" if found else "missed"
    return outcome, seconds, ", ".join(named)


def main() -> None:
    """Print one line a model and the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=70)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    drawn = np.random.default_rng(options.seed).choice(timm.list_models(), options.n, replace=False)
    outcomes: list[str] = []
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in map(str, drawn):
            outcome, seconds, named = outcome_of(name, checkpoint_of(name, Path(folder)))
            print(f"{name:<50} {seconds:6.2f} s  {outcome}: {named}", flush=True)
            outcomes.append(outcome)
            times.append(seconds)
    print()
    for outcome in ("unique and right", "ambiguous, right one included", "missed", "wrong"):
        print(f"{outcome:<32} {outcomes.count(outcome):3d} of {options.n}")
    print(f"{'seconds, median and worst':<32} {np.median(times):.2f}, {max(times):.2f}")


if __name__ == "__main__":
    main()
