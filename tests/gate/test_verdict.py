"""Verdicts on audits made by hand: which of the four, for which reason, in which words."""

import datetime
from dataclasses import replace

import pytest

from mi_audit.errors import UsageError
from mi_audit.gate.policy import Policy, Rule, Waiver, preset
from mi_audit.gate.verdict import judge
from mi_audit.metrics.tolerance import limits
from mi_audit.schema.control import ControlResult
from mi_audit.schema.estimate import Estimate
from mi_audit.schema.finding import Finding
from mi_audit.schema.statistics import Statistics
from mi_audit.schema.verdict import RuleResult
from tests.gate.records import MEASURES, bound, gated, over, row, within

TODAY = datetime.date(2026, 11, 26)
STANDARD = preset("standard")
FAILED = ControlResult("blind-baseline", "failed", "images alone tell the sides apart: AUC 0.71")


def verdict(audit, policy=STANDARD, today=TODAY, increases=()):
    return judge(audit, policy, today, increases)


def outcome_of(found, rule):
    return next(each.outcome for each in found.rules if each.rule == rule)


def test_bounds_within_all_limits_pass_in_words_that_promise_nothing():
    found = verdict(gated(provenance={"evaluate": {"versions": {"mi-audit": "9.9"}}}))
    assert (found.outcome, found.reasons, found.n_needed) == ("PASS", (), None)
    assert found.sentence == (
        "No attack of this suite (mi-audit 9.9, tier T0, 1 attack) exceeded tolerance 0.545; upper bounds: AUC 0.600, "
        "TPR at FAR 1 % 1.20 %, TPR at FAR 0.1 % 0.12 %. This is resistance to these attacks only."
    )
    assert not any(word in found.sentence.lower() for word in ("safe", "private", "compliant", "gdpr"))


@pytest.mark.parametrize("measure", MEASURES)
def test_a_lower_bound_of_the_chosen_attack_above_any_one_limit_fails(measure):
    top = limits(STANDARD.mu)[measure]
    assert verdict(gated(over(measure, top))).outcome == "INCONCLUSIVE"
    found = verdict(gated(over(measure, top * 1.001)))
    assert found.outcome == "FAIL"
    assert outcome_of(found, f"tolerance/{measure}") == "broken"
    assert found.reasons[0] in found.sentence


def test_a_fail_is_severe_beyond_the_lenient_limit():
    assert not verdict(gated(over("auc", 0.68))).is_severe
    found = verdict(gated(over("auc", 0.72)))
    assert found.is_severe
    assert "beyond even the lenient limit" in found.sentence


def test_an_attack_that_was_not_chosen_on_known_samples_cannot_fail_but_prevents_a_pass():
    found = verdict(gated([*within(), *over("auc", 0.8, "xgboost")]))
    assert found.outcome == "INCONCLUSIVE"
    assert "not the attack that was chosen" in found.reasons[0]


def test_a_bound_that_straddles_a_limit_is_inconclusive_and_says_how_many_samples_would_settle_it():
    rows = [
        each if each.measure == "auc" else replace(each, n_members=500, n_non_members=500, high=1.0, value=None)
        for each in within()
    ]
    found = verdict(gated(rows))
    assert found.outcome == "INCONCLUSIVE"
    assert found.n_needed is not None
    assert found.n_needed > 500
    assert f"{found.n_needed:,} held-out members" in " ".join(found.reasons)


def undecided(value, n=500, attack="mlp"):
    """The AUC of an attack between bounds that tell nothing, with this estimate."""
    rows = [replace(each, value=value, n_members=n, n_non_members=n) for each in [bound(attack, "auc", 0.5, 0.8)]]
    return [*rows, *within(attack)[1:]]


def test_an_estimate_above_the_limit_says_how_many_samples_would_show_it():
    found = verdict(gated(undecided(0.70)))
    rule = next(each for each in found.rules if each.rule == "tolerance/auc")
    assert rule.n_needed > 500
    assert (
        f"the estimate is above the limit: about {rule.n_needed:,} held out on each side would show it" in rule.message
    )
    assert "settle" not in rule.message
    assert found.n_needed == rule.n_needed


@pytest.mark.parametrize(("value", "told"), [(0.655, "too close to it"), (0.645, "only far more samples")])
def test_a_number_of_samples_out_of_reach_stands_in_the_record_and_not_in_the_sentence(value, told):
    found = verdict(gated(undecided(value)))
    rule = next(each for each in found.rules if each.rule == "tolerance/auc")
    assert rule.n_needed > 10 * 500
    assert f"{rule.n_needed:,}" not in rule.message
    assert told in rule.message
    assert found.n_needed == rule.n_needed


def test_no_number_of_samples_settles_an_attack_above_the_limit_that_was_not_chosen():
    found = verdict(gated([*within(), *undecided(0.70, attack="xgboost")]))
    rule = next(each for each in found.rules if each.rule == "tolerance/auc")
    assert (rule.outcome, rule.n_needed, found.n_needed) == ("undecided", None, None)
    assert "xgboost is not the attack that was chosen on known samples" in rule.message
    assert "the best of 2 attacks" in rule.message


def test_one_rule_that_breaks_settles_an_audit_and_else_all_have_to_hold():
    tail = bound("mlp", "tpr_at_fpr.0.001", 0.0, 1.0, value=None, n_members=500, n_non_members=500)
    for value, choose in ((0.70, min), (0.60, max)):
        found = verdict(gated([*undecided(value, n=100)[:-1], tail]))
        needed = [rule.n_needed for rule in found.rules if rule.n_needed]
        assert len(needed) == 2
        assert found.n_needed == choose(needed)


def test_what_is_undecided_beside_a_broken_rule_says_so():
    rows = [replace(each, high=0.05) if each.measure == "tpr_at_fpr.0.01" else each for each in over("auc", 0.7)]
    found = verdict(gated(rows))
    assert found.outcome == "FAIL"
    assert [reason.startswith("undecided: TPR at FAR 1 %") for reason in found.reasons[:2]] == [False, True]
    assert not any(reason.startswith("undecided: ") for reason in verdict(gated(over("auc", 0.6))).reasons)


def test_a_score_of_one_value_never_supports_a_pass():
    constant = [replace(each, is_informative=False, low=0.0, high=0.0) for each in within()]
    found = verdict(gated(constant))
    assert found.outcome == "INCONCLUSIVE"
    assert verdict(gated([*constant, *within("threshold:loss")])).outcome == "PASS"


def test_an_audit_without_bounds_does_not_pass():
    assert verdict(gated(statistics=Statistics())).outcome == "INCONCLUSIVE"


def test_an_attack_without_bounds_is_not_passed_over():
    found = verdict(gated([*within(), bound("xgboost", "auc", 0.4, 0.6)]))
    assert found.outcome == "INCONCLUSIVE"
    assert "no bounds on the TPR at FAR 1 % of xgboost" in found.reasons[0]


def test_the_chosen_attack_is_failed_on_held_out_samples_only():
    fixed = [replace(each, samples="audited") for each in over("auc", 0.7)]
    assert verdict(gated([*fixed, *within()])).outcome == "INCONCLUSIVE"
    assert verdict(gated(fixed)).outcome == "FAIL"


def test_a_failed_control_makes_the_audit_invalid_and_nothing_is_said_about_leakage():
    found = verdict(gated(over("auc", 0.9), controls=(FAILED,)))
    assert found.outcome == "INVALID"
    assert "blind-baseline" in found.sentence
    assert not found.is_severe
    assert all(each.value is None and each.low is None for each in found.rules)
    assert not any("0.9" in text for text in (*found.reasons, found.sentence))


def test_a_finding_that_is_an_error_is_a_failed_control():
    found = verdict(gated(findings=(Finding("accuracy-differs", "error", "expected 72 %, got 11 %"),)))
    assert found.outcome == "INVALID"
    assert "accuracy-differs" in found.sentence
    assert verdict(gated(findings=(Finding("accuracy-differs", "warning", "a little"),))).outcome == "PASS"


@pytest.mark.parametrize(
    ("control", "required", "outcome"),
    [
        ("no evidence", True, "INCONCLUSIVE"),
        ("no evidence", False, "PASS"),
        ("not applicable", True, "PASS"),
        ("held", True, "PASS"),
        (None, True, "INCONCLUSIVE"),
    ],
)
def test_a_required_control_has_to_have_evidence(control, required, outcome):
    policy = replace(STANDARD, required_controls=("placebo",) if required else ())
    controls = (ControlResult("placebo", control, "so it is"),) if control else ()
    assert verdict(gated(controls=controls), policy).outcome == outcome


def test_too_few_samples_for_the_policy_are_inconclusive():
    policy = replace(STANDARD, minimum_members=5000, minimum_non_members=5001)
    found = verdict(gated(), policy)
    assert found.outcome == "INCONCLUSIVE"
    assert outcome_of(found, "minimum/members") == "held"
    assert found.reasons == ("5,000 non-members held out, the policy wants at least 5,001",)
    assert found.n_needed == 5001


def test_the_tail_is_advice_in_standard_and_decides_in_strict():
    tail = bound("threshold:loss", "loss_tnr.0.001", 0.05, 0.09, value=0.07)
    quiet = [
        bound("mlp", each.measure, 0.0, 0.0009) if each.measure != "auc" else bound(low=0.49, high=0.51)
        for each in within()
    ]
    audit = gated([*quiet, *[replace(each, attack="threshold:loss") for each in quiet], tail])
    found = verdict(audit)
    assert found.outcome == "PASS"
    assert "run reference-model attacks" in found.reasons[0]
    assert found.reasons[0].startswith("note: ")
    assert verdict(audit, replace(preset("strict"), required_controls=())).outcome == "INCONCLUSIVE"


def test_strict_does_not_pass_where_nothing_is_known_about_the_tail():
    quiet = [bound("mlp", each, 0.0, 0.0009) if each != "auc" else bound(low=0.49, high=0.51) for each in MEASURES]
    policy = replace(preset("strict"), required_controls=())
    assert verdict(gated(quiet), replace(policy, tail="advice")).outcome == "PASS"
    assert verdict(gated(quiet), policy).outcome == "INCONCLUSIVE"


def test_a_tier_that_is_not_reached_is_inconclusive():
    assert verdict(gated(), replace(STANDARD, tier="T0")).outcome == "PASS"
    assert verdict(gated(), replace(STANDARD, tier="T1")).outcome == "INCONCLUSIVE"
    audit = gated()
    white_box = replace(audit, attacks=tuple(replace(each, on=("gradient-norm:w",)) for each in audit.attacks))
    assert verdict(white_box, replace(STANDARD, tier="T1")).outcome == "PASS"


# The number is 0.55 with an interval from 0.52 to 0.58.
COMPARISONS = [
    ("max", "point", 0.54, "broken"),
    ("max", "point", 0.55, "held"),
    ("max", "upper", 0.51, "broken"),
    ("max", "upper", 0.56, "undecided"),
    ("max", "upper", 0.58, "held"),
    ("max", "lower", 0.53, "held"),
    ("max", "lower", 0.51, "broken"),
    ("min", "point", 0.56, "broken"),
    ("min", "point", 0.55, "held"),
    ("min", "lower", 0.59, "broken"),
    ("min", "lower", 0.54, "undecided"),
    ("min", "lower", 0.52, "held"),
    ("min", "upper", 0.57, "held"),
    ("min", "upper", 0.59, "broken"),
]


@pytest.mark.parametrize(("side", "compare", "limit", "outcome"), COMPARISONS)
def test_a_rule_compares_a_point_or_an_end_of_the_interval(side, compare, limit, outcome):
    policy = replace(STANDARD, rules=(Rule("mine", "balanced_accuracy", side, limit, compare=compare),))
    found = verdict(gated(), policy)
    assert outcome_of(found, "mine") == outcome
    assert found.outcome == {"broken": "FAIL", "undecided": "INCONCLUSIVE", "held": "PASS"}[outcome]


def test_a_broken_warning_is_shown_and_does_not_count():
    rule = Rule("mine", "balanced_accuracy", "max", 0.1, severity="warning")
    found = verdict(gated(), replace(STANDARD, rules=(rule,)))
    assert found.outcome == "PASS"
    assert found.reasons[0].startswith("note: balanced accuracy of mlp is 55.00 %")


def test_of_any_attack_the_worst_counts():
    audit = gated([*within(), *within("xgboost")])
    audit = replace(audit, rows=(audit.rows[0], row("xgboost", balanced_accuracy=Estimate(0.7, 0.68, 0.72))))
    found = verdict(audit, replace(STANDARD, rules=(Rule("mine", "balanced_accuracy", "max", 0.6, attack="any"),)))
    assert found.outcome == "FAIL"
    assert "xgboost" in found.reasons[0]


def test_a_rule_on_what_cannot_be_estimated_is_undecided():
    audit = replace(gated(), rows=(row(balanced_accuracy=Estimate.undefined("0 members")),))
    policy = replace(STANDARD, rules=(Rule("mine", "balanced_accuracy", "max", 0.6, compare="point"),))
    assert verdict(audit, policy).outcome == "INCONCLUSIVE"


@pytest.mark.parametrize(
    "rule", [Rule("mine", "auc", "max", 0.6, attack="mpl"), Rule("mine", "auc", "max", 0.6, subset="correct")]
)
def test_a_rule_on_an_attack_that_did_not_run_cannot_be_judged(rule):
    with pytest.raises(UsageError, match="did not run"):
        verdict(gated(), replace(STANDARD, rules=(rule,)))


def waived(expires, rule="tolerance/auc"):
    return replace(STANDARD, waivers=(Waiver(rule, "accepted", "a@b", expires),))


def test_a_waived_rule_is_shown_and_does_not_count_until_its_last_day_is_over():
    audit = gated(over("auc", 0.7))
    for day, outcome in (("2026-11-27", "PASS"), ("2026-11-26", "PASS"), ("2026-11-25", "FAIL")):
        found = verdict(audit, waived(day))
        assert found.outcome == outcome
        assert day in " ".join(found.reasons)
        assert "accepted (a@b)" in " ".join(found.reasons)
    assert "expired 2026-11-25" in found.reasons[0]
    assert found.judged_on == "2026-11-26"
    assert "1 rule was waived" in verdict(audit, waived("2026-11-27")).sentence


def test_a_waiver_of_a_rule_that_holds_changes_nothing():
    found = verdict(gated(), waived("2027-01-01"))
    assert (found.outcome, found.reasons) == ("PASS", ())


def test_an_increase_counts_like_any_rule():
    broken = RuleResult("increase/auc", "broken", "error", "AUC rose by at least 0.03")
    assert verdict(gated(), increases=(broken,)).outcome == "FAIL"
    assert verdict(gated(), increases=(replace(broken, outcome="undecided"),)).outcome == "INCONCLUSIVE"


def test_the_verdict_spells_the_policy_out():
    found = verdict(gated())
    assert found.policy == STANDARD.as_values()
    assert found.policy_digest == STANDARD.digest()
    assert found.judged_on == ""


def test_a_stricter_policy_never_gives_a_better_verdict():
    order = {"PASS": 0, "INCONCLUSIVE": 1, "FAIL": 2}
    for rows in (within(), over("auc", 0.56), over("auc", 0.67), over("tpr_at_fpr.0.001", 0.008)):
        outcomes = [order[verdict(gated(rows), Policy(None, mu)).outcome] for mu in (0.1, 0.2, 0.545, 0.764, 1.5)]
        assert outcomes == sorted(outcomes, reverse=True)
