"""Near-duplicates across the sides: no pair of near hashes is missed, twins are found, crowds and blanks are not."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from mi_audit import plugins
from mi_audit.datasets import _near_duplicates
from mi_audit.datasets._fingerprints import Fingerprints, fingerprints
from mi_audit.datasets._near_duplicates import MAX_BITS, hash_pairs, near_duplicates
from mi_audit.datasets.interface import DataRequest


def bits(n: int) -> int:
    return n.bit_count()


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40), st.integers(1, 300))
def test_all_pairs_of_near_hashes_come_exactly_once(seed: int, n: int, m: int, block: int) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 2**64, 3, np.uint64)

    def around(count: int) -> np.ndarray:
        flips = np.zeros(count, np.uint64)
        for _ in range(6):
            flips ^= np.uint64(1) << rng.integers(0, 64, count, np.uint64)
        return centres[rng.integers(0, 3, count)] ^ flips

    left, right = around(n), around(m)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_near_duplicates, "N_CANDIDATES", block)
        found = [pair for block in hash_pairs(left, right) for pair in zip(*map(np.ndarray.tolist, block), strict=True)]
    a, b = left.tolist(), right.tolist()
    expected = [(i, j) for i in range(n) for j in range(m) if bits(a[i] ^ b[j]) <= MAX_BITS]
    assert sorted(found) == expected


def pictures(n: int, seed: int) -> np.ndarray:
    """Smooth random pictures of 48 x 40: (n, 48, 40, 3) uint8."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (n, 6, 5, 3), np.uint8)
    resized = [Image.fromarray(each).resize((40, 48), Image.Resampling.BICUBIC) for each in small]
    return np.stack([np.asarray(each) for each in resized])


def found(members: np.ndarray, non_members: np.ndarray) -> list[int]:
    a, b = fingerprints(members), fingerprints(non_members)
    return np.flatnonzero(near_duplicates(a.perceptual, b.perceptual, a.thumbnail, b.thumbnail)).tolist()


def test_twins_are_found_and_strangers_are_not() -> None:
    members, non_members = pictures(300, 0), pictures(300, 1)
    image = Image.fromarray(members[7])
    compressed = np.asarray(image.filter(ImageFilter.GaussianBlur(1)))
    darker = (members[8] * 0.6 + 20).astype(np.uint8)
    noisy = np.clip(members[9] + np.random.default_rng(2).normal(0, 12, members[9].shape), 0, 255).astype(np.uint8)
    non_members[[3, 50, 99, 200]] = compressed, darker, noisy, members[10]
    assert found(members, non_members) == [3, 50, 99, 200]


def test_blank_images_have_nothing_to_recognise() -> None:
    blank = np.full((20, 32, 32, 1), 200, np.uint8)
    blank[:, 0, 0] = np.arange(20)[:, None]
    assert found(blank, blank) == []


def test_a_non_member_in_a_crowd_of_similar_members_is_no_twin() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(0, 1, 256)
    likeness = np.array([0.99, 0.9, 0.9, 0.9, 0.9])
    others = rng.normal(0, 1, (5, 256))
    mixed = likeness[:, None] * base + np.sqrt(1 - likeness**2)[:, None] * others
    small, own = (np.clip(128 + 30 * each, 0, 255).astype(np.uint8) for each in (mixed, base[None]))
    for n_members, is_twin in ((1, True), (4, True), (5, False)):
        hashes = np.zeros(n_members, np.uint64), np.zeros(1, np.uint64)
        assert near_duplicates(*hashes, small[:n_members], own).tolist() == [is_twin]


def test_many_equal_hashes_take_flat_memory_and_give_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    members = np.repeat(pictures(3, 0), 40, axis=0)
    non_members = np.concatenate([np.repeat(members[:1], 30, axis=0), pictures(5, 9)])
    monkeypatch.setattr(_near_duplicates, "N_CANDIDATES", 7)
    assert found(members, non_members) == [*range(30)]


def test_a_fingerprint_is_that_of_the_image_whatever_stands_beside_it() -> None:
    images = pictures(9, 5)
    together = fingerprints(images)
    for row in range(9):
        alone = fingerprints(images[row : row + 1])
        assert alone.exact[0] == together.exact[row]
        assert alone.perceptual[0] == together.perceptual[row]
        assert np.array_equal(alone.thumbnail[0], together.thumbnail[row])
    assert np.allclose(together.colour, images.mean(axis=(1, 2)), atol=0.05)


@pytest.mark.parametrize("shape", [(1, 1, 1), (28, 28, 1), (3, 5, 3), (32, 32, 3), (70, 33, 3), (8, 8, 4), (8, 8, 2)])
def test_thumbnails_are_means_of_areas_for_any_shape(shape: tuple[int, int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, *shape), np.uint8)
    made: Fingerprints = fingerprints(images)
    assert made.thumbnail.shape == (4, 256)
    grey = images[..., :3].mean(axis=3) if shape[2] >= 3 else images[..., 0]
    assert np.allclose(made.thumbnail.mean(axis=1), grey.mean(axis=(1, 2)), atol=0.6)
    assert found(images, images[:0]) == []


def test_the_real_cifar100_has_about_as_many_twins_as_others_found_by_eye(assets: Path) -> None:
    # ciFAIR (Barz and Denzler, 2020) lists 891 of its test images with a twin in the training set, turned and cropped
    # ones included; these thumbnails find the plainer ones.
    data = plugins.load("datasets", "cifar100").open(None, DataRequest(assets / "data"))
    sides = []
    for side in (data.members, data.non_members):
        parts = [fingerprints(side.images.read(start, start + 1000)) for start in range(0, len(side), 1000)]
        sides.append([np.concatenate([getattr(part, name) for part in parts]) for name in ("perceptual", "thumbnail")])
    (member_hash, member_small), (non_member_hash, non_member_small) = sides
    n = int(near_duplicates(member_hash, non_member_hash, member_small, non_member_small).sum())
    assert 80 <= n <= 400
