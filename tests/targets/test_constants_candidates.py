"""All normalisation constants that a network may have been trained with, in order."""

import pytest

from mi_audit.targets._catalogue import LENET, OPTION_A, PROJECTION, constants_candidates, known_constants, listed

C10, C10_PIXELS, C100 = (0.2023, 0.1994, 0.2010), (0.2471, 0.2435, 0.2616), (0.2673, 0.2564, 0.2761)
IMAGENET, HALF, PIXELS = (0.229, 0.224, 0.225), (0.5,) * 3, (1.0,) * 3
ANYWHERE = [IMAGENET, HALF, PIXELS]


@pytest.mark.parametrize(
    ("family", "data_name", "n_classes", "stds"),
    [
        (PROJECTION, "cifar10", 10, [C10, C10_PIXELS, *ANYWHERE]),
        # chenyaofo's first, then bearpaw's, who kept the figures of CIFAR-10.
        (PROJECTION, "cifar100", 100, [C100, C10, *ANYWHERE]),
        ("bearpaw", "cifar100", 100, [C10, C100, C10_PIXELS, *ANYWHERE]),
        ("chenyaofo", "cifar100", 100, [C100, C10, *ANYWHERE]),
        (OPTION_A, "cifar10", 10, [IMAGENET, C10, C10_PIXELS, HALF, PIXELS]),
        ("kuangliu", "cifar10", 10, [C10, C10_PIXELS, *ANYWHERE]),
        ("huyvnphan", "cifar10", 10, [C10_PIXELS, C10, *ANYWHERE]),
        ("huyvnphan", None, 10, [C10_PIXELS, C10, *ANYWHERE]),
        ("weiaicunzai", "cifar10", 10, [C10, C10_PIXELS, *ANYWHERE]),
        (LENET, "cifar10", 10, [PIXELS, C10, C10_PIXELS, IMAGENET, HALF]),
        ("lenet-5", "cifar10", 10, [HALF, C10, C10_PIXELS, IMAGENET, PIXELS]),
        ("timm", "cifar100", 100, [C100, *ANYWHERE]),
        ("timm", None, 1000, ANYWHERE),
    ],
)
def test_the_order_of_constants(
    family: str, data_name: str | None, n_classes: int, stds: list[tuple[float, ...]]
) -> None:
    assert [one.std for one in constants_candidates(family, data_name, n_classes, 3)] == stds


def test_constants_closer_than_a_thousandth_are_one() -> None:
    found = constants_candidates("weiaicunzai", "cifar100", 100, 3)
    assert found[0].mean == (0.5070751592371323, 0.48654887331495095, 0.4409178433670343)
    assert [one.std[0] for one in found[1:]] == [0.2023, 0.229, 0.5, 1.0]


def test_grey_images_get_constants_of_one_channel() -> None:
    found = constants_candidates("mnist-example", "mnist", 10, 1)
    assert [(one.mean, one.std) for one in found] == [((0.1307,), (0.3081,)), ((0.5,), (0.5,)), ((0.0,), (1.0,))]


@pytest.mark.parametrize("family", sorted({one.family for one in listed()}))
@pytest.mark.parametrize("data_name", ["cifar10", "cifar100", "mnist", None])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_what_is_known_comes_first_and_says_its_source(family: str, data_name: str | None, n_channels: int) -> None:
    known = known_constants(family, data_name, 10, n_channels)
    found = constants_candidates(family, data_name, 10, n_channels)
    assert known is None or known == found[0]
    assert all(one.source and len(one.mean) == len(one.std) == n_channels for one in found)
    assert len({(one.mean, one.std) for one in found}) == len(found)
