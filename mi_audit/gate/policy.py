"""What a release may leak: one tolerance, further rules, the controls that have to hold, and who waived what."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mi_audit.errors import PolicyError
from mi_audit.metrics.tolerance import PRESETS
from mi_audit.schema.audit import Subset

SCHEMA_VERSION = 1
TOLERANCE_RULES = ("tolerance/auc", "tolerance/tpr_at_fpr.0.01", "tolerance/tpr_at_fpr.0.001")
TAIL_RULE = "tail/loss_tnr.0.001"
FIXED_RULES = (*TOLERANCE_RULES, TAIL_RULE, "minimum/members", "minimum/non_members", "tier")
INCREASE_RULES = ("increase/auc", "increase/balanced_accuracy", "increase/tpr_at_fpr.0.01")

Compare = Literal["upper", "lower", "point"]
Severity = Literal["error", "warning"]
Tail = Literal["advice", "decide"]
Tier = Literal["T0", "T1", "T2", "T3"]


@dataclass(frozen=True)
class Rule:
    """A limit on one number of the held-out rows, beside the tolerance.

    Attributes:
        name: unique in the policy.
        metric: its name in the table of metrics.
        side: ``"max"`` (the number must not be above the limit) or ``"min"``.
        limit: itself allowed.
        attack: label of an attack, ``"selected"`` for the one chosen on known samples, ``"any"`` for each.
        subset: all, correct or misclassified.
        compare: ``"point"``, or an end of the 95 % interval. The end on the far side of the limit has to be proven
            inside: a max rule that compares the upper end is undecided, and not broken, until the lower end is above.
        severity: a broken ``"error"`` fails the audit, a ``"warning"`` is shown.
    """

    name: str
    metric: str
    side: Literal["max", "min"]
    limit: float
    attack: str = "selected"
    subset: Subset = "all"
    compare: Compare = "upper"
    severity: Severity = "error"

    def as_values(self) -> dict[str, Any]:
        """As a policy file has it."""
        values = {name: getattr(self, name) for name in ("name", "metric", "attack", "subset", "compare", "severity")}
        return values | {self.side: self.limit}


@dataclass(frozen=True)
class Waiver:
    """An exception to one rule that somebody answers for.

    Attributes:
        rule: name of the rule.
        reason, approver: why, and who said so.
        expires: the last day, YYYY-MM-DD, on which it counts.
    """

    rule: str
    reason: str
    approver: str
    expires: str

    def as_values(self) -> dict[str, str]:
        """As a policy file has it."""
        return {name: getattr(self, name) for name in ("rule", "reason", "approver", "expires")}


@dataclass(frozen=True)
class Policy:
    """Everything that a verdict depends on beside the audit.

    Attributes:
        preset: whose name it goes by, or ``None`` for a tolerance of its own.
        mu: the tolerance, from which the limits of all measures follow.
        alpha: error level: of every upper bound, and of all lower bounds of the tolerance together.
        tail: whether the tail finding is advice, or leaves the audit without a PASS.
        minimum_members, minimum_non_members: held-out samples below which nothing passes.
        required_controls: slugs of the controls that have to have evidence; a failed one always makes INVALID.
        tier: that the suite of attacks has to reach, if any.
        rules: beside the tolerance.
        waivers: exceptions.
    """

    preset: str | None
    mu: float
    alpha: float = 0.05
    tail: Tail = "advice"
    minimum_members: int = 0
    minimum_non_members: int = 0
    required_controls: tuple[str, ...] = ()
    tier: Tier | None = None
    rules: tuple[Rule, ...] = ()
    waivers: tuple[Waiver, ...] = ()

    def as_values(self) -> dict[str, Any]:
        """As a policy file that leaves nothing out; reading it gives this policy again."""
        return {
            "schema_version": SCHEMA_VERSION,
            "preset": self.preset,
            "tolerance": {"mu": self.mu},
            "alpha": self.alpha,
            "tail": self.tail,
            "tier": self.tier,
            "minimum": {"members": self.minimum_members, "non_members": self.minimum_non_members},
            "controls": {"required": list(self.required_controls)},
            "rules": [rule.as_values() for rule in self.rules],
            "waivers": [waiver.as_values() for waiver in self.waivers],
        }

    def digest(self) -> str:
        """SHA-256 of its content, whatever the order and the comments of the file were."""
        return digest_of(self.as_values())


def digest_of(values: Mapping[str, Any]) -> str:
    """SHA-256 of a policy's values as sorted JSON."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def preset(name: str) -> Policy:
    """A policy that comes with mi-audit; ``strict`` lets the tail decide and wants the controls that need evidence.

    Raises:
        KeyError: there is none of this name.
    """
    mu = PRESETS[name]
    if name != "strict":
        return Policy(name, mu)
    return Policy(name, mu, tail="decide", required_controls=("blind-baseline", "placebo", "untrained-twin"))


def mu_of_auc(auc: float) -> float:
    """The tolerance at which an AUC is the limit: sqrt(2) Phi^-1(AUC).

    >>> round(mu_of_auc(0.65), 3)
    0.545
    """
    from scipy.special import ndtri

    return math.sqrt(2) * float(ndtri(auc))


def mu_of_base_rate(prior: float, max_ppv: float) -> float:
    """The tolerance at which an alarm at FAR 0.1 % is right with at most `max_ppv` when a share `prior` are members.

    LR_max = max_ppv / (1 - max_ppv) * (1 - prior) / prior, and Phi(Phi^-1(0.001) + mu) = 0.001 LR_max.

    Raises:
        PolicyError: no tolerance says that: guessing is right that often, or the limit is a recall of 1.

    >>> round(mu_of_base_rate(0.5, 10 / 11), 2)
    0.76
    """
    from scipy.special import ndtri

    ratio = max_ppv / (1 - max_ppv) * (1 - prior) / prior
    if ratio <= 1 + 1e-9:
        raise PolicyError(f"base_rate: expected a max_ppv above the prior, which guessing reaches, got {max_ppv:g}")
    if ratio >= 1000:
        raise PolicyError(f"base_rate: expected a limit that can be exceeded, got a likelihood ratio of {ratio:,.0f}")
    return float(ndtri(0.001 * ratio) - ndtri(0.001))
