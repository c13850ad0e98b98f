"""Known and held-out samples and folds: seeded, stratified, and independent of other samples."""

import numpy as np
import pytest

from mi_audit.errors import UsageError
from mi_audit.stages import _split


def cells(n_per_cell: int = 10, n_classes: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    label = np.tile(np.repeat(np.arange(n_classes), n_per_cell), 2)
    is_member = np.arange(len(label)) < len(label) // 2
    sample_id = np.array([f"{'train' if member else 'test'}/{i}" for i, member in enumerate(is_member)])
    return sample_id, label, is_member


@pytest.mark.parametrize(("fraction", "expected"), [(0.5, 5), (0.8, 8), (0.05, 0), (0.99, 9), (0.3, 3)])
def test_every_cell_gives_the_same_share_rounded_down(fraction, expected):
    sample_id, label, is_member = cells()
    known = _split.known_samples(sample_id, label, is_member, fraction, seed=0)
    for image_class in range(3):
        for side in (True, False):
            assert known[(label == image_class) & (is_member == side)].sum() == expected


def test_a_cell_of_one_sample_is_held_out():
    known = _split.known_samples(np.array(["a"]), np.array([0]), np.array([True]), 0.5, seed=0)
    assert not known.any()


def test_order_of_samples_does_not_matter():
    sample_id, label, is_member = cells()
    known = _split.known_samples(sample_id, label, is_member, 0.5, seed=3)
    order = np.random.default_rng(0).permutation(len(label))
    shuffled = _split.known_samples(sample_id[order], label[order], is_member[order], 0.5, seed=3)
    assert np.array_equal(known[order], shuffled)


def test_samples_of_another_cell_do_not_change_who_is_known():
    sample_id, label, is_member = cells()
    known = _split.known_samples(sample_id, label, is_member, 0.5, seed=3)
    kept = label != 1
    fewer = _split.known_samples(sample_id[kept], label[kept], is_member[kept], 0.5, seed=3)
    assert np.array_equal(known[kept], fewer)


def test_another_seed_gives_another_split():
    sample_id, label, is_member = cells(50)
    first, second = (_split.known_samples(sample_id, label, is_member, 0.5, seed=seed) for seed in (0, 1))
    assert 0.3 < (first != second).mean() < 0.7


def test_folds_share_every_cell_evenly_and_are_not_the_known_order():
    sample_id, label, is_member = cells(9)
    fold = _split.folds(sample_id, label, is_member, n_folds=3, seed=0)
    for image_class in range(3):
        for side in (True, False):
            counts = np.bincount(fold[(label == image_class) & (is_member == side)], minlength=3)
            assert counts.tolist() == [3, 3, 3]


def test_keys_are_those_of_a_keyed_blake2b():
    import hashlib

    expected = hashlib.blake2b(b"train/7", digest_size=8, key=(5).to_bytes(16, "little", signed=True)).digest()
    assert _split.seeded_keys(np.array(["train/7"]), 5)[0] == int.from_bytes(expected, "little")


@pytest.mark.parametrize("seed", [-1, 2**63, 10**40])
def test_a_seed_that_a_generator_cannot_take_is_an_error(seed):
    with pytest.raises(UsageError, match="expected --seed from 0"):
        _split.checked_seed(seed)
    assert _split.checked_seed(_split.MAX_SEED) == 2**63 - 1


def grouped(n_groups: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Groups of 1 to 9 samples on one side each, their samples of any of 3 classes."""
    rng = np.random.default_rng(seed)
    group = np.repeat([f"person {number}" for number in range(n_groups)], rng.integers(1, 10, n_groups))
    is_member = np.array([int(name.split()[1]) % 3 > 0 for name in group.tolist()])
    sample_id = np.array([f"side/{number}" for number in rng.permutation(len(group))])
    return sample_id, rng.integers(0, 3, len(group)), is_member, group


@pytest.mark.parametrize("seed", [0, 1])
def test_samples_of_a_group_are_known_or_held_out_and_in_one_fold_together(seed):
    sample_id, label, is_member, group = grouped()
    known = _split.known_samples(sample_id, label, is_member, 0.5, seed, group)
    fold = _split.folds(sample_id, label, is_member, 3, seed, group)
    for name in np.unique(group):
        assert len(set(known[group == name].tolist())) == len(set(fold[group == name].tolist())) == 1
    for number in range(3):
        assert np.mean(fold == number) == pytest.approx(1 / 3, abs=0.05)


@pytest.mark.parametrize("fraction", [0.2, 0.5, 0.8])
def test_shares_are_about_right_with_groups_and_never_above(fraction):
    sample_id, label, is_member, group = grouped()
    known = _split.known_samples(sample_id, label, is_member, fraction, 0, group)
    for side in (True, False):
        assert known[is_member == side].mean() == pytest.approx(fraction, abs=0.05)
    # Each of the six cells leaves out less than one group of nine.
    assert fraction * len(group) - 6 * 9 <= known.sum() <= fraction * len(group)


def test_groups_of_one_sample_that_are_named_as_it_change_nothing():
    sample_id, label, is_member = cells(11)
    for fraction in (0.3, 0.5, 0.8):
        alone = _split.known_samples(sample_id, label, is_member, fraction, 4)
        assert np.array_equal(alone, _split.known_samples(sample_id, label, is_member, fraction, 4, sample_id))
    assert np.array_equal(
        _split.folds(sample_id, label, is_member, 3, 4), _split.folds(sample_id, label, is_member, 3, 4, sample_id)
    )


def test_the_order_of_samples_does_not_matter_with_groups_either():
    sample_id, label, is_member, group = grouped()
    known = _split.known_samples(sample_id, label, is_member, 0.5, 3, group)
    order = np.random.default_rng(0).permutation(len(label))
    shuffled = _split.known_samples(sample_id[order], label[order], is_member[order], 0.5, 3, group[order])
    assert np.array_equal(known[order], shuffled)


def test_a_group_that_is_larger_than_the_share_is_held_out():
    sample_id, label, is_member = cells(10, n_classes=1)
    group = np.where(is_member, "one", sample_id)
    known = _split.known_samples(sample_id, label, is_member, 0.5, 0, group)
    assert not known[is_member].any()
    assert known[~is_member].sum() == 5
