"""What the features look like that attacks look at: members beside non-members, and how many have no value."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from mi_audit.metrics.subsets import SUBSETS, subset_mask
from mi_audit.schema.audit import FeatureRow, MeanSd, Subset
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.finding import Finding
from mi_audit.schema.trained_attacks import OUTPUTS, TrainedAttacks
from mi_audit.stages._sights import MAX_COLUMNS

BoolArray = npt.NDArray[np.bool_]


def features_read(trained: TrainedAttacks) -> tuple[str, ...]:
    """The features that any attack looks at, in the order in which they are first looked at alone, then of the rest."""
    narrow_first = sorted(trained.attacks, key=lambda attack: len(attack.on) > 1)
    return tuple(dict.fromkeys(name for attack in narrow_first for name in attack.on if name != OUTPUTS))


def feature_rows(cache: FeatureCache, names: Sequence[str]) -> tuple[FeatureRow, ...]:
    """Every column of these features x subset; of a wide feature just what is missing.

    Args:
        cache: the feature cache.
        names: of features in it.
    """
    return tuple(row for name in names for row in _rows_of(cache, name))


def missing_findings(cache: FeatureCache, names: Sequence[str]) -> tuple[Finding, ...]:
    """How many audited samples of each side have no value of a feature, and how attacks take that."""
    findings = []
    for name in names:
        is_missing = cache.is_audited & ~np.isfinite(cache.features[name]).all(axis=1)
        if is_missing.any():
            counts = [
                f"{int((is_missing & side).sum()):,} of {int((cache.is_audited & side).sum()):,} {noun}"
                for side, noun in ((cache.is_member, "members"), (~cache.is_member, "non-members"))
            ]
            message = f"{name} is missing for {' and '.join(counts)}; {_how_taken(cache, name, is_missing)}"
            findings.append(Finding("feature-missing", "note", message))
    return tuple(findings)


def _how_taken(cache: FeatureCache, name: str, is_missing: BoolArray) -> str:
    """What attacks make of missing values: those on a feature alone say nothing of what it does not show at all."""
    if not (is_missing & cache.is_seen((name,))).any():
        return "attacks on it alone leave these samples out, others read the known samples' median instead"
    return "attacks read the known samples' median instead, and may learn from its being missing"


def _rows_of(cache: FeatureCache, name: str) -> Iterator[FeatureRow]:
    values, columns = cache.features[name], cache.columns[name]
    if len(columns) > MAX_COLUMNS:
        has_value = np.isfinite(values).all(axis=1)
        for subset, sides in _subsets(cache):
            yield FeatureRow(name, None, subset, None, None, *(int((side & ~has_value).sum()) for side in sides))
        return
    for column, own in zip(columns, values.T, strict=True):
        has_value = np.isfinite(own)
        for subset, sides in _subsets(cache):
            means = [_mean_sd(own[side & has_value].astype(np.float64)) for side in sides]
            missing = [int((side & ~has_value).sum()) for side in sides]
            yield FeatureRow(name, column, subset, means[0], means[1], missing[0], missing[1])


def _subsets(cache: FeatureCache) -> Iterator[tuple[Subset, tuple[BoolArray, BoolArray]]]:
    """Each subset with its audited members and non-members, as masks."""
    for subset in SUBSETS:
        mask = cache.is_audited & subset_mask(subset, cache.is_correct)
        yield subset, (mask & cache.is_member, mask & ~cache.is_member)


def _mean_sd(values: npt.NDArray[np.float64]) -> MeanSd | None:
    return MeanSd(float(values.mean()), float(values.std()), len(values)) if len(values) else None
