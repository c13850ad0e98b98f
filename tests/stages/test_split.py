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
