"""What figures need, computed with the audit so that no report computes: counts and means, never a single sample."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Part = Literal["all", "correct", "misclassified"]


@dataclass(frozen=True)
class RocRow:
    """Points of the ROC curve of one attack on the held-out samples, each at a real threshold, none interpolated.

    Attributes:
        attack: label of the attack.
        n_members, n_non_members: that have a score.
        false_alarm_rate: (n_points,), rising.
        recall: (n_points,) of members, at the very same thresholds.

    Raises:
        ValueError: rates that do not belong together, or that fall.
    """

    attack: str
    n_members: int
    n_non_members: int
    false_alarm_rate: tuple[float, ...]
    recall: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.false_alarm_rate) != len(self.recall):
            raise ValueError(f"expected as many recalls as rates, got {len(self.recall)}")
        for rates in (self.false_alarm_rate, self.recall):
            if any(not 0 <= rate <= 1 for rate in rates) or any(a > b for a, b in pairwise(rates)):
                raise ValueError("expected rising rates between 0 and 1")


@dataclass(frozen=True)
class HistogramRow:
    """How many audited samples of each side lie in each bin.

    Attributes:
        subset: by whether the target classified the sample correctly.
        scale: ``"confidence"`` in the true class, in [0, 1], or its ``"log-odds"``, ln(p / (1 - p)), which tells
            saturated confidences apart; the outermost bins of the latter hold everything beyond them too.
        edges: (n_bins + 1,), rising.
        members, non_members: (n_bins,) counts.

    Raises:
        ValueError: counts that do not fit the edges, or edges that do not rise.
    """

    subset: Part
    scale: Literal["confidence", "log-odds"]
    edges: tuple[float, ...]
    members: tuple[int, ...]
    non_members: tuple[int, ...]

    def __post_init__(self) -> None:
        n_bins = len(self.edges) - 1
        if n_bins < 1 or (len(self.members), len(self.non_members)) != (n_bins, n_bins):
            raise ValueError(f"expected {n_bins} counts per side, got {len(self.members)} and {len(self.non_members)}")
        if any(low >= high for low, high in pairwise(self.edges)):
            raise ValueError("expected rising edges")
        if min((*self.members, *self.non_members)) < 0:
            raise ValueError("expected counts of 0 or more")


@dataclass(frozen=True)
class MeanConfidenceRow:
    """Mean confidences by class index, members beside non-members, over audited samples.

    Attributes:
        subset: by whether the target classified the sample correctly.
        of_class: samples of this one true class, whose mean confidence *vector* is given (Figure 1 of the founding
            paper); ``None`` for the mean confidence in the true class of the samples of every class.
        member, non_member: (n_classes,); ``None`` where so few samples stand behind a mean that it would be about them.
        n_members, n_non_members: (n_classes,) samples behind each mean.

    Raises:
        ValueError: lengths that differ.
    """

    subset: Part
    of_class: int | None
    member: tuple[float | None, ...]
    non_member: tuple[float | None, ...]
    n_members: tuple[int, ...]
    n_non_members: tuple[int, ...]

    def __post_init__(self) -> None:
        lengths = {len(values) for values in (self.member, self.non_member, self.n_members, self.n_non_members)}
        if len(lengths) != 1:
            raise ValueError(f"expected one number per class everywhere, got {sorted(lengths)}")


@dataclass(frozen=True)
class Band:
    """A number along a curve with its band; ``None`` where it is not defined."""

    value: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]

    def __post_init__(self) -> None:
        if not len(self.value) == len(self.low) == len(self.high):
            raise ValueError(f"expected as many bounds as values, got {len(self.low)} and {len(self.high)}")


@dataclass(frozen=True)
class RatioCurve:
    """One attack, as it decides on the held-out samples, at every ratio of members to non-members.

    Attributes:
        attack: label of the attack, or ``"zero-r"``.
        prior: (n_points,) share of members, rising, in (0, 1).
        bands: {``"precision.member"``, ``"precision.non_member"``, ``"false_alarm_rate"``: (n_points,) each}. The bands
            hold at all ratios at once: both rates lie in their 97.5 % Clopper-Pearson intervals.

    Raises:
        ValueError: a band of another length.
    """

    attack: str
    prior: tuple[float, ...]
    bands: dict[str, Band]

    def __post_init__(self) -> None:
        for name, band in self.bands.items():
            if len(band.value) != len(self.prior):
                raise ValueError(f"expected {len(self.prior)} values of {name}, got {len(band.value)}")


@dataclass(frozen=True)
class Figures:
    """Everything that figures need beyond the rows of the audit; empty for what the target does not give."""

    roc: tuple[RocRow, ...] = ()
    histograms: tuple[HistogramRow, ...] = ()
    mean_confidences: tuple[MeanConfidenceRow, ...] = ()
    ratio_curves: tuple[RatioCurve, ...] = ()
