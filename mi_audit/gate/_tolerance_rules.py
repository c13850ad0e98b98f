"""The rules that follow from the tolerance: limits on AUC and on the recall at both false alarm rates, and the tail.

The lower bound of the attack that was chosen on known samples fails an audit; the upper bounds of every informative
attack have to be inside the limit for a PASS. Both ends are one-sided bounds of the record, computed elsewhere.
"""

import functools
from collections.abc import Iterable, Sequence

from mi_audit.gate._text import named, shown
from mi_audit.gate.policy import TAIL_RULE, TOLERANCE_RULES, Policy
from mi_audit.metrics.power import n_to_resolve
from mi_audit.metrics.tolerance import RATES, SEVERE, limit, limits
from mi_audit.schema.audit import Audit
from mi_audit.schema.numerals import counted
from mi_audit.schema.statistics import BoundRow, Measure
from mi_audit.schema.verdict import RuleResult

_LOSS_ATTACK = "threshold:loss"
_FAR = 10  # times the samples held out: a number beyond stands in the record, and not in a sentence
TAIL_ADVICE = "the tail suggests memorised records: run reference-model attacks"


def tolerance_rules(audit: Audit, policy: Policy) -> list[RuleResult]:
    """One result per measure."""
    return [_measure_rule(audit, policy, measure, top) for measure, top in limits(policy.mu).items()]


def is_severe(audit: Audit) -> bool:
    """Whether a lower bound of the chosen attack is above the limit of even the lenient preset."""
    found = ((_chosen(audit, measure), top) for measure, top in limits(SEVERE).items())
    return any(row is not None and row.low > top for row, top in found)


def highest_bounds(audit: Audit, policy: Policy) -> dict[Measure, float]:
    """{measure: the highest upper bound of any informative attack}."""
    return {
        measure: max((row.high for row in _informative(audit, measure)), default=1.0) for measure in limits(policy.mu)
    }


def _measure_rule(audit: Audit, policy: Policy, measure: Measure, top: float) -> RuleResult:
    rule = f"tolerance/{measure}"
    chosen = _chosen(audit, measure)
    if chosen is not None and chosen.is_informative and chosen.low > top:
        message = (
            f"{named(measure)} of {chosen.attack} is at least {shown(measure, chosen.low)}"
            f"{_estimate(chosen)}, above the limit of {shown(measure, top)}"
        )
        return _result(rule, "broken", message, chosen, top)
    if missing := _without_bounds(audit, measure):
        message = f"no bounds on the {named(measure)} of {missing[0]}: it cannot be compared with the limit"
        return RuleResult(rule, "undecided", "error", message, attack=missing[0], metric=measure, limit=top)
    rows = _informative(audit, measure)
    if not rows:
        message = f"no attack gave a score that varies, so nothing is known about the {named(measure)}"
        return RuleResult(rule, "undecided", "error", message, metric=measure, limit=top)
    worst = max(rows, key=lambda row: row.high)
    if worst.high <= top:
        message = (
            f"{named(measure)} is at most {shown(measure, worst.high)} for each of {len(rows)} informative attacks "
            f"(highest: {worst.attack}), within the limit of {shown(measure, top)}"
        )
        return _result(rule, "held", message, worst, top)
    return _undecided(rule, worst, audit, policy, top)


def _undecided(rule: str, worst: BoundRow, audit: Audit, policy: Policy, top: float) -> RuleResult:
    measure = worst.measure
    start = f"{named(measure)} of {worst.attack} may be up to {shown(measure, worst.high)}{_estimate(worst)}"
    message = f"{start}, above the limit of {shown(measure, top)}"
    is_over = worst.value is not None and worst.value > top
    if worst.attack != audit.selected and (is_over or worst.low > top):
        # No number of samples is known to decide: this attack cannot break the rule, nor let it hold if it is over.
        message += _not_chosen(worst.attack, len(audit.attacks))
        return _result(rule, "undecided", message, worst, top)
    row = _chosen(audit, measure) or worst if is_over else worst
    held_out = min(row.n_members, row.n_non_members)
    needed = _needed(worst, policy, top, audit.statistics.n_looks)
    needed = needed if needed is not None and needed > held_out else None
    message += _settling(needed, held_out, is_over=is_over)
    return _result(rule, "undecided", message, worst, top, needed)


def _not_chosen(attack: str, n_attacks: int) -> str:
    return (
        f"; that breaks no rule, since {attack} is not the attack that was chosen on known samples, and the best of "
        f"{counted(n_attacks, 'attack')}, picked after a look at the held-out ones, looks better than it is"
    )


def _settling(needed: int | None, held_out: int, *, is_over: bool) -> str:
    """How many samples would decide, as far as a number out of reach helps anybody.

    Args:
        needed: samples of each side, more than are held out; ``None`` where no number is known.
        held_out: samples of the smaller side.
        is_over: whether the estimate is above the limit, so that more samples would rather show a FAIL.
    """
    is_far = needed is not None and needed > _FAR * held_out
    if is_over:
        if needed is None:
            return "; the estimate is above the limit"
        if is_far:
            return "; the estimate is above the limit, but too close to it for samples in such numbers to show it"
        return f"; the estimate is above the limit: about {needed:,} held out on each side would show it, if it is true"
    if needed is None:
        return ""
    if is_far:
        return "; only far more samples than these would settle it"
    return f"; about {needed:,} held-out members and as many non-members would settle it"


def _needed(row: BoundRow, policy: Policy, top: float, n_looks: int) -> int | None:
    """Samples of each side that would tell this attack from the limit; as for one that guesses where none is known."""
    chance = RATES.get(row.measure, 0.5)
    value = max(chance, row.value) if row.value is not None else chance
    return n_resolving(row.measure, float(f"{value:.3g}"), top, policy.alpha, n_looks)


# A fifth of a second each, to two digits, so that three digits of the value do.
n_resolving = functools.cache(n_to_resolve)


def tail_rule(audit: Audit, policy: Policy) -> RuleResult:
    """Whether hardly any non-member has a loss that is lower than that of nearly all members.

    Beyond the limit the finding is advice, or leaves the audit without a PASS; it never fails one, since it is a
    surrogate for attacks with reference models that were not run.
    """
    top = limit("loss_tnr.0.001", policy.mu)
    severity = "error" if policy.tail == "decide" else "warning"
    rows = [row for row in audit.statistics.bounds if row.measure == "loss_tnr.0.001" and row.is_informative]
    rows = [row for row in rows if row.attack == _LOSS_ATTACK] or rows
    if not rows:
        outcome = "undecided" if policy.tail == "decide" else "not applicable"
        message = "no attack by the loss ran, so nothing is known about the tail"
        return RuleResult(TAIL_RULE, outcome, severity, message, metric="loss_tnr.0.001", limit=top)  # type: ignore[arg-type]
    row = max(_preferred(rows, "audited"), key=lambda row: row.high)
    figures = (
        f"of the non-members, up to {shown(row.measure, row.high)}{_estimate(row)} score below 99.9 % of the members"
    )
    if row.high <= top:
        return _result(TAIL_RULE, "held", f"{figures}, within the limit of {shown(row.measure, top)}", row, top)
    is_seen = row.low > top
    advice = TAIL_ADVICE if is_seen else "too few samples to rule out memorised records in the tail"
    message = f"{figures}, above {shown(row.measure, top)}: {advice}"
    return _result(TAIL_RULE, "undecided", message, row, top, severity=severity)


def _chosen(audit: Audit, measure: Measure) -> BoundRow | None:
    """The bounds of the chosen attack, on held-out samples where there are such: the choice knew the others."""
    rows = [row for row in audit.statistics.bounds if (row.attack, row.measure) == (audit.selected, measure)]
    return next(iter(_preferred(rows, "held-out")), None)


def _informative(audit: Audit, measure: Measure) -> list[BoundRow]:
    """One row per informative attack: of all audited samples where its score was fixed beforehand."""
    found: list[BoundRow] = []
    for attack in dict.fromkeys(row.attack for row in audit.statistics.bounds):
        rows = [row for row in audit.statistics.bounds if (row.attack, row.measure) == (attack, measure)]
        found += [row for row in _preferred(rows, "audited")[:1] if row.is_informative]
    return found


def _without_bounds(audit: Audit, measure: Measure) -> list[str]:
    """Attacks that ran and have no bounds: what is not known must not pass."""
    known = {row.attack for row in audit.statistics.bounds if row.measure == measure}
    return [attack.label for attack in audit.attacks if attack.label not in known]


def _preferred(rows: Iterable[BoundRow], samples: str) -> list[BoundRow]:
    """Those on these samples first."""
    return sorted(rows, key=lambda row: row.samples != samples)


def _estimate(row: BoundRow) -> str:
    return "" if row.value is None else f" (estimate {shown(row.measure, row.value)})"


def _result(
    rule: str, outcome: str, message: str, row: BoundRow, top: float, needed: int | None = None, severity: str = "error"
) -> RuleResult:
    figures = {"value": row.value, "low": row.low, "high": row.high, "limit": top, "n_needed": needed}
    about = {"attack": row.attack, "subset": "all", "metric": row.measure}
    return RuleResult(rule, outcome, severity, message, **about, **figures)  # type: ignore[arg-type]


def leans_to_fail(rule: RuleResult) -> bool:
    """Whether a limit of the tolerance is undecided and the estimate above it: then no PASS is to be expected."""
    is_open = rule.outcome == "undecided" and rule.rule in TOLERANCE_RULES
    return is_open and rule.value is not None and rule.limit is not None and rule.value > rule.limit


def settled(rules: Sequence[RuleResult]) -> int | None:
    """Samples of each side that would decide, see `Verdict.n_needed`: one broken rule does, else all have to hold."""
    open_rules = [rule for rule in rules if rule.outcome == "undecided" and rule.severity == "error"]
    needed = [rule.n_needed for rule in open_rules]
    if any(leans_to_fail(rule) for rule in open_rules):
        return min(
            (rule.n_needed for rule in open_rules if leans_to_fail(rule) and rule.n_needed is not None), default=None
        )
    return max(n for n in needed if n is not None) if needed and None not in needed else None
