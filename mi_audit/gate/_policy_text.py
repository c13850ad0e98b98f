"""A policy as a file for people: every default spelt out, limits in numbers, comments that say what may stand there."""

from mi_audit.gate import _text
from mi_audit.gate.policy import FIXED_RULES, Policy
from mi_audit.metrics.tolerance import PRESETS, limits

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


def named(policy: Policy) -> str:
    """Its preset, or that it has a tolerance of its own and which preset's is nearest."""
    if policy.preset:
        return f"policy {policy.preset}, tolerance {policy.mu:.3f}"
    nearest = min(PRESETS, key=lambda name: abs(PRESETS[name] - policy.mu))
    return f"custom policy, tolerance {policy.mu:.3f} (nearest preset: {nearest}, {PRESETS[nearest]:.3f})"


def commented(policy: Policy, *, is_draft: bool = False) -> str:
    """YAML that reads back as this policy.

    Args:
        policy: to write down.
        is_draft: to be edited, so that no line holds the tolerance to that of a preset; what the preset says beside
            the tolerance stands in the other lines.
    """
    import yaml

    values = policy.as_values()
    tops = ", ".join(
        f"{_text.named(measure)} {_text.shown(measure, top)}" for measure, top in limits(policy.mu).items()
    )
    lines = [
        "# A release policy of mi-audit: mi-audit evaluate ... --policy FILE",
        "# mi-audit policy check FILE prints its digest." if is_draft else f"# digest {policy.digest()}",
        "schema_version: 1",
        "",
        "# How far from guessing an attack may be. One tolerance gives all limits; instead of mu say auc: 0.65, or",
        "# instead of the tolerance base_rate: {prior: 0.1, max_ppv: 0.5} (an alarm is right half the time at most).",
        f"# Limits: {tops}.",
        *_origin(policy, is_draft=is_draft),
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


def _origin(policy: Policy, *, is_draft: bool) -> list[str]:
    if is_draft:
        return [
            f"# All values are those of the preset {policy.preset}, and may be edited at once: without a line",
            f"# `preset: {policy.preset}`, which would hold the tolerance to that of the preset.",
        ]
    return [f"preset: {policy.preset}" if policy.preset else "# preset: strict, standard or lenient"]
