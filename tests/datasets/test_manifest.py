"""Manifests: round trips through CSV and Parquet, and everything that people get wrong in them."""

import csv
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mi_audit import plugins
from mi_audit.datasets import _manifest_rows
from mi_audit.datasets.interface import DataRequest, MembershipData
from mi_audit.errors import DataSetError, MissingLibraryError, UsageError

NAMES = ("a.png", "b, c.png", 'd "e".png', "deep/er/ü.png", "deep/f.png", "-g.png")
ROWS = [(name, number % 3, number % 2, f"p{number % 2}-{number // 4}") for number, name in enumerate(NAMES)]
CALM = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number, name in enumerate(NAMES):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (3, 2), (number, 0, 0)).save(tmp_path / name)
    return tmp_path


def written(file: Path, rows: list[Any], header: tuple[str, ...] = ("path", "label", "is_member", "group")) -> Path:
    if file.suffix == ".parquet":
        columns = {name: pa.array([row[column] for row in rows]) for column, name in enumerate(header)}
        pq.write_table(pa.table(columns), file)
        return file
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    file.write_text(text.getvalue(), encoding="utf-8", newline="")
    return file


def opened(file: Path, **options: Any) -> MembershipData:
    return plugins.load("datasets", "manifest").open(str(file), DataRequest(**options))


@CALM
@given(rows=st.permutations(ROWS), columns=st.permutations(range(4)), form=st.sampled_from(["m.csv", "m.parquet"]))
def test_any_order_of_rows_and_columns_gives_the_same_sides(
    rows: list[Any], columns: list[int], form: str, root: Path
) -> None:
    header = ("path", "label", "is_member", "group")
    data = opened(
        written(root / form, [tuple(row[c] for c in columns) for row in rows], tuple(header[c] for c in columns))
    )
    assert list(data.members.sample_id) == ["members/-g.png", "members/b, c.png", "members/deep/er/ü.png"]
    found = {}
    for side, flag in ((data.members, 1), (data.non_members, 0)):
        colours = side.images.read(0, len(side))[:, 0, 0, 0]
        for sample_id, label, group, colour in zip(side.sample_id, side.label, side.group, colours, strict=True):
            found[sample_id.partition("/")[2]] = (int(label), flag, group)
            assert NAMES[colour] == sample_id.partition("/")[2]
    assert found == {name: (label, flag, group) for name, label, flag, group in ROWS}
    assert data.class_names == ("0", "1", "2")


@CALM
@given(flags=st.lists(st.sampled_from(["1", "0", "true", "False", "TRUE"]), min_size=6, max_size=6))
def test_flags_are_read_as_people_write_them(flags: list[str], root: Path) -> None:
    file = written(root / "m.csv", [(name, 0, flag, name) for name, flag in zip(NAMES, flags, strict=True)])
    is_member = [flag.lower() in ("1", "true") for flag in flags]
    if all(is_member) or not any(is_member):
        with pytest.raises(DataSetError, match=r"expected members and non-members, got no (non-)?members$"):
            opened(file)
    else:
        assert len(opened(file).members) == sum(is_member)


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_byte_order_mark_and_line_ends_of_windows_change_nothing(start: str, end: str, root: Path) -> None:
    lines = ["path,label,member", "a.png, 0 ,1", '"b, c.png",1,0', "", "deep/f.png,1,0", ""]
    (root / "m.csv").write_bytes((start + end.join(lines)).encode())
    data = opened(root / "m.csv")
    assert (data.members.sample_id, data.non_members.sample_id) == (
        ["members/a.png"],
        ["non-members/b, c.png", "non-members/deep/f.png"],
    )
    assert data.members.group is None


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("header", "flags"),
    [
        (("filename", "class", "split"), ("train", "test")),
        (("File", "Target", "Split"), ("Train", "val")),
        (("image", "y", "membership"), ("member", "non-member")),
        (("path", "label", "is_member", "split", "class"), ("yes", "no", "test", "x")),
    ],
)
def test_columns_and_flags_are_spelt_as_people_do(
    delimiter: str, header: tuple[str, ...], flags: tuple[str, ...], root: Path
) -> None:
    more = flags[2:]
    rows = [("a.png", "0", flags[0], *more), ("deep/f.png", "1", flags[1], *more), ("-g.png", "1", flags[0], *more)]
    (root / "m.csv").write_text("\n".join(delimiter.join(row) for row in [header, *rows]))
    data = opened(root / "m.csv")
    assert data.members.sample_id == ["members/-g.png", "members/a.png"]
    assert data.non_members.sample_id == ["non-members/deep/f.png"]
    assert data.members.label.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("header", "flag"),
    [("split", "1"), ("split", "true"), ("Split", "yes"), ("is_member", "val"), ("is_member", "valid")],
)
def test_parts_of_a_split_have_names_and_flags_are_none_of_them(header: str, flag: str, root: Path) -> None:
    (root / "m.csv").write_text(f"path,label,{header}\na.png,0,{flag}\ndeep/f.png,1,test\n")
    with pytest.raises(DataSetError, match="expected 1 or 0, true or false, yes or no, train or test"):
        opened(root / "m.csv")


def test_a_table_without_a_column_is_told_what_else_it_may_be_called(root: Path) -> None:
    (root / "m.csv").write_text("path,klass,is_member\n")
    with pytest.raises(DataSetError) as caught:
        opened(root / "m.csv")
    assert "label may be called labels, class, target, y_true, y" in (caught.value.tip or "")


def test_named_classes_are_those_of_the_members_in_sorted_order(root: Path) -> None:
    rows = [("a.png", "zebra", 1), ("b, c.png", "ant", 1), ("deep/f.png", "zebra", 0)]
    data = opened(written(root / "m.csv", rows, ("path", "label", "is_member")))
    assert data.class_names == ("ant", "zebra")
    assert (data.members.label.tolist(), data.non_members.label.tolist()) == ([1, 0], [1])
    rows.append(("-g.png", "cow", 0))
    with pytest.raises(DataSetError, match="expected the classes of the members, got cow too"):
        opened(written(root / "m.csv", rows, ("path", "label", "is_member")))


BAD = {
    "no rows": ("path,label,is_member\n", "expected a row for every image, got none"),
    "empty": ("", "expected the columns path, label, is_member, got an empty file"),
    "columns": ("path,klass,is_member\n", "expected the columns path, label, is_member, got path, klass, is_member"),
    "column twice": ("path,label,label,is_member\n", "got label, label for the same"),
    "two spellings": ("path,class,target,is_member\n", "got class, target for the same"),
    "cells": ("path,label,is_member\nb, c.png,0,1\n", "line 2: expected 3 cells as in the first line, got 4"),
    "few cells": ("path,label,is_member\na.png,0\n", "line 2: expected 3 cells as in the first line, got 2"),
    "no path": ("path,label,is_member\n,0,1\n", "line 2: expected a path, got none"),
    "no label": ("path,label,is_member\na.png,,1\n", "line 2: expected a label, got none"),
    "flag": (
        "path,label,is_member\na.png,0,1\n-g.png,0,\x1b[31m\n",
        r"line 3: expected 1 or 0, true or false, yes or no, train or test in is_member",
    ),
    "NUL": ("path,label,is_member\na\0.png,0,1\n", "line 2: expected "),
    "quote": ('path,label,is_member\n"a.png,0,1\n', "line 2: expected CSV, got "),
    "large label": ("path,label,is_member\na.png,99999999,1\n-g.png,0,0\n", "expected labels below 1,000,000"),
    "huge label": (
        f"path,label,is_member\na.png,{'9' * 40},1\n-g.png,0,0\n",
        "whole numbers from 0, or names, got 999",
    ),
    "float label": ("path,label,is_member\na.png,1.0,1\n-g.png,0,0\n", r"whole numbers from 0, or names, got 1\.0"),
    "negative label": ("path,label,is_member\na.png,-1,1\n-g.png,0,0\n", "whole numbers from 0, or names, got -1"),
    "twice": ("path,label,is_member\na.png,0,1\n./deep/../a.png,0,0\n", "expected every file once, got 1 .*: a.png"),
    "missing": ("path,label,is_member\na.png,0,1\nnone.png,0,0\n", "got 1 of 2 that are not there: none.png"),
    "folder": ("path,label,is_member\na.png,0,1\ndeep,0,0\n", "got 1 of 2 that are not there: deep"),
    "escape": ("path,label,is_member\na.png,0,1\nx\x1b[2J,0,0\n", r"that are not there: x\\x1b\[2J"),
    "outside": ("path,label,is_member\na.png,0,1\n../b.png,0,0\n", r"got 1 outside: \.\./b\.png"),
    "absolute": (
        "path,label,is_member\na.png,0,1\n/etc/passwd,0,0\n",
        "expected files below its folder, got 1 outside",
    ),
    "binary": (b"\x89PNG\xff\xfe", "expected text in UTF-8 or Parquet, got another kind of file"),
    "long cell": (f"path,label,is_member\n{'a' * 200_000},0,1\n", "line 2: expected CSV, got field larger"),
    "cut parquet": (b"PAR1" + bytes(40), "expected a Parquet file, got one that is damaged or truncated"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_manifest_is_one_clear_error(case: str, root: Path) -> None:
    content, message = BAD[case]
    (root / "m.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataSetError, match=message) as caught:
        opened(root / "m.csv")
    assert str(caught.value).startswith(str(root))
    assert str(caught.value).isprintable()


def test_links_that_lead_outside_are_refused_unless_allowed(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    Image.new("RGB", (3, 2)).save(elsewhere / "x.png")
    (root / "file.png").symlink_to(elsewhere / "x.png")
    (root / "linked").symlink_to(elsewhere)
    (root / "inner.png").symlink_to(root / "a.png")
    up = os.path.relpath(elsewhere / "x.png", root)
    for path in ("file.png", "linked/x.png", str(elsewhere / "x.png"), up):
        file = written(root / "m.csv", [("inner.png", 0, 1), (path, 0, 0)], ("path", "label", "is_member"))
        with pytest.raises(DataSetError, match="expected files below its folder, got 1 outside") as caught:
            opened(file)
        assert "--allow-outside" in str(caught.value.tip)
        data = opened(file, allow_outside=True)
        assert data.non_members.images.read(0, 1).shape == (1, 2, 3, 3)
    (root / "loop.png").symlink_to(root / "loop.png")
    file = written(root / "m.csv", [("a.png", 0, 1), ("loop.png", 0, 0)], ("path", "label", "is_member"))
    with pytest.raises(DataSetError, match=r"not there: loop\.png"):
        opened(file)


def test_parquet_with_categories_and_real_flags_and_what_it_may_not_hold(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = {
        "path": pa.array(["a.png", "-g.png"]),
        "label": pa.array(["cat", "cat"]).dictionary_encode(),
        "is_member": pa.array([True, False]),
        "notes": pa.array([{"x": 1}, None]),
    }
    pq.write_table(pa.table(table), root / "m.parquet")
    data = opened(root / "m.parquet")
    assert (data.members.sample_id, data.class_names) == (["members/a.png"], ("cat",))
    pq.write_table(pa.table({**table, "label": pa.array([0.5, 1.5])}), root / "m.parquet")
    with pytest.raises(DataSetError, match="expected text or whole numbers in label, got double"):
        opened(root / "m.parquet")
    pq.write_table(pa.table({**table, "label": pa.array(["cat", None])}), root / "m.parquet")
    with pytest.raises(DataSetError, match="row 2: expected a label, got none"):
        opened(root / "m.parquet")
    monkeypatch.setattr(_manifest_rows, "MAX_ROWS", 1)
    with pytest.raises(DataSetError, match="expected at most 1 rows, got 2"):
        opened(root / "m.parquet")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingLibraryError, match="needs pyarrow") as caught:
        opened(root / "m.parquet")
    assert "mi-audit[parquet]" in str(caught.value.tip)


@pytest.mark.parametrize("keep", range(0, 1000, 97))
def test_a_parquet_file_cut_or_changed_anywhere_is_one_clear_error(keep: int, root: Path) -> None:
    file = written(root / "m.parquet", ROWS)
    whole = file.read_bytes()
    file.write_bytes(whole[:keep])
    with pytest.raises(DataSetError):
        opened(file)
    changed = bytearray(whole)
    changed[4 + keep % (len(whole) - 8)] ^= 0xFF
    file.write_bytes(changed)
    try:
        opened(file)
    except DataSetError as error:
        assert str(error).isprintable()  # noqa: PT017 - some changes are harmless


def test_no_file_no_path_and_a_manifest_without_images_that_can_be_read(root: Path) -> None:
    with pytest.raises(DataSetError, match=r"gone\.csv: no such file"):
        opened(root / "gone.csv")
    with pytest.raises(DataSetError, match="Is a directory"):
        opened(root)
    with pytest.raises(UsageError, match=r"expected --data manifest:FILE\.csv, got no path"):
        plugins.load("datasets", "manifest").open(None, DataRequest())
    (root / "a.png").write_bytes(b"oops")
    data = opened(written(root / "m.csv", ROWS))
    with pytest.raises(DataSetError, match=r"got 1 of 3 that are not: a\.png \(not an image\)"):
        _ = data.non_members.images.shape


def test_nothing_is_decoded_when_a_manifest_is_opened(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.Image.open", lambda *_, **__: pytest.fail("opened"))
    data = opened(written(root / "m.csv", ROWS))
    taken = data.members.take(np.array([1]))
    assert taken.group == [data.members.group[1]]
