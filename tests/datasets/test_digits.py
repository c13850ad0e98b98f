import numpy as np
import pytest
from sklearn.datasets import load_digits

from mi_audit import plugins
from mi_audit.datasets.digits import fixed_permutation
from mi_audit.datasets.interface import DataRequest, MembershipData
from mi_audit.errors import UsageError


@pytest.fixture(scope="module")
def digits() -> MembershipData:
    return plugins.load("datasets", "digits").open(None, DataRequest())


def index(sample_id: str) -> int:
    return int(sample_id.rpartition("/")[2])


def test_the_halves_are_the_whole(digits: MembershipData) -> None:
    assert (len(digits.members), len(digits.non_members)) == (898, 899)
    ids = [*digits.members.sample_id, *digits.non_members.sample_id]
    assert sorted(map(index, ids)) == list(range(1797))
    assert digits.name == "digits"
    assert digits.class_names == tuple("0123456789")
    assert digits.shape == (8, 8, 1)


def test_ids_lead_to_the_images_and_labels_of_scikit_learn(digits: MembershipData) -> None:
    official = load_digits()
    for side in (digits.members, digits.non_members):
        rows = [index(sample_id) for sample_id in side.sample_id]
        assert side.label.tolist() == official.target[rows].tolist()
        pixels = side.images.read(0, len(side))[..., 0]
        assert np.abs(pixels / 255 - official.images[rows] / 16).max() <= 0.5 / 255
        assert (pixels.min(), pixels.max()) == (0, 255)


def test_every_class_is_on_both_sides(digits: MembershipData) -> None:
    for side in (digits.members, digits.non_members):
        assert np.bincount(side.label, minlength=10).min() >= 75


def test_the_permutation_never_changes(digits: MembershipData) -> None:
    # Audits of today and of the next release must share their members: these numbers may not be updated.
    assert digits.members.sample_id[:3] == ["members/1254", "members/1459", "members/1000"]
    assert sorted(fixed_permutation(50).tolist()) == list(range(50))


def test_a_path_is_refused() -> None:
    with pytest.raises(UsageError, match="without a path, got digits:here") as caught:
        plugins.load("datasets", "digits").open("here", DataRequest())
    assert caught.value.tip is not None
