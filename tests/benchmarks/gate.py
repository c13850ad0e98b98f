"""Operating characteristics of the gate: how often each truth gets each verdict, by simulation.

    python -m tests.benchmarks.gate [runs] [seed]

Scores come from distributions and go through the bounds and the gate as those of any audit do. A suite is one chosen
attack and four others that are independent of it, which is the hardest to pass: real attacks agree with each other.
"""

import sys
from collections import Counter

import numpy as np

from mi_audit.gate.policy import preset
from mi_audit.stages._simulating import memorised, outcome, shifted

SIZES = (1000, 5000, 10_000)
TRUTHS = {
    "no leak": shifted(0.0),
    "mu = 0.2": shifted(0.2),
    "mu = 0.545 (tolerance)": shifted(0.545),
    "mu = 0.65": shifted(0.65),
    "1 % memorised": memorised(0.01),
}
N_SUITE = 5


def cell(name: str, n: int, n_attacks: int, n_runs: int, seed: int) -> str:
    """Rates of FAIL and PASS."""
    rng = np.random.default_rng([seed, n, n_attacks, list(TRUTHS).index(name)])
    policy = preset("standard")
    found = Counter(outcome(TRUTHS[name], n, n, policy, rng, n_attacks) for _ in range(n_runs))
    return f"F {found['FAIL'] / n_runs:.2f} P {found['PASS'] / n_runs:.2f}"


def main(n_runs: int = 100, seed: int = 0) -> None:
    """Print one table for one attack and one for a suite."""
    for n_attacks in (1, N_SUITE):
        print(f"{n_attacks} attack(s), {n_runs} runs per cell, preset standard; F = FAIL rate, P = PASS rate")
        print(f"{'truth':24}" + "".join(f"{f'M = N = {n:,}':>18}" for n in SIZES))
        for name in TRUTHS:
            cells = (cell(name, n, n_attacks, n_runs, seed) for n in SIZES)
            print(f"{name:24}" + "".join(f"{each:>18}" for each in cells), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
