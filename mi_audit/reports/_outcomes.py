"""What became of an audit, point by point: for the formats that show outcomes rather than tables."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from mi_audit.reports import _format, _lookup
from mi_audit.reports._sentence import sentence
from mi_audit.schema import numerals
from mi_audit.schema.audit import Audit, LimitCheck, Subset
from mi_audit.schema.control import ControlOutcome, ControlResult
from mi_audit.schema.verdict import RuleResult

State = Literal["held", "failed", "warned", "undecided", "waived", "not applicable"]

NOT_GATED = "No policy was applied to this audit, so there is no verdict."

_LEAST_P = 0.0001
_INVALID = "This audit is not valid, so it says nothing about what the target reveals."

_OF_LIMITS: dict[str, State] = {"within": "held", "exceeded": "failed", "not estimable": "undecided"}
_OF_CONTROLS: dict[ControlOutcome, State] = {
    "held": "held",
    "failed": "failed",
    "not applicable": "not applicable",
    "no evidence": "undecided",
}


@dataclass(frozen=True)
class Point:
    """A rule, a control or a limit, and what became of it.

    Attributes:
        kind: which of the three.
        name: of the rule, the control, or the limit as it was written.
        state: ``"failed"`` alone stands against a release; ``"warned"`` is a broken rule that is shown only.
        message: why, in one sentence or two.
    """

    kind: Literal["rule", "control", "limit"]
    name: str
    state: State
    message: str


def points(audit: Audit) -> tuple[Point, ...]:
    """Every rule, control and limit of an audit, in this order; what a rule says already is not said again."""
    rules = [_rule(rule) for rule in audit.verdict.rules] if audit.verdict else []
    said = {rule.name.rpartition("/")[2] for rule in rules if rule.name.startswith("control/")}
    controls = [_control(control) for control in audit.controls if control.slug not in said]
    return (*rules, *controls, *(_limit(check) for check in audit.limits))


def headline(audit: Audit) -> str:
    """The verdict with its sentence, or that there is none."""
    verdict = audit.verdict
    if verdict is None:
        return NOT_GATED
    severe = ", severe" if verdict.is_severe else ""
    return f"{verdict.outcome}{severe}: {verdict.sentence}"


def statement(audit: Audit) -> str:
    """What the audit says about leakage; of an INVALID one, that it says nothing."""
    return _INVALID if is_invalid(audit) else sentence(audit)


def is_invalid(audit: Audit) -> bool:
    """Whether a control failed, so that no number about leakage means what it seems to."""
    return audit.verdict is not None and audit.verdict.outcome == "INVALID"


def by_subset(audit: Audit) -> Iterator[tuple[Subset, str]]:
    """(subset, balanced accuracy of the selected attack there in words), for the subsets that a valid audit has."""
    for subset in get_args(Subset) if not is_invalid(audit) else ():
        row = _lookup.row(audit, audit.selected, subset)
        if row is not None:
            figure = _format.with_interval("balanced_accuracy", row.metrics.get("balanced_accuracy"))
            sides = f"{numerals.counted(row.n_members, 'member')}, {numerals.counted(row.n_non_members, 'non-member')}"
            yield subset, f"{figure or _format.DASH}, {sides}"


def _rule(rule: RuleResult) -> Point:
    states: dict[str, State] = {
        "held": "held",
        "broken": "failed" if rule.severity == "error" else "warned",
        "undecided": "undecided",
        "waived": "waived",
        "not applicable": "not applicable",
    }
    message = f"{rule.message}; waived: {rule.waiver}" if rule.waiver else rule.message
    return Point("rule", rule.rule, states[rule.outcome], message)


def _control(control: ControlResult) -> Point:
    said = "" if control.p_value is None else f" (p {_probability(control.p_value)})"
    return Point("control", control.slug, _OF_CONTROLS[control.outcome], f"{control.message}{said}")


def _probability(value: float) -> str:
    """Four decimals, and never 0: ``"= 0.0312"``, ``"< 0.0001"``."""
    return f"= {numerals.rounded(value, 4)}" if value >= _LEAST_P else f"< {_LEAST_P}"


def _limit(check: LimitCheck) -> Point:
    measured = _format.with_interval(check.metric, check.value)
    allowed = _format.number(check.metric, check.limit)
    message = f"{check.metric} of {check.attack} on {check.subset}: {measured}, allowed {allowed}."
    return Point("limit", check.text, _OF_LIMITS[check.outcome], message)
