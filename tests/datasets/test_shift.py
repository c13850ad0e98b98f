"""A difference between the sides that is not membership: found where it is large and sure, and only there."""

from pathlib import Path

import numpy as np
import pytest

from mi_audit import plugins
from mi_audit.datasets._decoding import Header
from mi_audit.datasets._fingerprints import fingerprints
from mi_audit.datasets._shift import shifts_of_headers, shifts_of_pixels
from mi_audit.datasets.interface import DataRequest


def heads(n: int, seed: int, width: float = 300, **changed: str) -> list[Header]:
    rng = np.random.default_rng(seed)
    kind = {"mode": "RGB", "file_type": "JPEG"} | changed
    widths = np.maximum(1, rng.normal(width, 40, n)).astype(int)
    return [Header(int(each), 200, **kind) for each in widths]


def what(members: list[Header], non_members: list[Header]) -> list[str]:
    return [shift.what for shift in shifts_of_headers(members, non_members)]


def test_equal_sides_differ_in_nothing() -> None:
    for seed in range(10):
        assert what(heads(2000, seed), heads(1000, seed + 100)) == []
    assert what([Header(32, 32, "RGB", "PNG")] * 9, [Header(32, 32, "RGB", "PNG")] * 9) == []
    assert what([], heads(5, 0)) == []


def test_sizes_and_shapes_that_differ_are_told_with_their_effect() -> None:
    found = shifts_of_headers(heads(500, 0), heads(500, 1, width=340))
    assert [shift.what for shift in found] == ["size", "shape"]
    assert "pixels against" in found[0].text
    assert "standardised difference -" in found[0].text
    assert what([Header(32, 32, "RGB", "PNG")] * 9, [Header(64, 64, "RGB", "PNG")] * 9) == ["size"]


def test_modes_and_file_types_that_differ_are_told_with_their_shares() -> None:
    mixed = heads(500, 0) + heads(300, 1, mode="CMYK") + heads(20, 2, file_type="PNG")
    (shift,) = shifts_of_headers(mixed, heads(800, 3))
    assert (shift.what, shift.text) == ("mode", "CMYK 36.6 % against 0.0 %")
    (shift,) = shifts_of_headers(heads(100, 0), heads(100, 3, file_type="PNG"))
    assert (shift.what, shift.text) == ("file type", "JPEG 100.0 % against 0.0 %")


def test_few_samples_prove_nothing() -> None:
    assert what(heads(4, 0), heads(4, 1, width=330)) == []
    assert what(heads(3, 0), heads(3, 0, mode="L")) == []


def test_colour_and_contrast_that_differ_are_told_once_each() -> None:
    rng = np.random.default_rng(0)
    colour = rng.normal(120, 30, (2000, 3)).astype(np.float32)
    contrast = rng.normal(50, 10, 2000).astype(np.float32)
    label, is_member = np.arange(2000) % 10, np.arange(2000) < 1200
    assert shifts_of_pixels(colour, contrast, label, is_member) == []
    colour[is_member, 1:] += 12
    contrast[is_member] -= 5
    found = shifts_of_pixels(colour, contrast, label, is_member)
    assert [shift.what for shift in found] == ["colour", "contrast"]
    assert found[0].text.startswith("mean green 1")
    assert "difference +0.39)" in found[0].text


def test_another_mix_of_classes_is_no_shift() -> None:
    rng = np.random.default_rng(0)
    label = np.concatenate([np.repeat([0, 1], [900, 300]), np.repeat([0, 1], [200, 700])])
    is_member = np.arange(len(label)) < 1200
    colour = (rng.normal(100, 20, (len(label), 3)) + 60 * label[:, None]).astype(np.float32)
    assert shifts_of_pixels(colour, np.full(len(label), 40, np.float32), label, is_member) == []


@pytest.mark.parametrize("name", ["cifar100", "mnist"])
def test_real_official_splits_do_not_differ(assets: Path, name: str) -> None:
    data = plugins.load("datasets", name).open(None, DataRequest(assets / "data"))
    sides = [side.take(np.arange(0, len(side), 5)) for side in (data.members, data.non_members)]
    made = [fingerprints(side.images.read(0, len(side))) for side in sides]
    colour = np.concatenate([each.colour for each in made])
    contrast = np.concatenate([each.thumbnail.std(axis=1) for each in made])
    label = np.concatenate([side.label for side in sides])
    assert shifts_of_pixels(colour, contrast, label, np.arange(len(label)) < len(sides[0])) == []
