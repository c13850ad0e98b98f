import errno
import json
import os
import resource
import stat
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mi_audit import container, store
from mi_audit._version import __version__
from mi_audit.errors import ContainerError, OutputError
from mi_audit.schema.audit import Audit
from mi_audit.schema.feature_cache import FeatureCache
from mi_audit.schema.trained_attacks import TrainedAttacks
from tests.schema.examples import audit, feature_cache, same, trained_attacks

RECORDS = {"features": feature_cache, "attacks": trained_attacks, "audit": audit}
KINDS = pytest.mark.parametrize("kind", RECORDS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "record.npz"


def assert_nothing_is_left(path: Path, content: bytes | None) -> None:
    """The file is as it was before, or still not there; nothing else lies beside it."""
    assert (path.read_bytes() if path.exists() else None) == content
    assert [file for file in path.parent.iterdir() if file != path] == []


# Round trips


@KINDS
def test_a_record_comes_back(kind, path):
    record = RECORDS[kind]()
    store.write(path, record)
    assert same(store.read(path), record)
    assert same(store.read(path, verify=False), record)
    assert same(store.read_kind(path, type(record)), record)
    assert same(store.read(str(path)), record)


@KINDS
def test_equal_records_make_equal_files(kind, tmp_path):
    store.write(tmp_path / "one.npz", RECORDS[kind]())
    store.write(tmp_path / "two.npz", store.read(tmp_path / "one.npz"))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


@settings(deadline=None, max_examples=50)
@given(data=st.data(), n=st.integers(0, 9), n_classes=st.integers(1, 4))
def test_any_feature_cache_comes_back(data, n, n_classes, tmp_path_factory):
    finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=6).map(lambda text: text.rstrip("\0"))
    ids = data.draw(st.lists(text, min_size=n, max_size=n, unique=True))
    classes = hnp.arrays(np.int64, n, elements=st.integers(0, n_classes - 1))
    cache = feature_cache(
        n,
        n_classes,
        outputs=data.draw(hnp.arrays(np.float32, (n, n_classes), elements=finite)),
        is_member=data.draw(hnp.arrays(bool, n)),
        label=data.draw(classes),
        predicted=data.draw(classes),
        sample_id=np.array(ids, np.str_),
        class_names=tuple(data.draw(st.lists(text, min_size=n_classes, max_size=n_classes))),
        features={"gradient-norm:w": data.draw(hnp.arrays(np.float32, (n, 2)))},
    )
    path = tmp_path_factory.mktemp("any") / "cache.npz"
    store.write(path, cache)
    assert same(store.read(path), cache)


def test_numpy_alone_reads_the_arrays(path):
    cache = feature_cache()
    store.write(path, cache)
    with np.load(path, allow_pickle=False) as loaded:
        assert np.array_equal(loaded["outputs"], cache.outputs)
        assert np.array_equal(loaded["features/gradient-norm:w"], cache.features["gradient-norm:w"])


def test_arrays_are_mapped_where_they_lie(path):
    store.write(path, feature_cache())
    cache = store.read_kind(path, FeatureCache)
    assert not cache.outputs.flags.writeable
    assert cache.outputs.ctypes.data % 64 == 0
    offset = path.read_bytes().index(cache.outputs.tobytes())
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(np.float32(123.5).tobytes())
    assert cache.outputs[0, 0] == 123.5


def test_mapped_arrays_outlive_the_replacement_of_their_file(path):
    store.write(path, feature_cache())
    old = store.read_kind(path, FeatureCache)
    store.write(path, feature_cache(outputs=old.outputs * 2))
    assert same(old, feature_cache())
    assert np.array_equal(store.read_kind(path, FeatureCache).outputs, old.outputs * 2)


def test_the_header_is_peeked_at(path):
    store.write(path, trained_attacks())
    header = store.peek(path)
    assert next(iter(header)) == "format_version"
    assert (header["format_version"], header["kind"], header["mi_audit"]) == (1, "attacks", __version__)
    assert header["record"]["provenance"] == {"seed": 1}
    assert header["arrays"]["known_id"]["shape"] == [2]


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="resident memory is read from /proc")
def test_memory_stays_flat_while_mapped_arrays_are_written_and_verified(tmp_path):
    blocks = container.RowBlocks((96, 1 << 18), np.dtype("f4"), (np.ones((1, 1 << 18), "f4") for _ in range(96)))
    with store.replacing(tmp_path / "blocks.npz") as file:
        container.write(file, {}, {"outputs": blocks})
    with store._mapped(tmp_path / "blocks.npz") as buffer:
        arrays = container.read(buffer, verify=False)[1]
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before = resident_mb("VmRSS")
        container.read(buffer)
        with store.replacing(tmp_path / "again.npz") as file:
            container.write(file, {}, arrays)
    assert resident_mb("VmHWM") - before < 32  # the array has 96 MB


def resident_mb(field: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


# In memory


def test_a_payload_comes_back_and_is_the_same_every_time():
    arrays = {"weights": np.arange(6.0).reshape(2, 3), "names": np.array(["a", "é"]), "bias": np.array(1.5)}
    payload = store.to_bytes({"depth": 3}, arrays)
    header, back = store.from_bytes(payload)
    assert header == {"depth": 3}
    assert {name: values.tolist() for name, values in back.items()} == {k: v.tolist() for k, v in arrays.items()}
    assert store.to_bytes({"depth": 3}, dict(reversed(arrays.items()))) == payload


def test_a_payload_with_a_flipped_bit_is_refused():
    payload = bytearray(store.to_bytes({}, {"weights": np.ones(100)}))
    payload[300] ^= 4
    with pytest.raises(ContainerError, match="'weights' has changed"):
        store.from_bytes(bytes(payload))


@KINDS
def test_a_record_is_no_payload_and_a_payload_no_record(kind, path):
    store.write(path, RECORDS[kind]())
    with pytest.raises(ContainerError, match=f"expected a payload, got an? {kind} file"):
        store.from_bytes(path.read_bytes())
    path.write_bytes(store.to_bytes({}, {}))
    with pytest.raises(ContainerError, match="expected a record of mi-audit"):
        store.read(path)


# What is no record


@pytest.mark.parametrize(
    ("got", "expected", "message", "tip"),
    [
        ("attacks", FeatureCache, "expected a features file, got an attacks file", "mi-audit extract"),
        ("features", TrainedAttacks, "expected an attacks file, got a features file", "mi-audit train-attack"),
        ("features", Audit, "expected an audit file, got a features file", "mi-audit evaluate"),
    ],
)
def test_another_kind_of_file_is_refused_with_the_command_that_makes_the_right_one(got, expected, message, tip, path):
    store.write(path, RECORDS[got]())
    with pytest.raises(ContainerError, match=message) as error:
        store.read_kind(path, expected)
    assert str(error.value).startswith(f"{path}: ")
    assert tip in error.value.tip


def test_what_cannot_be_read_is_said_with_its_name(tmp_path):
    (tmp_path / "empty.npz").touch()
    (tmp_path / "text.npz").write_text("hello", encoding="ascii")
    os.mkfifo(tmp_path / "pipe.npz")
    np.savez(tmp_path / "theirs.npz", x=np.array([None]))
    messages = {
        "missing.npz": "no such file",
        "empty.npz": "it is empty",
        "text.npz": "it is not a file that mi-audit wrote",
        "pipe.npz": "it is not a file",
        "theirs.npz": "it has no header",
        ".": "it is not a file",
        "text.npz/x.npz": "no such file",
    }
    for name, message in messages.items():
        for look in (store.read, store.peek, lambda path: store.read_kind(path, Audit)):
            with pytest.raises(ContainerError) as error:
                look(tmp_path / name)
            assert str(error.value).startswith(f"{tmp_path / name}: ")
            assert message in str(error.value)
            assert "mi-audit extract" in error.value.tip


def test_a_file_that_may_not_be_opened_is_said_with_the_reason(path, monkeypatch):
    store.write(path, audit())

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ContainerError, match=r"record\.npz: cannot be read: Permission denied"):
        store.read(path)


def test_a_newer_format_is_refused_with_the_way_out(path, monkeypatch):
    monkeypatch.setattr(container, "FORMAT_VERSION", 2)
    store.write(path, audit())
    monkeypatch.setattr(container, "FORMAT_VERSION", 1)
    with pytest.raises(ContainerError, match=r"written by a newer mi-audit \(format 2\)") as error:
        store.read_kind(path, Audit)
    assert error.value.tip == "pip install --upgrade mi-audit"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda header, _: header.update(kind="pictures"), "expected a record of mi-audit, got a file of another kind"),
        (lambda header, _: header.update(kind=["features"]), "expected a record of mi-audit"),
        (lambda header, _: header.pop("kind"), "expected a record of mi-audit"),
        (lambda header, _: header.pop("record"), "its header has no entry 'record'"),
        (lambda header, _: header.update(record=[]), "it makes no features record"),
        (lambda header, _: header["record"].pop("columns"), "its header has no entry 'columns'"),
        (lambda header, _: header["record"].update(class_names=["one"]), r"expected outputs of shape \(6, 1\)"),
        (lambda _, arrays: arrays.pop("label"), "label"),
        (lambda _, arrays: arrays.update(surprise=np.zeros(1)), "surprise"),
        (lambda _, arrays: arrays.update(provenance=np.zeros(1)), "provenance"),
        (lambda _, arrays: arrays.update(outputs=np.full((6, 3), np.nan, np.float32)), "expected finite outputs"),
        (lambda _, arrays: arrays.update(outputs=np.zeros((6, 3))), "expected outputs of float32, got float64"),
        (lambda _, arrays: arrays.update(label=np.zeros(6, np.int8)), "expected label of int64, got int8"),
        (lambda header, _: header["record"].update(provenance={"target": 7}), "expected an object for the target"),
        (lambda header, _: header["record"].update(provenance={"dataset": None}), "expected an object for the dataset"),
        (lambda _, arrays: arrays.update(is_member=np.array(1)), "it makes no features record"),
    ],
)
def test_a_whole_container_that_makes_no_record_is_refused(change, message, path):
    record = feature_cache()
    header, arrays = {"kind": record.kind, "record": deepcopy(record.header())}, record.arrays()
    change(header, arrays)
    with path.open("wb") as file:
        container.write(file, header, arrays)
    with pytest.raises(ContainerError, match=message) as error:
        store.read(path)
    assert str(error.value).startswith(f"{path}: ")


HOSTILE = (None, True, -1, 10**30, 1e308, "", "x\x00", [], [None], {}, {"__class__": "os.system"})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to every value inside a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    """The JSON value with another one at this path."""
    if not path:
        return by
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], by)
    return copy


@KINDS
def test_any_value_in_a_header_may_be_hostile(kind):
    record = RECORDS[kind]()
    whole = json.loads(json.dumps(record.header()))
    refused = 0
    for place in places(whole):
        for value in HOSTILE:
            try:
                header = replaced(whole, place, value)
                type(record).from_parts(header, record.arrays())
            except (ValueError, KeyError, TypeError):
                refused += 1
    assert refused > 100


# Damage


def damaged(whole: bytes, rng: np.random.Generator) -> Iterator[bytes]:
    """The file cut at every part of the format, with bits flipped, with bytes changed, with pieces moved."""
    marks = [at for at in range(len(whole)) if whole[at : at + 2] == b"PK" or whole[at : at + 6] == b"\x93NUMPY"]
    cuts = {at + near for at in (0, *marks, len(whole)) for near in (-64, -1, 0, 1, 4, 30, 46, 64)}
    yield from (whole[:cut] for cut in sorted(cuts) if 0 <= cut < len(whole))
    for _ in range(700):
        changed = bytearray(whole)
        changed[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        yield bytes(changed)
    for _ in range(300):
        changed = bytearray(whole)
        start, length = rng.integers(len(whole)), rng.integers(1, 40)
        changed[start : start + length] = rng.bytes(length)
        yield bytes(changed)
    for at in marks:
        for offset in range(4, 46):
            changed = bytearray(whole)
            changed[at + offset : at + offset + 1] = rng.choice([b"\0", b"\xff", b"\x7f"])
            yield bytes(changed)
    for _ in range(100):
        start, stop, to = sorted(rng.integers(0, len(whole), 3))
        yield whole[:start] + whole[stop:to] + whole[start:stop] + whole[to:]


def outcome(path: Path) -> Any:
    """The record, or why there is none."""
    try:
        return store.read(path)
    except ContainerError as error:
        return error


@KINDS
def test_damage_is_found_or_does_no_harm(kind, path, monkeypatch):
    record = RECORDS[kind]()
    store.write(path, record)
    outcomes = []
    for changed in damaged(path.read_bytes(), np.random.default_rng(0)):
        monkeypatch.setattr(store, "_map", lambda _, changed=changed: changed)  # 5 times faster than files
        outcomes.append(outcome(path))
    found = [error for error in outcomes if isinstance(error, ContainerError)]
    assert all(str(error).startswith(f"{path}: ") and error.tip for error in found)
    harmless = [back for back in outcomes if not isinstance(back, ContainerError)]
    assert all(same(back, record) for back in harmless)
    assert len(found) > 1000
    assert len(harmless) < len(found)  # padding, dates and the like


# Writing whole or not at all


def test_files_are_private_and_links_stay_links(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.npz"
    link.symlink_to(tmp_path / "real" / "file.npz")
    store.write(link, audit())
    assert link.is_symlink()
    assert stat.S_IMODE((tmp_path / "real" / "file.npz").stat().st_mode) == 0o600
    assert same(store.read(link), audit())


@pytest.mark.parametrize("old", [None, b"old"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, ValueError])
def test_what_goes_wrong_on_the_way_leaves_the_old_file_and_nothing_else(old, error, path):
    if old:
        path.write_bytes(old)

    def rows() -> Iterator[np.ndarray]:
        yield np.zeros((1, 1000))
        raise error

    def write() -> None:
        with store.replacing(path) as file:
            container.write(file, {}, {"x": container.RowBlocks((2, 1000), np.dtype("f8"), rows())})

    with pytest.raises(error):
        write()
    assert_nothing_is_left(path, old)


def test_a_full_disk_leaves_the_old_file_and_nothing_else(path):
    """A limit on the size of files stands for a disk that fills up: the operating system refuses to write on."""
    store.write(path, audit())
    old = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"record\.npz: cannot be written: File too large") as error:
            store.write(path, feature_cache(20_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "another disk" in error.value.tip
    assert_nothing_is_left(path, old)


@pytest.mark.parametrize("step", ["fsync", "write", "rename"])
def test_no_space_left_at_any_step_leaves_the_old_file_and_nothing_else(step, path, monkeypatch):
    store.write(path, audit())
    old = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    owner, name = {"fsync": (os, "fsync"), "write": (container, "write"), "rename": (Path, "replace")}[step]
    monkeypatch.setattr(owner, name, full)
    with pytest.raises(OutputError, match="cannot be written: No space left on device") as error:
        store.write(path, feature_cache())
    assert "free some space" in error.value.tip
    assert_nothing_is_left(path, old)


@pytest.mark.parametrize(
    ("name", "message", "tip"),
    [
        ("missing/x.npz", "No such file or directory", "mkdir -p"),
        ("file/x.npz", "Not a directory", "--out"),
        ("folder", "it is not a file", "--out"),
        ("pipe", "it is not a file", "--out"),
    ],
)
def test_what_cannot_be_written_is_said_with_its_name(name, message, tip, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError) as error:
        store.write(tmp_path / name, audit())
    assert str(error.value) == f"{tmp_path / name}: cannot be written: {message}"
    assert tip in error.value.tip
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_said(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        store.write(tmp_path / "x.npz", audit())
    tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    "record",
    [
        feature_cache(2, sample_id=np.array(["a", "\udc80"])),
        audit(title="\ud800"),
        audit(provenance={"x": float("nan")}),
    ],
    ids=["id", "title", "NaN"],
)
def test_a_record_that_no_file_can_hold_is_said_and_leaves_nothing(record, path):
    with pytest.raises(OutputError, match=r"record\.npz: cannot be stored: "):
        store.write(path, record)
    assert_nothing_is_left(path, None)
