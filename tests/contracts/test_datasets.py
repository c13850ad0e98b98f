"""What every data set promises, checked for each that is discovered, on small files in its format and real ones."""

import tarfile
from collections.abc import Callable
from dataclasses import is_dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mi_audit import plugins
from mi_audit.datasets._images import FileImages
from mi_audit.datasets._official_layouts import LAYOUTS
from mi_audit.datasets.interface import DataRequest, DatasetSource, Geometry, MembershipData, Side
from tests.datasets.official_files import WRITERS as OFFICIAL
from tests.datasets.official_files import write_official

FAKED = ("cifar10", "cifar100", "fashion-mnist", "mnist")  # by the fixture `official_data_dir`
NAMES = plugins.names("datasets")


def arrays_file(folder: Path) -> str:
    rng = np.random.default_rng(0)
    np.savez(
        folder / "mine.npz",
        images=rng.integers(0, 256, (10, 6, 5, 3), np.uint8),
        labels=np.arange(10) % 3,
        is_member=np.arange(10) < 4,
        index=np.arange(10)[::-1],
    )
    return str(folder / "mine.npz")


def image_folder(folder: Path) -> str:
    rng = np.random.default_rng(0)
    for side in ("members", "non-members"):
        for name in ("bird", "cat"):
            (folder / side / name).mkdir(parents=True)
            for number in range(3):
                pixels = rng.integers(0, 256, (6 + number, 5, 3), np.uint8)
                Image.fromarray(pixels).save(folder / side / name / f"{number}.png")
    return str(folder)


def manifest_file(folder: Path) -> str:
    image_folder(folder)
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    rows = [f"{path},{path.split('/')[1]},{int(path.startswith('members'))}" for path in paths]
    (folder / "mine.csv").write_text("\n".join(["path,label,is_member", *rows]))
    return str(folder / "mine.csv")


def tar_file(folder: Path) -> str:
    image_folder(folder)
    with tarfile.open(folder / "mine.tar", "w") as opened:
        for side in ("members", "non-members"):
            opened.add(folder / side, side)
    return str(folder / "mine.tar")


WRITERS: dict[str, Callable[[Path], str]] = {
    "arrays": arrays_file,
    "folder": image_folder,
    "manifest": manifest_file,
    "tar": tar_file,
}


def open_small(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], MembershipData]:
    """Writes a data set as small files; opens it as often as it is called."""
    options = {}
    if name in FAKED:
        options["data_dir"] = request.getfixturevalue("official_data_dir")
    elif name in OFFICIAL:
        options["data_dir"] = write_official(name, tmp_path / "data", request.getfixturevalue("monkeypatch"))
        if LAYOUTS[name].default is None:
            (tmp_path / "list").write_text("0:3")
            options["members_index"] = tmp_path / "list"
    location = WRITERS[name](tmp_path) if name in WRITERS else None
    return lambda: plugins.load("datasets", name).open(location, DataRequest(**options))


@pytest.fixture(params=NAMES)
def opened_twice(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[MembershipData, MembershipData]:
    """One data set on small files, opened two times."""
    opening = open_small(request.param, request, tmp_path)
    return opening(), opening()


@pytest.fixture
def opened(opened_twice: tuple[MembershipData, MembershipData]) -> MembershipData:
    """The data set with every image of one shape."""
    return opened_twice[0].with_geometry(Geometry(height=4, width=5, resize=5))


def sides(data: MembershipData) -> tuple[Side, Side]:
    return data.members, data.non_members


def whole(side: Side) -> np.ndarray:
    return side.images.read(0, len(side))


@pytest.mark.parametrize("name", NAMES)
def test_a_source_is_a_frozen_dataclass_with_a_caption(name: str) -> None:
    source = plugins.load("datasets", name)
    assert isinstance(source, DatasetSource)
    assert is_dataclass(source)
    assert source.__dataclass_params__.frozen
    assert 20 < len(plugins.summary("datasets", name)) <= 80 - 2 - max(map(len, NAMES))


def test_images_are_uint8_of_the_shape_they_claim(opened: MembershipData) -> None:
    for side in sides(opened):
        images = whole(side)
        assert images.dtype == np.uint8
        assert images.shape == (len(side), *opened.shape)
        assert images.flags.writeable
        assert side.images.read(0, 0).shape == (0, *opened.shape)


def test_labels_are_classes(opened: MembershipData) -> None:
    for side in sides(opened):
        assert side.label.dtype == np.int64
        assert side.label.min() >= 0
        assert side.label.max() < opened.n_classes
    assert all(opened.class_names)
    assert len(set(opened.class_names)) == opened.n_classes


def test_ids_are_unique_and_name_their_side(opened: MembershipData) -> None:
    prefixes = [{sample_id.partition("/")[0] for sample_id in side.sample_id} for side in sides(opened)]
    splits = [{*layout.default} for layout in LAYOUTS.values() if layout.default]
    assert [*map(len, prefixes)] == [1, 1]
    assert prefixes == [{"members"}, {"non-members"}] or prefixes[0] | prefixes[1] in splits
    ids = [*opened.members.sample_id, *opened.non_members.sample_id]
    assert len(set(ids)) == len(ids)


def test_two_opens_agree(opened_twice: tuple[MembershipData, MembershipData]) -> None:
    for first, second in zip(*map(sides, opened_twice), strict=True):
        assert list(first.sample_id) == list(second.sample_id)
        assert first.label.tolist() == second.label.tolist()
        assert first.images.digest() == second.images.digest()


def test_take_and_read_agree(opened: MembershipData) -> None:
    for side in sides(opened):
        images = whole(side)
        rows = np.array([len(side) - 1, 0, 2])
        taken = side.take(rows)
        assert np.array_equal(whole(taken), images[rows])
        assert np.array_equal(whole(taken.take(np.array([2, 0]))), images[rows[[2, 0]]])
        assert np.array_equal(taken.images.read(1, 3), images[rows[1:]])
        assert taken.label.tolist() == side.label[rows].tolist()
        assert taken.sample_id == [side.sample_id[row] for row in rows]


def test_what_is_read_may_be_changed_without_harm(opened: MembershipData) -> None:
    for side in sides(opened):
        images = whole(side)
        changed = whole(side)
        changed += 1
        assert np.array_equal(whole(side), images)


def test_digest_tells_selections_apart(opened: MembershipData) -> None:
    for side in sides(opened):
        digests = [side.take(np.array(rows)).images.digest() for rows in ([0, 1], [1, 0], [0], [0, 1])]
        assert digests[0] == digests[3]
        assert len(set(digests)) == 3
        assert all(len(digest) == 64 for digest in digests)


@pytest.mark.parametrize("name", NAMES)
def test_digest_changes_with_a_pixel(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    opening = open_small(name, request, tmp_path)
    images = opening().members.images
    before = images.digest()
    if isinstance(images, FileImages):
        changed = tmp_path / "mine.tar" if name == "tar" else images.root / images.paths[-1]
        changed.write_bytes(changed.read_bytes() + bytes(10240))
        after = opening().members.images.digest()
    else:
        pixels = images.pixels.copy()
        pixels[images.rows[-1] if images.rows is not None else -1, 0, 0, 0] ^= 1
        after = replace(images, pixels=pixels).digest()
    assert before != after


@pytest.mark.parametrize(
    ("name", "location", "sizes"),
    [
        ("cifar100", None, (50_000, 10_000)),
        ("mnist", None, (60_000, 10_000)),
        ("arrays", "cifar10_subset.npz", (10_000, 9_980)),
    ],
)
def test_real_data(name: str, location: str | None, sizes: tuple[int, int], assets: Path) -> None:
    folder = assets / "data"
    data = plugins.load("datasets", name).open(location and str(folder / location), DataRequest(folder))
    assert (len(data.members), len(data.non_members)) == sizes
    assert data.shape == ((28, 28, 1) if name == "mnist" else (32, 32, 3))
    for side in sides(data):
        assert len(set(side.sample_id)) == len(side)
        assert len(np.unique(side.label)) == data.n_classes
        assert side.images.read(len(side) - 2, len(side)).std() > 0
