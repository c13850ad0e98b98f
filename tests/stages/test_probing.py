"""The probe: some samples of both sides, the same for every candidate, decoded once for each geometry."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mi_audit.datasets._images import ArrayImages, FileImages
from mi_audit.datasets.interface import Geometry, MembershipData, Side
from mi_audit.stages import _sources, extract
from mi_audit.stages._probing import Probing
from mi_audit.target_model import Preprocessing

PLAIN = Preprocessing((0.5,), (0.5,))


def in_memory(n_members: int, n_non_members: int) -> MembershipData:
    rng = np.random.default_rng(0)
    sides = []
    for name, n in (("train", n_members), ("test", n_non_members)):
        images = ArrayImages(rng.integers(0, 256, (n, 3, 3, 1), np.uint8))
        sides.append(Side(images, np.arange(n) % 10, [f"{name}/{i}" for i in range(n)]))
    return MembershipData(None, *sides, tuple("abcdefghij"))


def of_files(folder: Path) -> MembershipData:
    """Five members and four non-members of sizes that vary."""
    rng = np.random.default_rng(0)
    sides = []
    for name, n in (("members", 5), ("non-members", 4)):
        paths = tuple(f"{name}{i}.png" for i in range(n))
        for number, path in enumerate(paths):
            Image.fromarray(rng.integers(0, 256, (9 + number, 12, 3), np.uint8)).save(folder / path)
        sides.append(Side(FileImages(folder, paths), np.arange(n) % 2, list(paths)))
    return MembershipData(None, *sides, ("a", "b"))


def test_a_probe_is_stratified_and_labelled_as_its_images():
    data = in_memory(2000, 300)
    probe = Probing(data, seed=3)(PLAIN)
    assert probe.is_member.tolist() == [True] * 256 + [False] * 256
    for side in (True, False):
        assert set(np.bincount(probe.label[probe.is_member == side])) == {25, 26}
    pixels = data.members.images.pixels
    of_image = {image.tobytes(): label for image, label in zip(pixels, data.members.label, strict=True)}
    assert [of_image[image.tobytes()] for image in probe.images[:256]] == probe.label[:256].tolist()


def test_small_sides_are_taken_whole_and_the_seed_decides_for_large_ones():
    assert len(Probing(in_memory(7, 3), 0)(PLAIN).label) == 10
    first, again, other = (Probing(in_memory(2000, 300), seed)(PLAIN).images for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_images_of_varying_sizes_are_brought_to_what_the_preprocessing_needs(tmp_path):
    data = of_files(tmp_path)
    probing = Probing(data, seed=0)
    small = Preprocessing((0.5,) * 3, (0.5,) * 3, size=(8, 6), resize=10, interpolation="bicubic")
    probe = probing(small)
    expected = data.with_geometry(Geometry(8, 6, 10, "bicubic"))
    sides = [side.images.read(0, len(side)) for side in (expected.members, expected.non_members)]
    assert np.array_equal(probe.images, np.concatenate(sides))
    assert probing(Preprocessing((0.5,) * 3, (0.5,) * 3)).images.shape == (9, 224, 224, 3)


def test_each_geometry_is_decoded_once(tmp_path, monkeypatch):
    reads = []
    read = FileImages.read
    monkeypatch.setattr(FileImages, "read", lambda self, *rows: reads.append(self.geometry) or read(self, *rows))
    probing = Probing(of_files(tmp_path), seed=0)
    for mean in (0.4, 0.5, 0.6):
        for size in ((8, 8), (16, 16)):
            probing(Preprocessing((mean,) * 3, (0.5,) * 3, size=size))
    assert len(reads) == 4
    with pytest.raises(ValueError, match="read-only"):
        probing(Preprocessing((0.4,) * 3, (0.5,) * 3, size=(8, 8))).images[0] = 0


def test_whoever_opens_the_target_is_given_the_probe(demo_checkpoint, monkeypatch):
    seen = []
    monkeypatch.setattr(extract, "open_target", lambda *it: seen.append(it[1]) or _sources.open_target(*it))
    extract.prepare(extract.ExtractOptions(str(demo_checkpoint), "digits", arch="lenet_32_64_200"))
    probe = seen[0].probe(PLAIN)
    assert probe.images.shape == (512, 8, 8, 1)
    assert len(set(probe.label.tolist())) == 10
