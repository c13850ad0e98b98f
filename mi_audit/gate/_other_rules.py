"""The rules beside the tolerance: controls, minimum samples, the tier of the suite, and limits that users wrote."""

from typing import Literal

from mi_audit.errors import UsageError
from mi_audit.gate._text import named, shown
from mi_audit.gate.policy import Policy, Rule
from mi_audit.plugins import did_you_mean
from mi_audit.schema.audit import AttackRow, Audit
from mi_audit.schema.control import ControlResult
from mi_audit.schema.estimate import Estimate
from mi_audit.schema.numerals import counted
from mi_audit.schema.verdict import RuleOutcome, RuleResult

_TIERS = ("T0", "T1", "T2", "T3")


def control_rules(audit: Audit, policy: Policy) -> list[RuleResult]:
    """Every control that ran or had to run, and every finding that says that the audit cannot be trusted."""
    ran = {control.slug for control in audit.controls}
    told = " ".join(control.message for control in audit.controls if control.outcome == "failed")
    errors = [finding for finding in audit.findings if finding.severity == "error" and finding.message not in told]
    absent = [slug for slug in policy.required_controls if slug not in ran]
    results = [
        *(_control_rule(each, is_required=each.slug in policy.required_controls) for each in audit.controls),
        *(
            RuleResult(f"control/{slug}", "undecided", "error", f"{slug}: is required and did not run")
            for slug in absent
        ),
        *(RuleResult(f"finding/{finding.slug}", "broken", "error", finding.message) for finding in errors),
    ]
    return list({result.rule: result for result in reversed(results)}.values())[::-1]


def _control_rule(control: ControlResult, *, is_required: bool) -> RuleResult:
    rule = f"control/{control.slug}"
    if control.outcome == "no evidence":
        severity: Literal["error", "warning"] = "error" if is_required else "warning"
        return RuleResult(rule, "undecided", severity, f"{control.slug} has no evidence: {control.message}")
    outcomes: dict[str, RuleOutcome] = {"held": "held", "failed": "broken", "not applicable": "not applicable"}
    return RuleResult(rule, outcomes[control.outcome], "error", f"{control.slug}: {control.message}")


def minimum_rules(audit: Audit, policy: Policy) -> list[RuleResult]:
    """Whether enough samples were held out; groups count, where samples belong to groups."""
    n_members, n_non_members = held_out_sizes(audit)
    found = (("members", n_members, policy.minimum_members), ("non_members", n_non_members, policy.minimum_non_members))
    results = []
    for side, n, least in found:
        word = side.replace("_", "-")[:-1]
        message = f"{counted(n, word)} held out, the policy wants at least {least:,}"
        outcome: RuleOutcome = "held" if n >= least else "undecided"
        needed = None if n >= least else least
        results.append(RuleResult(f"minimum/{side}", outcome, "error", message, value=n, limit=least, n_needed=needed))
    return results


def held_out_sizes(audit: Audit) -> tuple[int, int]:
    """Members and non-members that the verdict rests on; groups, where samples belong to groups."""
    for bound in audit.statistics.bounds:
        if (bound.attack, bound.samples) == (audit.selected, "held-out"):
            return bound.n_members, bound.n_non_members
    try:
        row = audit.row(audit.selected)
    except KeyError:
        return 0, 0
    return row.n_members, row.n_non_members


def tier_of(audit: Audit) -> str:
    """How much the strongest adversary of the suite had: outputs (T0), or more of the one model (T1).

    Attacks with reference models (T2) and shadow models (T3) are not in this suite yet.
    """
    return "T1" if any(set(attack.on) - {"outputs"} for attack in audit.attacks) else "T0"


def tier_rules(audit: Audit, policy: Policy) -> list[RuleResult]:
    """Whether the suite reaches the tier that the policy names; nothing where it names none."""
    if policy.tier is None:
        return []
    reached = tier_of(audit)
    is_reached = _TIERS.index(reached) >= _TIERS.index(policy.tier)
    message = f"the policy wants attacks of tier {policy.tier}, this suite reaches {reached}"
    return [RuleResult("tier", "held" if is_reached else "undecided", "error", message)]


def user_rules(audit: Audit, policy: Policy) -> list[RuleResult]:
    """The policy's own limits; of ``any`` attack the worst counts.

    Raises:
        UsageError: a rule is about an attack that did not run.
    """
    rows: dict[tuple[str, str], AttackRow] = {
        (row.attack, row.subset): row for row in audit.rows if row.samples == "held-out" and row.image_class is None
    }
    return [_user_rule(rule, audit.selected, rows) for rule in policy.rules]


_WORST: tuple[RuleOutcome, ...] = ("broken", "undecided", "held")


def _user_rule(rule: Rule, selected: str, rows: dict[tuple[str, str], AttackRow]) -> RuleResult:
    labels = list(dict.fromkeys(label for label, _ in rows))
    attack = selected if rule.attack == "selected" else rule.attack
    if attack != "any" and (attack, rule.subset) not in rows:
        known = [*labels, "selected", "any"]
        message = f"the policy's rule {rule.name!r} is about {attack!r} on {rule.subset}, which did not run"
        raise UsageError(message, tip=did_you_mean(attack, known))
    asked = labels if attack == "any" else [attack]
    judged = [_judged(rule, label, rows[label, rule.subset]) for label in asked if (label, rule.subset) in rows]
    if not judged:
        raise UsageError(f"the policy's rule {rule.name!r}: no attack ran on {rule.subset}")
    return min(judged, key=lambda result: (_WORST.index(result.outcome), _closeness(rule, result)))


def _closeness(rule: Rule, result: RuleResult) -> float:
    value = 0.0 if result.value is None else result.value
    return -value if rule.side == "max" else value


def _judged(rule: Rule, label: str, row: AttackRow) -> RuleResult:
    number = row.metrics.get(rule.metric) or Estimate.undefined("this row does not have it")
    outcome, why = _compared(rule, number)
    message = f"{named(rule.metric)} of {label}{_on(rule)} is {_figures(rule, number)}, {_wanted(rule)}"
    return RuleResult(
        rule.name,
        outcome,
        rule.severity,
        f"{message}{why}",
        attack=label,
        subset=rule.subset,
        metric=rule.metric,
        value=number.value,
        low=number.low,
        high=number.high,
        limit=rule.limit,
    )


def _compared(rule: Rule, number: Estimate) -> tuple[RuleOutcome, str]:
    """What a rule says of a number: turned so that larger is worse, and the limit the largest that is allowed."""
    if number.value is None:
        return "undecided", ""
    sign = 1.0 if rule.side == "max" else -1.0
    top, value = sign * rule.limit, sign * number.value
    if rule.compare == "point":
        return ("broken" if value > top else "held"), ""
    if number.low is None or number.high is None:
        return "undecided", "; it has no interval (compare: point)"
    low, high = sorted((sign * number.low, sign * number.high))
    if low > top:
        return "broken", ""
    has_to_be_proven = (rule.compare == "upper") == (rule.side == "max")
    if has_to_be_proven and high > top:
        return "undecided", "; its interval reaches beyond"
    return "held", ""


def _figures(rule: Rule, number: Estimate) -> str:
    if number.value is None:
        return f"not estimable ({number.reason})"
    value = shown(rule.metric, number.value)
    if number.low is None or number.high is None:
        return value
    return f"{value} ({shown(rule.metric, number.low)} to {shown(rule.metric, number.high)})"


def _wanted(rule: Rule) -> str:
    word = "at most" if rule.side == "max" else "at least"
    return f"and has to be {word} {shown(rule.metric, rule.limit)} ({rule.compare})"


def _on(rule: Rule) -> str:
    return "" if rule.subset == "all" else f" on {rule.subset} samples"
