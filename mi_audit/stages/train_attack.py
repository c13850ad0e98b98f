"""The stage ``train-attack``: attacks are fitted, tuned and chosen on the known samples of a feature cache."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mi_audit.attacks.interface import FittedAttack
from mi_audit.errors import DataSetError
from mi_audit.schema.arrays import digest
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.finding import Finding
from mi_audit.schema.trained_attacks import OUTPUTS, TrainedAttack, TrainedAttacks
from mi_audit.stages import _split
from mi_audit.stages._provenance import versions
from mi_audit.stages._sights import sights
from mi_audit.stages._spread import Fitting, Split, repeated
from mi_audit.stages._trainer import MIN_PER_CLASS, Trainer, Validation, train
from mi_audit.stages._training_plan import Plan, TrainOptions, planned
from mi_audit.stages.progress import Progress, Silence

ARRAYS_READ = ("outputs", "is_member", "is_audited", "label", "predicted", "sample_id")


def train_attacks(cache: FeatureCache, options: TrainOptions, progress: Progress | None = None) -> TrainedAttacks:
    """Fit every attack on the known samples, tune it there by cross-validation, and choose the best there.

    Raises:
        UsageError: unknown names or values.
        DataSetError: too few known samples on a side.
        OutputsError: an attack was asked for that needs more than the target gives.
    """
    progress, chosen = progress or Silence(), planned(options)
    is_known = _known(cache, chosen)
    done = fitted_on(cache, is_known, chosen, progress, is_chosen=bool(options.attacks))
    spread = repeated(cache, chosen, _fitting(options), progress) if chosen.repeats else ()
    arrays = cache.arrays()
    return TrainedAttacks(
        attacks=done.attacks,
        payloads={label: np.frombuffer(fitted.to_bytes(), np.uint8) for label, fitted in done.fitted.items()},
        selected=done.selected,
        protocol=chosen.protocol,
        known_id=cache.sample_id[is_known],
        fitted_on={name: digest(arrays[name]) for name in (*_arrays_read(cache), *_features_read(done.attacks))},
        provenance={"features_key": cache.provenance.get("key"), "options": _as_json(chosen), "versions": versions()},
        findings=done.findings,
        spread=spread,
    )


@dataclass(frozen=True)
class Fitted:
    """All attacks on one split into known and held-out samples.

    Attributes:
        attacks: in the order of reports.
        fitted: by label.
        selected: label of the best on the known samples.
        findings: doubts raised while training.
    """

    attacks: tuple[TrainedAttack, ...]
    fitted: Mapping[str, FittedAttack]
    selected: str
    findings: tuple[Finding, ...]


def fitted_on(
    cache: FeatureCache, is_known: npt.NDArray[np.bool_], chosen: Plan, progress: Progress, *, is_chosen: bool
) -> Fitted:
    """The attacks, fitted and chosen on these samples; nothing of any other sample is looked at.

    Args:
        cache: the feature cache.
        is_known: (n_samples,) whose membership the attacks are told.
        chosen: the plan.
        progress: told about it.
        is_chosen: whether the user named the attacks, so that none may be left out silently.

    Raises:
        DataSetError: no known samples on a side.
    """
    _check_sides(cache.is_member[is_known])
    looked_at, skipped = sights(cache, is_known, chosen, is_chosen=is_chosen)
    trained, validations, all_fitted = [], {}, {}
    progress.start("training attacks", sum(len(sight.attacks) for sight in looked_at))
    for sight in looked_at:
        trainer = Trainer.on(cache, is_known, chosen, sight)
        for label, attack in sight.attacks.items():
            summary, validations[label], all_fitted[label] = train(label, attack, trainer, progress)
            trained.append(summary)
            progress.advance(1)
    progress.finish()
    return Fitted(tuple(trained), all_fitted, _selected(validations), (*skipped, *_findings(trained)))


def _known(cache: FeatureCache, chosen: Plan) -> npt.NDArray[np.bool_]:
    known = _split.known_samples(
        cache.sample_id, cache.label, cache.is_member, chosen.known_fraction, chosen.seed, cache.group
    )
    return np.asarray(cache.is_audited & known)


def _selected(validations: Mapping[str, Validation]) -> str:
    """The label of the attack to report: the best on the known samples.

    Balanced accuracies within one standard error of the highest cannot be told apart; among those attacks the one with
    the highest AUC is selected, and the first of equals.
    """
    estimable = {label: one for label, one in validations.items() if one.balanced_accuracy is not None}
    if not estimable:
        return next(iter(validations))
    best = max(estimable.values(), key=lambda one: one.balanced_accuracy or 0.0)
    floor = (best.balanced_accuracy or 0.0) - best.standard_error
    rivals = {label: one for label, one in estimable.items() if (one.balanced_accuracy or 0.0) >= floor}
    return max(rivals, key=lambda label: rivals[label].auc or 0.0)


def _fitting(options: TrainOptions) -> Fitting:
    """How another split of a cache is fitted: as this one."""

    def fit(cache: FeatureCache, plan: Plan) -> Split:
        is_known = _known(cache, plan)
        done = fitted_on(cache, is_known, plan, Silence(), is_chosen=bool(options.attacks))
        return Split(cache.is_audited & ~is_known, done.attacks, done.fitted)

    return fit


def _as_json(chosen: Plan) -> dict[str, Any]:
    return asdict(chosen) | {"attacks": list(chosen.attacks), "on": list(chosen.on)}


def _check_sides(is_member: npt.NDArray[np.bool_]) -> None:
    """Refuse known samples of one side only.

    Raises:
        DataSetError: none are known on a side.
    """
    n_members, n_non_members = int(is_member.sum()), int((~is_member).sum())
    if min(n_members, n_non_members) < 1:
        raise DataSetError(
            f"expected known members and known non-members, got {n_members} and {n_non_members}",
            tip="give more samples or another --known-fraction: the share is rounded down in every class, and a group "
            "is never divided",
        )


def _arrays_read(cache: FeatureCache) -> tuple[str, ...]:
    return ARRAYS_READ if cache.group is None else (*ARRAYS_READ, "group")


def _features_read(trained: Sequence[TrainedAttack]) -> list[str]:
    """The arrays of the cache that hold what the attacks look at beside the outputs, sorted."""
    return sorted({f"features/{name}" for attack in trained for name in attack.on if name != OUTPUTS})


def _findings(trained: Sequence[TrainedAttack]) -> tuple[Finding, ...]:
    skipped = max(attack.n_classes_skipped for attack in trained)
    if not skipped:
        return ()
    message = (
        f"{skipped} classes have fewer than {MIN_PER_CLASS} known members or non-members and got no attack of their own"
    )
    return (Finding("classes-skipped", "warning", message),)
