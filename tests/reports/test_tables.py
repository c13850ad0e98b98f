"""The tables as plain values: every number in them stands in the record."""

from dataclasses import replace

import pytest

from mi_audit.reports import _attack_tables, _facts, _paper_tables, _sweep_tables, _tables, _target_tables
from mi_audit.reports._table import Column, Row, Table
from mi_audit.schema.audit import Audit
from mi_audit.schema.estimate import Estimate
from tests.reports import audits


def cells(table: Table | None) -> list[list[str]]:
    assert table is not None
    return [[cell.replace("\u00a0", " ").replace("\u2013", "-") for cell in row.cells] for row in table.rows]


def column(table: Table, name: str) -> list[str]:
    position = [column.name for column in table.columns].index(name)
    return [row[position] for row in cells(table)]


def test_a_row_has_a_cell_per_column() -> None:
    with pytest.raises(ValueError, match="expected 2 cells in 't', got 1"):
        Table("t", (Column("a"), Column("b")), (Row(("1",)),))


def test_accuracy_has_the_audited_samples_only_where_they_differ() -> None:
    assert column(_target_tables.accuracy(audits.normal()), "samples") == ["full data set", "held-out"]
    shown = _target_tables.accuracy(audits.duplicates())
    assert cells(shown)[:2] == [
        ["full data set", "50,000", "10,000", "99.90 (99.87-99.92)", "72.63 (71.75-73.50)", "27.27"],
        ["audited", "49,961", "9,961", "99.90 (99.87-99.92)", "72.53 (71.64-73.40)", "27.37"],
    ]
    assert "on both sides" in shown.notes[0]


def test_confidence_of_a_side_without_samples_is_a_dash_with_its_n() -> None:
    assert cells(_target_tables.confidence(audits.empty_subset()))[2] == [
        "misclassified",
        "0",
        "-",
        "227",
        "17.00 ± 15.00",
    ]


def test_attacks_end_with_naive_twice_and_zero_r() -> None:
    table = _attack_tables.attacks(audits.normal())
    assert column(table, "attack") == [*audits.ATTACKS, "naive", "naive, all samples", "ZeroR"]
    assert column(table, "balanced accuracy (95 % interval)")[-3:] == [
        "63.64 (63.02-64.26)",
        "63.64 (63.20-64.07)",
        "50.00",
    ]
    assert column(table, "FAR")[-3:] == ["72.62", "72.63", "100.00"]
    assert [row.is_marked for row in table.rows] == [True] + [False] * (len(table.rows) - 1)
    assert column(table, "accuracy at 5:1")[0] == "77.16"


def test_naive_has_a_row_more_where_duplicates_left() -> None:
    table = _attack_tables.attacks(audits.duplicates())
    assert column(table, "attack")[-4:] == ["naive", "naive, all samples", "naive, all audited", "ZeroR"]
    assert column(table, "FAR")[-4:-1] == ["72.62", "72.63", "72.53"]
    assert any(note.startswith("Naive, all audited: 49,961 members, 9,961 non-members, ") for note in table.notes)


def test_the_baselines_are_there_without_rows_of_their_own() -> None:
    audit = audits.normal()
    only = replace(audit, rows=tuple(row for row in audit.rows if row.attack == "xgboost"))
    assert column(_attack_tables.attacks(only), "attack") == ["xgboost", "naive", "ZeroR"]
    assert column(_attack_tables.attacks(only), "FAR") == ["41.02", "72.63", "100.00"]


def test_naive_is_marked_when_it_was_selected() -> None:
    table = _attack_tables.attacks(replace(audits.normal(), selected="naive"))
    assert [row.cells[0] for row in table.rows if row.is_marked] == ["naive"]


def test_undefined_numbers_have_their_reason_in_a_note() -> None:
    assert "needs 3,700 non-members, there are 2,000" in " ".join(_attack_tables.attacks(audits.paper()).notes)


def test_subsets_show_three_attacks_each_with_their_n() -> None:
    table = _attack_tables.subsets(audits.normal())
    assert column(table, "subset") == ["all"] * 3 + ["correct"] * 3 + ["misclassified"] * 3
    assert column(table, "attack") == ["xgboost", "naive", "ZeroR"] * 3
    assert column(table, "members")[-3:] == ["25"] * 3
    assert table.notes == ("Only 25 held-out members are misclassified: too few to rely on.",)


def test_a_subset_without_members_is_not_estimable() -> None:
    table = _attack_tables.subsets(audits.empty_subset())
    assert column(table, "balanced accuracy (95 % interval)")[-3:] == ["not estimable (0 members)"] * 3
    assert column(table, "AUC")[-3:-1] == ["-", "-"]
    assert table.notes[0].startswith("No held-out member is misclassified")


def test_one_sample_is_singular() -> None:
    row = audits.attack_row("xgboost", (1, 40), 1.0, 0.5, 0.5, subset="misclassified")
    table = _attack_tables.subsets(replace(audits.normal(), rows=(row,)))
    assert table.notes == ("Only 1 held-out member is misclassified: too few to rely on.",)


def test_thirty_samples_are_not_few() -> None:
    rows = [audits.attack_row("xgboost", (n, 30), 0.9, 0.5, 0.5, subset="misclassified") for n in (29, 30)]
    tables = [_attack_tables.subsets(replace(audits.normal(), rows=(row,))) for row in rows]
    assert [len(table.notes) for table in tables] == [1, 0]


def test_classes_are_sorted_and_the_rest_is_counted() -> None:
    audit = audits.per_class()
    table = _attack_tables.classes(audit, limit=10)
    assert table is not None
    known = [row for row in audit.rows if row.image_class is not None and row.n_non_members]
    best = sorted(known, key=lambda row: -(row.metrics["balanced_accuracy"].value or 0))
    assert column(table, "class") == [f"class {row.image_class}" for row in best[:10]]
    notes = " ".join(table.notes)
    assert "88 classes with less leakage not shown" in notes
    assert "2 classes not estimable" in notes
    assert "SD over classes" in notes


def test_no_table_of_classes_without_rows_per_class() -> None:
    assert _attack_tables.classes(audits.normal(), limit=10) is None


def test_titles_of_any_length_make_a_table() -> None:
    long = [replace(audits.paper(), title=title * 30) for title in ("x", "two words ", "a-b")]
    for table in (*_paper_tables.tables(long), _target_tables.comparison(long)):
        assert table.rows


def test_sweep_of_the_papers_table_2() -> None:
    """Printed there, from recall 0.8785 and FAR 0.6445: precision 57.68 at 1:1, 21.41 at 1:5 from a FAR of 0.6442."""
    rows = cells(_sweep_tables.exact(audits.paper()))
    assert rows[0] == ["5:1", "mlp", "87.20", "87.85", "36.92", "35.55", "61.70", "64.45"]
    assert rows[2] == ["5:1", "ZeroR", "83.33", "100.00", "-", "0.00", "50.00", "100.00"]
    assert rows[3][:3] == ["1:1", "mlp", "57.68"]
    assert rows[8][:3] == ["1:5", "ZeroR", "16.67"]


def test_resampled_sweep_leaves_zero_r_out_and_says_what_was_drawn() -> None:
    table = _sweep_tables.resampled(audits.normal())
    assert table is not None
    assert column(table, "attack") == ["xgboost", "naive"] * 3
    assert "25,000:5,000, 5,000:5,000, 1,000:5,000" in table.notes[0]
    assert "200 times" in table.notes[0]


def test_no_sweep_no_tables() -> None:
    audit = replace(audits.normal(), sweep=())
    assert _sweep_tables.exact(audit) is None
    assert _sweep_tables.resampled(audit) is None
    assert _sweep_tables.limits(audit) is None


def test_limits() -> None:
    table = _sweep_tables.limits(audits.limited())
    assert table is not None
    assert cells(table) == [
        ["balanced_accuracy=0.6", "xgboost", "all", "69.89", "60.00", "exceeded"],
        ["auc=0.8", "xgboost", "all", "0.751", "0.800", "within"],
        ["tpr_at_fpr.0.001=0.01", "xgboost", "all", "-", "1.00", "not estimable"],
    ]
    assert [row.is_marked for row in table.rows] == [True, False, False]
    assert "needs 3,700" in table.notes[0]


def test_paper_table_1_has_a_column_per_audit() -> None:
    table = _paper_tables.tables([audits.paper(), replace(audits.paper(), title="other")])[0]
    assert [column.name for column in table.columns] == ["", "resnet164 on cifar100", "other"]
    assert column(table, "other") == [
        "95.80",
        "74.14",
        "79.13 ± 5.12",
        "87.30 ± 3.01",
        "87.85 ± 6.04",
        "87.45 ± 4.02",
        "61.70 ± 6.55",
        "64.45 ± 14.81",
    ]
    assert column(table, "") == [
        "Train acc.",
        "Test acc.",
        "Attack acc.",
        "Precision",
        "Recall",
        "F1",
        "Bal. acc.",
        "FAR",
    ]
    assert "over classes, not over runs" in table.notes[0]
    assert "5:1" in table.notes[0]
    assert "resnet164 on cifar100: 3 classes skipped for too few samples." in table.notes


def test_paper_table_2_is_for_the_selected_attack_and_zero_r() -> None:
    rows = cells(_paper_tables.tables([audits.paper()])[1])
    assert [row[:2] for row in rows] == [
        [ratio, attack] for ratio in ("5:1", "1:1", "1:5") for attack in ("MI", "ZeroR")
    ]


def test_paper_table_3() -> None:
    assert cells(_paper_tables.tables([audits.paper()])[2]) == [
        ["resnet164 on cifar100", "95.80", "74.14", "61.70 ± 6.55", "65.68 ± 4.12"]
    ]


def test_paper_table_4_counts_the_classes() -> None:
    assert cells(_paper_tables.tables([audits.paper()])[3]) == [
        ["all", "61.70 ± 6.55", "64.45 ± 14.81", "100", "91.14 ± 18.44", "70.19 ± 38.10"],
        ["correct", "53.96 ± 5.25", "83.70 ± 11.01", "100", "94.15 ± 11.43", "90.88 ± 15.74"],
        ["misclassified", "54.37 ± 16.00", "2.66 ± 8.08", "83", "57.82 ± 17.69", "64.30 ± 21.71"],
    ]


def test_paper_table_4_says_which_classes_are_left_out() -> None:
    notes = _paper_tables.tables([audits.paper()])[3].notes
    assert notes[-1] == "resnet164 on cifar100: accuracy is not estimable for 17 classes of misclassified."


def test_paper_tables_without_averages_are_dashes_with_a_tip() -> None:
    table = _paper_tables.tables([replace(audits.paper(), class_averages=())])[0]
    assert column(table, "resnet164 on cifar100")[2:] == ["-"] * 6
    assert "--by-class" in " ".join(table.notes)


def test_comparison_has_a_row_per_audit() -> None:
    rows = cells(_target_tables.comparison([audits.normal(), audits.paper()]))
    assert rows[0][:7] == [
        "1. cifar_resnet56 on cifar100",
        "99.90",
        "72.63",
        "63.64",
        "69.89 (69.17-70.61)",
        "41.02",
        "0.751",
    ]
    assert rows[1][7] == "-"
    assert rows[1][-4:] == ["mlp", "paper", "10,000", "2,000"]


def test_document_has_comparison_and_paper_tables_only_when_due() -> None:
    alone = _tables.document([audits.normal()], n_classes=10)
    assert alone.comparison is None
    assert alone.paper == ()
    both = _tables.document([audits.normal(), audits.paper()], n_classes=10)
    assert both.comparison is not None
    assert len(both.paper) == 4
    assert [page.title[:2] for page in both.pages] == ["1.", "2."]


def test_findings_come_by_severity() -> None:
    page = _tables.document([audits.duplicates()], n_classes=10).pages[0]
    assert [finding.severity for finding in page.findings] == ["warning", "note"]


def test_header_and_provenance() -> None:
    header, provenance = dict(_facts.header(audits.normal())), dict(_facts.provenance(audits.normal()))
    assert header["target"].replace("\u00a0", " ") == "cifar_resnet56 from cifar100_resnet56.pt, weights 3f2a9c017be4"
    assert header["held out"].startswith("25,000 members, 5,000 non-members")
    assert provenance["pixels"].startswith("mean 0.507 0.4865 0.4409, std 0.2673 0.2564 0.2761 (from known")
    assert header["protocol"].endswith("7 attacks compared, known fraction 0.5, seed 7")
    assert provenance["seeds"] == "extract 0, train-attack 7"
    assert provenance["versions"] == "mi-audit 0.1.0, numpy 2.4.0, torch 2.15.0, xgboost 3.2.0"


@pytest.mark.parametrize(
    "junk", [None, 3, "text", [1, {"a": 2}], {"target": 3}, {"target": {"preprocessing": [1], "notes": 5}}]
)
def test_a_strange_provenance_is_left_out(junk: object) -> None:
    audit = replace(audits.normal(), provenance={"features": junk, "attacks": junk, "evaluate": junk})
    assert "target" not in dict(_facts.header(audit))
    assert dict(_facts.provenance(audit)) == {}


def test_stages_of_different_versions_are_both_named() -> None:
    provenance = {"features": {"versions": {"mi-audit": "0.1.0"}}, "evaluate": {"versions": {"mi-audit": "0.2.0"}}}
    audit = replace(audits.normal(), provenance=provenance)
    assert dict(_facts.provenance(audit))["versions"] == "mi-audit 0.1.0 and 0.2.0"


def test_accuracy_is_said_with_its_ratio_where_there_is_one() -> None:
    def said(*shown: Audit) -> str:
        return " ".join(_facts.legend(shown))

    assert "measured at, here 5:1 (25,000:5,000)." in said(audits.normal(), audits.normal())
    assert "measured at." in said(audits.normal(), audits.paper())


def test_a_naive_row_of_undefined_numbers_does_not_break_the_table() -> None:
    row = audits.attack_row("xgboost", (10, 10), 0.8, 0.4, 0.7)
    nothing = Estimate.undefined("the target returned one class")
    row = replace(row, metrics=dict.fromkeys(row.metrics, nothing))
    table = _attack_tables.attacks(replace(audits.normal(), rows=(row,)))
    assert "not estimable (the target returned one class)" in cells(table)[0]
    assert "-: not estimable (the target returned one class)." in [note.replace("\u2013", "-") for note in table.notes]
