"""Audits whose truth is known, without any model: scores from distributions, bounds and verdict as in any audit."""

import datetime
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from mi_audit.gate.policy import Policy
from mi_audit.gate.verdict import judge
from mi_audit.metrics.bounds import bound
from mi_audit.metrics.tolerance import limits
from mi_audit.schema.audit import Audit
from mi_audit.schema.statistics import BoundRow, Statistics
from mi_audit.schema.trained_attacks import TrainedAttack
from mi_audit.schema.verdict import Outcome

FloatArray = npt.NDArray[np.float64]
Truth = Callable[[np.random.Generator, int], FloatArray]

_MEMORISED = 8.0  # so far out that the memorised are above all others


def shifted(mu: float) -> Truth:
    """Members' scores from a normal law that is `mu` above the non-members'."""
    return lambda rng, n: rng.normal(mu, 1.0, n)


def memorised(share: float) -> Truth:
    """A share of the members stands out for certain, the others not at all."""
    return lambda rng, n: rng.normal(0.0, 1.0, n) + _MEMORISED * (rng.random(n) < share)


def outcome(
    truth: Truth, n_members: int, n_non_members: int, policy: Policy, rng: np.random.Generator, n_attacks: int = 1
) -> Outcome:
    """The verdict on one simulated audit.

    Args:
        truth: draws the members' scores of each attack; the non-members' are standard normal.
        n_members: held out.
        n_non_members: held out.
        policy: to judge by.
        rng: of all draws.
        n_attacks: independent ones, which is the hardest suite to pass; the first is the chosen one.
    """
    is_member = np.arange(n_members + n_non_members) < n_members
    scores = {
        f"attack {i}": np.concatenate((truth(rng, n_members), rng.normal(size=n_non_members))) for i in range(n_attacks)
    }
    rows = bound_rows(scores, is_member, policy, rng)
    return judge(audit_of(scores, rows), policy, datetime.date.min).outcome


def bound_rows(
    scores: Mapping[str, FloatArray], is_member: npt.NDArray[np.bool_], policy: Policy, rng: np.random.Generator
) -> list[BoundRow]:
    """The bounds that the gate compares, as `evaluate` computes them."""
    measures = tuple(limits(policy.mu))
    sizes = int(is_member.sum()), int((~is_member).sum())
    errors = policy.alpha / len(measures), policy.alpha
    return [
        BoundRow(label, "held-out", measure, *sizes, **bound(measure, score, is_member, *errors, rng)._asdict())
        for label, score in scores.items()
        for measure in measures
    ]


def audit_of(scores: Mapping[str, FloatArray], rows: list[BoundRow]) -> Audit:
    """An audit that holds nothing but attacks and bounds."""
    attacks = tuple(
        TrainedAttack(
            label=label,
            name="simulated",
            options={},
            view="summary",
            threshold=0.0,
            is_fixed=False,
            per_class=False,
            n_classes_skipped=0,
            balanced_accuracy=None,
            auc=None,
            n_draws=1,
        )
        for label in scores
    )
    return Audit(
        title="simulated",
        protocol="audit",
        attacks=attacks,
        selected=attacks[0].label,
        accuracy=(),
        confidence=(),
        rows=(),
        class_averages=(),
        sweep=(),
        limits=(),
        findings=(),
        class_names=(),
        provenance={},
        statistics=Statistics(alpha=0.05, bounds=tuple(rows)),
    )
