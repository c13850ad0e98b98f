"""``--fail-above``: read strictly, compared strictly, and never passed for want of a number."""

import pytest

from mi_audit.errors import UsageError
from mi_audit.gate.limits import Limit, check
from mi_audit.schema.audit import AttackRow
from mi_audit.schema.estimate import Estimate


def rows(value: Estimate, attack: str = "mlp", subset: str = "all") -> dict:
    row = AttackRow(
        attack, "held-out", subset, None, 5, 5, {"balanced_accuracy": value, "false_alarm_rate": value}, {}, {}
    )
    return {(attack, subset): row}


@pytest.mark.parametrize(
    ("value", "outcome"), [(0.61, "exceeded"), (0.6, "within"), (0.59, "within"), (0.6000000001, "exceeded")]
)
def test_only_a_value_strictly_above_exceeds(value, outcome):
    assert check(Limit.parse("balanced_accuracy=0.6"), "mlp", rows(Estimate(value))).outcome == outcome


def test_a_number_that_is_not_estimable_is_not_within():
    result = check(Limit.parse("balanced_accuracy=0.6"), "mlp", rows(Estimate.undefined("0 members")))
    assert result.outcome == "not estimable"


def test_a_limit_names_attack_and_subset():
    limit = Limit.parse("threshold:loss/misclassified/fpr=0.1")
    assert (limit.attack, limit.subset, limit.metric, limit.limit) == (
        "threshold:loss",
        "misclassified",
        "false_alarm_rate",
        0.1,
    )
    result = check(limit, "mlp", rows(Estimate(0.2), "threshold:loss", "misclassified"))
    assert (result.attack, result.outcome) == ("threshold:loss", "exceeded")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("balanced_accuracy", "expected --fail-above"),
        ("a/b=1", "expected --fail-above"),
        ("balanced_acuracy=0.6", "unknown metric"),
        ("mlp/wrong/auc=0.6", "unknown subset"),
        ("auc=high", "expected a number"),
        ("auc=nan", "expected a number"),
        ("auc=inf", "expected a number"),
    ],
)
def test_a_limit_that_cannot_be_read_is_an_error(text, message):
    with pytest.raises(UsageError, match=message):
        Limit.parse(text)


def test_a_misspelt_metric_names_the_nearest():
    with pytest.raises(UsageError) as caught:
        Limit.parse("balanced_acuracy=0.6")
    assert "did you mean 'balanced_accuracy'?" in caught.value.tip


def test_a_limit_on_an_attack_that_did_not_run_is_an_error():
    with pytest.raises(UsageError, match="no attack 'xgboost' ran"):
        check(Limit.parse("xgboost/all/auc=0.5"), "mlp", rows(Estimate(0.5)))
