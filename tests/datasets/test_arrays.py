import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mi_audit import npz_arrays, plugins
from mi_audit.datasets.interface import DataRequest, MembershipData
from mi_audit.errors import DataSetError, UsageError


def content(**changes: Any) -> dict[str, Any]:
    """Arrays of a data set of 8 images; a change to ``None`` leaves one out."""
    arrays = {
        "images": np.random.default_rng(0).integers(0, 256, (8, 4, 5, 3), np.uint8),
        "labels": np.array([0, 1, 2, 0, 1, 2, 0, 1]),
        "is_member": np.array([1, 0, 1, 0, 1, 0, 1, 0], np.bool_),
    }
    return {name: values for name, values in {**arrays, **changes}.items() if values is not None}


def open_file(file: Path) -> MembershipData:
    return plugins.load("datasets", "arrays").open(str(file), DataRequest())


def npy(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


def archive(file: Path, entries: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(file, "w", method) as opened:
        for name, entry in entries:
            opened.writestr(name, entry)
    return file


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_stored_and_compressed_files_are_the_same_data(save: Callable[..., None], tmp_path: Path) -> None:
    arrays = content()
    save(tmp_path / "mine.npz", **arrays, extra=np.array([object()]))
    data = open_file(tmp_path / "mine.npz")
    assert data.name is None
    assert data.class_names == ("0", "1", "2")
    assert data.members.sample_id == ["members/0", "members/2", "members/4", "members/6"]
    assert data.non_members.sample_id == ["non-members/1", "non-members/3", "non-members/5", "non-members/7"]
    assert data.members.label.tolist() == [0, 2, 1, 0]
    assert np.array_equal(data.members.images.read(0, 4), arrays["images"][::2])
    assert np.array_equal(data.non_members.images.read(0, 4), arrays["images"][1::2])


@pytest.mark.parametrize(
    "changes",
    [
        {"is_member": np.array([1, 0, 1, 0, 1, 0, 1, 0])},
        {"is_member": np.array([1, 0, 1, 0, 1, 0, 1, 0], np.float64)},
        {"labels": np.array([0, 1, 2, 0, 1, 2, 0, 1], np.uint8)},
        {"labels": np.array([0, 1, 2, 0, 1, 2, 0, 1], ">i4")},
        {"images": np.asfortranarray(content()["images"])},
    ],
)
def test_other_numeric_types_and_layouts_are_the_same_data(changes: dict[str, Any], tmp_path: Path) -> None:
    np.savez(tmp_path / "plain.npz", **content())
    np.savez(tmp_path / "other.npz", **content(**changes))
    plain, other = open_file(tmp_path / "plain.npz"), open_file(tmp_path / "other.npz")
    for ours, theirs in ((plain.members, other.members), (plain.non_members, other.non_members)):
        assert theirs.label.tolist() == ours.label.tolist()
        assert theirs.images.digest() == ours.images.digest()


def test_index_names_the_samples_and_may_repeat_across_sides(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", **content(index=np.array([9, 9, 5, 5, 70, 70, 1, 1])))
    data = open_file(tmp_path / "mine.npz")
    assert data.members.sample_id == ["members/9", "members/5", "members/70", "members/1"]
    assert data.non_members.sample_id == ["non-members/9", "non-members/5", "non-members/70", "non-members/1"]


def test_grey_images_get_one_channel(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", **content(images=np.zeros((8, 4, 5), np.uint8)))
    assert open_file(tmp_path / "mine.npz").shape == (4, 5, 1)


BAD = {
    "float images": ({"images": np.zeros((8, 4, 5, 3), np.float32)}, "expected uint8 images .*, got float32"),
    "flat images": ({"images": np.zeros((8, 60), np.uint8)}, r"expected uint8 images .*, got shape \(8, 60\)"),
    "five dimensions": ({"images": np.zeros((8, 1, 4, 5, 3), np.uint8)}, r"got shape \(8, 1, 4, 5, 3\)"),
    "no pixels": ({"images": np.zeros((8, 0, 5, 3), np.uint8)}, r"got shape \(8, 0, 5, 3\)"),
    "no images": ({name: values[:0] for name, values in content().items()}, r"got shape \(0, 4, 5, 3\)"),
    "channels first": ({"images": np.zeros((8, 3, 4, 5), np.uint8)}, r"got shape \(8, 3, 4, 5\), channels first"),
    "no labels": ({"labels": None}, "expected the arrays images, labels, is_member, got no labels"),
    "no membership": ({"is_member": None, "labels": None}, "got no labels, is_member"),
    "float labels": ({"labels": np.zeros(8)}, "expected integers in labels, got float64"),
    "flags for labels": ({"labels": np.zeros(8, np.bool_)}, "expected integers in labels, got bool"),
    "few labels": ({"labels": np.zeros(7, np.int64)}, r"expected labels of shape \(8,\), .* got shape \(7,\)"),
    "label columns": (
        {"labels": np.zeros((8, 1), np.int64)},
        r"expected labels of shape \(8,\), .* got shape \(8, 1\)",
    ),
    "negative label": (
        {"labels": np.array([0, 1, 2, 0, -1, 2, 0, 1])},
        "expected labels from 0 to 999,999, got -1 to 2",
    ),
    "huge label": ({"labels": np.array([0, 1, 2, 0, 10**9, 2, 0, 1])}, "got 0 to 1,000,000,000"),
    "huger label": ({"labels": np.full(8, 2**64 - 1, np.uint64)}, r"expected numbers below 2\^63 in labels"),
    "few flags": ({"is_member": np.ones(3, np.bool_)}, r"expected is_member of shape \(8,\)"),
    "third flag": ({"is_member": np.array([1, 0, 1, 0, 1, 0, 1, 2])}, r"expected true and false \(or 1 and 0\)"),
    "NaN flag": ({"is_member": np.array([1, 0, 1, 0, 1, 0, 1, np.nan])}, r"expected true and false \(or 1 and 0\)"),
    "members only": ({"is_member": np.ones(8, np.bool_)}, "got members only"),
    "non-members only": ({"is_member": np.zeros(8, np.bool_)}, "got non-members only"),
    "index twice": ({"index": np.array([3, 0, 3, 1, 4, 2, 5, 6])}, "every index once among the members, got 3 2 times"),
    "float index": ({"index": np.arange(8.0)}, "expected integers in index, got float64"),
    "object labels": ({"labels": np.array([0, "cat"] * 4, object)}, "labels: expected numbers, got an object array"),
    "text labels": ({"labels": np.array(["dog", "cat"] * 4)}, "labels: expected numbers, got <U3"),
    "records": ({"labels": np.zeros(8, [("a", "i4")])}, "labels: expected numbers, got "),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arrays_are_one_clear_error(case: str, tmp_path: Path) -> None:
    changes, message = BAD[case]
    file = tmp_path / "mine.npz"
    np.savez(file, **content(**changes))
    with pytest.raises(DataSetError, match=message) as caught:
        open_file(file)
    assert str(caught.value).startswith(f"{file}: ")


def test_an_object_array_is_not_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "sprung",)

    for name in ("images", "labels", "is_member", "index"):
        np.savez(tmp_path / "mine.npz", **content(**{name: np.array([Trap()] * 8, object)}))
        with pytest.raises(DataSetError, match=f"{name}: expected numbers, got an object array"):
            open_file(tmp_path / "mine.npz")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_file_cut_anywhere_is_one_clear_error(save: Callable[..., None], tmp_path: Path) -> None:
    file = tmp_path / "mine.npz"
    save(file, **content())
    whole = file.read_bytes()
    for keep in range(0, len(whole), 41):
        file.write_bytes(whole[:keep])
        with pytest.raises(DataSetError, match="damaged, truncated or of another kind"):
            open_file(file)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_flipped_byte_is_found_or_harmless(save: Callable[..., None], tmp_path: Path) -> None:
    file = tmp_path / "mine.npz"
    save(file, **content())
    whole = file.read_bytes()
    data = open_file(file)
    digest = data.members.images.digest()
    n_errors = 0
    for position in range(0, len(whole), 7):
        file.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            opened = open_file(file)
        except DataSetError:
            n_errors += 1
        else:
            assert opened.members.images.digest() == digest
            assert opened.members.label.tolist() == data.members.label.tolist()
    assert n_errors > 50


def test_headers_that_promise_more_than_there_is_allocate_nothing(tmp_path: Path) -> None:
    entries = {name: npy(values) for name, values in content().items()}
    entries["images"] = entries["images"].replace(b"(8, 4, 5, 3), }" + b" " * 12, b"(8, 4, 5, 3000000000000), }", 1)
    file = archive(tmp_path / "mine.npz", [(f"{name}.npy", entry) for name, entry in entries.items()])
    with pytest.raises(DataSetError, match=r"images: expected 480,000,000,000,\d+ bytes by its header, got \d+"):
        open_file(file)


def test_an_archive_that_expands_beyond_the_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz_arrays, "ALWAYS_ALLOWED_BYTES", 100_000)
    np.savez_compressed(tmp_path / "mine.npz", **content(images=np.zeros((8, 500, 500), np.uint8)))
    with pytest.raises(DataSetError, match=r"expected arrays of at most 200 times the file's size, got 2,000,"):
        open_file(tmp_path / "mine.npz")
    np.savez(tmp_path / "mine.npz", **content(images=np.zeros((8, 500, 500), np.uint8)))
    assert len(open_file(tmp_path / "mine.npz").members) == 4


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_an_array_that_is_twice_in_the_archive_is_refused(tmp_path: Path) -> None:
    entries = [(f"{name}.npy", npy(values)) for name, values in content().items()]
    file = archive(tmp_path / "mine.npz", [*entries, ("labels.npy", npy(np.zeros(8, np.int64)))])
    with pytest.raises(DataSetError, match="expected every array once, got labels more than once"):
        open_file(file)


def test_other_compressions_are_refused(tmp_path: Path) -> None:
    entries = [(f"{name}.npy", npy(values)) for name, values in content().items()]
    file = archive(tmp_path / "mine.npz", entries, zipfile.ZIP_LZMA)
    with pytest.raises(DataSetError, match="expected stored or deflated arrays, got another compression"):
        open_file(file)


@pytest.mark.parametrize("entry", [b"", b"hello", b"\x93NUMPY\x01\x00\xff\xff{", b"\x93NUMPY\x09\x00\x10\x00"])
def test_an_entry_that_is_no_array_is_one_clear_error(entry: bytes, tmp_path: Path) -> None:
    entries = {f"{name}.npy": npy(values) for name, values in content().items()}
    file = archive(tmp_path / "mine.npz", [*{**entries, "labels.npy": entry}.items()])
    with pytest.raises(DataSetError, match="damaged, truncated or of another kind"):
        open_file(file)


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match=r"gone\.npz: no such file"):
        open_file(tmp_path / "gone.npz")
    with pytest.raises(DataSetError, match="Is a directory"):
        open_file(tmp_path)
    with pytest.raises(UsageError, match=r"expected --data arrays:FILE\.npz, got no path"):
        plugins.load("datasets", "arrays").open(None, DataRequest())


def test_two_files_are_the_two_sides(tmp_path: Path) -> None:
    whole = content()
    for name, rows in (("train", slice(0, 3)), ("test", slice(3, 8))):
        np.savez(tmp_path / f"{name}.npz", x=whole["images"][rows], y=whole["labels"][rows])
    request = DataRequest(members=tmp_path / "train.npz", non_members=tmp_path / "test.npz")
    data = plugins.load("datasets", "arrays").open(None, request)
    assert data.members.sample_id == ["members/0", "members/1", "members/2"]
    assert data.non_members.sample_id[-1] == "non-members/4"
    assert data.members.label.tolist() == whole["labels"][:3].tolist()
    assert np.array_equal(data.non_members.images.read(0, 5), whole["images"][3:])
    assert data.class_names == ("0", "1", "2")
    with pytest.raises(UsageError, match="expected two files, --members and --non-members"):
        plugins.load("datasets", "arrays").open(None, DataRequest(members=tmp_path / "train.npz"))
    with pytest.raises(DataSetError, match=r"gone\.npz: no such file"):
        plugins.load("datasets", "arrays").open(None, replace(request, members=tmp_path / "gone.npz"))
    with pytest.raises(UsageError, match="takes no --membership"):
        plugins.load("datasets", "arrays").open(None, replace(request, membership=tmp_path / "flags.txt"))
    np.savez(tmp_path / "flagged.npz", **whole)
    with pytest.raises(UsageError, match="expected one way to say who is a member, got the array is_member"):
        plugins.load("datasets", "arrays").open(None, replace(request, members=tmp_path / "flagged.npz"))


def test_a_file_that_does_not_say_who_is_a_member_is_told_the_ways(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", **content(is_member=None))
    with pytest.raises(DataSetError, match="got no is_member") as caught:
        open_file(tmp_path / "mine.npz")
    for way in ("--membership FILE", "--members-index FILE", "--data arrays --members FILE.npz --non-members FILE.npz"):
        assert way in (caught.value.tip or "")
