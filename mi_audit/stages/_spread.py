"""How much the numbers of an attack depend on the split into known and held-out samples.

It says how far another seed could have moved a result. The splits share their samples, so that the spread over them is
no standard error, however many there are (Nadeau & Bengio, Machine Learning 2003).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mi_audit.attacks.interface import FittedAttack, observe
from mi_audit.metrics.table import measure
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.statistics import SpreadRow
from mi_audit.schema.trained_attacks import TrainedAttack
from mi_audit.stages._split import MAX_SEED
from mi_audit.stages._training_plan import Plan
from mi_audit.stages.progress import Progress

METRICS = ("balanced_accuracy", "false_alarm_rate", "auc")


@dataclass(frozen=True)
class Split:
    """One split, with what was fitted on its known samples.

    Attributes:
        is_held_out: (n_samples,) bool, audited samples that no attack knows.
        attacks: as they were fitted.
        fitted: by label.
    """

    is_held_out: npt.NDArray[np.bool_]
    attacks: tuple[TrainedAttack, ...]
    fitted: Mapping[str, FittedAttack]


Fitting = Callable[[FeatureCache, Plan], Split]


def repeated(cache: FeatureCache, chosen: Plan, fit: Fitting, progress: Progress) -> tuple[SpreadRow, ...]:
    """The spread over as many further splits as the plan says, those of the seeds that follow its own.

    Everything is done again on each: the search for settings too, or settings that were chosen on samples which are
    held out now would flatter the numbers.

    Args:
        cache: the feature cache.
        chosen: the plan, `Plan.repeats` times.
        fit: makes a split by a plan's seed, and fits.
        progress: told about it.

    Returns:
        a row for every attack and metric that some split defines; a split that does not is left out of its row.
    """
    progress.say(f"--repeats {chosen.repeats}: everything again on {chosen.repeats} further splits")
    values: dict[tuple[str, str], list[float]] = {}
    progress.start("repeating on other splits", chosen.repeats)
    began = time.monotonic()
    for number in range(1, chosen.repeats + 1):
        split = fit(cache, replace(chosen, seed=(chosen.seed + number) % (MAX_SEED + 1)))
        for attack in split.attacks:
            for metric, value in _numbers(cache, split, attack).items():
                values.setdefault((attack.label, metric), []).append(value)
        progress.advance(1)
        if number == 1 < chosen.repeats:
            left = (time.monotonic() - began) * (chosen.repeats - 1)
            progress.say(f"  about {left:,.0f} s to go, at the pace of the first split")
    progress.finish()
    return tuple(
        SpreadRow(attack, metric, tuple(own), float(np.mean(own)), float(np.std(own)))
        for (attack, metric), own in values.items()
    )


def _numbers(cache: FeatureCache, split: Split, attack: TrainedAttack) -> dict[str, float]:
    """The metrics of one attack on the held-out samples that it gives a score, without those that are not defined."""
    rows = np.flatnonzero(split.is_held_out)
    score = split.fitted[attack.label].score(observe(cache, rows, attack.view, attack.on))
    is_scored = ~np.isnan(score)
    numbers = measure(score[is_scored], attack.threshold, cache.is_member[rows[is_scored]])
    values = {name: numbers[name].value for name in METRICS}
    return {name: value for name, value in values.items() if value is not None}
