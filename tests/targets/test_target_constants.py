"""Which normalisation a target gets, and from where."""

import subprocess
import sys

import pytest

from mi_audit.errors import UsageError
from mi_audit.targets._catalogue import ARCHITECTURES, LENET, OPTION_A, PROJECTION, known_constants
from mi_audit.targets._preprocessing import NOTHING_KNOWN, constants_of
from mi_audit.targets.interface import TargetRequest

CIFAR10 = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
CIFAR100 = ((0.5070, 0.4865, 0.4409), (0.2673, 0.2564, 0.2761))
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
PIXELS = ((0.0,), (1.0,))


@pytest.mark.parametrize(
    ("family", "data_name", "n_classes", "n_channels", "expected"),
    [
        (PROJECTION, "cifar10", 10, 3, CIFAR10),
        (PROJECTION, "cifar100", 100, 3, CIFAR100),
        (PROJECTION, None, 10, 3, CIFAR10),
        (PROJECTION, "my-images", 100, 3, CIFAR100),
        (PROJECTION, None, 7, 3, None),
        (PROJECTION, None, 10, 1, None),
        (PROJECTION, "mnist", 10, 3, ((0.1307,) * 3, (0.3081,) * 3)),
        (OPTION_A, "cifar10", 10, 3, IMAGENET),
        (OPTION_A, "cifar100", 100, 3, IMAGENET),
        (OPTION_A, None, 10, 3, IMAGENET),
        # ImageNet's constants suit no grey image; those of the data set do.
        (OPTION_A, "mnist", 10, 1, ((0.1307,), (0.3081,))),
        (OPTION_A, None, 10, 1, None),
        (LENET, "mnist", 10, 1, PIXELS),
        (LENET, "cifar10", 10, 3, (PIXELS[0] * 3, PIXELS[1] * 3)),
        ("timm", "cifar100", 100, 3, CIFAR100),
        ("torchvision", "fashion-mnist", 10, 3, ((0.2860,) * 3, (0.3530,) * 3)),
        ("timm", "digits", 10, 1, ((0.3053,), (0.3760,))),
        ("timm", None, 10, 3, None),
        ("timm", None, 1000, 3, None),
    ],
)
def test_known_constants(
    family: str, data_name: str | None, n_classes: int, n_channels: int, expected: tuple[object, object] | None
) -> None:
    found = known_constants(family, data_name, n_classes, n_channels)
    assert (None if found is None else (found.mean, found.std)) == expected


def test_the_constants_of_the_digits_are_those_of_their_pixels() -> None:
    """Against scikit-learn, over the half that is the members of nobody: all images."""
    from sklearn.datasets import load_digits

    pixels = load_digits().data / 16
    found = known_constants("timm", "digits", 10, 1)
    assert found is not None
    assert found.mean[0] == pytest.approx(pixels.mean(), abs=5e-5)
    assert found.std[0] == pytest.approx(pixels.std(), abs=5e-5)


def request(**options: object) -> TargetRequest:
    return TargetRequest(n_classes=10, shape=(32, 32, 3), **options)


def test_flags_win_over_everything() -> None:
    own = known_constants(OPTION_A, None, 10, 3)
    found, notes = constants_of(request(mean=(0.1, 0.2, 0.3), std=(0.5,)), PROJECTION, 10, 3, own)
    assert (found.mean, found.std, found.source) == ((0.1, 0.2, 0.3), (0.5, 0.5, 0.5), "--mean/--std")
    assert notes == ()


def test_what_the_makers_say_wins_over_the_data_set() -> None:
    own = known_constants(OPTION_A, None, 10, 3)
    assert constants_of(request(data_name="cifar10"), "timm", 10, 3, own)[0] == own


def test_nothing_known_is_said() -> None:
    found, notes = constants_of(request(), "timm", 10, 3)
    assert (found.mean, found.std) == ((0, 0, 0), (1, 1, 1))
    assert notes == (NOTHING_KNOWN,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mean": (0.5,)}, "expected --mean and --std together"),
        ({"std": (0.5,)}, "expected --mean and --std together"),
        ({"mean": (0.5, 0.5), "std": (1.0,)}, "expected 1 or 3 values for --mean, got 2"),
        ({"mean": (0.5,), "std": (1.0,) * 4}, "expected 1 or 3 values for --std, got 4"),
        ({"mean": (0.5,), "std": (0.0,)}, "expected every --std above 0"),
        ({"mean": (float("nan"),), "std": (1.0,)}, "expected finite numbers for --mean"),
    ],
)
def test_flags_that_make_no_sense(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        constants_of(request(**options), PROJECTION, 10, 3)


def test_the_catalogue_is_read_without_torch() -> None:
    code = "import sys; import mi_audit.targets._catalogue; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    names = [architecture.name for architecture in ARCHITECTURES]
    assert len(set(names)) == len(names) > 12
