"""How often the family of controls fails an audit with which nothing is wrong: ``python -m ... [RUNS] [SAMPLES]``."""

import sys
import time

from mi_audit.metrics.intervals import clopper_pearson
from tests.stages.test_controls import family_fails


def main(n_runs: int = 300, n_side: int = 100) -> None:
    began = time.monotonic()
    n_failed = sum(family_fails(1000 + seed, n_side) for seed in range(n_runs))
    low, high = clopper_pearson(n_failed, n_runs)
    print(f"{n_failed} of {n_runs} audits of {n_side} + {n_side} samples failed: {n_failed / n_runs:.2%} ", end="")
    print(f"({low:.2%} to {high:.2%}); the level is 1 %; {(time.monotonic() - began) / n_runs:.2f} s each")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
