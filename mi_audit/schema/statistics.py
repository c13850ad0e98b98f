"""What an audit says beyond its rows: one-sided bounds, priors, privacy, classes, chance, power and spread."""

from dataclasses import dataclass, field
from typing import Literal

from mi_audit.schema.estimate import Estimate

Measure = Literal["auc", "tpr_at_fpr.0.01", "tpr_at_fpr.0.001", "loss_tnr.0.001"]


@dataclass(frozen=True)
class BoundRow:
    """One-sided bounds on one measure of one attack: what a verdict compares with its limits.

    Ties are broken by a seeded uniform, so that the law of the bounds is exact.

    Attributes:
        attack: label of the attack.
        samples: ``"held-out"``, or ``"audited"`` for an attack whose score is fixed; the selected one may have both.
        measure: what is bounded; ``loss_tnr`` is read from the other end of the ROC curve.
        n_members, n_non_members: that it rests on; groups, where samples belong to groups.
        value: the estimate, or ``None`` where the samples cannot resolve it.
        low: lower bound, wrong with probability alpha / looks at most.
        high: upper bound, wrong with probability alpha at most.
        is_informative: false where the score is one value for all samples; such a score never supports a PASS.
        n_needed: fewest non-members (members, for ``loss_tnr``) at which the lower bound can exceed 0.
        bootstrap: `value` with a percentile interval of 95 %, which describes and decides nothing; ``None`` for AUC.
    """

    attack: str
    samples: Literal["held-out", "audited"]
    measure: Measure
    n_members: int
    n_non_members: int
    value: float | None
    low: float
    high: float
    is_informative: bool
    n_needed: int
    bootstrap: Estimate | None = None


@dataclass(frozen=True)
class PriorRow:
    """What an alarm of one attack is worth when a share `prior` of those asked about are members.

    Attributes:
        attack: label of the attack.
        point: where its score is cut: ``"threshold"`` (its own, fixed on known samples).
        prior: share of members, in (0, 1).
        ppv: share of members among the flagged.
        lift: ppv divided by the prior.
    """

    attack: str
    point: str
    prior: float
    ppv: Estimate
    lift: Estimate


@dataclass(frozen=True)
class PrivacyRow:
    """Empirical lower bounds on differential privacy parameters of this one model, averaged over samples.

    Attributes:
        attack: label of the attack.
        epsilon, delta: no (e, delta) with e below `epsilon` is consistent with the attack, at level 1 - alpha.
        mu: the same for Gaussian differential privacy.
        n_looks: thresholds and directions that the bounds are corrected for.
    """

    attack: str
    epsilon: float
    delta: float
    mu: float
    n_looks: int


@dataclass(frozen=True)
class ClassLeakRow:
    """One image class under one attack, where it has enough samples.

    Attributes:
        auc: with DeLong's interval.
        shrunk: the AUC drawn towards the mean of all classes, by how much they differ beyond noise.
        p_value: of "the AUC of this class is 1/2 or less".
        p_holm: the same, corrected for the number of classes.
    """

    attack: str
    image_class: int
    n_members: int
    n_non_members: int
    auc: Estimate
    shrunk: float
    p_value: float
    p_holm: float


@dataclass(frozen=True)
class ChanceRow:
    """Whether the AUC of an attack could be chance, given that so many attacks were tried.

    Attributes:
        z: the class-wise rank sum of the members, in standard deviations from its mean under permuted membership.
        p_value: share of permutations, the real membership among them, whose largest z of all attacks reaches this
            one's.
        n_permutations: B.
    """

    attack: str
    z: float
    p_value: float
    n_permutations: int


@dataclass(frozen=True)
class PowerRow:
    """What so many samples can show.

    Attributes:
        measure: as in `BoundRow`.
        n_members, n_non_members: of the sample.
        chance: the measure of an attack that guesses.
        detectable: smallest true value told from chance with 80 % power, ``None`` where nothing can be.
        limit: of the policy.
        failing: smallest true value that exceeds the limit with 80 % power, ``None`` where nothing can be.
        passing: largest true value that stays within the limit with 80 % power, ``None`` where none can.
        n_needed: members and non-members (as many of each) at which a model that leaks nothing passes with 80 %
            power; ``None`` where no number up to ten million does.
    """

    measure: Measure
    n_members: int
    n_non_members: int
    chance: float
    detectable: float | None
    limit: float
    failing: float | None
    passing: float | None
    n_needed: int | None


@dataclass(frozen=True)
class SpreadRow:
    """Spread of one attack's numbers over repeated splits into known and held-out; not a standard error.

    Attributes:
        metric: its name in the table of metrics.
        values: one per repeat.
        mean, sd: over the repeats (ddof 0).
    """

    attack: str
    metric: str
    values: tuple[float, ...]
    mean: float
    sd: float


@dataclass(frozen=True)
class Statistics:
    """Everything of this module about one audit; empty where it was not asked for or cannot be had.

    Attributes:
        alpha: error level of the bounds.
        n_looks: how many looks share it in lower bounds.
        auc_stratified: {label of an attack: class-stratified AUC}.
    """

    alpha: float = 0.05
    n_looks: int = 3
    bounds: tuple[BoundRow, ...] = ()
    auc_stratified: dict[str, Estimate] = field(default_factory=dict)
    priors: tuple[PriorRow, ...] = ()
    privacy: tuple[PrivacyRow, ...] = ()
    class_leaks: tuple[ClassLeakRow, ...] = ()
    chances: tuple[ChanceRow, ...] = ()
    power: tuple[PowerRow, ...] = ()
    spread: tuple[SpreadRow, ...] = ()
