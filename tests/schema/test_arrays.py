import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mi_audit.schema import arrays

SMAPS = Path("/proc/self/smaps")
NUMBERS = st.sampled_from(["?", "i1", "u1", "i2", "i4", "i8", "u8", "f2", "f4", "f8"])
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)


def test_checked_gives_a_read_only_view_and_leaves_the_array_as_it_was():
    array = np.zeros((2, 3))
    view = arrays.checked("x", array, (2, None), "f")
    assert np.shares_memory(view, array)
    with pytest.raises(ValueError, match="read-only"):
        view[0, 0] = 1
    array[0, 0] = 1


@pytest.mark.parametrize(
    ("shape", "kinds", "message"),
    [
        ((3, 3), "f", r"expected x of shape \(3, 3\), got \(2, 3\)"),
        ((None,), "f", r"expected x of shape \(n,\), got \(2, 3\)"),
        ((2, 3), "iu", "expected x of dtype kind 'iu', got float64"),
    ],
)
def test_checked_says_what_was_expected(shape, kinds, message):
    with pytest.raises(ValueError, match=message):
        arrays.checked("x", np.zeros((2, 3)), shape, kinds)


@settings(deadline=None)
@given(hnp.arrays(NUMBERS, SHAPES), st.integers(1, 64))
def test_row_blocks_together_are_the_array(array, block_bytes):
    blocks = list(arrays.row_blocks(array, block_bytes))
    rows = array.reshape(1) if array.ndim == 0 else array
    if len(rows):
        assert np.array_equal(np.concatenate(blocks), rows, equal_nan=array.dtype.kind == "f")
        assert all(len(block) == 1 or block.nbytes <= block_bytes for block in blocks)
    else:
        assert blocks == []


@pytest.mark.skipif(not SMAPS.exists(), reason="resident memory is read from /proc")
def test_walking_a_mapped_file_gives_its_memory_back(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((64, 1 << 17)))  # 64 MB

    def resident_mb() -> float:
        lines = SMAPS.read_text(encoding="utf-8").partition(str(tmp_path))[2].splitlines()
        return next(float(line.split()[1]) / 1024 for line in lines if line.startswith("Rss:"))

    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert mapped.sum() == 64 << 17
    assert resident_mb() > 60
    assert sum(block.sum() for block in arrays.row_blocks(mapped.view(np.ndarray))) == 64 << 17
    assert resident_mb() < 1


@pytest.mark.parametrize("mode", ["c", "r+"])
def test_walking_a_mapped_file_keeps_what_was_written_into_it(tmp_path, mode):
    np.save(tmp_path / "x.npy", np.zeros((64, 1 << 10)))
    mapped = np.load(tmp_path / "x.npy", mmap_mode=mode)
    mapped[:] = 1
    assert len(list(arrays.row_blocks(mapped, 1 << 13))) == 64
    assert mapped.sum() == 64 << 10
    assert (np.load(tmp_path / "x.npy").sum() != 0) == (mode == "r+")


def test_digest_is_the_sha256_of_type_shape_and_little_endian_bytes():
    array = np.array([[1.5, -2.0]], ">f4")
    expected = hashlib.sha256(b"<f4|(1, 2)|" + array.astype("<f4").tobytes()).hexdigest()
    assert arrays.digest(array) == expected


@settings(deadline=None)
@given(hnp.arrays(NUMBERS, SHAPES))
def test_digest_does_not_depend_on_the_layout(array):
    strided = np.repeat(array, 2, axis=-1)[..., ::2] if array.ndim else array
    for other in (np.asfortranarray(array), array.astype(array.dtype.newbyteorder(">")), strided):
        assert arrays.digest(other.reshape(array.shape)) == arrays.digest(array)


def test_digest_does_not_depend_on_the_blocks(monkeypatch):
    array, strings = np.arange(100.0).reshape(20, 5), np.array([f"é{number}" for number in range(20)])
    whole = arrays.digest(array), arrays.digest(strings)
    monkeypatch.setattr(arrays.row_blocks, "__defaults__", (16,))
    monkeypatch.setattr("mi_audit.schema.strings._AT_A_TIME", 3)
    assert (arrays.digest(array), arrays.digest(strings)) == whole


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.zeros(4, "f4"), np.zeros(4, "i4")),
        (np.zeros(4, "f4"), np.zeros((2, 2), "f4")),
        (np.zeros(4, "f4"), np.zeros(2, "f8")),
        (np.zeros(2), np.array([0.0, 5e-324])),
        (np.zeros(2), -np.zeros(2)),
        (np.array(["ab", "c"]), np.array(["a", "bc"])),
        (np.array(["\0a", "b"]), np.array(["", "a\0b"])),
        (np.array(["1"]), np.array([1])),
        (np.array([], np.str_), np.array([""])),
    ],
)
def test_digest_tells_apart(one, other):
    assert arrays.digest(one) != arrays.digest(other)


def test_digest_of_strings_is_of_their_text_and_not_of_the_room_they_take():
    assert arrays.digest(np.array(["a", "b"], "U9")) == arrays.digest(np.array(["a", "b"], ">U1"))


@pytest.mark.parametrize(("value", "expected"), [(0.0, True), (np.nan, False), (np.inf, False), (-np.inf, False)])
def test_all_finite_looks_at_every_block(value, expected):
    array = np.zeros((3, 1 << 20), np.float32)
    array[2, -1] = value
    assert arrays.all_finite(array) is expected
    assert arrays.all_finite(np.zeros((0, 4), np.float32))


@pytest.mark.parametrize("shape", [(2**48, 0), (0, 3), (0,)])
def test_an_array_without_values_is_at_most_one_block_however_long(shape):
    assert sum(1 for _ in arrays.row_blocks(np.empty(shape))) <= 1
