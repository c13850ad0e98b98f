import csv
import io
from dataclasses import replace

from mi_audit.reports.csv import Csv
from tests.reports import audits, verdicts


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


def test_bounds_rules_and_controls_are_lines_of_their_own() -> None:
    lines = list(csv.DictReader(io.StringIO(Csv().render([verdicts.judged()])), strict=True))
    by_record: dict[str, list[dict[str, str]]] = {}
    for line in lines:
        by_record.setdefault(line["record"], []).append(line)
    assert len(by_record["attack"]) == len(verdicts.judged().rows)
    assert [line["name"] for line in by_record["rule"]] == [rule.rule for rule in verdicts.RULES]
    assert [line["outcome"] for line in by_record["control"]] == ["held", "failed", "no evidence", "not applicable"]
    assert [line["p_value"] for line in by_record["control"]] == ["", "4e-05", "", ""]
    bound = by_record["bound"][0]
    assert (bound["auc"], bound["auc.low"], bound["auc.high"]) == ("0.751", "0.744", "0.758")
    assert (by_record["class"][0]["class_name"], by_record["class"][0]["auc"]) == ("class 7", "0.81")
    assert by_record["stratified"][0]["auc_stratified"] == "0.742"
    rule = by_record["rule"][0]
    assert (rule["auc"], rule["auc.low"], rule["outcome"]) == ("0.751", "0.744", "broken")


def test_a_metric_that_a_file_made_up_gets_no_column() -> None:
    text = Csv().render([verdicts.hostile()])
    header = text.split("\n", 1)[0]
    assert not any(name in header for name in ("script", "HYPERLINK", "passwd"))
    assert "auc_stratified" in header


def test_an_epoch_has_its_column() -> None:
    audit = replace(audits.normal(), provenance={"series": {"epoch": 12}})
    lines = list(csv.DictReader(io.StringIO(Csv().render([audit]))))
    assert {line["epoch"] for line in lines} == {"12"}


def test_the_sample_list_has_a_line_per_sample_and_an_empty_cell_where_there_is_no_score() -> None:
    audit = replace(audits.normal(), samples=verdicts.samples(), class_names=("cat", "=dog"))
    lines = list(csv.DictReader(io.StringIO(Csv(per_sample=True).render([audit, audits.normal()]))))
    assert [line["sample_id"] for line in lines] == ["train/1", "'=cmd()", "test/3"]
    assert [line["is_member"] for line in lines] == ["yes", "yes", "no"]
    assert [line["class_name"] for line in lines] == ["cat", "'=dog", "cat"]
    assert [line["score.xgboost"] for line in lines] == ["", "0.25", "0.5"]
