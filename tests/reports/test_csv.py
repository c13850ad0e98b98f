import csv
import io

from mi_audit.reports.csv import Csv
from tests.reports import audits


def read(*names: str) -> list[dict[str, str]]:
    text = Csv().render([audits.ALL[name]() for name in names])
    return list(csv.DictReader(io.StringIO(text), strict=True))


def test_one_line_per_row_of_the_record() -> None:
    lines = read("normal", "paper")
    assert len(lines) == len(audits.normal().rows) + len(audits.paper().rows)
    assert [line["audit"] for line in lines[:: len(audits.normal().rows)]] == ["1", "2"]


def test_numbers_are_those_of_the_record() -> None:
    for line, row in zip(read("normal"), audits.normal().rows, strict=True):
        for key, estimate in row.metrics.items():
            for name, value in ((key, estimate.value), (f"{key}.low", estimate.low), (f"{key}.high", estimate.high)):
                assert line[name] == ("" if value is None else repr(value))
        assert float(line["naive.balanced_accuracy"]) == row.naive["balanced_accuracy"].value
        assert float(line["zero_r.false_alarm_rate"]) == 1.0
        assert (int(line["n_members"]), int(line["n_non_members"])) == (row.n_members, row.n_non_members)
        assert line["is_selected"] == ("yes" if row.attack == "xgboost" else "no")


def test_target_accuracy_is_there() -> None:
    assert {line["target_accuracy.member"] for line in read("normal")} == {"0.999"}
    assert {line["target_accuracy.non_member"] for line in read("normal")} == {"0.7263"}


def test_classes_have_position_and_name() -> None:
    line = next(line for line in read("per_class") if line["image_class"] == "7")
    assert line["class_name"] == "class 7"
    assert read("per_class")[0]["image_class"] == ""


def test_undefined_is_empty_with_its_reason() -> None:
    line = next(line for line in read("empty_subset") if line["subset"] == "misclassified")
    assert line["balanced_accuracy"] == ""
    assert "balanced_accuracy: 0 members; " in line["not_estimable"]


def test_no_text_is_a_formula() -> None:
    lines = read("hostile")
    texts = [
        cell
        for line in lines
        for name, cell in line.items()
        if name in ("title", "attack", "class_name", "not_estimable")
    ]
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in texts)
    assert any(cell.startswith("'=HYPERLINK(") for cell in texts)
    assert any(cell.startswith("'-2+3") for cell in texts)
    assert any(cell == "two\\nlines\\r\\nand\\ttab" for cell in texts)
    assert any(cell == 'quote " and , comma; ' for cell in texts)


def test_negative_numbers_stay_numbers() -> None:
    line = read("near_guessing")[0]
    assert float(line["advantage.low"]) < 0


def test_lines_end_in_a_bare_newline() -> None:
    assert "\r" not in Csv().render([audits.normal()])
