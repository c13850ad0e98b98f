"""The first thing on the page: the verdict with its reasons, and the numbers that carry it."""

from mi_audit.reports import _format, _lookup
from mi_audit.reports._html_text import bullets, escaped, paragraph
from mi_audit.reports._table import Column, Row, Table
from mi_audit.schema.audit import Audit
from mi_audit.schema.verdict import RuleResult, Verdict

_TONES = {"PASS": "pass", "FAIL": "fail", "INCONCLUSIVE": "open", "INVALID": "open"}
_SIGNS = {"PASS": "\u2713", "FAIL": "\u2717", "INCONCLUSIVE": "?", "INVALID": "!"}
_ORDER = ("broken", "undecided", "waived", "held", "not applicable")
_NOT_GATED = (
    "No policy was applied, so nothing on this page says PASS or FAIL. mi-audit evaluate with a policy gives a verdict."
)


def banner(audit: Audit, sentence: str) -> str:
    """The verdict and its reasons; without a policy, that there is none, and what was measured.

    Args:
        audit: whose verdict it is.
        sentence: what was measured, in words.
    """
    verdict = audit.verdict
    if verdict is None:
        inside = f'<p class="outcome">Not gated</p>{paragraph(sentence, "sentence")}{paragraph(_NOT_GATED, "note")}'
        return f'<div class="verdict none">{inside}</div>'
    severe = " \u2013 severe: above even the lenient limit" if verdict.is_severe else ""
    outcome = f"{_SIGNS[verdict.outcome]} {verdict.outcome}{severe}"
    inside = (
        f'<p class="outcome">{escaped(outcome)}</p>{paragraph(verdict.sentence, "sentence")}'
        f"{bullets(verdict.reasons) if verdict.reasons else ''}{_needed(verdict)}{paragraph(sentence, 'note')}"
    )
    return f'<div class="verdict {_TONES[verdict.outcome]}">{inside}</div>'


def _needed(verdict: Verdict) -> str:
    if verdict.n_needed is None:
        return ""
    return paragraph(f"About {_format.count(verdict.n_needed)} samples on each side would settle it.")


def cards(audit: Audit) -> str:
    """The headline numbers, each with its interval."""
    row, target = _lookup.headline(audit), _lookup.accuracy(audit)
    shown = []
    if row is not None:
        for key, name in (
            ("balanced_accuracy", "Balanced accuracy of the attack, %"),
            ("false_alarm_rate", "False alarm rate (FAR), %"),
            ("auc", "AUC"),
            ("tpr_at_fpr.0.01", "Members found at 1 % FAR, %"),
        ):
            estimate = row.metrics.get(key)
            if estimate is not None:
                small = estimate.reason if estimate.value is None else _format.interval(key, estimate)
                shown.append((name, _format.point(key, estimate), small or ""))
    if target is not None:
        gap = target.generalisation_gap
        sides = (_format.point("accuracy", side) for side in (target.member, target.non_member))
        shown.append(("Gap in the target's accuracy, points", _format.point("accuracy", gap), " \u2212 ".join(sides)))
    return '<dl class="cards">' + "".join(_card(*each) for each in shown) + "</dl>" if shown else ""


def _card(name: str, value: str, small: str) -> str:
    below = f"<span>{escaped(small)}</span>" if small else ""
    return f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}{below}</dd></div>"


def rules(audit: Audit) -> tuple[Table, ...]:
    """Every rule of the policy and what became of it, those that decided first; none without a verdict."""
    if audit.verdict is None or not audit.verdict.rules:
        return ()
    columns = (
        Column("rule", is_text=True),
        Column("outcome", is_text=True),
        Column("value"),
        Column("bounds"),
        Column("limit"),
        Column("why", is_text=True),
    )
    ordered = sorted(audit.verdict.rules, key=lambda rule: (_ORDER.index(rule.outcome), rule.severity))
    digest = audit.verdict.policy_digest
    notes = (f"Policy, as it was applied, SHA-256 {digest}.",) if digest else ()
    return (Table("Rules of the policy", columns, tuple(_rule(rule) for rule in ordered), notes),)


def _rule(rule: RuleResult) -> Row:
    outcome = rule.outcome if rule.severity == "error" else f"{rule.outcome} (warning only)"
    why = rule.message if rule.waiver is None else f"{rule.message} (waiver: {rule.waiver})"
    cells = (
        _format.shortened(rule.rule, 80),
        outcome,
        _number(rule, rule.value),
        _format.DASH.join(_number(rule, bound) for bound in (rule.low, rule.high)) if rule.low is not None else "",
        _number(rule, rule.limit),
        why,
    )
    return Row(cells, is_marked=rule.outcome == "broken")


def _number(rule: RuleResult, value: float | None) -> str:
    """A number of a rule as its metric is written; counts, which have no metric, as they are."""
    if value is None:
        return ""
    if rule.metric is None and value == int(value):
        return _format.count(int(value))
    if rule.metric is None:
        return f"{_format.rounded(value, 3).normalize():f}"
    return _format.number(rule.metric, value)
