"""Subsets by the target's mistakes, and the identities that every audit must satisfy."""

from dataclasses import replace

import numpy as np
import pytest

from mi_audit.errors import UsageError
from mi_audit.metrics import subsets as subsets_module
from mi_audit.metrics.decisions import Decisions, accuracy, balanced_accuracy
from mi_audit.metrics.subsets import SUBSETS, check_identities, naive_balanced_accuracy, subset_mask


def audit(seed, n=500, correct_members=0.95):
    rng = np.random.default_rng(seed)
    is_member = np.arange(n) < n * 0.8
    is_correct = rng.random(n) < np.where(is_member, correct_members, 0.6)
    score = rng.normal(size=n) + is_member + is_correct
    subsets = {}
    for name in SUBSETS:
        mask = subset_mask(name, is_correct)
        subsets[name] = Decisions.of(score[mask], 1.2, is_member[mask])
    naive = Decisions.of(is_correct.astype(float), 0.5, is_member)
    return subsets, naive, float(is_correct[is_member].mean()), float(is_correct[~is_member].mean())


def test_the_subsets_part_the_whole():
    is_correct = np.array([True, False, True])
    correct, misclassified = subset_mask("correct", is_correct), subset_mask("misclassified", is_correct)
    assert subset_mask("all", is_correct).all()
    assert (correct ^ misclassified).all()
    assert correct.tolist() == is_correct.tolist()


def test_an_unknown_subset_is_refused():
    with pytest.raises(UsageError, match="all, correct, misclassified, got 'wrong'"):
        subset_mask("wrong", np.array([True]))
    with pytest.raises(ValueError, match="boolean"):
        subset_mask("misclassified", np.array([1, 0]))


@pytest.mark.parametrize(
    ("train", "test", "closed_form"),
    [(99.74, 99.05, 50.3), (91.8, 77.22, 57.3), (95.8, 74.14, 60.8), (99.98, 82.83, 58.6), (87.77, 80.7, 53.5)],
)
def test_naive_balanced_accuracy_follows_from_the_papers_accuracies(train, test, closed_form):
    """Rows of the paper's Table 3; its printed column disagrees with its own accuracies on CIFAR-100."""
    assert 100 * naive_balanced_accuracy(train / 100, test / 100) == pytest.approx(closed_form, abs=0.051)


@pytest.mark.parametrize("seed", range(5))
def test_a_real_audit_satisfies_the_identities(seed):
    subsets, naive, accuracy_members, accuracy_non_members = audit(seed)
    check_identities(subsets, naive, accuracy_members, accuracy_non_members)
    closed_form = naive_balanced_accuracy(accuracy_members, accuracy_non_members)
    assert balanced_accuracy(naive).value == pytest.approx(closed_form, abs=1e-12)


def test_no_misclassified_member_is_no_contradiction():
    subsets, naive, accuracy_members, accuracy_non_members = audit(1, correct_members=1.1)
    assert subsets["misclassified"].n_members == 0
    check_identities(subsets, naive, accuracy_members, accuracy_non_members)


def test_a_missing_side_is_no_contradiction():
    members_only = {name: replace(d, fp=0, tn=0) for name, d in audit(2)[0].items()}
    _, naive, accuracy_members, _ = audit(2)
    check_identities(members_only, replace(naive, fp=0, tn=0), accuracy_members, None)
    check_identities(dict.fromkeys(SUBSETS, Decisions(0, 0, 0, 0)), Decisions(0, 0, 0, 0), None, None)


def test_lost_samples_are_found():
    subsets, *rest = audit(3)
    subsets["correct"] = replace(subsets["correct"], tp=subsets["correct"].tp - 1)
    with pytest.raises(RuntimeError, match="do not sum to the whole"):
        check_identities(subsets, *rest)


@pytest.mark.parametrize(("shift", "name"), [((0.01, 0), "TPR"), ((0, 0.01), "FAR")])
def test_subsets_cut_by_other_predictions_are_found(shift, name):
    subsets, naive, accuracy_members, accuracy_non_members = audit(4)
    with pytest.raises(RuntimeError, match=f"{name} contradicts the target's accuracy"):
        check_identities(subsets, naive, accuracy_members - shift[0], accuracy_non_members - shift[1])


def test_a_naive_attack_of_other_samples_is_found():
    subsets, naive, *accuracies = audit(5)
    with pytest.raises(RuntimeError, match="recall of the naive attack"):
        check_identities(subsets, replace(naive, tp=naive.tp - 1, fn=naive.fn + 1), *accuracies)
    with pytest.raises(RuntimeError, match="FAR of the naive attack"):
        check_identities(subsets, replace(naive, fp=naive.fp - 1, tn=naive.tn + 1), *accuracies)


def test_a_balanced_accuracy_that_turned_into_accuracy_is_found(monkeypatch):
    subsets, *rest = audit(6)
    monkeypatch.setattr(subsets_module, "balanced_accuracy", accuracy)
    with pytest.raises(RuntimeError, match="balanced accuracy of the naive attack"):
        check_identities(subsets, *rest)
