import numpy as np
import pytest

from mi_audit import store
from mi_audit.attacks._per_class import FittedPerClass, PerClass
from mi_audit.attacks.interface import Observations
from mi_audit.attacks.logistic_regression import LogisticRegression
from mi_audit.attacks.threshold import FittedThreshold, Threshold
from mi_audit.errors import ContainerError, UsageError
from tests.attacks.samples import balanced, leaky

RNG = np.random.default_rng(0)
SEEN, IS_MEMBER = leaky(200, lift=2.0, seed=0)


def of_classes(sides: dict[int, tuple[int, int]]) -> tuple[Observations, np.ndarray]:
    """Observations with so many members and non-members of each class, shuffled."""
    label = np.concatenate([np.full(sum(counts), number) for number, counts in sides.items()])
    is_member = np.concatenate([np.arange(sum(counts)) < counts[0] for counts in sides.values()])
    order = np.random.default_rng(1).permutation(len(label))
    signal = np.random.default_rng(2).normal(size=len(label)) + is_member
    n = len(label)
    seen = Observations(signal[:, None], ("signal",), {"loss": signal}, label, np.ones(n, bool))
    return seen.take(order), is_member[order]


def test_every_class_is_decided_as_its_own_attack_would():
    fitted = PerClass(LogisticRegression()).fit(SEEN, IS_MEMBER, balanced(IS_MEMBER), RNG)
    held_out, _ = leaky(200, lift=2.0, seed=1)
    decided = fitted.score(held_out) > fitted.threshold
    np.testing.assert_array_equal(fitted.classes, [0, 1, 2, 3])
    for number in range(4):
        rows, own = np.flatnonzero(SEEN.label == number), held_out.take(held_out.label == number)
        alone = LogisticRegression().fit(SEEN.take(rows), IS_MEMBER[rows], balanced(IS_MEMBER)[rows], RNG)
        np.testing.assert_array_equal(decided[held_out.label == number], alone.score(own) > alone.threshold)


def test_thresholds_of_classes_do_not_lose_a_sample_that_lies_on_the_cut():
    # Scores and thresholds whose difference is as small as floats go.
    values = np.array([5e-324, 0.0, -5e-324, 1 + 2**-52, 1.0, 1e308, -1e308])
    seen = Observations(np.empty((7, 0)), (), {"loss": values}, np.zeros(7, np.int64), np.ones(7, bool))
    for threshold in (*values.tolist(), np.nextafter(1e308, 0)):
        attack = FittedThreshold("loss", float(threshold))
        fitted = FittedPerClass("threshold", np.array([0]), (attack,), 0)
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(fitted.score(seen) > 0, values > threshold)


def test_classes_with_too_few_on_a_side_are_skipped_and_counted():
    seen, is_member = of_classes({3: (15, 15), 5: (14, 40), 7: (40, 14), 9: (16, 20), 11: (0, 30)})
    fitted = PerClass(Threshold()).fit(seen, is_member, np.ones(len(seen)), RNG)
    np.testing.assert_array_equal(fitted.classes, [3, 9])
    assert fitted.n_skipped == 3
    np.testing.assert_array_equal(np.isnan(fitted.score(seen)), ~np.isin(seen.label, [3, 9]))


def test_the_smallest_number_on_a_side_is_an_option():
    seen, is_member = of_classes({0: (2, 3), 1: (1, 9)})
    assert PerClass(Threshold(), min_per_side=2).fit(seen, is_member, np.ones(15), RNG).n_skipped == 1
    assert PerClass(Threshold(), min_per_side=1).fit(seen, is_member, np.ones(15), RNG).n_skipped == 0


def test_no_class_with_enough_samples_is_an_error_with_a_tip():
    seen, is_member = of_classes({0: (14, 14)})
    with pytest.raises(UsageError, match="15 known members") as caught:
        PerClass(Threshold()).fit(seen, is_member, np.ones(28), RNG)
    assert "--one-for-all" in caught.value.tip


def test_a_class_that_was_not_among_the_known_samples_has_no_score():
    seen, is_member = of_classes({0: (20, 20), 1: (20, 20)})
    fitted = PerClass(Threshold()).fit(seen.take(seen.label == 1), is_member[seen.label == 1], np.ones(40), RNG)
    np.testing.assert_array_equal(np.isnan(fitted.score(seen)), seen.label == 0)
    assert fitted.n_skipped == 0


def payload_parts() -> tuple[dict, dict[str, np.ndarray]]:
    fitted = PerClass(Threshold()).fit(SEEN, IS_MEMBER, balanced(IS_MEMBER), RNG)
    header, arrays = store.from_bytes(fitted.to_bytes())
    return dict(header), dict(arrays)


def test_bytes_remember_the_attack_and_the_classes_that_were_skipped():
    seen, is_member = of_classes({3: (15, 15), 5: (1, 1)})
    fitted = PerClass(LogisticRegression()).fit(seen, is_member, np.ones(32), RNG)
    again = FittedPerClass.from_bytes(fitted.to_bytes())
    assert (again.name, again.n_skipped) == ("logistic-regression", 1)
    np.testing.assert_array_equal(again.score(seen), fitted.score(seen))


@pytest.mark.parametrize("name", ["no-such-attack", "interface", "_per_class", "../naive", "naive", "mlp", 7])
def test_another_attack_than_the_payloads_are_of_is_refused(name):
    header, arrays = payload_parts()
    with pytest.raises(ContainerError):
        FittedPerClass.from_bytes(store.to_bytes(header | {"name": name}, arrays))


@pytest.mark.parametrize("ends", [[], [0], [-1, 5], [10**12], [5, 3]])
def test_ends_that_do_not_part_the_payloads_are_refused(ends):
    header, arrays = payload_parts()
    with pytest.raises(ContainerError, match="follow each other"):
        FittedPerClass.from_bytes(store.to_bytes(header, arrays | {"ends": np.array(ends, np.int64)}))


@pytest.mark.parametrize("classes", [[0, 1, 2], [3, 2, 1, 0], [0, 0, 1, 2]])
def test_classes_that_do_not_belong_to_the_attacks_are_refused(classes):
    header, arrays = payload_parts()
    with pytest.raises(ContainerError, match="classes"):
        FittedPerClass.from_bytes(store.to_bytes(header, arrays | {"classes": np.array(classes)}))
