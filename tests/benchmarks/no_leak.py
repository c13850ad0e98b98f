"""How often a target that leaks nothing passes the gate: a real network, real images, the default suite of attacks.

python -m tests.benchmarks.no_leak DATA_DIR [N_SEEDS]

A LeNet learns the 10,000 test images of MNIST. Who is called a member among the 60,000 training images, none of which it
has seen, is drawn anew for every seed: 50,000 members and 10,000 non-members, half of each held out. Goals: PASS in at
least 18 of 20 with 25,000 and 5,000 held out; INCONCLUSIVE with 500 and 500.
"""

import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch.nn import functional as F  # noqa: N812 - the usual name

from mi_audit.schema.audit import Audit
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.stages._extract_options import ExtractOptions
from mi_audit.stages._training_plan import TrainOptions
from mi_audit.stages.audit import extract_file
from mi_audit.stages.evaluate import EvaluateOptions, evaluate
from mi_audit.stages.progress import Silence
from mi_audit.stages.train_attack import train_attacks
from mi_audit.targets.architectures import lenet

N_EPOCHS, BATCH = 15, 64
SIZES = {"25,000 / 5,000 held out": (50_000, 10_000), "500 / 500 held out": (1_000, 1_000)}
GOALS = {"25,000 / 5,000 held out": ("PASS", 0.9), "500 / 500 held out": ("INCONCLUSIVE", 1.0)}


def train(images: torch.Tensor, label: torch.Tensor, path: Path) -> None:
    torch.manual_seed(0)
    network = lenet.build(10, (28, 28, 1), variant="paper")
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(N_EPOCHS):
        for rows in torch.randperm(len(label)).split(BATCH):
            loss = F.cross_entropy(network(images[rows, None].float() / 255), label[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    torch.save(network.state_dict(), path)


def outputs(data_dir: Path, folder: Path) -> FeatureCache:
    """What the network says of the 60,000 training images, which it has not seen."""
    seen, unseen = (torchvision.datasets.MNIST(data_dir, train=is_train) for is_train in (False, True))
    train(seen.data, seen.targets, folder / "lenet.pt")
    is_member = np.arange(len(unseen.targets)) % 6 > 0  # a place-holder: membership is drawn later
    arrays = {"images": unseen.data.numpy()[..., None], "labels": unseen.targets.numpy(), "is_member": is_member}
    np.savez(folder / "images.npz", **arrays)
    options = ExtractOptions(model=str(folder / "lenet.pt"), data=str(folder / "images.npz"))
    return extract_file(options, folder / "features.npz", Silence())


def drawn(cache: FeatureCache, n_members: int, n_non_members: int, seed: int) -> FeatureCache:
    """The cache with so many members and non-members, drawn from all samples without regard to anything."""
    rows = np.random.default_rng(seed).permutation(len(cache.label))[: n_members + n_non_members]
    is_member = np.arange(len(rows)) < n_members
    names = ("outputs", "label", "predicted", "sample_id")
    return replace(
        cache,
        is_member=is_member,
        is_audited=np.ones(len(rows), np.bool_),
        findings=(),
        **{name: getattr(cache, name)[rows] for name in names},
    )


def audited(cache: FeatureCache, seed: int) -> Audit:
    trained = train_attacks(cache, TrainOptions(seed=seed))
    return evaluate(cache, trained, EvaluateOptions(aggregate_only=True))


def main() -> int:
    torch.set_num_threads(1)
    data_dir, n_seeds = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20
    with tempfile.TemporaryDirectory() as folder:
        cache = outputs(data_dir, Path(folder))
    print(f"accuracy on the images it has not seen: {cache.is_correct.mean():.2%}")
    is_met = True
    for name, (n_members, n_non_members) in SIZES.items():
        counts: Counter[str] = Counter()
        for seed in range(n_seeds):
            verdict = audited(drawn(cache, n_members, n_non_members, seed), seed).verdict
            assert verdict is not None
            counts[verdict.outcome] += 1
            if verdict.outcome != GOALS[name][0]:
                print(f"  seed {seed}: {verdict.outcome}: {'; '.join(verdict.reasons)[:300]}", flush=True)
        wanted, share = GOALS[name]
        is_met &= counts[wanted] >= share * n_seeds
        print(f"{name:28} {dict(counts)} of {n_seeds} (goal: {wanted} in {share:.0%})", flush=True)
    print("met" if is_met else "MISSED")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
