import io
import itertools
import json
import shutil
import struct
import subprocess
import tracemalloc
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mi_audit import container, zip_members
from mi_audit.errors import ContainerError
from mi_audit.schema.arrays import digest

NUMBERS = st.sampled_from(["?", "i1", "u1", "<i2", ">i4", "<i8", "<u8", "f2", ">f4", "<f8"])
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=7)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8).map(lambda text: text.rstrip("\0"))
STRINGS = st.lists(TEXT, max_size=6).map(lambda texts: np.array(texts, np.str_))
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8).map(
    lambda name: f"n{name}"
)
ARRAYS = st.dictionaries(NAMES, hnp.arrays(NUMBERS, SHAPES) | STRINGS, max_size=5)
EXAMPLE = {
    "outputs": np.arange(12, dtype="f4").reshape(4, 3),
    "id": np.array(["a", "é", "", "d"]),
    "mask": np.eye(2) > 0,
}
HOSTILE_NAMES = [
    "../../up",
    "/etc/passwd",
    "C:\\x",
    "a/b:c",
    "a\nb\x1b[31m",
    "深",
    "",
    ".",
    "x" * 300,
    "header",
    "'%s'",
]


def shortened(value: object) -> str:
    """The name of a case: its message; what is bytes would be unreadable."""
    return value if isinstance(value, str) else ""


def packed(arrays: Mapping[str, Any], **fields: Any) -> bytes:
    file = io.BytesIO()
    container.write(file, fields, arrays)
    return file.getvalue()


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def unzipped(payload: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(payload)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def npy(array: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


def text_member(text: bytes) -> bytes:
    """A header as we write it."""
    return container._npy_header(np.dtype(np.uint8), (len(text),)) + text


def forged(header: object = None, **members: bytes) -> bytes:
    """`EXAMPLE` with other members or another header; what is None is left out."""
    changed = unzipped(packed(EXAMPLE))
    if header is not None:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        changed["header.npy"] = text_member(text)
    return zipped(changed | {f"{name}.npy": content for name, content in members.items()})


def header_of(payload: bytes = b"") -> dict[str, Any]:
    return container.read_header(payload or packed(EXAMPLE))


def relisted(name: str, **changes: Any) -> bytes:
    """`EXAMPLE` with another entry for one array."""
    header = header_of()
    header["arrays"][name] |= changes
    return forged(header)


@settings(deadline=None)
@given(ARRAYS)
def test_arrays_come_back_read_only_and_aligned(arrays):
    payload = packed(arrays, record={"x": 1})
    header, back = container.read(payload)
    assert header["record"] == {"x": 1}
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert back[name].shape == array.shape
        assert back[name].dtype.kind == array.dtype.kind
        if array.dtype.kind == "U":
            assert back[name].tolist() == array.tolist()
        else:
            stored = array.astype(array.dtype.newbyteorder("<"))
            assert (back[name].dtype, back[name].tobytes()) == (stored.dtype, stored.tobytes())
            assert not back[name].flags.writeable
    for member in zip_members.locate(payload).values():
        assert member.start % 64 == 0


@settings(deadline=None)
@given(ARRAYS)
def test_numpy_and_zipfile_read_what_we_write(arrays):
    payload = packed(arrays)
    with zipfile.ZipFile(io.BytesIO(payload)) as archive:
        assert archive.testzip() is None
    with np.load(io.BytesIO(payload), allow_pickle=False) as loaded:
        for name, array in arrays.items():
            if array.dtype.kind != "U":
                assert np.array_equal(loaded[name], array, equal_nan=array.dtype.kind == "f")
            else:
                text, offsets = loaded[f"{name}.blob"].tobytes(), loaded[f"{name}.offsets"]
                assert [text[i:j].decode() for i, j in itertools.pairwise(offsets)] == array.tolist()
        assert json.loads(loaded["header"].tobytes())["format_version"] == 1


@pytest.mark.skipif(not shutil.which("unzip"), reason="needs unzip")
def test_unzip_finds_no_fault(tmp_path):
    (tmp_path / "x.npz").write_bytes(packed(EXAMPLE))
    done = subprocess.run(["unzip", "-t", tmp_path / "x.npz"], capture_output=True, text=True, check=True)
    assert "No errors detected" in done.stdout


def test_the_header_is_utf_8_json_with_the_format_version_first_and_then_sorted_keys():
    text = unzipped(packed(EXAMPLE, record={"b": "深", "a": 1}))["header.npy"][128:].decode()
    assert text.startswith('{"format_version":1,"arrays":{')
    assert text.endswith(',"record":{"a":1,"b":"深"}}')
    listed = json.loads(text)["arrays"]
    assert listed["outputs"] == {"dtype": "<f4", "shape": [4, 3], "sha256": digest(EXAMPLE["outputs"])}
    assert listed["id"] == {"dtype": "U", "shape": [4], "sha256": digest(EXAMPLE["id"])}


def test_equal_content_makes_equal_bytes():
    array = np.arange(12.0).reshape(3, 4)
    ids = np.array(["a", "bc"])
    one = packed({"x": array, "id": ids}, record={"a": 1, "b": 2})
    other = packed({"id": ids.astype("U9"), "x": np.asfortranarray(array).astype(">f8")}, record={"b": 2, "a": 1})
    assert one == other
    assert one != packed({"x": array + 1, "id": ids}, record={"a": 1, "b": 2})


def test_rows_that_come_in_blocks_make_the_bytes_of_the_whole_array():
    array = np.arange(35, dtype=">i4").reshape(7, 5)
    blocks = container.RowBlocks((7, 5), array.dtype, (array[start : start + 3] for start in range(0, 7, 3)))
    assert packed({"x": blocks}) == packed({"x": array})
    nothing = container.RowBlocks((0, 5), array.dtype, ())
    assert packed({"x": nothing}) == packed({"x": array[:0]})


@pytest.mark.parametrize(
    "blocks",
    [
        [np.zeros((2, 3))],
        [np.zeros((2, 3)), np.zeros((3, 3))],
        [np.zeros((4, 2))],
        [np.zeros((4, 3), "f4")],
        [np.zeros(4)],
    ],
)
def test_blocks_that_do_not_make_their_array_are_refused(blocks):
    with pytest.raises(ValueError, match="expected"):
        packed({"x": container.RowBlocks((4, 3), np.dtype("f8"), blocks)})


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_are_keys_and_touch_no_file(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if name == "header":
        with pytest.raises(ValueError, match="different names"):
            packed({name: np.zeros(1)})
    else:
        _, arrays = container.read(packed({name: np.arange(3), f"{name}2": np.array(["x"])}))
        assert arrays[name].tolist() == [0, 1, 2]
        assert arrays[f"{name}2"].tolist() == ["x"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arrays",
    [
        {"x": np.array([None])},
        {"x": np.array([1j])},
        {"x": np.array([b"bytes"])},
        {"x": np.zeros(1, "M8[s]")},
        {"x": np.zeros(1, [("a", "f4")])},
        {"x": np.array([["a"]])},
        {"x": np.array(["\udc80"])},
        {"x\0y": np.zeros(1)},
        {"x": np.array(["a"]), "x.blob": np.zeros(1)},
        {f"{number}": np.zeros(0) for number in range(zip_members.MAX_MEMBERS)},
    ],
    ids=["object", "complex", "bytes", "date", "record", "string table", "surrogate", "NUL", "names clash", "too many"],
)
def test_what_a_container_cannot_hold_is_refused_before_anything_is_written(arrays):
    file = io.BytesIO()
    with pytest.raises(ValueError, match=r"expected|utf-8"):
        container.write(file, {}, arrays)
    assert file.getvalue() == b""


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), "\ud800"])
def test_what_json_cannot_hold_is_refused_before_anything_is_written(value):
    file = io.BytesIO()
    with pytest.raises(ValueError, match=r"JSON|utf-8"):
        container.write(file, {"record": [value]}, EXAMPLE)
    assert file.getvalue() == b""


def test_a_header_over_the_limit_is_neither_written_nor_read(monkeypatch):
    payload = packed(EXAMPLE, record="x" * 100_000)
    monkeypatch.setattr(container, "MAX_HEADER_BYTES", 1000)
    with pytest.raises(ValueError, match="expected a header of at most"):
        packed(EXAMPLE, record="x" * 1000)
    with pytest.raises(ContainerError, match="expected a header of at most"):
        container.read_header(payload)


def test_sizes_of_64_bits_are_read(monkeypatch):
    """With its limit lowered, zipfile writes the directory as it does for files beyond 4 GB."""
    plain = packed(EXAMPLE)
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100)
    wide = packed(EXAMPLE)
    assert b"PK\6\6" in wide
    assert b"PK\6\6" not in plain
    assert container.read(wide)[1]["id"].tolist() == EXAMPLE["id"].tolist()
    damaged = wide.replace(b"PK\6\6", b"PK\6\5")
    with pytest.raises(ContainerError, match="damaged"):
        container.read(damaged)


def test_the_header_is_read_without_the_arrays():
    payload = bytearray(packed(EXAMPLE, kind="x"))
    payload[zip_members.locate(bytes(payload))["outputs.npy"].start + 130] ^= 1
    assert container.read_header(bytes(payload))["kind"] == "x"


def test_a_flipped_bit_is_found_where_it_is_looked_for():
    payload = bytearray(packed(EXAMPLE))
    payload[zip_members.locate(bytes(payload))["outputs.npy"].start + 130] ^= 1
    with pytest.raises(ContainerError, match="array 'outputs' has changed since it was written"):
        container.read(bytes(payload))
    assert container.read(bytes(payload), verify=False)[1]["outputs"].shape == (4, 3)


def test_a_changed_header_is_found_even_where_it_is_still_json():
    payload = packed(EXAMPLE, title="a good title")
    with pytest.raises(ContainerError, match="its header has changed"):
        container.read_header(payload.replace(b"a good title", b"a poor title"))


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", "not a file that mi-audit wrote"),
        (b"text", "not a file that mi-audit wrote"),
        (bytes(1000), "not a file that mi-audit wrote"),
        (packed(EXAMPLE)[:-1], "truncated"),
        (packed(EXAMPLE) + b"x", "truncated, or something was added"),
        (b"x" + packed(EXAMPLE), "truncated or damaged"),
        (packed(EXAMPLE)[64:], "truncated or damaged"),
        (zipped({}), "has no header"),
        (zipped({"x.npy": npy(np.zeros(3))}), "has no header"),
        (zipped(unzipped(packed(EXAMPLE)), zipfile.ZIP_DEFLATED), "compressed or encrypted"),
        (zipped({"header.npy": npy(np.zeros(3))}), "expected an array of uint8"),
        (zipped({"header.npy": b""}), "expected an array of uint8"),
        (zipped({"header.npy": b"\x93NUMPY\1\0\xff\xff"}), "expected an array of uint8"),
    ],
    ids=shortened,
)
def test_what_is_no_container_is_refused(payload, message):
    with pytest.raises(ContainerError, match=message):
        container.read(payload)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"", "cannot be read"),
        (b"{", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        ('{"format_version":1}'.encode("utf-16"), "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b'{"format_version":1,"x":NaN}', "cannot be read"),
        (b'{"format_version":1,"x":1e999}', "cannot be read"),
        (b'{"format_version":1,"x":"\\ud800"}', "cannot be read"),
        (b'{"format_version":1,"x":' + b"9" * 5000 + b"}", "cannot be read"),
        (b"[1]", "no format version"),
        ({}, "no format version"),
        ({"format_version": 0}, "no format version"),
        ({"format_version": True}, "no format version"),
        ({"format_version": "1"}, "no format version"),
        ({"format_version": 2}, r"written by a newer mi-audit \(format 2\), this one reads up to 1"),
        ({"format_version": 1}, "does not list its arrays"),
        ({"format_version": 1, "arrays": [1]}, "does not list its arrays"),
        ({"format_version": 1, "arrays": None}, "does not list its arrays"),
        ({"format_version": 1, "arrays": {"x": {}}}, "does not list its arrays"),
        ({"format_version": 1, "arrays": {"x": 3}}, "does not list its arrays"),
        ({"format_version": 1, "arrays": {}}, "not hold just what its header lists"),
    ],
    ids=shortened,
)
def test_a_header_that_says_something_else_is_refused(header, message):
    with pytest.raises(ContainerError, match=message):
        container.read(forged(header))


def test_a_newer_format_comes_with_the_way_out():
    with pytest.raises(ContainerError) as error:
        container.read(forged({"format_version": 7}))
    assert error.value.tip == "pip install --upgrade mi-audit"


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (relisted("outputs", dtype="<f8"), "expected an array of float64"),
        (relisted("outputs", dtype="|O"), "does not list its arrays"),
        (relisted("outputs", dtype="<c8"), "does not list its arrays"),
        (relisted("outputs", dtype=["<f4"]), "does not list its arrays"),
        (relisted("outputs", dtype="U"), "does not list its arrays"),
        (relisted("id", dtype="<f4"), "not hold just what its header lists"),
        (relisted("outputs", shape=[3, 4]), r"expected an array of float32 \(3, 4\)"),
        (relisted("outputs", shape=[4, -3]), "does not list its arrays"),
        (relisted("outputs", shape=[4, True]), "does not list its arrays"),
        (relisted("outputs", shape=[4, 3.0]), "does not list its arrays"),
        (relisted("outputs", shape=12), "does not list its arrays"),
        (relisted("outputs", shape="43"), "does not list its arrays"),
        (relisted("outputs", shape=[0] * 100), "does not list its arrays"),
        (relisted("outputs", shape=[2**50, 0]), "does not list its arrays"),
        (relisted("outputs", sha256="0"), "array 'outputs' has changed"),
        (relisted("id", sha256=None), "array 'id' has changed"),
        (relisted("id", shape=[3]), "array 'id' is damaged: expected an array of int64"),
        (forged(outputs=npy(EXAMPLE["outputs"].astype("f8"))), "expected an array of float32"),
        (forged(outputs=npy(np.asfortranarray(EXAMPLE["outputs"]))), "'fortran_order': True"),
        (forged(outputs=npy(np.array([None]), allow_pickle=True)), r"'descr': '\|O'"),
        (forged(outputs=npy(EXAMPLE["outputs"], version=(2, 0))), "expected an array of float32"),
        (forged(outputs=npy(EXAMPLE["outputs"])[:-4]), "bytes"),
        (forged(outputs=b""), "expected an array of float32"),
        (forged(surprise=npy(np.zeros(1))), "not hold just what its header lists: 'surprise.npy'"),
        (forged(mask=container._npy_header(np.dtype(bool), (2, 2)) + b"\0\1\2\xff"), "expected bools of 0 or 1"),
        (forged(**{"id.offsets": npy(np.array([0, 3, 1, 3, 4]))}), "expected offsets"),
        (forged(**{"id.offsets": npy(np.array([0, 1, 3, 3, 5]))}), "expected offsets"),
        (forged(**{"id.offsets": npy(np.array([0, 1, 2, 3, 4]))}), "utf-8"),
        (forged(**{"id.blob": npy(np.frombuffer(b"a\xff\xffd", "u1"))}), "utf-8"),
    ],
    ids=shortened,
)
def test_an_array_that_is_not_as_it_is_listed_is_refused(payload, message):
    with pytest.raises(ContainerError, match=message):
        container.read(payload)


@pytest.mark.parametrize("shape", [[10**9], [2**48], [2**48, 2**48, 0]])
def test_nothing_is_allocated_for_a_shape_that_the_file_does_not_hold(shape):
    member = container._npy_header(np.dtype("<f4"), tuple(shape)) + bytes(48)
    header = header_of()
    header["arrays"]["outputs"]["shape"] = shape
    payload = forged(header, outputs=member)
    tracemalloc.start()
    with pytest.raises(ContainerError, match="array 'outputs' is damaged"):
        container.read(payload)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def central(payload: bytes, name: bytes) -> int:
    """Where the directory's entry for a member starts."""
    return payload.rindex(name) - 46


def patched(payload: bytes, at: int, layout: str, value: int) -> bytes:
    changed = bytearray(payload)
    struct.pack_into(layout, changed, at, value)
    return bytes(changed)


WHOLE = packed(EXAMPLE)
OUTPUTS = central(WHOLE, b"outputs.npy")


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (patched(WHOLE, OUTPUTS + 8, "<H", 1), "compressed or encrypted"),
        (patched(WHOLE, OUTPUTS + 10, "<H", 8), "compressed or encrypted"),
        (patched(WHOLE, OUTPUTS + 24, "<I", 7), "compressed or encrypted"),
        (patched(WHOLE, OUTPUTS + 42, "<I", 0x7FFFFFFF), "points to the wrong place"),
        (patched(WHOLE, OUTPUTS + 42, "<I", 0xFFFFFFFF), "points to the wrong place"),
        (patched(WHOLE, OUTPUTS + 42, "<I", 1), "points to the wrong place"),
        (patched(WHOLE, OUTPUTS + 42, "<I", 0), "'outputs.npy' is not where"),
        (patched(WHOLE, OUTPUTS, "<I", 0), "points to the wrong place"),
        (patched(WHOLE, OUTPUTS + 32, "<H", 1), "points to the wrong place"),
        (patched(WHOLE, len(WHOLE) - 12, "<H", 3), "overlapping"),
        (patched(WHOLE, len(WHOLE) - 12, "<H", 60_000), "expected at most 10000 members, got 60000"),
        (patched(WHOLE, len(WHOLE) - 6, "<I", 0), "truncated or damaged"),
    ],
    ids=shortened,
)
def test_a_directory_that_lies_is_refused(payload, message):
    with pytest.raises(ContainerError, match=message):
        container.read(payload)


def test_members_that_overlap_are_refused():
    larger = 176 + 64
    payload = patched(patched(WHOLE, OUTPUTS + 20, "<I", larger), OUTPUTS + 24, "<I", larger)
    assert zip_members.locate(WHOLE)["outputs.npy"].stop - zip_members.locate(WHOLE)["outputs.npy"].start == 176
    with pytest.raises(ContainerError, match="overlapping"):
        container.read(payload)


def test_a_member_that_is_there_twice_is_refused():
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(file := io.BytesIO(WHOLE), "a") as archive:
        archive.writestr("outputs.npy", b"")
    with pytest.raises(ContainerError, match=r"'outputs\.npy' twice"):
        container.read(file.getvalue())
