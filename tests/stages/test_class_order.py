"""Labels that number the classes in another order than the target does are noticed; weak targets are left in peace."""

from dataclasses import replace

import numpy as np
import pytest

from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.finding import Finding
from mi_audit.stages import extract
from mi_audit.stages._extract_options import ExtractOptions
from mi_audit.stages._preflight.accuracy import accuracy_findings
from mi_audit.stages._preflight.class_order import class_order_finding
from mi_audit.stages._telling import tell
from mi_audit.stages.progress import Silence

SWAPPED_BLOCKS = np.r_[50:100, 0:50]


def found(cache: FeatureCache, order: np.ndarray, rows: np.ndarray | slice = slice(None)):
    """The findings on a target's real answers, with labels renumbered by `order`."""
    label = order[cache.label][rows]
    found = accuracy_findings(label, cache.predicted[rows], cache.is_member[rows], model="net.pt")
    return {each.slug: each for each in found}


@pytest.fixture(scope="module")
def digits(demo_checkpoint) -> FeatureCache:
    return extract.run(extract.prepare(ExtractOptions(model=str(demo_checkpoint), data="digits")))


@pytest.fixture(scope="module")
def cifar(assets) -> FeatureCache:
    options = ExtractOptions(
        model=str(assets / "checkpoints" / "cifar100_resnet20.pth"),
        data="cifar100",
        data_dir=assets / "data",
        max_members=1000,
        max_non_members=1000,
    )
    return extract.run(extract.prepare(options))


def test_labels_sorted_otherwise_are_told_with_both_accuracies(digits):
    by_name = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    order = np.argsort(np.argsort(by_name))
    was = (order[digits.label] == digits.predicted)[~digits.is_member].mean()
    assert was < 0.4
    finding = found(digits, order)["class-order"]
    assert finding.severity == "error"
    assert f"renamed, 98.44 % of the non-members would be right instead of {100 * was:.2f} %" in finding.message
    assert "the order of the class folders, or the label column" in finding.message


def test_two_classes_in_each_others_place_are_enough(digits):
    assert "class-order" in found(digits, np.r_[1, 0, 2:10])


def test_the_first_samples_are_enough(digits):
    rows = np.r_[:64, len(digits.label) - 64 : len(digits.label)]
    assert "class-order" in found(digits, np.r_[5:10, 0:5], rows)
    assert "class-order" not in found(digits, np.arange(10), rows)


def test_blocks_of_classes_that_changed_places_are_found_on_real_images(cifar):
    assert "class-order" not in found(cifar, np.arange(100))
    finding = found(cifar, SWAPPED_BLOCKS)["class-order"]
    right = (cifar.label == cifar.predicted)[~cifar.is_member].mean()
    assert f"renamed, {100 * right:.2f} %" in finding.message
    few = np.r_[:100, 1000:1100]
    assert "class-order" in found(cifar, SWAPPED_BLOCKS, few)
    assert "class-order" not in found(cifar, np.arange(100), few)


def test_answers_without_a_model_are_told_what_to_check_in_the_file(digits):
    label = np.r_[5:10, 0:5][digits.label]
    finding = class_order_finding(label, digits.predicted, digits.is_member, is_black_box=True)
    assert finding is not None
    assert finding.message.endswith("check that labels and columns of the file number the classes alike")


def guessing(rng, label, n_classes, _is_member):
    return rng.choice(n_classes, len(label), p=rng.dirichlet(np.full(n_classes, rng.choice([0.1, 1, 100]))))


def collapsed(rng, label, n_classes, _is_member):
    is_seen = rng.random(len(label)) < rng.uniform(0, 0.5)
    return np.where(is_seen, label, rng.integers(n_classes))


def rarely_right(rng, label, n_classes, is_member):
    is_right = rng.random(len(label)) < np.where(is_member, rng.random(), rng.uniform(0, 0.6))
    return np.where(is_right, label, rng.integers(0, n_classes, len(label)))


def confusing(rng, label, n_classes, _is_member):
    """Any confusions, but no class is taken for another more often than for itself."""
    rates = rng.dirichlet(np.full(n_classes, 0.5), size=n_classes)
    rows = np.arange(n_classes)
    top = rates.argmax(axis=1)
    rates[rows, rows], rates[rows, top] = rates[rows, top], rates[rows, rows]
    return (rng.random(len(label))[:, None] > rates.cumsum(axis=1)[label]).sum(axis=1).clip(0, n_classes - 1)


@pytest.mark.parametrize("weak", [guessing, collapsed, rarely_right, confusing])
def test_none_of_five_hundred_weak_targets_raises_a_false_alarm(weak):
    rng = np.random.default_rng(0)
    for _ in range(500):
        n_classes, n = rng.choice([2, 3, 5, 10, 20, 100]), rng.choice([20, 64, 100, 200, 1000])
        is_member = np.arange(2 * n) < n
        label = rng.choice(n_classes, 2 * n, p=rng.dirichlet(np.full(n_classes, rng.choice([0.3, 1, 100]))))
        predicted = weak(rng, label, n_classes, is_member)
        assert class_order_finding(label, predicted, is_member) is None, (n_classes, n)


def test_a_target_that_says_one_class_for_all_gains_nothing_from_another_name():
    label = np.repeat([0, 1], [360, 40])[np.arange(400) * 7 % 400]
    assert class_order_finding(label, np.ones_like(label), np.arange(400) % 2 == 0) is None


def test_more_classes_than_fit_in_a_table_are_not_asked_about():
    label = np.arange(12000) % 6000
    assert class_order_finding(label, (label + 1) % 6000, np.arange(12000) < 6000) is None


class Listening(Silence):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def say(self, message: str) -> None:
        self.heard.append(message)


def test_the_accuracy_is_told_where_nobody_said_what_it_should_be(digits):
    listening = Listening()
    tell(digits, listening, is_followed=True)
    line = "accuracy: 100.0 % on members, 98.4 % on non-members; if you know another, check --mean/--std and the labels"
    assert listening.heard[-1].startswith(line)
    assert all(f"{each.severity}: {each.message}" in listening.heard for each in digits.findings)


def test_an_audit_that_cannot_be_saved_is_told_so_before_attacks_are_trained(digits):
    listening = Listening()
    doubt = Finding("accuracy-at-chance", "error", "accuracy on non-members is that of guessing")
    tell(replace(digits, findings=(doubt,)), listening, is_followed=True)
    assert listening.heard[0] == f"error: {doubt.message}"
    assert "a policy calls the audit INVALID, whatever the attacks find: Ctrl-C stops it now" in listening.heard[-1]


def test_a_doubt_about_a_target_that_is_hardly_ever_right_names_its_weights_too():
    rng = np.random.default_rng(0)
    label, is_member = rng.integers(0, 5, 4000), np.arange(4000) < 2000
    shifted = (label + 1) % 5
    said = {}
    for share in (0.3, 0.9):
        predicted = np.where(rng.random(4000) < share, shifted, rng.integers(0, 5, 4000))
        finding = class_order_finding(label, predicted, is_member)
        assert finding is not None
        said[share] = finding.message
    assert "weights are those of a trained network" in said[0.3]
    assert "trained network" not in said[0.9]


@pytest.mark.parametrize(("n_swapped", "severity"), [(10, "error"), (2, "warning")])
def test_what_is_far_off_is_an_error_and_a_single_pair_a_doubt(n_swapped, severity):
    rng = np.random.default_rng(0)
    label, is_member = rng.integers(0, 30, 4000), np.arange(4000) < 2000
    predicted = np.where(rng.random(4000) < 0.9, label, rng.integers(0, 30, 4000))
    order = np.arange(30)
    order[:n_swapped] = order[:n_swapped][::-1]
    finding = class_order_finding(order[label], predicted, is_member)
    assert finding is not None
    assert finding.severity == severity
