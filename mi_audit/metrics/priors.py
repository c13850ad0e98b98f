"""What an alarm is worth where members are rare: predictive value and lift at a threshold that was fixed beforehand."""

from typing import NamedTuple

from mi_audit.metrics.decisions import Decisions
from mi_audit.metrics.intervals import exact_lower, exact_upper
from mi_audit.schema.estimate import Estimate

PRIORS = (0.5, 0.1, 0.01, 0.001)


class Worth(NamedTuple):
    """The share of members among the flagged, and that share divided by the prior."""

    ppv: Estimate
    lift: Estimate


def worth(decisions: Decisions, prior: float, level: float = 0.95) -> Worth:
    """Predictive value pi T / (pi T + (1 - pi) F) where a share pi of those asked about are members, and its lift.

    T and F are recall and false alarm rate; the interval takes both at Clopper-Pearson bounds, each with a quarter of
    the error, since the threshold was fixed on other samples. Without an alarm there is no value, and the bounds say
    what is known. An attack of which nothing speaks against F = 0 may be worth everything.

    Args:
        decisions: of the attack.
        prior: share of members, in (0, 1).
        level: two-sided coverage.

    Raises:
        ValueError: a prior outside (0, 1).

    >>> round(worth(Decisions(tp=100, fn=900, fp=10, tn=990), 0.01).ppv.value, 4)
    0.0917
    """
    if not 0 < prior < 1:
        raise ValueError(f"expected a prior between 0 and 1, got {prior}")
    if reason := decisions.missing_side:
        return Worth(Estimate.undefined(reason), Estimate.undefined(reason))
    error = (1 - level) / 4
    hits, alarms = (decisions.tp, decisions.n_members), (decisions.fp, decisions.n_non_members)
    low = _ppv(exact_lower(*hits, error), exact_upper(*alarms, error), prior)
    high = _ppv(exact_upper(*hits, error), exact_lower(*alarms, error), prior)
    if decisions.tp + decisions.fp == 0:
        return Worth(Estimate(None, low, high, "0 flagged"), Estimate(None, low / prior, high / prior, "0 flagged"))
    value = _ppv(hits[0] / hits[1], alarms[0] / alarms[1], prior)
    return Worth(Estimate(value, low, high), Estimate(value / prior, low / prior, high / prior))


def _ppv(recall: float, false_alarm_rate: float, prior: float) -> float:
    members = prior * recall
    return members / (members + (1 - prior) * false_alarm_rate)
