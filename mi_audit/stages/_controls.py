"""All controls of an audit, and which of the tests among them failed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mi_audit import plugins
from mi_audit.controls.interface import Control, Evidence
from mi_audit.schema.control import ControlResult
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.trained_attacks import TrainedAttacks
from mi_audit.stages._refitting import refitting
from mi_audit.stages.progress import Progress, Silence

# The probability that any test fails an audit with which nothing is wrong.
FAMILY_LEVEL = 0.01
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


def controls(
    cache: FeatureCache,
    trained: TrainedAttacks,
    scores: Mapping[str, FloatArray],
    is_held_out: BoolArray,
    progress: Progress | None = None,
) -> tuple[ControlResult, ...]:
    """The result of every control, in the order of their names.

    Args:
        cache: the feature cache.
        trained: the attacks.
        scores: {label: (n_samples,)} of every attack, NaN where a sample is not scored.
        is_held_out: (n_samples,) bool, audited samples that no attack knows.
        progress: told about it.
    """
    progress = progress or Silence()
    seed = _seed(trained)
    evidence = Evidence(
        cache=cache,
        trained=trained,
        scores=scores,
        is_held_out=is_held_out,
        declared=tuple(cache.provenance.get("declared", ())),
        seed=seed,
        refit=refitting(cache, trained, is_held_out, seed),
    )
    names = plugins.names("controls")
    results = []
    progress.start("controls", len(names))
    for name in names:
        control: Control = plugins.load("controls", name)
        results.append(control.check(evidence))
        progress.advance(1)
    progress.finish()
    return decided(results)


def decided(results: Sequence[ControlResult], level: float = FAMILY_LEVEL) -> tuple[ControlResult, ...]:
    """The results with every p-value that is too small made a failure (Holm, Scandinavian Journal of Statistics 1979).

    The smallest of k p-values fails at level / k, the next at level / (k - 1), and so on until one does not; whatever
    the tests have to do with each other, all hold with a probability of 1 - level where nothing is wrong.
    """
    order = sorted(
        (number for number, result in enumerate(results) if result.p_value is not None),
        key=lambda number: results[number].p_value or 0.0,
    )
    failed = set()
    for place, number in enumerate(order):
        if (results[number].p_value or 0.0) > level / (len(order) - place):
            break
        failed.add(number)
    return tuple(
        replace(result, outcome="failed") if number in failed else result for number, result in enumerate(results)
    )


def _seed(trained: TrainedAttacks) -> int:
    options = trained.provenance.get("options", {})
    seed = options.get("seed", 0) if isinstance(options, Mapping) else 0
    return seed if isinstance(seed, int) and seed >= 0 else 0
