import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mi_audit.schema import strings

# Text that NumPy can hold: it drops NUL from the end, and lone surrogates are no text.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(lambda text: text.rstrip("\0"))


@settings(deadline=None)
@given(st.lists(TEXT, max_size=20))
def test_strings_come_back(texts):
    array = np.array(texts, np.str_)
    blob, offsets = strings.encode(array)
    back = strings.decode(blob, offsets)
    assert back.dtype.kind == "U"
    assert back.tolist() == texts
    assert (blob.dtype, offsets.dtype, offsets.shape) == (np.uint8, np.int64, (len(texts) + 1,))
    assert blob.tobytes().decode() == "".join(texts)


def test_strings_come_back_from_several_rounds(monkeypatch):
    monkeypatch.setattr(strings, "_AT_A_TIME", 2)
    assert strings.decode(*strings.encode(np.array(["a", "", "深", "bc", "d"]))).tolist() == ["a", "", "深", "bc", "d"]


@pytest.mark.parametrize(
    ("text", "offsets", "message"),
    [
        (b"abc", [0, 2, 1, 3], "expected offsets"),
        (b"abc", [1, 3], "expected offsets"),
        (b"abc", [0, 2], "expected offsets"),
        (b"abc", [0, 4], "expected offsets"),
        (b"abc", [0, -1, 3], "expected offsets"),
        (b"abc", [0, 2**63 - 1, -(2**63), 3], "expected offsets"),
        (b"abc", [], "expected offsets"),
        (b"\xff", [0, 1], "utf-8"),
        ("é".encode(), [0, 1, 2], "utf-8"),
        (b"\xed\xa0\x80", [0, 3], "utf-8"),  # a lone surrogate
    ],
)
def test_parts_that_no_strings_were_cut_into_are_refused(text, offsets, message):
    with pytest.raises(ValueError, match=message):
        strings.decode(np.frombuffer(text, np.uint8), np.array(offsets, np.int64))


def test_one_long_string_among_many_is_refused_before_the_array_is_made():
    lengths = np.zeros(1_000_000, np.int64)
    lengths[7] = 1_000_000  # 4 TB as an array, 9 MB as a file
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    with pytest.raises(ValueError, match="similar lengths"):
        strings.decode(np.zeros(1_000_000, np.uint8), offsets)


@pytest.mark.parametrize(("array", "message"), [(np.array(["\udc80"]), "utf-8"), (np.array([["a"]]), "one axis")])
def test_strings_that_no_file_can_hold_are_refused(array, message):
    with pytest.raises(ValueError, match=message):
        strings.encode(array)
