import numpy as np
import pytest

from mi_audit.datasets._images import ArrayImages
from mi_audit.datasets.interface import Geometry, MembershipData, Side
from mi_audit.errors import DataSetError


def side(n: int, *shape: int, label: int = 0) -> Side:
    return Side(ArrayImages(np.zeros((n, *shape), np.uint8)), np.full(n, label), [f"members/{row}" for row in range(n)])


@pytest.mark.parametrize(
    "wrong",
    [{"height": 0}, {"width": -1}, {"resize": 0}, {"resize": -3}, {"interpolation": "nearest"}],
)
def test_a_geometry_that_cannot_be_is_refused(wrong: dict[str, int | str]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Geometry(**{"height": 2, "width": 2, "resize": 2, **wrong})


def test_sides_of_one_shape_stay_as_they_are() -> None:
    data = MembershipData("x", side(2, 4, 4, 3), side(3, 4, 4, 3), ("only",))
    assert data.shape == (4, 4, 3)
    assert data.with_geometry(Geometry(2, 2, 2)) is data


def test_arrays_of_different_shapes_have_no_shape_and_are_told() -> None:
    data = MembershipData("x", side(2, 4, 4, 3), side(3, 8, 8, 3), ("only",))
    assert data.shape is None
    with pytest.raises(DataSetError, match=r"one shape, got \(4, 4, 3\) and \(8, 8, 3\)"):
        data.with_geometry(Geometry(2, 2, 2))


def test_counts_that_differ_are_told() -> None:
    with pytest.raises(DataSetError, match="got 2 images, 1 labels, 3 ids"):
        Side(ArrayImages(np.zeros((2, 1, 1), np.uint8)), np.zeros(1, np.int64), ["a", "b", "c"])


@pytest.mark.parametrize(("label", "got"), [(2, "2 to 2"), (-1, "-1 to -1")])
def test_labels_out_of_range_are_told_with_their_side(label: int, got: str) -> None:
    with pytest.raises(DataSetError, match=f"expected labels from 0 to 1, got {got} among the non-members"):
        MembershipData("x", side(2, 1, 1, 1), side(1, 1, 1, 1, label=label), ("a", "b"))


def test_a_group_on_both_sides_is_named() -> None:
    members, non_members = (
        Side(ArrayImages(np.zeros((2, 1, 1, 1), np.uint8)), np.zeros(2, np.int64), ["a", "b"], group)
        for group in (["anna", "bo"], ["cy", "anna"])
    )
    with pytest.raises(DataSetError, match="expected every group on one side, got anna among members and non-members"):
        MembershipData("x", members, non_members, ("only",))


def test_an_empty_side_is_told() -> None:
    with pytest.raises(DataSetError, match="expected at least one of the non-members, got none"):
        MembershipData("x", side(2, 1, 1, 1), side(0, 1, 1, 1), ("a",))
