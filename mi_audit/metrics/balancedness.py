"""What an attack's decisions are worth at another ratio of members to non-members (Rezaei & Liu, CVPR 2021, Table 2).

Recall and false alarm rate do not depend on the ratio; precision does. So the sweep is exact arithmetic on the two
rates, for any prior. `resampled` is the check by experiment: subsample the evaluated samples to the ratio and look at
the spread.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mi_audit.errors import UsageError
from mi_audit.metrics.decisions import Decisions
from mi_audit.schema.estimate import Estimate

SWEEP_METRICS = (
    "precision.member",
    "recall.member",
    "precision.non_member",
    "recall.non_member",
    "balanced_accuracy",
    "false_alarm_rate",
)


@dataclass(frozen=True)
class Ratio:
    """A balancedness as the user wrote it, and the share of members that it means.

    Attributes:
        label: ``"5:1"`` (members : non-members) or ``"0.1"`` (the share of members).
        prior: the share of members, 0 < prior < 1.
    """

    label: str
    prior: float

    def __post_init__(self) -> None:
        if not 0 < self.prior < 1:
            raise ValueError(f"expected a share of members between 0 and 1, got {self.prior}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``"members:non-members"`` or a share of members.

        Raises:
            UsageError: neither, or a side that is zero, negative or infinite.

        >>> Ratio.parse("1:4")
        Ratio(label='1:4', prior=0.2)
        >>> Ratio.parse("0.1")
        Ratio(label='0.1', prior=0.1)
        """
        label = text.strip()
        try:
            numbers = [float(part) for part in label.split(":")]
        except ValueError:
            numbers = []
        prior = math.nan
        if len(numbers) == 1:
            prior = numbers[0]
        elif len(numbers) == 2 and min(numbers) > 0:
            prior = numbers[0] / (numbers[0] + numbers[1])
        if 0 < prior < 1:
            return cls(label, prior)
        raise UsageError(
            f"expected members:non-members or a share of members between 0 and 1, got {text!r}",
            "for example 5:1 or 0.1",
        )


def at_ratio(recall: float, false_alarm_rate: float, prior: float) -> dict[str, Estimate]:
    """The numbers of `SWEEP_METRICS` where members are the share `prior`, exactly, from the two rates.

    With odds r = prior / (1 - prior): member precision = r TPR / (r TPR + FAR) and non-member precision =
    TNR / (TNR + r (1 - TPR)).

    Raises:
        ValueError: a rate outside [0, 1] or a prior outside (0, 1).

    >>> round(at_ratio(0.8785, 0.6445, prior=0.5)["precision.member"].value, 4)  # the paper prints 57.68 %
    0.5768
    """
    if not (0 <= recall <= 1 and 0 <= false_alarm_rate <= 1 and 0 < prior < 1):
        raise ValueError(f"expected rates and a prior between 0 and 1, got {recall}, {false_alarm_rate} and {prior}")
    specificity = 1 - false_alarm_rate
    return {
        "precision.member": _share(prior * recall, (1 - prior) * false_alarm_rate, "0 flagged"),
        "recall.member": Estimate(recall),
        "precision.non_member": _share((1 - prior) * specificity, prior * (1 - recall), "0 not flagged"),
        "recall.non_member": Estimate(specificity),
        "balanced_accuracy": Estimate((recall + specificity) / 2),
        "false_alarm_rate": Estimate(false_alarm_rate),
    }


def zero_r(prior: float) -> dict[str, Estimate]:
    """The baseline that calls every sample a member: recall 1, FAR 1, precision = the share of members.

    Its non-member precision is undefined: it calls nothing a non-member.
    """
    return at_ratio(1.0, 1.0, prior)


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation of one number over resamples.

    Attributes:
        mean: over the resamples in which the number is defined; None below two of them, and then `reason` says why.
        sd: population standard deviation (ddof 0) over the same resamples.
        n_defined: in how many resamples the number is defined.
        reason: why there is no mean.
    """

    mean: float | None
    sd: float | None
    n_defined: int
    reason: str | None = None


@dataclass(frozen=True)
class Resampled:
    """`SWEEP_METRICS` measured on random subsamples of one ratio.

    Attributes:
        n_members, n_non_members: the size of each subsample; 0 and 0 where the data cannot make the ratio.
        n_resamples: how many were drawn.
        spreads: one `Spread` per name in `SWEEP_METRICS`.
    """

    n_members: int
    n_non_members: int
    n_resamples: int
    spreads: dict[str, Spread]


def resampled(decisions: Decisions, prior: float, n_resamples: int, rng: np.random.Generator) -> Resampled:
    """Subsample members and non-members without replacement to the ratio of `prior`, as large as the data allow.

    One side is used whole and the other is cut to the nearest whole number. A subsample of n members holds
    Hypergeometric(TP, FN, n) flagged ones, and likewise for non-members: the exact law, drawn without touching a
    sample.

    Args:
        decisions: the attack's, on all evaluated samples.
        prior: the share of members, 0 < prior < 1.
        n_resamples: at least 2.
        rng: the source of randomness.

    Raises:
        ValueError: a prior outside (0, 1) or fewer than 2 resamples.
    """
    if not 0 < prior < 1 or n_resamples < 2:
        raise ValueError(f"expected 0 < prior < 1 and n_resamples >= 2, got {prior} and {n_resamples}")
    n_members, n_non_members = _subsample_size(decisions, prior)
    if n_members == 0 or n_non_members == 0:
        reason = decisions.missing_side or "too few samples for this ratio"
        return Resampled(0, 0, n_resamples, {name: Spread(None, None, 0, reason) for name in SWEEP_METRICS})
    tp = rng.hypergeometric(decisions.tp, decisions.fn, n_members, n_resamples)
    fp = rng.hypergeometric(decisions.fp, decisions.tn, n_non_members, n_resamples)
    fn, tn = n_members - tp, n_non_members - fp
    recall, specificity = tp / n_members, tn / n_non_members
    spreads = {
        "precision.member": _spread_of_share(tp, tp + fp, "0 flagged"),
        "recall.member": _spread(recall),
        "precision.non_member": _spread_of_share(tn, tn + fn, "0 not flagged"),
        "recall.non_member": _spread(specificity),
        "balanced_accuracy": _spread((recall + specificity) / 2),
        "false_alarm_rate": _spread(1 - specificity),
    }
    return Resampled(n_members, n_non_members, n_resamples, spreads)


def _subsample_size(decisions: Decisions, prior: float) -> tuple[int, int]:
    """Largest (n_members, n_non_members) at the ratio; a side that would get less than one whole sample gets 0."""
    odds = prior / (1 - prior)
    members_for_all = decisions.n_non_members * odds
    non_members_for_all = decisions.n_members / odds
    if members_for_all <= decisions.n_members:
        return _whole(members_for_all), decisions.n_non_members
    return decisions.n_members, _whole(non_members_for_all)


def _whole(size: float) -> int:
    """The nearest whole number, but nothing out of a fraction of a sample (1e-9: 1 / 3 * 3 is not always 1)."""
    return round(size) if size >= 1 - 1e-9 else 0


def _share(part: float, rest: float, reason: str) -> Estimate:
    return Estimate(part / (part + rest)) if part + rest > 0 else Estimate.undefined(reason)


def _spread_of_share(part: NDArray[np.int64], total: NDArray[np.int64], reason: str) -> Spread:
    is_defined = total > 0
    n_defined = int(np.count_nonzero(is_defined))
    if n_defined < 2:
        return Spread(None, None, n_defined, f"{reason} in {len(total) - n_defined} of {len(total)} resamples")
    return _spread(part[is_defined] / total[is_defined])


def _spread(values: NDArray[np.float64]) -> Spread:
    return Spread(float(values.mean()), float(values.std()), len(values))
