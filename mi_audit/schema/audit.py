"""The audit: every number that a report may show, with its n, and where it came from."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, Literal, Self

from mi_audit.schema import _json
from mi_audit.schema.arrays import Array, checked
from mi_audit.schema.control import ControlResult
from mi_audit.schema.estimate import Estimate
from mi_audit.schema.figures import Figures
from mi_audit.schema.finding import Finding
from mi_audit.schema.statistics import Statistics
from mi_audit.schema.trained_attacks import Protocol, TrainedAttack
from mi_audit.schema.verdict import Verdict

Samples = Literal["full", "audited", "held-out"]
Subset = Literal["all", "correct", "misclassified"]


@dataclass(frozen=True)
class AccuracyRow:
    """Accuracy of the target itself.

    Attributes:
        samples: ``"full"`` data set, ``"audited"`` (without duplicates across sides), ``"held-out"``.
        member, non_member: accuracy on each side, in [0, 1].
        generalisation_gap: accuracy on members minus accuracy on non-members.
    """

    samples: Samples
    n_members: int
    n_non_members: int
    member: Estimate
    non_member: Estimate
    generalisation_gap: Estimate


@dataclass(frozen=True)
class MeanSd:
    """Mean and population standard deviation (ddof 0) of n numbers."""

    mean: float
    sd: float
    n: int


@dataclass(frozen=True)
class ConfidenceRow:
    """Confidence in the true class, over the audited samples of a subset; ``None`` for a side without samples."""

    subset: Subset
    member: MeanSd | None
    non_member: MeanSd | None


@dataclass(frozen=True)
class FeatureRow:
    """A column of a feature that attacks look at, over the audited samples of a subset.

    Attributes:
        feature: its name in the cache, ``"gradient-norm:w"``.
        column: name of the column; ``None`` for a feature of so many columns that only what is missing is counted.
        subset: by whether the target classified the sample correctly.
        member, non_member: over the finite values of a side; ``None`` where there are none, or no column.
        n_missing_members, n_missing_non_members: without a finite value; of any column where there is none here.
    """

    feature: str
    column: str | None
    subset: Subset
    member: MeanSd | None
    non_member: MeanSd | None
    n_missing_members: int
    n_missing_non_members: int


@dataclass(frozen=True)
class AttackRow:
    """One attack on one subset of samples.

    Attributes:
        attack: label of the attack; ``"naive"`` among them.
        samples: ``"held-out"``; for fixed attacks also ``"full"`` and, where duplicates left the audit, ``"audited"``.
        subset: by whether the target classified the sample correctly.
        image_class: position of the one class that the row is about, or ``None`` for all classes.
        n_members, n_non_members: in this row.
        metrics: {name of a metric: estimate}; accuracy is at the ratio n_members : n_non_members of this row.
        naive, zero_r: two baselines on the same samples: balanced_accuracy, false_alarm_rate, and what else applies.
    """

    attack: str
    samples: Samples
    subset: Subset
    image_class: int | None
    n_members: int
    n_non_members: int
    metrics: dict[str, Estimate]
    naive: dict[str, Estimate]
    zero_r: dict[str, Estimate]


@dataclass(frozen=True)
class ClassAverageRow:
    """Unweighted mean and SD over classes (not over runs) of the per-class numbers of one attack on one subset.

    Attributes:
        metrics: {name of a metric: mean, SD over classes and number of classes it is defined for}.
        n_classes_undefined: {name of a metric: classes where it is not estimable}.
        naive: {name of a metric: the same of the naive attack, on the very samples}.
    """

    attack: str
    subset: Subset
    metrics: dict[str, MeanSd]
    n_classes_undefined: dict[str, int]
    naive: dict[str, MeanSd] = field(default_factory=dict)


@dataclass(frozen=True)
class SweepRow:
    """One attack at one balancedness of the evaluation set.

    Attributes:
        attack: label of the attack, or ``"zero-r"``.
        ratio: members : non-members as the user wrote it, ``"5:1"``.
        prior: share of members, in (0, 1).
        exact: {name: value}, from recall and false alarm rate, which do not depend on the ratio.
        resampled: {name: mean and SD} over held-out samples drawn to that ratio without replacement; empty for ZeroR.
        n_members, n_non_members: of one such draw; 0 where nothing was drawn.
    """

    attack: str
    ratio: str
    prior: float
    exact: dict[str, Estimate]
    resampled: dict[str, MeanSd]
    n_members: int
    n_non_members: int


@dataclass(frozen=True)
class LimitCheck:
    """One ``--fail-above`` limit and what became of it.

    Attributes:
        text: as the user wrote it.
        attack, subset, metric: the number that it is about.
        limit: exceeded when the value is above, strictly.
        value: the point estimate.
        outcome: of the comparison.
    """

    text: str
    attack: str
    subset: Subset
    metric: str
    limit: float
    value: Estimate
    outcome: Literal["within", "exceeded", "not estimable"]


@dataclass(frozen=True)
class SampleScores:
    """The per-sample part of an audit: who was scored how. Private: it holds the membership of samples.

    Attributes:
        sample_id: (n_samples,) strings.
        is_member, is_correct, is_held_out: (n_samples,) bool.
        label: (n_samples,) int64.
        score: {label of an attack: (n_samples,) float64}, NaN for known samples, unless the score is fixed.
    """

    sample_id: Array
    is_member: Array
    is_correct: Array
    is_held_out: Array
    label: Array
    score: dict[str, Array]

    def __post_init__(self) -> None:
        n = len(self.sample_id)
        for name, kinds in (
            ("sample_id", "U"),
            ("is_member", "b"),
            ("is_correct", "b"),
            ("is_held_out", "b"),
            ("label", "i"),
        ):
            object.__setattr__(self, name, checked(name, getattr(self, name), (n,), kinds))
        scores = {label: checked(f"score of {label}", values, (n,), "f") for label, values in self.score.items()}
        object.__setattr__(self, "score", scores)


@dataclass(frozen=True)
class Audit:
    """The result of one audit: what reports show and gates compare, computed once.

    Attributes:
        title: what was audited, for people: target and data set.
        protocol: ``"audit"`` or ``"paper"``.
        attacks: the attacks as they were trained.
        selected: label of the attack chosen on the known samples, whose held-out numbers are the headline.
        accuracy: of the target, on the full, audited and held-out samples.
        confidence: in the true class, per subset.
        rows: every attack x subset (x class).
        class_averages: means and SDs over classes, where rows per class were asked for.
        sweep: balancedness.
        limits: the outcome of every ``--fail-above``.
        findings: doubts from all stages.
        class_names: one per class.
        provenance: of the cache, of the attacks, and of this evaluation.
        features: what attacks look at beside the outputs, per column and subset.
        statistics: bounds, priors, privacy, classes, chance, power, spread.
        controls: whether the audit itself can be trusted.
        verdict: of the policy, or ``None`` where none was asked for.
        figures: what figures need beyond the rows.
        samples: the per-sample part, or ``None`` in an aggregate-only audit.
    """

    kind: ClassVar[str] = "audit"

    title: str
    protocol: Protocol
    attacks: tuple[TrainedAttack, ...]
    selected: str
    accuracy: tuple[AccuracyRow, ...]
    confidence: tuple[ConfidenceRow, ...]
    rows: tuple[AttackRow, ...]
    class_averages: tuple[ClassAverageRow, ...]
    sweep: tuple[SweepRow, ...]
    limits: tuple[LimitCheck, ...]
    findings: tuple[Finding, ...]
    class_names: tuple[str, ...]
    provenance: dict[str, Any]
    features: tuple[FeatureRow, ...] = ()
    statistics: Statistics = field(default_factory=Statistics)
    controls: tuple[ControlResult, ...] = ()
    verdict: Verdict | None = None
    figures: Figures = field(default_factory=Figures)
    samples: SampleScores | None = None

    def __post_init__(self) -> None:
        labels = [attack.label for attack in self.attacks]
        if self.selected not in labels:
            raise ValueError(f"expected the selected attack to be one of {labels}, got {self.selected!r}")

    def row(self, attack: str, subset: Subset = "all", samples: Samples = "held-out") -> AttackRow:
        """The row of one attack over all classes.

        Raises:
            KeyError: there is no such row.
        """
        for row in self.rows:
            if (row.attack, row.subset, row.samples, row.image_class) == (attack, subset, samples, None):
                return row
        raise KeyError(f"no row for {attack} on {subset}, {samples}")

    def header(self) -> dict[str, Any]:
        """Everything that is not an array, as JSON values."""
        return {name: _json.encode(getattr(self, name)) for name in _header_types()}

    def arrays(self) -> dict[str, Array]:
        """The per-sample arrays by name; none in an aggregate-only audit."""
        if self.samples is None:
            return {}
        names = ("sample_id", "is_member", "is_correct", "is_held_out", "label")
        own = {name: getattr(self.samples, name) for name in names}
        return own | {f"score/{label}": values for label, values in self.samples.score.items()}

    @classmethod
    def from_parts(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """The audit that these parts make."""
        samples = None
        if arrays:
            own = {name: values for name, values in arrays.items() if not name.startswith("score/")}
            score = {name.removeprefix("score/"): values for name, values in arrays.items() if name not in own}
            samples = SampleScores(**own, score=score)
        given = {name: kind for name, kind in _header_types().items() if name in header or name not in _OPTIONAL}
        decoded = {name: _json.decode(kind, header[name], name) for name, kind in given.items()}
        return cls(**decoded, samples=samples)


def _header_types() -> dict[str, Any]:
    """The fields of an audit that travel in its header: all but the arrays."""
    return {each.name: each.type for each in fields(Audit) if each.name != "samples"}


# What audits of earlier versions do not have.
_OPTIONAL = frozenset(
    each.name for each in fields(Audit) if each.default is not MISSING or each.default_factory is not MISSING
)
