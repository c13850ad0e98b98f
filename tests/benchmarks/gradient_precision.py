"""How far the gradient statistics in float32 are from those in float64, on trained networks.

python -m tests.benchmarks.gradient_precision DATA DATA_DIR CHECKPOINT ... [N_SIDE]

Samples whose ReLU inputs round to another side of 0 in float32 are part of it: no float32 pass can avoid them. Goal: at
most 1e-4 for L2, mean, skewness and kurtosis.
"""

import sys
from pathlib import Path

import numpy as np

from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.stages import extract
from mi_audit.stages._extract_options import ExtractOptions

GOAL = 1e-4
STATISTICS = ("l2", "mean", "skewness", "kurtosis")


def extracted(checkpoint: str, data: str, data_dir: Path, n_side: int, *settings: str) -> FeatureCache:
    options = ExtractOptions(
        model=checkpoint,
        data=data,
        data_dir=data_dir,
        features=("gradient-norm:w", "gradient-norm:x"),
        feature_settings=settings,
        max_members=n_side,
        max_non_members=n_side,
    )
    return extract.run(extract.prepare(options))


def main() -> int:
    data, data_dir, *rest = sys.argv[1:]
    n_side = int(rest.pop()) if rest[-1].isdigit() else 100
    print(f"{'checkpoint':34} {'by':>3} {'statistic':>10} {'median':>9} {'99 %':>9} {'largest':>9} {'beyond':>7}")
    worst = 0.0
    for checkpoint in rest:
        single = extracted(checkpoint, data, Path(data_dir), n_side)
        double = extracted(checkpoint, data, Path(data_dir), n_side, "gradient-norm.dtype=float64")
        for name, expected in double.features.items():
            for position, column in enumerate(double.columns[name]):
                if not column.lower().endswith(STATISTICS):
                    continue
                reference = expected[:, position].astype(np.float64)
                error = np.abs(single.features[name][:, position] - reference) / np.abs(reference)
                figures = f"{np.median(error):9.1e} {np.quantile(error, 0.99):9.1e} {error.max():9.1e}"
                label = f"{Path(checkpoint).name:34} {name[-1]:>3} {column.rpartition(' ')[2]:>10}"
                print(f"{label} {figures} {int((error > GOAL).sum()):3} of {len(error)}", flush=True)
                worst = max(worst, float(error.max()))
    print(f"largest of all {worst:.1e}, goal {GOAL:.0e}: {'met' if worst <= GOAL else 'MISSED'}")
    return 0 if worst <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
