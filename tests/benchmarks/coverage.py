"""How often every interval and bound holds, by simulation: what is promised beside what was seen.

python tests/benchmarks/coverage.py                 400 runs a cell: about four minutes of one core
python tests/benchmarks/coverage.py --runs 100      a minute

Distributions: Gaussian shift; Lehmann (power) ROC, TPR = FAR^0.7; exponential losses of two rates; 1 % of members
memorised among noise; Gaussian shift rounded to halves (ties; the truth is the ROC curve with straight lines through
them).
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from mi_audit.metrics import ranking
from mi_audit.metrics.bootstrap import tail_bootstrap
from mi_audit.metrics.bounds import bound
from mi_audit.metrics.comparing import paired_difference
from mi_audit.metrics.decisions import Decisions
from mi_audit.metrics.ordering import Ordering
from mi_audit.metrics.priors import worth
from mi_audit.metrics.privacy import privacy_bound
from mi_audit.metrics.stratified import stratified_auc

RATE = 0.01
PRIOR = 0.1
SIZES = (500, 2000)
Draw = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Law:
    """A distribution of scores.

    Attributes:
        name: for the table.
        draw: (members, non-members), n of each.
        roc: true recall at a false alarm rate.
        threshold: a fixed one, and the rates it has.
    """

    name: str
    draw: Draw
    roc: Callable[[float], float]
    threshold: float

    def auc(self) -> float:
        """The true AUC, the area under `roc`."""
        points = np.concatenate([np.logspace(-9, -2, 4000), np.linspace(0.01, 1, 40_000)[1:]])
        return float(np.trapezoid([self.roc(point) for point in points], points))


def lehmann(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The survival of members is that of non-members to the power 0.7."""
    return -(rng.random(n) ** (1 / 0.7)), -rng.random(n)


def memorised(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """One member in a hundred stands above all."""
    return rng.normal(size=n) + 20 * (rng.random(n) < 0.01), rng.normal(size=n)


def halves(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """A Gaussian shift of 0.6, rounded to halves."""
    return np.round(2 * rng.normal(0.6, 1, n)) / 2, np.round(2 * rng.normal(0, 1, n)) / 2


def chord(a: float) -> float:
    """The ROC curve of `halves`."""
    cuts = np.arange(-10, 10.5, 0.5) + 0.25
    return float(np.interp(a, norm.sf(cuts)[::-1], norm.sf(cuts - 0.6)[::-1]))


LAWS = (
    Law(
        "Gaussian .6",
        lambda rng, n: (rng.normal(0.6, 1, n), rng.normal(0, 1, n)),
        lambda a: float(norm.sf(norm.isf(a) - 0.6)),
        float(norm.isf(0.05)),
    ),
    Law("Lehmann .7", lehmann, lambda a: a**0.7, -0.05),
    Law(
        "exponential",  # score = -loss, mean loss 1 and 1/2: recall 1 - (1 - F)^2 from the lower end of the loss
        lambda rng, n: (-rng.exponential(0.5, n), -rng.exponential(1, n)),
        lambda a: 1 - (1 - a) ** 2,
        float(np.log1p(-0.05)),
    ),
    Law("1 % memorised", memorised, lambda a: 0.01 + 0.99 * a, float(norm.isf(0.05))),
    Law("ties", halves, chord, 1.25),
)
COLUMNS = ("box", "low", "high", "boot", "AUC", "low", "high", "strat.", "PPV", "mu")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=400)
    n_runs = parser.parse_args().runs
    print(f"Share of {n_runs} runs in which the truth lies inside, in %. Promised: of box, boot, AUC, strat. and PPV")
    print("(intervals) and of low, high and mu (one-sided bounds) 95. From box to boot: recall at FAR 1 %.")
    print(f"{'law':15}{'n':>6}" + "".join(f"{name:>8}" for name in COLUMNS))
    for law in LAWS:
        for n in SIZES:
            held = np.mean([one_run(law, n, seed) for seed in range(n_runs)], axis=0)
            print(f"{law.name:15}{n:6}" + "".join(f"{100 * share:8.1f}" for share in held))
    print("\nDifferences of two scores on the same samples (Gaussian .6 and .4, correlated .9), promised 95")
    for n in (1000, 4000):
        held = np.mean([paired_run(n, seed) for seed in range(n_runs)], axis=0)
        print(f"{n:6}" + "".join(f"  {name} {100 * share:.1f}" for name, share in zip(PAIRED, held, strict=True)))
    print("\nEpsilon, promised: above the truth in 5 at most")
    for epsilon in (0.0, 0.5, 2.0):
        found = [randomised_response(epsilon, seed) for seed in range(n_runs)]
        share = 100 * np.mean(np.array(found) > epsilon)
        print(f"  randomised response {epsilon}: above {share:.1f}, median {np.median(found):.2f}")


def one_run(law: Law, n: int, seed: int) -> list[bool]:
    """Which intervals hold, in the order of `COLUMNS`."""
    rng = np.random.default_rng(seed)
    members, non_members = law.draw(rng, n)
    score, is_member = np.concatenate([members, non_members]), np.arange(2 * n) < n
    recall, area = law.roc(RATE), true_auc(law)
    one_sided = bound("tpr_at_fpr.0.01", score, is_member, 0.05, 0.05, rng)
    two_sided = bound("tpr_at_fpr.0.01", score, is_member, 0.025, 0.025, rng)
    of_auc = bound("auc", score, is_member, 0.05, 0.05, rng)
    ordering = Ordering.of(score, is_member, rng)
    described = tail_bootstrap(ordering.tail(), RATE, rng)
    both, strata = ranking.auc(score, is_member), stratified_auc(score, is_member, rng.integers(10, size=2 * n))
    false_alarms = true_rate(law, n)
    hit = law.roc(false_alarms)
    ppv = PRIOR * hit / (PRIOR * hit + (1 - PRIOR) * false_alarms)
    shown = worth(Decisions.of(score, law.threshold, is_member), PRIOR).ppv
    strongest = max(norm.ppf(law.roc(a)) - norm.ppf(a) for a in (0.001, 0.01, 0.1))
    lower_end = max(norm.ppf(lower_roc(law, a)) - norm.ppf(a) for a in (0.001, 0.01, 0.1))
    return [
        two_sided.low <= recall <= two_sided.high,
        one_sided.low <= recall,
        one_sided.high >= recall,
        described.low <= recall <= described.high,
        both.low <= area <= both.high,
        of_auc.low <= area,
        of_auc.high >= area,
        strata.low <= area <= strata.high,
        shown.low <= ppv <= shown.high,
        privacy_bound(ordering).mu <= max(strongest, lower_end),
    ]


def true_auc(law: Law, known: dict[str, float] = {}) -> float:  # noqa: B006 - a cache
    """The true AUC, computed once."""
    if law.name not in known:
        known[law.name] = law.auc()
    return known[law.name]


def true_rate(law: Law, n: int) -> float:  # noqa: ARG001
    """The false alarm rate of the law's fixed threshold."""
    return float(norm.sf(1.25)) if law.name == "ties" else 0.05


def lower_roc(law: Law, a: float) -> float:
    """Share of non-members below the threshold that a share `a` of the members lies below."""
    low, high = 0.0, 1.0
    for _ in range(60):  # the false alarm rate at which the recall is 1 - a
        middle = (low + high) / 2
        low, high = (low, middle) if law.roc(middle) >= 1 - a else (middle, high)
    return 1 - high


PAIRED = {
    "auc": norm.cdf(0.6 / np.sqrt(2)) - norm.cdf(0.4 / np.sqrt(2)),
    "balanced_accuracy": (norm.sf(0.2 - 0.6) - norm.sf(0.2 - 0.4)) / 2,
    "false_alarm_rate": 0.0,
    "tpr_at_fpr.0.01": norm.sf(norm.isf(0.01) - 0.6) - norm.sf(norm.isf(0.01) - 0.4),
}


def paired_run(n: int, seed: int) -> list[bool]:
    """Which paired intervals hold, n samples of each side."""
    rng = np.random.default_rng(seed)
    is_member, common = np.arange(2 * n) < n, rng.normal(size=2 * n)
    a, b = (0.9 * common + np.sqrt(0.19) * rng.normal(size=2 * n) + shift * is_member for shift in (0.6, 0.4))
    held = []
    for name, truth in PAIRED.items():
        found = paired_difference(name, a, 0.2, b, 0.2, is_member)
        held.append(found.low is not None and found.low <= truth <= found.high)
    return held


def randomised_response(epsilon: float, seed: int, n: int = 5000) -> float:
    """The lower bound on epsilon where every sample tells its membership truthfully with the odds e^epsilon."""
    rng = np.random.default_rng(seed)
    is_member = np.arange(2 * n) < n
    tells = rng.random(2 * n) < np.exp(epsilon) / (1 + np.exp(epsilon))
    score = np.where(tells, is_member, ~is_member).astype(float)
    return privacy_bound(Ordering.of(score, is_member, rng)).epsilon


if __name__ == "__main__":
    main()
