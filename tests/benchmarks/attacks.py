"""What attacks cost beside logistic regression, and attacks per class trained together beside one after the other.

python tests/benchmarks/attacks.py                  30,000 samples, 100 classes: about a minute
python tests/benchmarks/attacks.py --samples 6000   the same in seconds

One thread (forests grow on all cores), synthetic logits with a planted leak; half of the samples are known, and all
are scored.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from mi_audit import plugins
from mi_audit.attacks.interface import Attack, Observations, observe
from mi_audit.attacks.mlp import MLP
from mi_audit.schema.feature_cache import FeatureCache

REFERENCE = "logistic-regression"
LEAK = 1.0

T = TypeVar("T")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=30_000)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cache = leaky_cache(options.samples, options.classes)
    torch.set_num_threads(1)
    with threadpool_limits(1):
        one_by_one(cache, options.rounds)
        stacked_beside_loop(cache)


def leaky_cache(n: int, n_classes: int) -> FeatureCache:
    """Gaussian logits, that of the true class raised, and for members raised more."""
    rng = np.random.default_rng(0)
    label, is_member = np.arange(n) % n_classes, rng.permutation(n) < n // 2
    outputs = rng.standard_normal((n, n_classes), np.float32)
    outputs[np.arange(n), label] += (2 + LEAK * is_member).astype(np.float32)
    return FeatureCache(
        outputs=outputs,
        outputs_kind="logits",
        is_member=is_member,
        is_audited=np.ones(n, np.bool_),
        label=label,
        predicted=outputs.argmax(axis=1),
        sample_id=np.array([f"synthetic/{number}" for number in range(n)]),
        class_names=tuple(f"class {number}" for number in range(n_classes)),
        provenance={},
    )


def one_by_one(cache: FeatureCache, n_rounds: int) -> None:
    """Every attack that learns, over all classes: median seconds, and ratios to logistic regression."""
    n = len(cache.is_member)
    warm_up = observe(cache, np.arange(400), "summary")
    seen, observed = timed(lambda: observe(cache, np.arange(n), "summary"))
    names = [name for name in plugins.names("attacks") if not plugins.plugin_class("attacks", name).is_fixed]
    for name in names:  # libraries are imported when they are first used
        cost(plugins.load("attacks", name), warm_up, cache.is_member[:400])
    rounds = [
        {name: cost(plugins.load("attacks", name), seen, cache.is_member) for name in names} for _ in range(n_rounds)
    ]
    medians = {
        name: tuple(map(statistics.median, zip(*(each[name] for each in rounds), strict=True))) for name in names
    }
    print(f"{n:,} samples x {cache.n_classes} classes, 1 thread, median of {n_rounds} interleaved rounds")
    print(f"  {'attack':<22}{'fit':>9}{'score':>9}{'both':>9}   beside {REFERENCE}")
    print(f"  {'(its observations)':<22}{'':>18}{observed:7.2f} s")
    for name, (fit, score) in medians.items():
        ratio = (fit + score) / sum(medians[REFERENCE])
        print(f"  {name:<22}{fit:7.2f} s{score:7.2f} s{fit + score:7.2f} s{ratio:8.2f}")


def cost(attack: Attack, seen: Observations, is_member: np.ndarray) -> tuple[float, float]:
    """Seconds to fit on the first half of the samples, and to score all of them."""
    known = np.arange(len(seen) // 2)
    some, weight = seen.take(known), np.ones(len(known))
    fitted, fit = timed(lambda: attack.fit(some, is_member[known], weight, np.random.default_rng(0)))
    _, score = timed(lambda: fitted.score(seen))
    return fit, score


def stacked_beside_loop(cache: FeatureCache) -> None:
    """The founding paper's networks, one per class: all at once, and each by itself."""
    seen = observe(cache, np.arange(len(cache.is_member)), "confidences")
    weight = np.ones(len(seen))
    groups = [np.flatnonzero(cache.label == number) for number in range(cache.n_classes)]
    attack = MLP(**{name: values[0] for name, values in MLP.paper_search_space.items()})
    together, stacked = timed(lambda: attack.fit_each(groups, seen, cache.is_member, weight, np.random.default_rng(0)))
    seeds = np.random.default_rng(0).integers(2**63, size=len(groups))
    _, looped = timed(
        lambda: [
            attack.fit(seen.take(rows), cache.is_member[rows], weight[rows], np.random.default_rng(seed))
            for rows, seed in zip(groups, seeds, strict=True)
        ]
    )
    print(f"mlp per class, {len(together)} networks of {len(groups[0])} samples and {len(seen.columns)} columns each")
    print(f"  one after the other {looped:7.2f} s")
    print(f"  stacked             {stacked:7.2f} s   {looped / stacked:.1f} times as fast")


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What the work gives, and the seconds it takes."""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


if __name__ == "__main__":
    main()
