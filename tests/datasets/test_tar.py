"""Tar archives: the same samples as the folder, and nothing hostile gets in."""

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mi_audit import plugins
from mi_audit.datasets.interface import DataRequest, Geometry, MembershipData, Side
from mi_audit.errors import DataSetError, UsageError

CALM = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def png(colour: int, size: tuple[int, int] = (4, 3)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, (colour, 0, 0)).save(stream, "PNG")
    return stream.getvalue()


CONTENT = {
    "members/ant/1.png": png(1),
    "members/bee/deep/2.PNG": png(2),
    "members/bee/._2.png": b"left alone",
    "members/bee/notes.txt": b"left alone",
    "non-members/bee/3.png": png(3),
    f"non-members/bee/{'long' * 60}.png": png(4),
}


def archive(file: Path, content: dict[str, bytes] = CONTENT, start: str = "", form: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(file, "w", format=form) as opened:
        for name, each in content.items():
            header = tarfile.TarInfo(start + name)
            header.size = len(each)
            opened.addfile(header, io.BytesIO(each))
    return file


def unpacked(root: Path) -> Path:
    for name, each in CONTENT.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(each)
    return root


def opened(file: Path, **options: Any) -> MembershipData:
    return plugins.load("datasets", "tar").open(str(file), DataRequest(**options))


def facts(side: Side) -> tuple[Any, ...]:
    return list(side.sample_id), side.label.tolist(), side.images.read(0, len(side)).tolist()


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("start", ["", "./", "mine/", "./mine/"])
def test_an_archive_has_the_samples_of_the_folder(start: str, form: int, tmp_path: Path) -> None:
    data = opened(archive(tmp_path / "mine.tar", start=start, form=form))
    folder = plugins.load("datasets", "folder").open(str(unpacked(tmp_path / "mine")), DataRequest())
    assert data.class_names == folder.class_names == ("ant", "bee")
    assert facts(data.members) == facts(folder.members)
    assert facts(data.non_members) == facts(folder.non_members)
    assert data.shape == (3, 4, 3)
    assert data.members.images.digest() != data.non_members.images.digest()


def test_sizes_that_vary_are_brought_to_one_and_rows_taken(tmp_path: Path) -> None:
    data = opened(archive(tmp_path / "mine.tar", {**CONTENT, "members/ant/large.png": png(9, (9, 9))}))
    assert data.shape is None
    resized = data.with_geometry(Geometry(2, 2, None))
    taken = resized.members.take(np.array([1]))
    assert taken.sample_id == ["members/ant/large.png"]
    assert taken.images.read(0, 1)[0, 0, 0].tolist() == [9, 0, 0]


def test_splits_and_lists_are_those_of_a_folder(tmp_path: Path) -> None:
    content = {"train/a/1.png": png(1), "train/b/2.png": png(2), "val/b/3.png": png(3), "other/b/4.png": png(4)}
    file = archive(tmp_path / "mine.tar", content)
    assert opened(file).non_members.sample_id == ["val/b/3.png"]
    data = opened(file, split="train,other")
    assert (data.members.sample_id, data.non_members.sample_id) == (
        ["train/a/1.png", "train/b/2.png"],
        ["other/b/4.png"],
    )
    (tmp_path / "list").write_text("val/b/3.png\n0\n")
    data = opened(file, members_index=tmp_path / "list")
    assert (data.members.sample_id, data.non_members.sample_id) == (["train/a/1.png", "val/b/3.png"], ["train/b/2.png"])
    assert data.members.images.read(0, 2)[:, 0, 0, 0].tolist() == [1, 3]
    pool = archive(tmp_path / "pool.tar", {"a/1.png": png(1), "b/2.png": png(2)})
    (tmp_path / "list").write_text("b/2.png")
    data = opened(pool, members_index=tmp_path / "list")
    assert (data.members.sample_id, data.members.label.tolist()) == (["members/b/2.png"], [1])
    with pytest.raises(DataSetError, match="expected the folders members and non-members") as caught:
        opened(pool)
    assert "--members-index FILE" in str(caught.value.tip)


def hostile(kind: bytes, name: str = "members/ant/x.png", link: str = "/etc/passwd") -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type, header.linkname = kind, link
    return header


HOSTILE = {
    "absolute": (tarfile.TarInfo("/etc/x.png"), "expected names that stay in it, got 1 others: /etc/x.png"),
    "dots": (tarfile.TarInfo("members/../../x.png"), "expected names that stay in it"),
    "dots that come back": (tarfile.TarInfo("a/../members/x.png"), "expected names that stay in it"),
    "colour": (tarfile.TarInfo("../\x1b[31m.png"), r"got 1 others: \.\./\\x1b\[31m"),
    "link": (hostile(tarfile.SYMTYPE), "no links, devices or sparse files, got 1 others: members/ant/x.png"),
    "hard link": (hostile(tarfile.LNKTYPE, link="members/ant/1.png"), "no links, devices or sparse files"),
    "device": (hostile(tarfile.CHRTYPE), "no links, devices or sparse files"),
    "pipe": (hostile(tarfile.FIFOTYPE), "no links, devices or sparse files"),
    "twice": (tarfile.TarInfo("./members/ant//1.png"), "expected every name once, got 1 others: members/ant/1.png"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_members_are_refused_by_name(case: str, tmp_path: Path) -> None:
    header, message = HOSTILE[case]
    file = archive(tmp_path / "mine.tar")
    with tarfile.open(file, "a") as appended:
        appended.addfile(header)
    with pytest.raises(DataSetError, match=message) as caught:
        opened(file)
    assert str(caught.value).isprintable()


def test_a_sparse_file_is_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("members/ant/x.png")
    header.type = tarfile.GNUTYPE_SPARSE
    with tarfile.open(tmp_path / "mine.tar", "w", format=tarfile.GNU_FORMAT) as appended:
        appended.addfile(header)
    with pytest.raises(DataSetError, match="no links, devices or sparse files"):
        opened(tmp_path / "mine.tar")


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_compressed_archive_is_told_what_to_do(mode: str, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "mine.tar", mode) as packed:
        packed.addfile(tarfile.TarInfo("members/ant/1.png"))
    with pytest.raises(DataSetError, match=r"expected an uncompressed \.tar, got a compressed one") as caught:
        opened(tmp_path / "mine.tar")
    assert "it first" in str(caught.value.tip)


def test_an_archive_cut_anywhere_is_one_clear_error_or_whole(tmp_path: Path) -> None:
    file = archive(tmp_path / "mine.tar")
    whole = file.read_bytes()
    expected = facts(opened(file).members)
    for keep in range(0, len(whole), 333):
        file.write_bytes(whole[:keep])
        try:
            assert facts(opened(file).members) == expected
        except DataSetError as error:
            assert str(error).startswith(str(file))  # noqa: PT017 - zeros at the end may be missing


@CALM
@given(position=st.integers(0, 6000), value=st.integers(0, 255))
def test_a_changed_byte_never_gives_anything_but_our_errors(position: int, value: int, tmp_path: Path) -> None:
    file = archive(tmp_path / "mine.tar")
    content = bytearray(file.read_bytes())
    content[position % len(content)] = value
    file.write_bytes(content)
    try:
        data = opened(file)
        data.members.images.read(0, len(data.members)) if data.shape else None
    except DataSetError as error:
        assert str(error).isprintable()  # noqa: PT017 - most changes are harmless


def test_a_pile_of_rubbish_no_file_and_no_path(tmp_path: Path) -> None:
    (tmp_path / "mine.tar").write_bytes(b"<html>" * 1000)
    with pytest.raises(DataSetError, match=r"expected a \.tar archive, got one that is damaged"):
        opened(tmp_path / "mine.tar")
    with pytest.raises(DataSetError, match=r"gone\.tar: no such file"):
        opened(tmp_path / "gone.tar")
    with pytest.raises(UsageError, match=r"expected --data tar:FILE\.tar, got no path"):
        plugins.load("datasets", "tar").open(None, DataRequest())


def test_an_image_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    data = opened(archive(tmp_path / "mine.tar", {**CONTENT, "members/ant/bad.png": b"oops"}))
    with pytest.raises(DataSetError, match=r"got 1 of 3 that are not: members/ant/bad\.png \(not an image\)"):
        _ = data.shape
