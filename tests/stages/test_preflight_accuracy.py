"""What the target gets right says whether it is the target, and whether the sides are the right way round."""

import numpy as np
import pytest

from mi_audit.errors import UsageError
from mi_audit.stages._extract_options import ExtractOptions
from mi_audit.stages._preflight.accuracy import accuracy_findings, kind_findings

N = 2000
MODEL = "net.pt"


def answers(member_accuracy: float, non_member_accuracy: float, n: int = N, n_classes: int = 10):
    """Labels in turn; exactly so many right on each side, the wrong ones spread over the other classes."""
    label = np.tile(np.arange(n) % n_classes, 2)
    predicted = label.copy()
    for first, accuracy in ((0, member_accuracy), (n, non_member_accuracy)):
        wrong = np.random.default_rng(0).permutation(n)[round(accuracy * n) :] + first
        predicted[wrong] = (label[wrong] + 1 + wrong // n_classes % (n_classes - 1)) % n_classes
    return label, predicted, np.arange(2 * n) < n


def slugs(*accuracies: float, expected: tuple[float, ...] | None = None, n: int = N) -> list[str]:
    found = accuracy_findings(*answers(*accuracies, n=n), expected, model=MODEL)
    assert all(finding.severity == "error" for finding in found)
    return [finding.slug for finding in found]


def test_a_usual_target_raises_no_doubt():
    assert slugs(0.99, 0.72) == []
    assert slugs(0.99, 0.72, expected=(0.72,)) == []
    assert slugs(0.99, 0.72, expected=(0.99, 0.72)) == []


@pytest.mark.parametrize("expected", [(0.76,), (0.68,), (0.97, 0.72), (0.99, 0.76)])
def test_another_accuracy_than_expected_is_told_with_its_interval(expected):
    assert slugs(0.99, 0.72, expected=expected) == ["accuracy-differs"]
    (finding,) = accuracy_findings(*answers(0.99, 0.72), expected, model=MODEL)
    missed = expected[0 if expected[0] < 0.98 and len(expected) == 2 else -1]
    assert f"expected were {100 * missed:.2f} %" in finding.message
    assert "of 2,000" in finding.message


def test_few_samples_leave_room_and_a_rounded_figure_fits():
    assert slugs(0.9, 0.7, expected=(0.76,), n=100) == []
    assert slugs(0.9994, 0.7, expected=(0.999, 0.7), n=10**5) == []


def test_both_sides_may_differ_from_what_was_expected():
    assert slugs(0.99, 0.72, expected=(0.9, 0.8)) == ["accuracy-differs"] * 2


def test_guessing_is_at_chance_and_a_little_more_is_not():
    assert slugs(0.11, 0.1) == ["accuracy-at-chance"]
    assert slugs(0.2, 0.15) == []


def test_few_samples_that_may_be_luck_are_told_with_their_interval():
    (finding,) = accuracy_findings(*answers(0.1875, 0.1875, n=64), model=MODEL)
    assert "accuracy on non-members is 18.75 % of 64 (interval 8.12 % to 34.21 %), not clearly above" in finding.message


def test_a_rare_class_that_is_recognised_is_above_chance():
    label = np.repeat([0, 0, 1], [400, 380, 20])
    predicted = label.copy()
    predicted[[*range(15)]], predicted[[-1, -2, -3]] = 1, 0
    is_member = np.arange(800) % 2 == 0
    assert accuracy_findings(label, predicted, is_member, model=MODEL) == []
    slugs_of_a_constant = [each.slug for each in accuracy_findings(label, np.zeros_like(label), is_member, model=MODEL)]
    assert slugs_of_a_constant == ["accuracy-at-chance", "predictions-collapsed"]


def test_one_class_for_most_samples_is_a_collapse():
    label, predicted, is_member = answers(0.99, 0.9)
    predicted[np.arange(len(label)) % 3 > 0] = 4
    (finding,) = accuracy_findings(label, predicted, is_member, model=MODEL)
    assert finding.slug == "predictions-collapsed"
    assert "class 4 for 7" in finding.message


def test_members_worse_than_non_members_look_swapped():
    assert slugs(0.72, 0.99) == ["sides-look-swapped"]
    assert slugs(0.72, 0.735) == []
    assert slugs(0.7, 0.75, n=60) == []


@pytest.mark.parametrize("values", [(), (0.1, 0.2, 0.3), (72.6,), (-0.1,), (float("nan"),)])
def test_expected_accuracies_that_make_no_sense_are_errors_of_usage(values):
    with pytest.raises(UsageError, match="--expect-accuracy of one or two numbers from 0 to 1"):
        ExtractOptions(model="net.pt", data="digits", expect_accuracy=values)


def test_what_to_check_of_answers_without_a_model_needs_no_model():
    label, predicted, is_member = answers(0.99, 0.72)
    (finding,) = accuracy_findings(label, predicted, is_member, (0.9,), model="predictions:a.csv")
    assert finding.message.endswith("check the order of the classes and of the rows")


def test_code_at_chance_may_have_loaded_no_weights_and_the_way_that_loads_them_is_named():
    label, predicted, is_member = answers(0.1, 0.1)
    (finding,) = accuracy_findings(label, predicted, is_member, model="python:net.py:Net")
    assert finding.slug == "accuracy-at-chance"
    assert "may have loaded no weights (--model CHECKPOINT --arch python:net.py:Net loads them)" in finding.message
    (other,) = accuracy_findings(label, predicted, is_member, model="net.pt")
    assert "no weights" not in other.message


def test_a_network_that_ends_in_a_softmax_is_told():
    logits = np.random.default_rng(0).normal(size=(50, 10)).astype(np.float32)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    (finding,) = kind_findings(p)
    assert (finding.slug, finding.severity) == ("outputs-are-probabilities", "error")
    assert kind_findings(logits) == kind_findings(np.abs(logits)) == []
