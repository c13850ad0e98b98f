"""What the numbers cost beside scikit-learn's ROC curve, and the bootstrap beside resampling.

python tests/benchmarks/metrics.py                    60,000 and 1,300,000 scores: about a minute

One attack's metrics, intervals and statistics against `roc_curve` on the same scores, one thread, medians. The
permutation test, which is about all attacks at once, is timed apart, with twelve attacks.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from sklearn.metrics import roc_curve

from mi_audit.metrics import bounds, classes, stratified
from mi_audit.metrics._within_classes import WithinClasses
from mi_audit.metrics.bootstrap import tail_replicates
from mi_audit.metrics.chance import max_t
from mi_audit.metrics.decisions import Decisions
from mi_audit.metrics.ordering import Ordering
from mi_audit.metrics.power import power
from mi_audit.metrics.priors import PRIORS, worth
from mi_audit.metrics.privacy import privacy_bound
from mi_audit.metrics.table import measure

N_CLASSES = 100
N_ATTACKS = 12


def main() -> None:
    """Print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="*", default=[60_000, 1_300_000])
    for n in parser.parse_args().samples:
        beside_roc_curve(n)


def beside_roc_curve(n: int) -> None:
    """All of it for n scores."""
    score, is_member, label = drawn(n)
    everything(score, is_member, label)  # imports scipy
    rounds = 7 if n < 200_000 else 3
    reference = seconds(lambda: roc_curve(is_member, score), rounds)
    print(f"{n:,} scores, roc_curve {1000 * reference:.1f} ms")
    report("metrics of one row", reference, seconds(lambda: measure(score, 0.5, is_member), rounds))
    report("statistics of one attack", reference, seconds(lambda: everything(score, is_member, label), rounds))
    bootstrap(score, is_member)
    report("power, once per audit", reference, seconds(lambda: power(n // 2, n // 2, 0.545), 1))
    if n < 200_000:
        permutations(n // 2)


def drawn(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A Gaussian shift over classes of equal size."""
    rng = np.random.default_rng(0)
    is_member = rng.permutation(n) < n // 2
    return rng.normal(size=n) + 0.3 * is_member, is_member, rng.integers(N_CLASSES, size=n)


def everything(score: np.ndarray, is_member: np.ndarray, label: np.ndarray) -> None:
    """All statistics of one attack but the permutation test, as the stage computes them."""
    rng = np.random.default_rng(0)
    ordering = Ordering.of(score, is_member, rng)
    bounds.auc_bound(score, is_member, ordering, 0.05 / 3, 0.05)
    for name in bounds.MEASURES[1:]:
        bounds.rate_bound(name, ordering, 0.05 / 3, 0.05, rng)
    within = WithinClasses.of(score, is_member, label)
    stratified.of_classes(within)
    classes.of_classes(within)
    decisions = Decisions.of(score, 0.5, is_member)
    for prior in PRIORS:
        worth(decisions, prior)
    privacy_bound(ordering)


def bootstrap(score: np.ndarray, is_member: np.ndarray) -> None:
    """1,000 replicates beside one by resampling."""
    ordering, rng = Ordering.of(score, is_member), np.random.default_rng(0)
    members, non_members = score[is_member], score[~is_member]

    def resampled() -> float:
        new = rng.choice(members, len(members)), rng.choice(non_members, len(non_members))
        truth = np.repeat([True, False], [len(members), len(non_members)])
        false_alarms, recall, _ = roc_curve(truth, np.concatenate(new))
        return float(recall[np.searchsorted(false_alarms, 0.001, side="right") - 1])

    naive, ours = seconds(resampled, 3), seconds(lambda: tail_replicates(ordering.tail(), 0.001, 1000, rng), 7)
    print(f"  1,000 bootstrap replicates {1000 * ours:.2f} ms: {ours / naive:.4f} of one by resampling")


def permutations(n: int) -> None:
    """The permutation test over twelve attacks."""
    score, is_member, label = drawn(n)
    rng = np.random.default_rng(0)
    scores = [score + rng.normal(size=n) for _ in range(N_ATTACKS)]
    spent = seconds(lambda: max_t(scores, is_member, label, np.random.default_rng(0)), 1)
    print(f"  999 permutations, {n:,} samples, {N_ATTACKS} attacks: {spent:.1f} s")


def report(name: str, reference: float, spent: float) -> None:
    """One line."""
    print(f"  {name:26} {1000 * spent:8.1f} ms  {spent / reference:5.2f} roc_curve")


def seconds(function: Callable[[], object], n_rounds: int) -> float:
    """Median over rounds."""
    spent = []
    for _ in range(n_rounds):
        start = time.perf_counter()
        function()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent)


if __name__ == "__main__":
    main()
