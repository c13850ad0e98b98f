"""A policy and an audit make a verdict: PASS, FAIL, INCONCLUSIVE or INVALID, with every reason.

Only the record counts, never the arrays, so that the verdict of a stored audit can be derived again by anybody.

- INVALID where a control failed: then nothing is said about leakage.
- FAIL where a lower bound of the attack that was chosen on known samples exceeds a limit of the tolerance, or a rule
  with severity error is broken.
- PASS where the upper bounds of every informative attack are within, and every rule with severity error holds.
- INCONCLUSIVE otherwise.
"""

import datetime
from collections.abc import Sequence
from dataclasses import replace

from mi_audit.gate._advice import advice
from mi_audit.gate._other_rules import control_rules, minimum_rules, tier_rules, user_rules
from mi_audit.gate._sentences import sentence
from mi_audit.gate._tolerance_rules import is_severe, settled, tail_rule, tolerance_rules
from mi_audit.gate.policy import Policy, Waiver
from mi_audit.schema.audit import Audit
from mi_audit.schema.verdict import Outcome, RuleResult, Verdict

_ABOUT_VALIDITY = ("control/", "finding/")
_ORDER = {"broken": 0, "undecided": 1}


def judge(audit: Audit, policy: Policy, today: datetime.date, increases: Sequence[RuleResult] = ()) -> Verdict:
    """The verdict of a policy on an audit.

    Args:
        audit: with statistics and controls; a verdict that it may have is not looked at.
        policy: what is allowed.
        today: the day on which waivers count or are expired.
        increases: what came of the comparison with an earlier audit.

    Raises:
        UsageError: a rule is about an attack that did not run.
    """
    rules = [
        *control_rules(audit, policy),
        *tolerance_rules(audit, policy),
        tail_rule(audit, policy),
        *minimum_rules(audit, policy),
        *tier_rules(audit, policy),
        *user_rules(audit, policy),
        *increases,
    ]
    rules = [_waived(rule, policy.waivers, today) for rule in rules]
    outcome = _outcome(rules)
    if outcome == "INVALID":
        rules = [rule if _is_about_validity(rule) else _not_judged(rule) for rule in rules]
    severe = outcome == "FAIL" and is_severe(audit)
    return Verdict(
        outcome=outcome,
        is_severe=severe,
        sentence=sentence(outcome, audit, policy, rules, is_severe=severe),
        reasons=tuple(_reasons(rules, outcome)),
        rules=tuple(rules),
        policy=policy.as_values(),
        policy_digest=policy.digest(),
        n_needed=settled(rules) if outcome == "INCONCLUSIVE" else None,
        judged_on=today.isoformat() if policy.waivers else "",
        advice=advice(outcome, audit, policy, rules),
    )


def _outcome(rules: Sequence[RuleResult]) -> Outcome:
    counting = [rule for rule in rules if rule.severity == "error"]
    broken = [rule for rule in counting if rule.outcome == "broken"]
    if any(_is_about_validity(rule) for rule in broken):
        return "INVALID"
    if broken:
        return "FAIL"
    return "INCONCLUSIVE" if any(rule.outcome == "undecided" for rule in counting) else "PASS"


def _waived(rule: RuleResult, waivers: Sequence[Waiver], today: datetime.date) -> RuleResult:
    """The rule with the waiver that is about it, which counts until its last day."""
    waiver = next((waiver for waiver in waivers if waiver.rule == rule.rule), None)
    if waiver is None:
        return rule
    is_expired = datetime.date.fromisoformat(waiver.expires) < today
    told = f"{'expired' if is_expired else 'until'} {waiver.expires}: {waiver.reason} ({waiver.approver})"
    is_needed = rule.outcome in ("broken", "undecided")
    return replace(rule, waiver=told, outcome="waived" if is_needed and not is_expired else rule.outcome)


def _is_about_validity(rule: RuleResult) -> bool:
    return rule.rule.startswith(_ABOUT_VALIDITY)


def _not_judged(rule: RuleResult) -> RuleResult:
    return RuleResult(rule.rule, "not applicable", rule.severity, "not judged: a control failed", waiver=rule.waiver)


def _reasons(rules: Sequence[RuleResult], outcome: Outcome) -> list[str]:
    """Why, the decisive ones first: broken before undecided, errors before warnings; then what was waived."""
    open_rules = [rule for rule in rules if rule.outcome in _ORDER]
    if outcome == "INVALID":
        open_rules = [rule for rule in open_rules if rule.outcome == "broken"]
    ordered = sorted(open_rules, key=lambda rule: (rule.severity != "error", _ORDER[rule.outcome]))
    reasons = [_reason(rule, outcome) for rule in ordered]
    reasons += [f"waived {rule.waiver}: {rule.message}" for rule in rules if rule.outcome == "waived"]
    return reasons


def _reason(rule: RuleResult, outcome: Outcome) -> str:
    """Its message, and what keeps it apart from what decided: an undecided rule beside a broken one breaks nothing."""
    expired = f" [waiver {rule.waiver}]" if rule.waiver else ""
    is_beside = outcome == "FAIL" and rule.outcome == "undecided"
    state = "note: " if rule.severity == "warning" else "undecided: " if is_beside else ""
    return f"{state}{rule.message}{expired}"
