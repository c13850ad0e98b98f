import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from mi_audit.reports._console_layout import aligned, hanging, panels, wrapped
from mi_audit.reports._table import Column, Row, Table
from mi_audit.reports.console import Console
from tests.reports import audits, verdicts

WIDTHS = (40, 57, 80, 100, 160, 200)
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def render(name: str, width: int = 80, **options: bool) -> str:
    return Console(**options).render([audits.ALL[name]()], width=width)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["normal", "undefined", "per_class", "paper", "hostile"])
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    lines = render(name, width).split("\n")
    assert max(map(cell_len, lines)) <= width
    assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize("width", WIDTHS)
def test_numbers_are_never_broken(width: int) -> None:
    text = render("normal", width)
    for number in ("69.89 (69.17\u201370.61)", "39.66\u201342.39", "99.45 ±  2.31", "90.86 ± 0.52", "50,000", "0.751"):
        assert number in text


def test_the_sections_come_in_the_order_of_reading() -> None:
    text = Console().render([replace(audits.per_class(), limits=audits.limited().limits)])
    titles = (
        "mi-audit 0.1.0: cifar_resnet56 on cifar100",
        "tells members from",
        "Accuracy of the target",
        "Confidence in",
        "Attacks on",
        "Subsets of",
        "Classes, by",
        "Balancedness: ",
        "Balancedness checked",
        "Limits (",
        "Findings\n",
        "Where the numbers",
        "What the numbers",
    )
    found = [text.index(title) for title in titles]
    assert found == sorted(found)


def test_the_essential_columns_come_first_at_80() -> None:
    lines = render("normal").split("\n")
    first = next(line for line in lines if line.startswith("▸ xgboost"))
    assert first.split() == ["▸", "xgboost", "69.89", "(69.17\u201370.61)", "41.02", "80.80", "90.78", "38.06", "0.751"]


def test_at_160_the_attacks_are_one_table() -> None:
    assert render("normal", 160).count("▸ xgboost") == 1
    assert render("normal", 80).count("▸ xgboost") == 2


def test_color_changes_nothing_but_the_codes() -> None:
    plain = Console().render([audits.normal()], width=80)
    colored = Console().render([audits.normal()], width=80, color=True)
    assert "\x1b" not in plain
    assert "\x1b[" in colored
    assert [line.rstrip() for line in ANSI.sub("", colored).split("\n")] == plain.split("\n")


def test_a_hostile_name_makes_no_codes_in_color() -> None:
    colored = Console().render([audits.hostile()], width=80, color=True)
    assert "\x1b" not in ANSI.sub("", colored)
    assert "\x1b[31m" not in colored
    assert "[bold red]markup[/]" in colored


def test_ascii_is_ascii() -> None:
    for name in ("normal", "paper", "hostile", "empty_subset"):
        assert render(name, ascii=True).isascii()
    assert "99.45 +/-  2.31" in render("normal", ascii=True)
    assert "> xgboost" in render("normal", ascii=True)


def test_the_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [Console().render([audits.normal()], width=160, color=color) for color in (False, True)]
    for name, value in {"COLUMNS": "50", "LINES": "5", "TERM": "dumb", "NO_COLOR": "1", "FORCE_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    assert [Console().render([audits.normal()], width=160, color=color) for color in (False, True)] == before


def test_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    render("normal")
    assert capsys.readouterr() == ("", "")


def test_the_number_of_classes_is_an_option() -> None:
    text = Console(classes=3).render([audits.per_class()])
    assert "95 classes with less leakage not shown" in text


def test_several_audits_are_compared_first() -> None:
    text = Console().render([audits.normal(), audits.paper()])
    assert text.startswith("Audits compared")
    assert text.count("What the numbers are") == 1
    assert text.index("Table 1.") > text.index("2. resnet164 on cifar100\n")


def test_repeated_keys_are_said_once_per_group() -> None:
    text = render("normal")
    assert text.count("misclassified  xgboost") == 1
    assert text.count("misclassified  naive") == 0


@given(st.text(alphabet="ab-:/_ 深0é", max_size=80), st.integers(min_value=2, max_value=30))
def test_wrapped_text_fits_and_loses_nothing(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


@given(st.text(alphabet="ab-:/_ 深0é", max_size=80), st.integers(min_value=6, max_value=30))
def test_hanging_names_fit_and_lose_nothing(text: str, width: int) -> None:
    lines = hanging(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_names_break_at_the_better_place() -> None:
    assert hanging("threshold:modified-entropy", 20) == ["threshold:", "  modified-entropy"]
    assert hanging("logistic-regression", 19) == ["logistic-regression"]
    assert wrapped("at the ratio 25,000:5,000", 14) == ["at the ratio", "25,000:5,000"]
    assert wrapped("guessing gives 50 %", 17) == ["guessing gives", "50\u00a0%"]


def test_aligned_numbers() -> None:
    gap = "\u00a0"
    assert aligned([f"9.00{gap}(8.00\u201310.00)", "50.00", "not estimable (x)"]) == [
        f"{gap}9.00{gap}(8.00\u201310.00)",
        f"50.00{gap * 13}",
        "not estimable (x)",
    ]
    assert aligned([f"99.45{gap}±{gap}2.31", f"31.21{gap}±{gap}16.04"]) == [
        f"99.45{gap}±{gap * 2}2.31",
        f"31.21{gap}±{gap}16.04",
    ]
    assert aligned(["1", "22"]) == ["1", "22"]


def test_panels_repeat_the_keys_and_put_the_essential_first() -> None:
    columns = (Column("key", is_text=True), Column("a"), Column("b", is_essential=False), Column("c"))
    table = Table("t", columns, (Row(("name", "1" * 10, "2" * 10, "3" * 10)),))
    assert [panel.columns for panel in panels(table, 80, indent=0)] == [(0, 1, 2, 3)]
    assert [panel.columns for panel in panels(table, 30, indent=0)] == [(0, 1, 3), (0, 2)]
    assert [panel.columns for panel in panels(table, 18, indent=0)] == [(0, 1), (0, 3), (0, 2)]


def test_an_invalid_audit_gives_no_number_about_leakage_in_its_summary() -> None:
    invalid, failed = (Console().render([verdicts.judged(outcome)]) for outcome in ("INVALID", "FAIL"))
    told = "tells members from"
    assert told in " ".join(failed.split())
    assert told not in " ".join(invalid.split())
    assert "it says nothing about what the target reveals" in " ".join(invalid.split())
