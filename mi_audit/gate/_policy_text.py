"""A policy as a file for people: every default spelt out, limits in numbers, comments that say what may stand there."""

from mi_audit.gate._text import named, shown
from mi_audit.gate.policy import FIXED_RULES, Policy
from mi_audit.metrics.tolerance import limits

_EXAMPLE_RULE = """\
#  - name: false alarms          # unique
#    metric: false_alarm_rate    # see `mi-audit list metrics`
#    attack: selected            # a label, selected, or any
#    subset: all                 # all, correct or misclassified
#    max: 0.5                    # or min
#    compare: upper              # upper, lower or point
#    severity: error             # error, or warning (shown only)
"""
_EXAMPLE_WAIVER = """\
#  - rule: tolerance/auc
#    reason: the model is used inside the hospital only
#    approver: name@example.org
#    expires: 2027-03-31         # the last day on which it counts
"""


def commented(policy: Policy) -> str:
    """YAML that reads back as this policy."""
    import yaml

    values = policy.as_values()
    tops = ", ".join(f"{named(measure)} {shown(measure, top)}" for measure, top in limits(policy.mu).items())
    lines = [
        "# A release policy of mi-audit: mi-audit evaluate ... --policy FILE",
        f"# digest {policy.digest()}",
        "schema_version: 1",
        "",
        "# How far from guessing an attack may be. One tolerance gives all limits; instead of mu say auc: 0.65, or",
        "# instead of the tolerance base_rate: {prior: 0.1, max_ppv: 0.5} (an alarm is right half the time at most).",
        f"# Limits: {tops}.",
        f"preset: {policy.preset}" if policy.preset else "# preset: strict, standard or lenient",
        f"tolerance: {{mu: {policy.mu!r}}}",
        f"alpha: {policy.alpha!r}  # error of an upper bound, and of all lower bounds together",
        "",
        f"tail: {policy.tail}  # advice, or decide: no PASS where the losses suggest memorised records",
        f"tier: {policy.tier or 'null'}  # that the attacks have to reach: T0 outputs, T1 more of the model, or null",
        f"minimum: {{members: {policy.minimum_members}, non_members: {policy.minimum_non_members}}}  # held out",
        "",
        "# A failed control always makes the audit INVALID; these must have evidence, too (extract --controls full).",
        f"controls: {{required: [{', '.join(policy.required_controls)}]}}",
        "",
        "# Limits on any number of the held-out rows, beside the tolerance.",
    ]
    body: str = "\n".join(lines) + "\n"
    body += yaml.safe_dump({"rules": values["rules"]}, sort_keys=False, allow_unicode=True)
    body += _EXAMPLE_RULE if not policy.rules else ""
    body += f"\n# Exceptions, to {', '.join(FIXED_RULES[:4])}, control/NAME or a rule above.\n"
    body += yaml.safe_dump({"waivers": values["waivers"]}, sort_keys=False, allow_unicode=True)
    return body + (_EXAMPLE_WAIVER if not policy.waivers else "")
