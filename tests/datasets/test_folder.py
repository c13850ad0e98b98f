import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import ImageFolder

from mi_audit import plugins
from mi_audit.datasets.interface import DataRequest, Geometry, MembershipData
from mi_audit.errors import DataSetError, UsageError


def put(file: Path, size: tuple[int, int] = (4, 4), colour: int = 0) -> None:
    """One image file of (width, height), its folders made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (colour, 0, 0)).save(file)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three classes among the members, of which the non-members lack the first."""
    for number, path in enumerate(
        (
            "members/ant/1.png",
            "members/bee/10.png",
            "members/bee/9.png",
            "members/cow/deep/er/x.JPG",
            "members/cow/y.bmp",
        )
    ):
        put(tmp_path / path, colour=number)
    for number, path in enumerate(("non-members/bee/a.png", "non-members/cow/a.png")):
        put(tmp_path / path, colour=100 + number)
    return tmp_path


def open_folder(root: Path) -> MembershipData:
    return plugins.load("datasets", "folder").open(str(root), DataRequest())


def test_samples_in_sorted_order_with_the_classes_of_the_members(root: Path) -> None:
    data = open_folder(root)
    assert data.name is None
    assert data.class_names == ("ant", "bee", "cow")
    assert data.members.sample_id == [
        "members/ant/1.png",
        "members/bee/10.png",
        "members/bee/9.png",
        "members/cow/deep/er/x.JPG",
        "members/cow/y.bmp",
    ]
    assert data.members.label.tolist() == [0, 1, 1, 2, 2]
    assert data.non_members.sample_id == ["non-members/bee/a.png", "non-members/cow/a.png"]
    assert data.non_members.label.tolist() == [1, 2]
    assert data.shape == (4, 4, 3)
    assert data.non_members.images.read(0, 2)[:, 0, 0, 0].tolist() == [100, 101]


def test_numbers_of_classes_are_those_of_torchvision(root: Path) -> None:
    for name in ("10", "9", "Zebra", "_x"):
        put(root / "members" / name / "1.png")
    assert list(open_folder(root).class_names) == ImageFolder(root / "members").classes


def test_sizes_that_differ_between_the_sides_need_a_geometry(root: Path) -> None:
    for path in (root / "non-members").rglob("*.png"):
        put(path, (6, 4))
    data = open_folder(root)
    assert data.members.images.shape == (4, 4, 3)
    assert data.non_members.images.shape == (4, 6, 3)
    assert data.shape is None
    resized = data.with_geometry(Geometry(height=2, width=3, resize=3))
    assert resized.shape == (2, 3, 3)
    assert resized.members.images.read(0, 5).shape == (5, 2, 3, 3)


def test_other_files_and_dotted_names_are_left_alone(root: Path) -> None:
    expected = open_folder(root).members.sample_id
    (root / "members" / "notes.txt").write_text("hello")
    (root / "members" / "ant" / "Thumbs.db").write_bytes(b"")
    (root / "members" / "ant" / "._1.png").write_bytes(b"")
    put(root / "members" / ".trash" / "2.png")
    put(root / "members" / "ant" / ".cache" / "2.png")
    data = open_folder(root)
    assert data.members.sample_id == expected
    assert data.class_names == ("ant", "bee", "cow")


def test_a_class_among_the_non_members_only_is_named(root: Path) -> None:
    put(root / "non-members" / "dog" / "1.png")
    with pytest.raises(DataSetError, match=r"non-members: expected the classes of the members, got dog too") as caught:
        open_folder(root)
    assert str(root / "members") in caught.value.tip


@pytest.mark.parametrize(
    ("present", "missing"),
    [((), "no members and no non-members"), (("members",), "no non-members"), (("non-members",), "no members")],
)
def test_a_missing_side_is_named(present: tuple[str, ...], missing: str, tmp_path: Path) -> None:
    for side in present:
        put(tmp_path / side / "cat" / "1.png")
    with pytest.raises(DataSetError, match=f"expected the folders members and non-members, got {missing}$") as caught:
        open_folder(tmp_path)
    assert "non-members/<class>/..." in caught.value.tip


def test_a_side_without_images_is_named(root: Path) -> None:
    for path in (root / "non-members").rglob("*.png"):
        path.rename(path.with_suffix(".txt"))
    with pytest.raises(DataSetError, match="non-members: expected images in one folder per class, got none") as caught:
        open_folder(root)
    assert ".png" in caught.value.tip


def test_an_image_in_no_class_is_named(root: Path) -> None:
    put(root / "members" / "lost.png")
    with pytest.raises(DataSetError, match=r"members: expected images in one folder per class, got lost\.png in none"):
        open_folder(root)


def test_long_lists_are_cut(root: Path) -> None:
    for number in range(8):
        put(root / "members" / f"{number}.png")
    with pytest.raises(DataSetError, match=r"got 0\.png, 1\.png, 2\.png, 3\.png, 4\.png and 3 more in none"):
        open_folder(root)


def test_a_linked_side_is_followed_and_a_loop_below_it_refused(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    for side in ("members", "non-members"):
        (other / side).symlink_to(root / side)
    assert open_folder(other).members.sample_id == open_folder(root).members.sample_id
    (root / "members" / "ant" / "again").symlink_to(root / "members")
    with pytest.raises(DataSetError, match=r"got links to folders: .*ant/again"):
        open_folder(root)


def test_an_unreadable_image_is_counted_and_named(root: Path) -> None:
    (root / "members" / "ant" / "1.png").write_bytes(b"oops")
    data = open_folder(root)
    with pytest.raises(DataSetError, match=r"got 1 of 5 that are not: ant/1\.png \(not an image\)"):
        _ = data.shape


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_an_error(root: Path) -> None:
    (root / "members" / "ant").chmod(0)
    try:
        with pytest.raises(DataSetError, match="ant: Permission denied"):
            open_folder(root)
    finally:
        (root / "members" / "ant").chmod(0o700)


def test_names_that_are_not_utf8_have_readable_ids(root: Path) -> None:
    name = os.fsdecode(b"\xff.png")
    put(root / "members" / "ant" / name)
    side = open_folder(root).members
    assert "members/ant/\\xff.png" in side.sample_id
    assert side.images.read(0, 6).shape == (6, 4, 4, 3)


def test_no_folder_and_no_path(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="nowhere: no such folder"):
        open_folder(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="expected --data folder:DIR, got no path"):
        plugins.load("datasets", "folder").open(None, DataRequest())


def test_nothing_is_decoded_when_a_folder_is_opened(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.Image.open", lambda *_, **__: pytest.fail("opened"))
    data = open_folder(root)
    taken = data.members.take(np.array([4, 0]))
    assert taken.images.paths == ("cow/y.bmp", "ant/1.png")


def open_with(location: Path | None, **options: object) -> MembershipData:
    return plugins.load("datasets", "folder").open(location and str(location), DataRequest(**options))


def test_two_folders_are_the_two_sides(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "held out"
    (root / "non-members").rename(elsewhere)
    data = open_with(None, members=root / "members", non_members=elsewhere)
    assert data.members.sample_id[0] == "members/ant/1.png"
    assert data.non_members.sample_id == ["non-members/bee/a.png", "non-members/cow/a.png"]
    assert data.non_members.label.tolist() == [1, 2]
    assert data.non_members.images.read(0, 2)[:, 0, 0, 0].tolist() == [100, 101]
    put(elsewhere / "dog" / "1.png")
    with pytest.raises(DataSetError, match="held out: expected the classes of the members, got dog too") as caught:
        open_with(None, members=root / "members", non_members=elsewhere)
    assert str(root / "members") in caught.value.tip


def test_two_folders_that_share_images_are_refused(root: Path) -> None:
    (root / "again").symlink_to(root / "members")
    for other, got in (("again", "the same twice"), ("members", "the same twice"), ("members/ant", "one inside the")):
        with pytest.raises(DataSetError, match=f"expected two folders with nothing in common, got {got}"):
            open_with(None, members=root / "members", non_members=root / other)
    with pytest.raises(DataSetError, match="nowhere: no such folder") as caught:
        open_with(None, members=root / "members", non_members=root / "nowhere")
    assert caught.value.tip == "--non-members DIR"
    with pytest.raises(DataSetError, match=r"1\.png: not a folder"):
        open_with(None, members=root / "members/ant/1.png", non_members=root / "members")


@pytest.mark.parametrize("given", [("members",), ("non_members",), ("members", "non_members", "location")])
def test_one_folder_alone_or_a_path_beside_two_is_an_error_of_usage(given: tuple[str, ...], root: Path) -> None:
    options = {name: root for name in given if name != "location"}
    with pytest.raises(UsageError, match="expected two folders, --members and --non-members"):
        open_with(root if "location" in given else None, **options)


@pytest.mark.parametrize(
    ("held_out", "expected"), [(("val",), "val"), (("val", "test"), "test"), (("valid",), "valid")]
)
def test_train_and_what_was_held_out_keep_their_names(held_out: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    put(tmp_path / "train/ant/1.png")
    put(tmp_path / "train/bee/1.png")
    for name in held_out:
        put(tmp_path / name / "bee/1.png")
    data = open_with(tmp_path)
    assert data.members.sample_id == ["train/ant/1.png", "train/bee/1.png"]
    assert data.non_members.sample_id == [f"{expected}/bee/1.png"]
    assert data.non_members.label.tolist() == [1]
    swapped = open_with(tmp_path, split=f"train,{held_out[0]}")
    assert swapped.non_members.sample_id == [f"{held_out[0]}/bee/1.png"]


def test_no_split_ever_stands_for_another(tmp_path: Path) -> None:
    put(tmp_path / "train/ant/1.png")
    with pytest.raises(DataSetError, match="expected the folders members and non-members"):
        open_with(tmp_path)
    with pytest.raises(UsageError, match="has no split 'test'"):
        open_with(tmp_path, split="train,test")
    with pytest.raises(UsageError, match="expected one or two different splits"):
        open_with(tmp_path, split="train,train")


def test_classes_alone_need_a_list(tmp_path: Path) -> None:
    for name in ("ant/1.png", "ant/2.png", "bee/1.png"):
        put(tmp_path / "images" / name)
    with pytest.raises(DataSetError, match="expected the folders members and non-members") as caught:
        open_with(tmp_path / "images")
    assert "--members-index FILE" in caught.value.tip
    (tmp_path / "list").write_text("bee/1.png\n0\n")
    data = open_with(tmp_path / "images", members_index=tmp_path / "list")
    assert data.members.sample_id == ["members/ant/1.png", "members/bee/1.png"]
    assert data.non_members.sample_id == ["non-members/ant/2.png"]
    with pytest.raises(UsageError, match="has no splits"):
        open_with(tmp_path / "images", members_index=tmp_path / "list", split="train")


def test_lists_beside_folders_that_say_who_is_a_member_are_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="with folders members and non-members takes no --membership"):
        open_with(root, membership=tmp_path / "flags")


def test_lists_name_files_as_people_do_where_only_one_can_be_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ant/1.png", "ant/2.png", "bee/1.png", "bee/3.png", "bee/4.png"):
        put(tmp_path / "images" / name)
    monkeypatch.chdir(tmp_path)
    forms = [str(tmp_path / "images" / "ant" / "1.png"), "images/ant/2.png", "./bee/1.png", "3.png"]
    (tmp_path / "list").write_text("\n".join(forms))
    for folder in (Path("images"), tmp_path / "images"):
        data = open_with(folder, members_index=Path("list"))
        assert data.non_members.sample_id == ["non-members/bee/4.png"]
    (tmp_path / "list").write_text("1.png\n")
    with pytest.raises(DataSetError, match=r"got 1 that are not: 1\.png") as caught:
        open_with(Path("images"), members_index=Path("list"))
    assert "ids such as ant/1.png, bee/1.png, bee/4.png" in caught.value.tip


def test_lists_of_two_splits_name_files_by_their_paths_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("train/ant/1.png", "train/ant/2.png", "test/ant/1.png", "test/ant/3.png"):
        put(tmp_path / "images" / name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list").write_text("images/train/ant/2.png\n3.png\ntest/ant/1.png")
    data = open_with(Path("images"), non_members_index=Path("list"))
    assert data.members.sample_id == ["train/ant/1.png"]
