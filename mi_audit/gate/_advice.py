"""What to do after a verdict, in one line: fixed texts, with nothing in them that the record does not bear out."""

from collections.abc import Iterator, Sequence

from mi_audit.gate._other_rules import held_out_sizes
from mi_audit.gate._tolerance_rules import leans_to_fail, n_resolving
from mi_audit.gate.policy import INCREASE_RULES, TAIL_RULE, TOLERANCE_RULES, Policy
from mi_audit.metrics.power import exceeding, staying
from mi_audit.metrics.tolerance import RATES, limits
from mi_audit.schema.audit import AccuracyRow, Audit
from mi_audit.schema.numerals import counted, rounded
from mi_audit.schema.provenance import found_at
from mi_audit.schema.verdict import Outcome, RuleResult

_LEAST_KNOWN = 0.2  # a share below which advice to learn from fewer samples would weaken the attacks too much
_EXTRACTED = ("features", "options")
_DRAWN = ("max_members", "max_non_members", "limit_classes")


def advice(outcome: Outcome, audit: Audit, policy: Policy, rules: Sequence[RuleResult]) -> str:
    """What to do next; empty for a PASS, whose sentence says what it is worth."""
    if outcome == "PASS":
        return ""
    decisive = {"INCONCLUSIVE": "undecided"}.get(outcome, "broken")
    deciding = [rule for rule in rules if rule.severity == "error" and rule.outcome == decisive]
    if outcome == "INVALID":
        names = ", ".join(rule.rule.partition("/")[2] for rule in deciding)
        return f"First mend what {names} found, then audit again: until then no number of this audit counts."
    if outcome == "FAIL":
        return _after_a_fail(audit, deciding)
    return " ".join(["Do not release on this audit alone.", *_to_decide(audit, policy, rules, deciding)])


def _after_a_fail(audit: Audit, broken: Sequence[RuleResult]) -> str:
    if not any(rule.rule in (*TOLERANCE_RULES, *INCREASE_RULES) for rule in broken):
        return f"Do not release the model as it is: it breaks {broken[0].rule}, a limit of the policy's own."
    return f"Do not release the model as it is. {_lowering(audit)}; then audit again."


def _lowering(audit: Audit) -> str:
    """What lowers leakage; of overfitting only where the target is better on members beyond doubt."""
    row = _accuracy(audit)
    gap = None if row is None else row.generalisation_gap
    if gap is None or gap.value is None or (gap.value if gap.low is None else gap.low) <= 0:
        return "What lowers leakage: fewer epochs, regularisation, training with differential privacy"
    return (
        f"What lowers leakage: less overfitting (now a gap of {rounded(100 * gap.value, 1)} points), so fewer epochs "
        "or regularisation; training with differential privacy"
    )


def _to_decide(
    audit: Audit, policy: Policy, rules: Sequence[RuleResult], undecided: Sequence[RuleResult]
) -> Iterator[str]:
    """What keeps these samples from a PASS or a FAIL, the least changeable first, and what would change it."""
    over = [rule for rule in undecided if leans_to_fail(rule)]
    is_about_size = any(_is_about_samples(rule) for rule in undecided)
    n, told = _reach(audit, policy, rules) if any(rule.rule in TOLERANCE_RULES for rule in undecided) else (0, "")
    yield from [told] if told else []
    if over:
        is_chosen = any(rule.attack == audit.selected for rule in over)
        likely = "would rather show a FAIL" if is_chosen else "will hardly give a PASS"
        yield f"The estimate is above the limit, so more samples {likely}. {_lowering(audit)}."
    elif is_about_size and n is not None:
        yield from [] if told else ["More held-out samples would decide."]
        yield _getting_more(audit, n)
    if slugs := [rule.rule.partition("/")[2] for rule in undecided if rule.rule.startswith("control/")]:
        yield f"Give {', '.join(slugs)} the evidence that the policy requires (extract --controls full)."
    if any(rule.rule == "tier" for rule in undecided):
        yield f"Add attacks of tier {policy.tier}, which the policy asks for."
    if any(_is_tail_seen(rule) for rule in undecided):
        yield "Only attacks with reference models, which are not in this suite, tell whether the tail is memorised."
    if any(rule.rule == TAIL_RULE and rule.attack is None for rule in undecided):
        yield "Add the attack threshold, which looks at the loss."


def _is_about_samples(rule: RuleResult) -> bool:
    if rule.rule == TAIL_RULE:
        return rule.attack is not None and not _is_tail_seen(rule)
    return rule.rule != "tier" and not rule.rule.startswith("control/")


def _is_tail_seen(rule: RuleResult) -> bool:
    """Whether even the lower bound of the tail is beyond the limit, which more samples would not change."""
    low, top = rule.low, rule.limit
    return rule.rule == TAIL_RULE and low is not None and top is not None and low > top


def _reach(audit: Audit, policy: Policy, rules: Sequence[RuleResult]) -> tuple[int | None, str]:
    """Whether samples in such numbers pass hardly any model, however little it leaks.

    Returns:
        From how many samples of each side models pass, and the two in words; 0 and nothing where these are enough,
        ``None`` where no number is.
    """
    sizes, looks = held_out_sizes(audit), audit.statistics.n_looks
    waived = {rule.rule for rule in rules if rule.outcome == "waived"}
    tops = {measure: top for measure, top in limits(policy.mu).items() if f"tolerance/{measure}" not in waived}
    if min(sizes) < 1 or all(staying(each, top, *sizes, policy.alpha) is not None for each, top in tops.items()):
        return 0, ""
    can_fail = any(exceeding(each, top, *sizes, policy.alpha / looks) is not None for each, top in tops.items())
    held_out = f"{counted(sizes[0], 'member')} and {counted(sizes[1], 'non-member')} held out"
    able = "can fail a model but hardly ever pass one" if can_fail else "can hardly ever fail or pass a model"
    needed = [n_resolving(each, RATES.get(each, 0.5), top, policy.alpha, looks) for each, top in tops.items()]
    if None in needed:
        return None, f"With {held_out} this policy {able}, and no number of samples changes that."
    n = max(each for each in needed if each is not None)
    return n, f"With {held_out} this policy {able}; {n:,} or more on each side could."


def _getting_more(audit: Audit, n: int) -> str:
    """How to hold out more of what there is, or that what there is cannot be enough.

    Args:
        audit: whose record says what there is.
        n: samples wanted on each side; 0 where that is not known.
    """
    drawn = [f"--{name.replace('_', '-')}" for name in _DRAWN if found_at(audit.provenance, *_EXTRACTED, name)]
    known = found_at(audit.provenance, "attacks", "options", "known_fraction")
    row = _accuracy(audit, "audited")
    if row is not None and not drawn and min(row.n_members, row.n_non_members) < n:
        there = f"{counted(row.n_members, 'member')} and {counted(row.n_non_members, 'non-member')}"
        return f"The data have {there} in all: add samples, or choose a policy for such numbers before the next audit."
    ways = [f"leave out {', '.join(drawn)}"] if drawn else []
    if isinstance(known, float) and known > _LEAST_KNOWN:
        ways.append(f"lower --known-fraction (now {known:g})")
    n_members, n_non_members = held_out_sizes(audit)
    if n_non_members <= max(n_members, n):  # images that the target never saw help on that side only
        ways.append("add unused validation images to the non-members")
    return f"To hold out more: {', '.join(ways)}." if ways else "Add members, all that the target was trained on."


def _accuracy(audit: Audit, samples: str = "full") -> AccuracyRow | None:
    return next((row for row in audit.accuracy if row.samples == samples), None)
