"""The verdict as its reader meets it: the line, the reasons, what to do, and what became of every rule."""

from mi_audit.reports import _format
from mi_audit.reports._table import Column, Row, Table
from mi_audit.schema import numerals
from mi_audit.schema.audit import Audit
from mi_audit.schema.verdict import RuleResult, Verdict

_MOST_REASONS = 5
_SHORT_DIGEST = 12
_CONTROL = "control/"
_OPEN = ("broken", "undecided")


def line(verdict: Verdict) -> str:
    """The outcome and what may be said about it."""
    return f"{verdict.outcome}{' (severe)' if verdict.is_severe else ''}: {verdict.sentence}"


def reasons(verdict: Verdict) -> tuple[str, ...]:
    """Why, and what to do: the points below the line."""
    return (*why(verdict), *to_do(verdict))


def why(verdict: Verdict) -> tuple[str, ...]:
    """Why, unless the line says all there is; the first few, and how many more there are."""
    told = [reason for reason in verdict.reasons if reason not in verdict.sentence]
    shown = told[:_MOST_REASONS]
    n_more = len(told) - len(shown)
    more = [f"and {numerals.counted(n_more, 'further reason')}, in the table of rules"] if n_more else []
    return (*shown, *more)


def to_do(verdict: Verdict) -> tuple[str, ...]:
    """What to do next, in one line; nothing after a PASS."""
    return (f"What to do: {verdict.advice}",) if verdict.advice else ()


def policy(verdict: Verdict) -> str:
    """By which policy it was judged."""
    tolerance = verdict.policy.get("tolerance")
    mu = tolerance.get("mu") if isinstance(tolerance, dict) else None
    name = verdict.policy.get("preset")
    parts = [f"Policy {name if isinstance(name, str) else 'of its own'}"]
    parts += [f"tolerance {mu:.3f}"] if isinstance(mu, int | float) else []
    parts += [f"digest {verdict.policy_digest[:_SHORT_DIGEST]}"] if verdict.policy_digest else []
    return ", ".join(parts) + "."


def rules(audit: Audit) -> Table | None:
    """What became of every rule; ``None`` without a verdict."""
    if audit.verdict is None or not audit.verdict.rules:
        return None
    columns = (
        Column("rule", is_text=True),
        Column("outcome", is_text=True),
        Column("attack", is_text=True),
        Column("measured"),
        Column("between"),
        Column("limit"),
    )
    quiet = [rule for rule in audit.verdict.rules if _is_quiet(rule)]
    rows = tuple(_row(rule) for rule in audit.verdict.rules if not _is_quiet(rule))
    notes = [f"{rule.rule}: waiver {rule.waiver}." for rule in audit.verdict.rules if rule.waiver]
    for outcome, words in (("held", "Controls that held"), ("not applicable", "Controls that do not apply here")):
        names = [rule.rule.removeprefix(_CONTROL) for rule in quiet if rule.outcome == outcome]
        notes += [f"{words}: {', '.join(names)}."] if names else []
    needed = [
        f"{rule.rule} {numerals.count(rule.n_needed)}" for rule in audit.verdict.rules if rule.n_needed is not None
    ]
    if needed:
        told = "Held-out samples of each side that would decide, if the estimates are true"
        notes.append(f"{told}: {', '.join(needed)}.")
    return Table("Rules of the policy, rates in %", columns, rows, tuple(notes))


def _is_quiet(rule: RuleResult) -> bool:
    """A control that gives nothing to think about."""
    return rule.rule.startswith(_CONTROL) and rule.outcome in ("held", "not applicable")


def _row(rule: RuleResult) -> Row:
    is_advice = rule.severity == "warning" and rule.outcome in _OPEN
    outcome = f"{rule.outcome} (warning)" if is_advice else rule.outcome
    cells = (
        rule.rule,
        outcome,
        rule.attack or "",
        _figure(rule, rule.value),
        _between(rule),
        _figure(rule, rule.limit),
    )
    return Row(cells, is_marked=rule.outcome in _OPEN and rule.severity == "error")


def _between(rule: RuleResult) -> str:
    if rule.low is None or rule.high is None:
        return ""
    dash = f"{_format.NO_BREAK_SPACE}to{_format.NO_BREAK_SPACE}" if rule.low < 0 else _format.DASH
    return f"{_figure(rule, rule.low)}{dash}{_figure(rule, rule.high)}"


def _figure(rule: RuleResult, value: float | None) -> str:
    if value is None:
        return ""
    return numerals.count(round(value)) if rule.metric is None else _format.number(rule.metric, value)
