"""Which samples are extracted: shares by class, seeded, and independent of the order of the samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mi_audit.datasets._images import ArrayImages
from mi_audit.datasets.interface import MembershipData, Side
from mi_audit.errors import DataSetError
from mi_audit.stages import extract
from mi_audit.stages._selecting import drawn_classes, selected, stratified

LABELS = st.lists(st.integers(0, 6), min_size=1, max_size=60).map(lambda values: np.array(values, np.int64))
SEEDS = st.integers(0, 2**62)


def ids(label: np.ndarray) -> np.ndarray:
    return np.array([f"train/{position}" for position in range(len(label))])


def made(members: list[int], non_members: list[int], n_classes: int) -> MembershipData:
    sides = []
    for name, values in (("train", members), ("test", non_members)):
        images = ArrayImages(np.zeros((len(values), 2, 2, 1), np.uint8))
        sides.append(Side(images, np.array(values, np.int64), [f"{name}/{i}" for i in range(len(values))]))
    return MembershipData(None, *sides, tuple(map(str, range(n_classes))))


@given(LABELS, st.integers(1, 70), SEEDS)
def test_every_class_gives_its_share_to_within_one_and_the_whole_is_exact(label, maximum, seed):
    chosen = stratified(ids(label), label, maximum, seed)
    assert len(chosen) == min(maximum, len(label))
    assert np.all(np.diff(chosen) > 0)
    share = np.bincount(label, minlength=7) * min(maximum, len(label)) / len(label)
    assert np.all(np.abs(np.bincount(label[chosen], minlength=7) - share) < 1)


@given(LABELS, st.integers(1, 70), SEEDS, st.randoms(use_true_random=False))
def test_the_order_of_the_samples_does_not_matter(label, maximum, seed, random):
    order = list(range(len(label)))
    random.shuffle(order)
    first = ids(label)[stratified(ids(label), label, maximum, seed)]
    again = ids(label)[order][stratified(ids(label)[order], label[order], maximum, seed)]
    assert set(first) == set(again)


def test_who_is_drawn_of_a_class_does_not_depend_on_other_classes():
    label = np.repeat(np.arange(3), 20)
    half = set(stratified(ids(label), label, 30, seed=1).tolist())
    relabelled = np.where(label == 2, 1, label)
    assert {row for row in half if row < 20} == set(stratified(ids(label), relabelled, 30, 1).tolist()) & {*range(20)}


def test_a_larger_draw_of_equal_classes_holds_the_smaller():
    label = np.tile(np.arange(4), 25)
    chosen = [set(stratified(ids(label), label, n, seed=5).tolist()) for n in (8, 20, 40)]
    assert chosen[0] < chosen[1] < chosen[2]


def test_fewer_samples_than_classes_are_of_the_same_classes_on_both_sides():
    data = made([*range(10)] * 20, [*range(10)] * 5, 10)
    few = selected(data, None, 4, 4, seed=2)
    assert sorted(few.members.label) == sorted(few.non_members.label)
    assert len(set(few.members.label.tolist())) == 4


def test_another_seed_draws_other_samples():
    label = np.zeros(100, np.int64)
    first, second = (stratified(ids(label), label, 50, seed) for seed in (0, 1))
    assert 10 < len(np.intersect1d(first, second)) < 40


def test_classes_with_samples_on_both_sides_come_first():
    members, non_members = np.array([0, 0, 1, 2, 4]), np.array([2, 3, 4, 4])
    for seed in range(20):
        assert drawn_classes(members, non_members, 2, seed).tolist() == [2, 4]
        assert {2, 4} < set(drawn_classes(members, non_members, 4, seed).tolist())
    assert drawn_classes(members, non_members, 99, 0).tolist() == [0, 1, 2, 3, 4]
    assert len({tuple(drawn_classes(np.arange(9), np.arange(9), 2, seed)) for seed in range(20)}) > 5


def test_a_limit_of_classes_leaves_labels_and_class_names_as_they_are():
    data = made([*range(5)] * 4, [*range(5)] * 3, 5)
    few = selected(data, 2, 6, None, seed=0)
    assert few.class_names == data.class_names
    assert set(few.members.label) == set(few.non_members.label)
    assert len(few.members) == 6
    assert len(few.non_members) == 6
    for side, whole in ((few.members, data.members), (few.non_members, data.non_members)):
        numbers = [int(sample_id.partition("/")[2]) for sample_id in side.sample_id]
        assert side.label.tolist() == whole.label[numbers].tolist()


def test_a_limit_that_leaves_one_side_empty_is_an_error():
    with pytest.raises(DataSetError, match="expected at least one"):
        selected(made([0, 0], [1, 1], 2), 1, None, None, seed=0)


def test_the_selection_is_in_the_provenance_and_in_the_key(demo_checkpoint):
    options = {"model": str(demo_checkpoint), "data": "digits", "arch": "lenet_32_64_200"}
    chosen = extract.prepare(extract.ExtractOptions(**options, limit_classes=3, max_members=60))
    assert (chosen.n_members, len(set(chosen.label.tolist())), chosen.data.n_classes) == (60, 3, 10)
    cache = extract.run(chosen)
    assert cache.n_classes == 10
    assert cache.provenance["options"]["limit_classes"] == 3
    selection = cache.provenance["dataset"]["selection"]
    assert (selection["n_members_available"], selection["n_classes_with_samples"]) == (898, 3)
    assert chosen.key != extract.prepare(extract.ExtractOptions(**options)).key
