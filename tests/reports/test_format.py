import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mi_audit.gate import _text
from mi_audit.reports import _format
from mi_audit.schema.audit import MeanSd
from mi_audit.schema.estimate import Estimate

DASH, MINUS, GAP = "\u2013", "\u2212", "\u00a0"


def test_the_auc_is_no_percentage() -> None:
    assert _format.number("auc", 0.75123) == "0.751"
    assert _format.number("recall.member", 0.75123) == "75.12"


def test_an_undefined_number_is_a_dash_or_says_why() -> None:
    undefined = Estimate.undefined("0 members")
    assert _format.point("recall.member", undefined) == DASH
    assert _format.with_interval("recall.member", undefined) == f"not estimable (0{GAP}members)"
    assert _format.interval("recall.member", undefined) == ""


def test_a_metric_that_does_not_apply_is_nothing() -> None:
    assert [form("auc", None) for form in (_format.point, _format.interval, _format.with_interval)] == ["", "", ""]


def test_intervals() -> None:
    assert _format.with_interval("recall.member", Estimate(0.6992, 0.6933, 0.7051)) == f"69.92{GAP}(69.33{DASH}70.51)"
    assert _format.with_interval("recall.member", Estimate(0.6992)) == "69.92"
    assert _format.interval("advantage", Estimate(0.01, -0.02, 0.04)) == f"{MINUS}2.00{GAP}to{GAP}4.00"


def test_bounds_and_spreads_claim_nothing_by_being_whole() -> None:
    assert _format.interval("accuracy", Estimate(0.99, 0.000001, 0.999999)) == f"0.00{DASH}100.00"
    assert _format.interval("auc", Estimate(0.7, 0.65432, 0.7)) == f"0.654{DASH}0.700"
    assert _format.mean_sd(MeanSd(0.5, 1e-6, 3)) == f"50.00{GAP}±{GAP}0.00"


def test_mean_and_sd() -> None:
    assert _format.mean_sd(MeanSd(0.617, 0.0655, 100)) == f"61.70{GAP}±{GAP}6.55"
    assert _format.mean_sd(None) == DASH


@pytest.mark.parametrize(
    ("sizes", "text"),
    [
        ((25_000, 5_000), "5:1"),
        ((24_995, 4_998), "5:1"),
        ((183, 185), "1:1"),
        ((1_200, 10), "120:1"),
        ((1, 5), "1:5"),
        ((7, 7), "1:1"),
        ((2, 5), "1:2.5"),
        ((0, 9), "0:9"),
    ],
)
def test_ratio(sizes: tuple[int, int], text: str) -> None:
    assert _format.ratio(*sizes) == text


@given(st.text(st.characters(codec=None)))
def test_nothing_hides_in_visible_text(text: str) -> None:
    seen = _format.visible(text)
    assert all(unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in seen)
    assert _format.visible(seen) == seen
    seen.encode("utf-8")


def test_visible_text_of_ordinary_names_is_the_names() -> None:
    assert _format.visible("Käse 深層 [x] a_b") == "Käse 深層 [x] a_b"
    assert _format.visible("\x1b[31m\n\u202e\x9b") == "\\x1b[31m\\n\\u202e\\x9b"


def test_shortened() -> None:
    assert _format.shortened("abcdef", 6) == "abcdef"
    assert _format.shortened("abcdefg", 6) == "abcde…"


def test_visible_text_has_an_end() -> None:
    assert len(_format.visible("x" * 1_000_000)) == 4000


def test_what_is_no_character_is_shown_as_its_code() -> None:
    assert _format.visible("a\ufffeb\U0001ffff\ufdd0") == "a\\ufffeb\\U0001ffff\\ufdd0"


def test_every_negative_number_has_the_same_minus() -> None:
    shown = (
        _format.number("auc", -0.019),
        _format.number("advantage", -0.1),
        _format.interval("auc", Estimate(-0.1, -0.2, -0.05)),
    )
    assert not any("-" in text for text in shown)
    assert all(text.startswith(MINUS) for text in shown)
    assert _text.shown("auc", -0.019) == f"{MINUS}0.019"
