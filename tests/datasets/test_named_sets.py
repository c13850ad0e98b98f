"""Named data sets beside the four of `test_official_splits`: the same samples as torchvision's own reader gives."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torchvision import datasets

from mi_audit import plugins
from mi_audit.datasets._official_layouts import LAYOUTS
from mi_audit.datasets.interface import DataRequest, MembershipData
from mi_audit.datasets.official import NAMES
from mi_audit.errors import DataSetError, MiAuditError, UsageError
from tests.datasets.official_files import WRITERS, readers_sample, write_official

READ = sorted(name for name in WRITERS if LAYOUTS[name].reader)
LISTED = sorted(name for name in WRITERS if LAYOUTS[name].default is None)


@pytest.fixture
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of the data set that the test names."""
    return write_official(request.getfixturevalue("name"), tmp_path / "data", monkeypatch)


def opened(name: str, root: Path, **options: Any) -> MembershipData:
    return plugins.load("datasets", name).open(None, DataRequest(root, **options))


def options_of(name: str, root: Path) -> dict[str, Any]:
    """What opens a data set that has no splits."""
    if LAYOUTS[name].default:
        return {}
    (root / "half.txt").write_text("0:3")
    return {"members_index": root / "half.txt"}


def test_every_name_has_a_layout_and_the_other_way_round() -> None:
    assert sorted(NAMES) == sorted(LAYOUTS)
    assert set(WRITERS) | {"mnist", "fashion-mnist", "cifar10", "cifar100"} == set(NAMES)
    for layout in LAYOUTS.values():
        assert layout.default is None or set(layout.default) <= set(layout.splits)
        assert layout.reader is None or hasattr(datasets, layout.reader)


@pytest.mark.parametrize("name", READ)
def test_samples_are_those_of_torchvision(name: str, root: Path) -> None:
    layout = LAYOUTS[name]
    data = opened(name, root, **options_of(name, root))
    assert data.name == name
    found = {}
    for side in (data.members, data.non_members):
        images = side.images.read(0, len(side))
        found |= {each: (images[row], int(side.label[row])) for row, each in enumerate(side.sample_id)}
    n_expected = 0
    for split in layout.default or ("all",):
        arguments = dict(layout.splits[split].arguments)
        reader = getattr(datasets, layout.reader)(root, **arguments)
        n_expected += len(reader)
        expected = [readers_sample(reader, index) for index in range(len(reader))]
        start = f"{split}/" if layout.default else ""
        ours = [found[each] for each in found if each.startswith(start)]
        if layout.default:
            for (image, label), (their_image, their_label) in zip(ours, expected, strict=True):
                assert label == their_label
                assert np.array_equal(image.squeeze(), their_image)
        else:
            key = {(image.tobytes(), label) for image, label in expected}
            assert {(image.tobytes(), label) for image, label in ours} == key
    assert len(found) == n_expected


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_ids_name_the_split_and_the_index_or_the_file(name: str, root: Path) -> None:
    layout = LAYOUTS[name]
    data = opened(name, root, **options_of(name, root))
    starts = layout.default or ("members", "non-members")
    for side, start in zip((data.members, data.non_members), starts, strict=True):
        assert {each.partition("/")[0] for each in side.sample_id} == {start}
        folder = layout.splits[start if layout.default else "all"].folder
        for each in side.sample_id:
            rest = each.partition("/")[2]
            assert (root / folder / rest).is_file() if folder else rest.isdigit()


def write_half(root: Path) -> Path:
    (root / "half.txt").write_text("0:3")
    return root / "half.txt"


@pytest.mark.parametrize("name", LISTED)
def test_without_an_official_split_only_a_list_says_who_is_a_member(name: str, root: Path) -> None:
    with pytest.raises(UsageError, match=f"--data {name} has no official split") as caught:
        opened(name, root)
    assert "--members-index FILE" in str(caught.value.tip)
    data = opened(name, root, members_index=write_half(root))
    assert len(data.members) == 3
    assert len(data.members) + len(data.non_members) == 6
    again = opened(name, root, non_members_index=write_half(root))
    assert again.non_members.label.tolist() == data.members.label.tolist()


@pytest.mark.parametrize("name", sorted(set(WRITERS) - set(LISTED)))
def test_every_split_has_its_name_and_others_are_refused(name: str, root: Path) -> None:
    layout = LAYOUTS[name]
    members, non_members = layout.default
    data = opened(name, root, split=f"{non_members},{members}")
    assert data.members.sample_id[0].startswith(f"{non_members}/")
    with pytest.raises(UsageError, match="has no split 'tarin'"):
        opened(name, root, split="tarin,test")
    (root / "flags").write_text("1\n0\n" * (len(data.non_members) // 2))
    data = opened(name, root, split=members, membership=root / "flags")
    assert len(data.members) == len(data.non_members)


@pytest.mark.parametrize("name", [name for name in sorted(LAYOUTS) if name != "pcam"])
def test_what_is_not_there_is_named_with_where_it_was_looked_for(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataSetError) as caught:
        opened(name, tmp_path / "nowhere", **({} if LAYOUTS[name].default else {"members_index": tmp_path / "x"}))
    assert str(caught.value).startswith(str(tmp_path / "nowhere"))
    assert name in str(caught.value)
    assert "--data-dir DIR for the folder that holds " in str(caught.value.tip)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_damage_is_one_clear_error(name: str, root: Path) -> None:
    options = options_of(name, root)
    changed = 0
    for file in sorted(root.rglob("*")):
        if file.is_file() and file.suffix.lower() not in (".jpg", ".jpeg", ".png", ".ppm") and file.name != "half.txt":
            whole = file.read_bytes()
            for damage in (whole[: len(whole) // 2], b"<html>not found</html>", b""):
                file.write_bytes(damage)
                changed += 1
                try:
                    opened(name, root, **options)
                except MiAuditError as error:
                    assert str(error).isprintable()  # noqa: PT017 - half a list of files can be a list of files
            file.write_bytes(whole)
            if changed >= 9:
                break
    opened(name, root, **options)


@pytest.mark.parametrize("name", ["svhn"])
def test_a_wrong_md5_of_the_split_that_is_read_is_named_and_no_other_split_is_needed(name: str, root: Path) -> None:
    (root / "extra_32x32.mat").unlink()
    opened(name, root)
    with pytest.raises(DataSetError, match=r"missing: extra_32x32\.mat"):
        opened(name, root, split="extra,test")
    (root / "test_32x32.mat").write_bytes(b"else")
    with pytest.raises(DataSetError, match=r"test_32x32\.mat: wrong MD5"):
        opened(name, root)


@pytest.mark.parametrize("name", ["imagenet"])
def test_the_classes_of_imagenet_are_those_of_train_even_where_val_lacks_one(name: str, root: Path) -> None:
    shutil.rmtree(root / "imagenet/val/n01440764")
    data = opened(name, root)
    assert data.class_names == ("n01440764", "n02102040")
    assert set(data.non_members.label.tolist()) == {1}
    (root / "imagenet/val/x.JPEG").write_bytes((root / "imagenet/val/n02102040/0.JPEG").read_bytes())
    with pytest.raises(DataSetError, match=r"val: expected images in one folder per class, got x\.JPEG in none"):
        opened(name, root)
    shutil.rmtree(root / "imagenet/val")
    with pytest.raises(DataSetError, match="imagenet/val: no such folder, which imagenet has") as caught:
        opened(name, root, download=True)
    assert "fetched by hand" in str(caught.value.tip)


@pytest.mark.parametrize("name", ["oxford-iiit-pet"])
def test_splits_whose_classes_differ_are_refused(name: str, root: Path) -> None:
    file = root / "oxford-iiit-pet/annotations/test.txt"
    file.write_text("".join(line for line in file.read_text().splitlines(keepends=True) if "pug" in line))
    with pytest.raises(DataSetError, match="expected the same classes in every split, got Bombay in one of them"):
        opened(name, root)


@pytest.mark.parametrize("name", ["fer2013"])
def test_a_split_without_labels_is_refused(name: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.datasets.official_files import fake_md5

    table = (root / "fer2013/fer2013.csv").read_text().splitlines()
    (root / "fer2013/train.csv").write_text("\n".join(line.rsplit(",", 1)[0] for line in table[:4]))
    (root / "fer2013/test.csv").write_text("\n".join(line.split(",")[1] for line in table[:4]))
    (root / "fer2013/fer2013.csv").unlink()
    for split in ("train", "test"):
        file = f"{split}.csv"
        monkeypatch.setitem(datasets.FER2013._RESOURCES, split, (file, fake_md5(root / "fer2013" / file)))
    with pytest.raises(DataSetError, match="the split test has no labels"):
        opened(name, root)


@pytest.mark.parametrize("name", ["stanford-cars"])
def test_what_cannot_be_fetched_any_more_is_said_so(name: str, root: Path) -> None:
    shutil.rmtree(root)
    with pytest.raises(DataSetError, match="stanford-cars could not be downloaded"):
        opened(name, root, download=True)
