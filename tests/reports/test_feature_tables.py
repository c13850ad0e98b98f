"""The tables about features: every number in them stands in the record."""

from dataclasses import replace

import pytest

from mi_audit.reports import _feature_tables, _format, _paper_feature_tables
from mi_audit.reports.console import Console
from mi_audit.schema.audit import Audit, MeanSd
from tests.reports import audits
from tests.reports.test_tables import cells, column


def test_no_features_no_tables() -> None:
    assert _feature_tables.sights(audits.normal()) is None
    assert _feature_tables.values(audits.normal()) is None
    assert _paper_feature_tables.tables([audits.paper()]) == ()


def test_each_sight_has_its_best_attack_on_known_samples_per_subset() -> None:
    table = _feature_tables.sights(audits.on_features())
    assert table is not None
    names = ["outputs", *audits.FEATURES, "all"]
    assert list(dict.fromkeys(column(table, "looks at"))) == names
    assert column(table, "attack")[-12:] == ["logistic-regression"] * 12
    assert column(table, "attack")[0] == "xgboost"
    assert column(table, "balanced accuracy (95 % interval)")[-1] == "not estimable (0 members)"
    assert [row.is_marked for row in table.rows].index(True) == 0


def test_columns_show_members_beside_non_members_and_what_is_missing() -> None:
    table = _feature_tables.values(audits.on_features())
    assert table is not None
    assert [row[:4] for row in cells(table)] == [
        ["boundary-distance distance", "all", "0.8123 ± 0.1021", "0.7 ± 0.2"],
        ["gradient-norm:w l1", "all", "1.2E\u221208 ± 3.1E\u221207", "0.8123 ± 0.1021"],
        ["gradient-norm:w l2", "all", "1.2E\u221208 ± 3.1E\u221207", "-"],
        ["boundary-distance distance", "correct", "0.8123 ± 0.1021", "0.7 ± 0.2"],
        ["boundary-distance distance", "misclassified", "0.8123 ± 0.1021", "0.7 ± 0.2"],
    ]
    assert column(table, "non-members without a value") == ["3", "0", "100", "3", "3"]


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        (None, "\u2013"),
        (MeanSd(-0.5, 2, 3), "\u22120.5 ± 2"),
        (MeanSd(1234567, 1, 3), "1.235E+06 ± 1"),
        (MeanSd(-1e-9, 0, 3), "\u22121E\u221209 ± 0"),
    ],
)
def test_measured_numbers_have_four_digits(numbers: MeanSd | None, text: str) -> None:
    assert _format.measured(numbers).replace("\u00a0", " ") == text


def test_papers_tables_5_to_7() -> None:
    tables = _paper_feature_tables.tables([audits.paper_on_features()])
    assert [table.title[:7] for table in tables] == ["Table 5", "Table 6", "Table 7"]
    assert column(tables[0], "Subset") == ["all", "correct", "misclassified"]
    distances = tables[1]
    assert column(distances, "Subset") == ["correct", "misclassified"]
    assert column(distances, "Accuracy") == ["60.00 ± 7.00"] * 2
    assert column(distances, "Classes") == ["100", "83"]
    assert column(distances, "Naive") == ["50.00 ± 0.00"] * 2
    assert column(distances, "Pooled accuracy (95 % interval)")[1] == "not estimable (0 members)"
    assert column(distances, "Mean of members") == ["0.8123 ± 0.1021"] * 2
    assert column(distances, "Non-members with a value, without") == ["77, 3", "17, 3"]
    assert column(tables[2], "Mean of non-members") == ["-", "-"]
    assert any("members that are called non-members" in note.replace("\n", " ") for note in distances.notes)
    assert distances.notes[-1].endswith("fitted on correctly classified and on misclassified samples apart.")


def test_papers_tables_of_several_targets_name_them() -> None:
    table = _paper_feature_tables.tables([audits.paper_on_features(), replace(audits.paper_on_features(), title="b")])[
        1
    ]
    assert column(table, "Target")[-1] == "b"
    assert table.n_keys == 3


@pytest.mark.parametrize("audit", [audits.on_features(), audits.paper_on_features()], ids=["audit", "paper"])
def test_everything_fits_into_80_columns(audit: Audit) -> None:
    text = Console().render([audit], width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert "What leaks, by what an attack looks at" in text
