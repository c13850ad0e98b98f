"""Index files and flags: every form gives the same sides, and nothing that is wrong passes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mi_audit import plugins
from mi_audit.datasets.interface import DataRequest
from mi_audit.errors import DataSetError, UsageError
from tests.datasets.pools import opened_splits, sides_of

N = 12
CALM = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
subsets = st.sets(st.integers(0, N - 1), min_size=1, max_size=N - 1)


def ids(rows: Any) -> list[str]:
    return [f"train/{row}" for row in sorted(rows)]


def write(file: Path, form: str, rows: list[int]) -> Path:
    """The same positions in one of the forms."""
    if form == "npy":
        np.save(file.with_suffix(".npy"), np.array(rows, np.uint16))
        return file.with_suffix(".npy")
    if form in ("members", "non_members", "x"):
        np.savez_compressed(file.with_suffix(".npz"), **{form: np.array(rows)})
        return file.with_suffix(".npz")
    if form == "ids.npy":
        np.save(file.with_suffix(".npy"), np.array(ids(rows)))
        return file.with_suffix(".npy")
    if form == "ids":
        lines = [f"train/{row}" for row in rows]
    elif form == "ranges":
        lines = [f"{row}:{row + 1}" for row in rows]
    else:
        lines = [f" {row}  # number {row}" for row in rows]
    file.write_text("\ufeff# mine\r\n\r\n" + "\r\n".join(lines) + "\r\n", encoding="utf-8")
    return file


@CALM
@given(chosen=subsets, form=st.sampled_from(["txt", "ranges", "ids", "ids.npy", "npy", "members", "x"]), data=st.data())
def test_every_form_of_an_index_gives_the_same_sides_in_any_order(
    chosen: set[int], form: str, data: st.DataObject, tmp_path: Path
) -> None:
    rows = data.draw(st.permutations(sorted(chosen)))
    rest = set(range(N)) - chosen
    file = write(tmp_path / "list.txt", form, rows)
    assert sides_of(N, members_index=file) == (ids(chosen), ids(rest))
    if form != "members":
        assert sides_of(N, non_members_index=file) == (ids(rest), ids(chosen))


@CALM
@given(chosen=subsets, other=subsets)
def test_two_lists_keep_what_is_in_neither_out_and_refuse_what_is_in_both(
    chosen: set[int], other: set[int], tmp_path: Path
) -> None:
    lists = {
        "members_index": write(tmp_path / "a.txt", "txt", list(chosen)),
        "non_members_index": write(tmp_path / "b.txt", "non_members", list(other)),
    }
    if both := chosen & other:
        with pytest.raises(DataSetError, match=f"expected no sample in both, got {len(both)}: train/{min(both)}"):
            sides_of(N, **lists)
    else:
        assert sides_of(N, **lists) == (ids(chosen), ids(other))


@CALM
@given(
    flags=st.lists(st.booleans(), min_size=N, max_size=N), form=st.sampled_from(["npy", "npz", "txt", "words", "int"])
)
def test_flags_are_the_same_in_every_form(flags: list[bool], form: str, tmp_path: Path) -> None:
    file = tmp_path / f"flags.{form}"
    if form == "npz":
        np.savez(file, is_member=np.array(flags), other=np.zeros(3))
    elif form in ("npy", "int"):
        with file.open("wb") as opened:
            np.save(opened, np.array(flags, np.bool_ if form == "npy" else np.int8))
    else:
        words = ("False", "true") if form == "words" else ("0", "1")
        file.write_text("\n".join(words[flag] for flag in flags))
    members = [row for row, flag in enumerate(flags) if flag]
    if len(members) in (0, N):
        with pytest.raises(DataSetError, match="expected members and non-members among the 12 samples, got no "):
            sides_of(N, membership=file)
    else:
        assert sides_of(N, membership=file) == (ids(members), ids(set(range(N)) - set(members)))


@CALM
@given(bounds=st.lists(st.integers(0, N), min_size=2, max_size=6, unique=True).map(sorted))
def test_ranges_hold_their_start_and_not_their_end(bounds: list[int], tmp_path: Path) -> None:
    pairs = list(zip(bounds[::2], bounds[1::2], strict=False))
    expected = [row for start, stop in pairs for row in range(start, stop)]
    (tmp_path / "list").write_text("\n".join(f"{start}:{stop}" for start, stop in pairs))
    if len(expected) == N:
        with pytest.raises(DataSetError, match="got no non-members"):
            sides_of(N, members_index=tmp_path / "list")
    else:
        assert sides_of(N, members_index=tmp_path / "list")[0] == ids(expected)


def test_ranges_on_the_command_line_stand_for_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sides_of(N, members_index=Path("0:3,7:9"))[0] == ids([0, 1, 2, 7, 8])
    assert sides_of(N, members_index=Path("0:6"), non_members_index=Path("6:8")) == (ids(range(6)), ids([6, 7]))
    with pytest.raises(DataSetError, match="0:13: expected positions from 0 to 11, got 1 outside: 0:13"):
        sides_of(N, members_index=Path("0:13"))
    with pytest.raises(DataSetError, match="12: no such file"):
        sides_of(N, members_index=Path("12"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "0:3").write_text("5\n")
    assert sides_of(N, members_index=Path("0:3"))[0] == ids([5])


BAD = {
    "out of range": ("3\n12\n99\n", r"expected positions from 0 to 11, got 2 outside: 12, 99"),
    "negative": ("-1", "got 1 outside: -1"),
    "a range too long": ("0:13", "got 1 outside: 0:13"),
    "a range beyond all memory": ("0:999999999999999999999999999999", "got 1 outside: 0:9999"),
    "an empty range": ("1\n5:5", "line 2: expected a range, got 5:5, which is empty"),
    "twice": ("1\n2\n1\ntrain/2", r"expected every sample once, got 2 more than once: train/1, train/2"),
    "ranges that overlap": ("0:5\n4:8", "got 1 more than once: train/4"),
    "an unknown id": ("train/1\ntest/1\ncat", r"expected positions or ids of samples, got 2 that are not: test/1, cat"),
    "floats": ("1.0\n2.0", r"got 2 that are not: 1\.0, 2\.0"),
    "control characters": ("\x1b[31mred", r"got 1 that are not: \\x1b\[31mred"),
    "nothing": ("# nothing\n\n", "expected at least one sample, got none"),
    "another kind of file": (b"\xff\xd8\xff\xe0JFIF", "expected text, .npy or .npz, got another kind of file"),
    "a cut npy": (b"\x93NUMPY\x01\0v\0{'descr'", "damaged, truncated or of objects"),
    "a cut npz": (b"PK\3\4....", "expected an .npz file, got one that is damaged or truncated"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_list_is_one_clear_error(case: str, tmp_path: Path) -> None:
    content, message = BAD[case]
    file = tmp_path / "list.txt"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataSetError, match=message) as caught:
        sides_of(N, members_index=file)
    assert str(caught.value).startswith(str(file))
    assert str(caught.value).isprintable()
    if "npz" not in message:
        assert caught.value.tip != DataSetError.usual_tip


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(N, np.bool_), "got bool of shape"),
        (np.zeros((2, 2), np.int64), r"got int64 of shape \(2, 2\)"),
        (np.array([1.0, 2.0]), "got float64 of shape"),
        (np.array([object()]), "of objects"),
        (np.array([2**64 - 1], np.uint64), "got 1 outside: 18446744073709551615"),
    ],
)
def test_an_array_that_is_no_list_of_positions_is_refused(values: np.ndarray, message: str, tmp_path: Path) -> None:
    np.save(tmp_path / "list.npy", values, allow_pickle=True)
    with pytest.raises(DataSetError, match=message):
        sides_of(N, members_index=tmp_path / "list.npy")


def test_an_npz_of_several_arrays_needs_a_name_that_is_known(tmp_path: Path) -> None:
    np.savez(tmp_path / "both.npz", members=np.arange(3), non_members=np.arange(3, 6))
    both = tmp_path / "both.npz"
    assert sides_of(N, members_index=both, non_members_index=both) == (ids(range(3)), ids(range(3, 6)))
    np.savez(tmp_path / "odd.npz", a=np.arange(3), b=np.arange(3))
    with pytest.raises(DataSetError, match=r"expected one array, or one named members or .*, got 2: a, b"):
        sides_of(N, members_index=tmp_path / "odd.npz")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1\n0\n", "expected one flag for each of 12 samples, got 2"),
        ("1\n2\n" * 6, "line 2: expected 1 or 0, .*, got '2'"),
        ("\x1b[31m", r"line 1: expected 1 or 0, .*x1b\[31m"),
    ],
)
def test_flags_that_do_not_fit_are_refused(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "flags.txt").write_text(content)
    with pytest.raises(DataSetError, match=message) as caught:
        sides_of(N, membership=tmp_path / "flags.txt")
    assert str(caught.value).isprintable()


def test_a_list_that_is_not_there_and_lists_beside_flags(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match=r"gone\.txt: no such file"):
        sides_of(N, members_index=tmp_path / "gone.txt")
    with pytest.raises(DataSetError, match="Is a directory"):
        sides_of(N, members_index=tmp_path)
    with pytest.raises(UsageError, match="got --membership and an index"):
        sides_of(N, members_index=tmp_path, membership=tmp_path)


def test_splits_are_chosen_by_name_and_lists_count_all_of_them(tmp_path: Path) -> None:
    data = opened_splits(DataRequest(), train=5, test=3, extra=2)
    assert list(data.members.sample_id) == [f"train/{row}" for row in range(5)]
    assert list(data.non_members.sample_id) == [f"test/{row}" for row in range(3)]
    assert not data.notes
    data = opened_splits(DataRequest(split="extra, train"), train=5, test=3, extra=2)
    assert (data.members.sample_id[0], data.non_members.sample_id[0]) == ("extra/0", "train/0")
    (tmp_path / "list").write_text("1\ntest/0\n6")
    data = opened_splits(DataRequest(members_index=tmp_path / "list"), train=5, test=3, extra=2)
    assert list(data.members.sample_id) == ["train/1", "test/0", "test/1"]
    assert list(data.non_members.sample_id) == ["train/0", "train/2", "train/3", "train/4", "test/2"]
    assert "3 members, 5 non-members of train and test of mine" in data.notes[0]
    assert data.notes[1] == "non-members are the samples of train and test of mine that are not listed as members"
    (tmp_path / "list").write_text("1")
    data = opened_splits(DataRequest(split="extra", members_index=tmp_path / "list"), train=5, test=3, extra=2)
    assert (data.members.sample_id, data.non_members.sample_id) == (["extra/1"], ["extra/0"])


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("train", "expected two splits, members and non-members, got train"),
        ("train,train", "expected one or two different splits"),
        ("train,test,extra", "expected one or two different splits"),
        ("train,tset", "has no split 'tset'"),
        ("train,", "has no split ''"),
        ("Train,test", "has no split 'Train'"),
    ],
)
def test_splits_that_are_none_are_never_guessed(split: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        opened_splits(DataRequest(split=split), train=5, test=3, extra=2)
    assert "--split" in str(caught.value.tip)


def test_lists_go_with_digits_and_arrays(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("0:100")
    data = plugins.load("datasets", "digits").open(None, DataRequest(members_index=tmp_path / "list"))
    assert list(data.members.sample_id) == [f"members/{row}" for row in range(100)]
    assert len(data.non_members) == 1697
    np.savez(tmp_path / "a.npz", x=np.zeros((4, 2, 2), np.uint8), y=np.arange(4), index=np.array([7, 8, 9, 6]))
    (tmp_path / "list").write_text("0\n3\n")
    data = plugins.load("datasets", "arrays").open(
        str(tmp_path / "a.npz"), DataRequest(members_index=tmp_path / "list")
    )
    assert (data.members.sample_id, data.members.label.tolist()) == (["members/7", "members/6"], [0, 3])
    assert data.non_members.sample_id == ["non-members/8", "non-members/9"]
    np.savez(tmp_path / "a.npz", x=np.zeros((4, 2, 2), np.uint8), y=np.arange(4), member=np.array([1, 0, 0, 1]))
    data = plugins.load("datasets", "arrays").open(str(tmp_path / "a.npz"), DataRequest())
    assert data.members.sample_id == ["members/0", "members/3"]
    with pytest.raises(UsageError, match="got the array member and a list"):
        plugins.load("datasets", "arrays").open(str(tmp_path / "a.npz"), DataRequest(membership=tmp_path / "list"))


@pytest.mark.parametrize(
    ("name", "location", "option"),
    [
        ("digits", None, {"split": "train,test"}),
        ("digits", None, {"members": Path("a"), "non_members": Path("b")}),
        ("arrays", "a.npz", {"split": "train"}),
        ("arrays", "a.npz", {"allow_outside": True}),
        ("mnist", None, {"members": Path("a")}),
        ("mnist", None, {"allow_outside": True}),
        ("folder", "images", {"allow_outside": True}),
        ("manifest", "a.csv", {"split": "train,test"}),
        ("manifest", "a.csv", {"membership": Path("a")}),
    ],
)
def test_an_option_that_a_source_cannot_follow_is_refused_and_never_ignored(
    name: str, location: str | None, option: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match=f"takes no --{next(iter(option)).replace('_', '-')}"):
        plugins.load("datasets", name).open(location, DataRequest(**option))


@settings(CALM, max_examples=200)
@given(form=st.sampled_from(["npy", "members", "ids.npy"]), position=st.integers(0, 600), value=st.integers(0, 255))
def test_a_changed_byte_never_gives_anything_but_our_errors(
    form: str, position: int, value: int, tmp_path: Path
) -> None:
    file = write(tmp_path / "list.txt", form, [1, 2, 5])
    content = bytearray(file.read_bytes())
    content[position % len(content)] = value
    file.write_bytes(content)
    for option in ("members_index", "membership"):
        try:
            sides_of(N, **{option: file})
        except DataSetError as error:
            assert str(error).isprintable()  # noqa: PT017 - some changes are harmless
