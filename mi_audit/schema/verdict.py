"""The verdict: what a release may depend on, and why it is what it is."""

from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["PASS", "FAIL", "INCONCLUSIVE", "INVALID"]
RuleOutcome = Literal["held", "broken", "undecided", "waived", "not applicable"]


@dataclass(frozen=True)
class RuleResult:
    """What became of one rule of the policy.

    Attributes:
        rule: its name, unique in the policy: ``"tolerance/auc"``, ``"control/duplicates"``, ``"minimum/members"``.
        outcome: ``"broken"`` fails the audit where the severity is error, ``"undecided"`` leaves it without a verdict.
        severity: ``"error"`` counts, ``"warning"`` is shown only.
        message: one plain sentence: what was compared with what, and what would settle it.
        attack, subset, metric: what it is about; ``None`` where it is about the whole audit.
        value, low, high: the number and its one-sided bounds.
        limit: that it was compared with.
        n_needed: samples on each side at which an undecided rule is decided in four of five audits, if `value` is true
            (without one, if the attack guesses): broken where that is above the limit, held where it is below.
            ``None`` where no number is known to do so.
        waiver: reason, approver and expiry of the waiver that applies, or applied before it expired.
    """

    rule: str
    outcome: RuleOutcome
    severity: Literal["error", "warning"]
    message: str
    attack: str | None = None
    subset: str | None = None
    metric: str | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    n_needed: int | None = None
    waiver: str | None = None


@dataclass(frozen=True)
class Verdict:
    """PASS, FAIL, INCONCLUSIVE or INVALID, with every reason.

    Attributes:
        outcome: of the whole audit.
        is_severe: a lower bound exceeds even the lenient preset's limit.
        sentence: what may be said about it, one sentence.
        advice: what to do next, in one line; empty for a PASS.
        reasons: why, the decisive ones first.
        rules: every rule of the policy and what became of it.
        policy: as it was applied, every default spelt out.
        policy_digest: SHA-256 of that.
        n_needed: samples on each side that would resolve an INCONCLUSIVE, if the estimates are true: the fewest that
            break a rule, or else those that settle all; ``None`` where that is not known.
        judged_on: the day, YYYY-MM-DD, on which waivers were looked at; empty for a policy without any.
    """

    outcome: Outcome
    is_severe: bool
    sentence: str
    reasons: tuple[str, ...]
    rules: tuple[RuleResult, ...]
    policy: dict[str, Any] = field(default_factory=dict)
    policy_digest: str = ""
    n_needed: int | None = None
    judged_on: str = ""
    advice: str = ""
