import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mi_audit.schema import numerals

MINUS = "\u2212"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.63635, "63.64"),
        (0.6363, "63.63"),
        (0.63645, "63.65"),
        (0.0, "0.00"),
        (1.0, "100.00"),
        (0.5, "50.00"),
        (1e-9, "<0.01"),
        (0.00004999, "<0.01"),
        (0.0001, "0.01"),
        (0.99994, "99.99"),
        (0.99996, ">99.99"),
        (1 - 1e-12, ">99.99"),
        (-0.0123, f"{MINUS}1.23"),
        (-1e-9, "0.00"),
        (-0.0, "0.00"),
        (2.0, "200.00"),
    ],
)
def test_percent(share: float, text: str) -> None:
    assert numerals.percent(share) == text


@given(st.floats(min_value=-1, max_value=1))
def test_percent_is_never_off_by_more_than_half_a_step(share: float) -> None:
    text = numerals.percent(share).replace(MINUS, "-")
    if text == "<0.01":
        assert 0 < share < 0.00005000001
    elif text == ">99.99":
        assert 0.9999499999 < share < 1
    else:
        assert math.isclose(float(text), 100 * share, abs_tol=0.005000001)
        assert (text == "100.00") == (share == 1)


def test_in_percent() -> None:
    assert [numerals.in_percent(0.001, 1), numerals.in_percent(1.0)] == ["0.1 %", "100.00 %"]


def test_counts() -> None:
    assert numerals.count(1_300_000) == "1,300,000"
    assert [numerals.counted(n, "class") for n in (0, 1, 2)] == ["0 classes", "1 class", "2 classes"]
    assert numerals.counted(1_000, "member") == "1,000 members"


@pytest.mark.parametrize(
    ("value", "text"), [(1e300, "1E+302"), (-1e300, "\u22121E+302"), (1e30, "1E+32"), (1.7e308, "Infinity")]
)
def test_what_no_rate_can_be_is_printed_all_the_same(value: float, text: str) -> None:
    assert numerals.percent(value) == text
