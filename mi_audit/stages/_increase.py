"""Does this model leak more than the one before? Both audits on the held-out samples that they share, paired."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mi_audit.errors import MismatchError, UsageError
from mi_audit.gate._text import named, shown
from mi_audit.gate.policy import INCREASE_RULES
from mi_audit.metrics.comparing import paired_difference
from mi_audit.schema.audit import Audit, SampleScores
from mi_audit.schema.verdict import RuleOutcome, RuleResult

_SPLIT_TIP = "audit both models on the same --data, with the same --seed and --known-fraction"


@dataclass(frozen=True)
class _Shared:
    """The chosen attack of each audit on the samples of both: scores (n,), thresholds, and who is a member (n,)."""

    now: npt.NDArray[np.float64]
    now_threshold: float
    before: npt.NDArray[np.float64]
    before_threshold: float
    is_member: npt.NDArray[np.bool_]


def increases(audit: Audit, baseline: Audit, max_increase: float, alpha: float) -> tuple[RuleResult, ...]:
    """Whether AUC, balanced accuracy and TPR at FAR 1 % of the chosen attacks rose by more than is allowed.

    Each is broken where the one-sided lower bound of the increase (error alpha / 3) exceeds `max_increase`, holds
    where its upper bound (error alpha) does not, and is undecided in between.

    Raises:
        MismatchError: the baseline is of another data set or split, or keeps no samples.
        UsageError: a `max_increase` that is no share.
    """
    if not (math.isfinite(max_increase) and 0 <= max_increase < 1):
        raise UsageError(f"expected --max-increase from 0 up to 1, got {max_increase}", tip="--max-increase 0.01")
    shared = _shared(audit, baseline)
    return tuple(_increase(rule, shared, max_increase, alpha) for rule in INCREASE_RULES)


def _increase(rule: str, shared: _Shared, most: float, alpha: float) -> RuleResult:
    metric = rule.partition("/")[2]
    scores = (shared.now, shared.now_threshold, shared.before, shared.before_threshold, shared.is_member)
    lower = paired_difference(metric, *scores, 1 - 2 * alpha / len(INCREASE_RULES))
    upper = paired_difference(metric, *scores, 1 - 2 * alpha)
    if lower.value is None or lower.low is None or upper.high is None:
        message = f"the increase of {named(metric)} is not estimable ({lower.reason or 'no interval'})"
        return RuleResult(rule, "undecided", "error", message, metric=metric, limit=most)
    outcome: RuleOutcome = "undecided"
    if lower.low > most:
        outcome = "broken"
    elif upper.high <= most:
        outcome = "held"
    message = (
        f"{named(metric)} changed by {_signed(metric, lower.value)} ({_signed(metric, lower.low)} to "
        f"{_signed(metric, upper.high)}) against the baseline on {len(shared.is_member):,} shared samples; "
        f"{shown(metric, most)} more is allowed"
    )
    figures = {"value": lower.value, "low": lower.low, "high": upper.high, "limit": most}
    return RuleResult(rule, outcome, "error", message, metric=metric, **figures)  # type: ignore[arg-type]


def _signed(metric: str, value: float) -> str:
    return f"{'+' if value >= 0 else ''}{shown(metric, value)}"


def _shared(audit: Audit, baseline: Audit) -> _Shared:
    """The held-out samples of both audits.

    Raises:
        MismatchError: they do not belong together.
    """
    now, before = _samples(audit, "this audit"), _samples(baseline, "the baseline")
    digests = [record.provenance.get("features", {}).get("dataset", {}).get("digest") for record in (audit, baseline)]
    if all(digests) and digests[0] != digests[1]:
        raise MismatchError("the baseline was audited on another data set, or other samples of it", tip=_SPLIT_TIP)
    _, here, there = np.intersect1d(now.sample_id, before.sample_id, return_indices=True)
    if not len(here):
        raise MismatchError("the baseline and this audit share no samples", tip=_SPLIT_TIP)
    same = ((now.is_member, before.is_member), (now.label, before.label))
    if any(not np.array_equal(ours[here], theirs[there]) for ours, theirs in same):
        message = "the baseline gives the same samples another membership or another class"
        raise MismatchError(message, tip=_SPLIT_TIP)
    if not np.array_equal(now.is_held_out[here], before.is_held_out[there]):
        raise MismatchError("the baseline held other samples out: it has another split", tip=_SPLIT_TIP)
    scores = now.score[audit.selected][here], before.score[baseline.selected][there]
    usable = now.is_held_out[here] & ~np.isnan(scores[0]) & ~np.isnan(scores[1])
    if not usable.any():
        raise MismatchError("the baseline and this audit share no held-out samples with scores", tip=_SPLIT_TIP)
    return _Shared(
        scores[0][usable], _threshold(audit), scores[1][usable], _threshold(baseline), now.is_member[here][usable]
    )


def _samples(audit: Audit, whose: str) -> SampleScores:
    if audit.samples is None:
        message = f"{whose} keeps no samples (--aggregate-only), so that the two cannot be paired"
        raise MismatchError(message, tip="evaluate it again without --aggregate-only")
    return audit.samples


def _threshold(audit: Audit) -> float:
    return next(attack.threshold for attack in audit.attacks if attack.label == audit.selected)
