"""What may be said about a verdict, in one sentence; fixed texts, so that nobody reads more into them."""

from collections.abc import Sequence

from mi_audit.gate._other_rules import tier_of
from mi_audit.gate._text import named, shown
from mi_audit.gate._tolerance_rules import highest_bounds
from mi_audit.gate.policy import Policy
from mi_audit.schema.audit import Audit
from mi_audit.schema.numerals import counted
from mi_audit.schema.provenance import found_at
from mi_audit.schema.verdict import Outcome, RuleResult


def sentence(outcome: Outcome, audit: Audit, policy: Policy, rules: Sequence[RuleResult], *, is_severe: bool) -> str:
    """One sentence for people and for the record; that of a PASS speaks of these attacks only."""
    if outcome == "PASS":
        return _passed(audit, policy, rules)
    deciding = [rule for rule in rules if rule.severity == "error" and rule.outcome in ("broken", "undecided")]
    first = [rule for rule in deciding if rule.outcome == "broken"] or deciding
    more = f" (and {counted(len(first) - 1, 'further reason')})" if len(first) > 1 else ""
    if outcome == "INVALID":
        failed = [rule for rule in first if rule.rule.startswith(("control/", "finding/"))]
        names = ", ".join(rule.rule.partition("/")[2] for rule in failed)
        verb = "control failed" if len(failed) == 1 else "controls failed"
        return f"The audit cannot be trusted ({verb}: {names}); nothing is said about leakage."
    if outcome == "FAIL":
        severe = ", beyond even the lenient limit" if is_severe else ""
        return f"The release is over the limit{severe}: {first[0].message}{more}."
    return f"These samples do not decide: {first[0].message}{more}."


def _passed(audit: Audit, policy: Policy, rules: Sequence[RuleResult]) -> str:
    bounds = ", ".join(f"{named(name)} {shown(name, high)}" for name, high in highest_bounds(audit, policy).items())
    waived = sum(rule.outcome == "waived" for rule in rules)
    but = f" {counted(waived, 'rule')} {'was' if waived == 1 else 'were'} waived." if waived else ""
    over = any(rule.outcome == "waived" and rule.rule.startswith("tolerance/") for rule in rules)
    claim = f"exceeded tolerance {policy.mu:g}" + (" by more than was waived" if over else "")
    return (
        f"No attack of this suite ({_suite(audit)}) {claim}; upper bounds: {bounds}. "
        f"This is resistance to these attacks only.{but}"
    )


def _suite(audit: Audit) -> str:
    version = found_at(audit.provenance, "evaluate", "versions", "mi-audit")
    suite = f"mi-audit {version}" if version else "mi-audit"
    return f"{suite}, tier {tier_of(audit)}, {counted(len(audit.attacks), 'attack')}"
