"""What to do after a verdict: one line, and nothing in it that the record does not bear out."""

import datetime
from dataclasses import replace

import pytest

from mi_audit.gate.policy import Policy, Rule, Waiver, preset
from mi_audit.gate.verdict import judge
from mi_audit.metrics.power import staying
from mi_audit.metrics.tolerance import limits
from mi_audit.schema.audit import AccuracyRow
from mi_audit.schema.control import ControlResult
from mi_audit.schema.estimate import Estimate
from tests.gate.records import MEASURES, bound, gated, over, within

TODAY = datetime.date(2026, 11, 26)
STANDARD = preset("standard")


ALONE = "Do not release on this audit alone. "


def advice(audit, policy=STANDARD):
    """What the verdict advises, without what every INCONCLUSIVE begins with."""
    verdict = judge(audit, policy, TODAY)
    assert verdict.advice.startswith(ALONE) == (verdict.outcome == "INCONCLUSIVE")
    return verdict.advice.removeprefix(ALONE)


def accuracy(samples, n_members, n_non_members, gap):
    return AccuracyRow(samples, n_members, n_non_members, Estimate(0.9), Estimate(0.9 - gap.value), gap)


def small(n_members=500, n_non_members=750, **changes):
    """Bounds that such samples give to an attack that guesses, and a record that says how many there are."""
    sizes = {"n_members": n_members, "n_non_members": n_non_members}
    rows = [replace(each, high=1.0, value=None, **sizes) for each in within()]
    return gated(rows, **changes)


def test_a_pass_needs_no_advice():
    assert advice(gated()) == ""


def test_after_a_fail_overfitting_is_blamed_only_where_the_target_is_better_on_members():
    leaking = gated(over("auc", 0.7))
    for low, is_blamed in ((0.2, True), (-0.01, False), (None, True)):
        gap = Estimate(0.273, low, None if low is None else 0.35)
        told = advice(replace(leaking, accuracy=(accuracy("full", 5000, 5000, gap),)))
        assert told.startswith("Do not release the model as it is.")
        assert "differential privacy" in told
        assert told.endswith("then audit again.")
        assert ("a gap of 27.3 points" in told) == is_blamed
    assert "overfitting" not in advice(replace(leaking, accuracy=()))


def test_a_broken_rule_of_the_policys_own_is_named_without_advice_about_leakage():
    told = advice(gated(), replace(STANDARD, rules=(Rule("mine", "balanced_accuracy", "min", 0.7),)))
    assert told == "Do not release the model as it is: it breaks mine, a limit of the policy's own."


def test_an_invalid_audit_is_mended_first():
    failed = ControlResult("blind-baseline", "failed", "images alone tell the sides apart: AUC 0.71")
    told = advice(gated(over("auc", 0.9), controls=(failed,)))
    assert told.startswith("First mend what blind-baseline found")
    assert "0.9" not in told


def test_sizes_that_pass_hardly_any_model_are_said_with_those_that_do():
    told = advice(small())
    assert told.startswith(
        "With 500 members and 750 non-members held out this policy can fail a model but hardly ever pass one; "
        "3,900 or more on each side could."
    )
    for measure, top in limits(STANDARD.mu).items():
        assert staying(measure, top, 3900, 3900, STANDARD.alpha) is not None
    assert staying("tpr_at_fpr.0.001", limits(STANDARD.mu)["tpr_at_fpr.0.001"], 500, 750, STANDARD.alpha) is None


def test_sizes_that_can_do_nothing_are_said_to():
    assert "can hardly ever fail or pass a model; 3,900 or more" in advice(small(3, 3))


def test_sizes_that_pass_are_not_said_to_be_too_small_and_neither_are_those_for_which_a_rule_is_waived():
    wide = [bound("mlp", each, 0.0, 1.0, n_members=8000, n_non_members=8000) for each in MEASURES]
    assert advice(gated(wide)).startswith("More held-out samples would decide. To hold out more:")
    waivers = (Waiver("tolerance/tpr_at_fpr.0.001", "accepted", "a@b", "2027-01-01"),)
    assert "hardly ever" not in advice(small(1000, 1000), replace(STANDARD, waivers=waivers))
    assert "hardly ever" in advice(small(1000, 1000))


def test_how_to_hold_out_more_names_only_what_was_used():
    options = {"max_members": 1000, "max_non_members": None, "limit_classes": None}
    provenance = {"features": {"options": options}, "attacks": {"options": {"known_fraction": 0.5}}}
    told = advice(small(provenance=provenance))
    assert told.endswith(
        "To hold out more: leave out --max-members, lower --known-fraction (now 0.5), add unused validation images to "
        "the non-members."
    )
    known_little = {"attacks": {"options": {"known_fraction": 0.2}}}
    assert "--known-fraction" not in advice(small(provenance=known_little))
    assert "--max" not in advice(small(provenance={"features": None, "attacks": "hostile"}))


def test_data_that_cannot_be_enough_are_said_to_be_too_few():
    row = accuracy("audited", 1000, 1500, Estimate(0.1))
    told = advice(small(accuracy=(row,)))
    assert "The data have 1,000 members and 1,500 non-members in all: add samples, or choose a policy" in told
    drawn = {"features": {"options": {"max_members": 1000}}}
    assert "in all" not in advice(small(accuracy=(row,), provenance=drawn))
    assert "in all" not in advice(small(accuracy=(replace(row, n_members=9000, n_non_members=9000),)))


@pytest.mark.parametrize(("attack", "expected"), [("mlp", "rather show a FAIL"), ("xgboost", "hardly give a PASS")])
def test_an_estimate_above_the_limit_asks_for_less_leakage_and_not_for_more_samples(attack, expected):
    above = [bound(attack, "auc", 0.6, 0.7, value=0.66), *within(attack)[1:]]
    told = advice(gated([*([] if attack == "mlp" else within()), *above]))
    assert told.startswith("The estimate is above the limit, so more samples will") == (attack != "mlp")
    assert expected in told
    assert "What lowers leakage" in told
    assert "hold out more" not in told


def test_evidence_tier_and_tail_have_advice_of_their_own():
    assert advice(gated(), replace(STANDARD, required_controls=("placebo", "untrained-twin"))) == (
        "Give placebo, untrained-twin the evidence that the policy requires (extract --controls full)."
    )
    assert advice(gated(), replace(STANDARD, tier="T1")) == "Add attacks of tier T1, which the policy asks for."
    deciding = Policy(None, STANDARD.mu, tail="decide")
    assert advice(gated(), deciding) == "Add the attack threshold, which looks at the loss."
    tail = bound("threshold:loss", "loss_tnr.0.001", 0.05, 0.09, value=0.07)
    audit = gated([*within(), *within("threshold:loss"), tail])
    assert advice(audit, deciding).startswith("Only attacks with reference models")
    unseen = replace(tail, low=0.0)
    assert "More held-out samples" in advice(gated([*within(), *within("threshold:loss"), unseen]), deciding)


def test_advice_is_one_line():
    for audit in (gated(over("auc", 0.7)), small(), gated(controls=(ControlResult("placebo", "failed", "so"),))):
        assert "\n" not in advice(audit)
