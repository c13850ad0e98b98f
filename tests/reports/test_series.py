"""A series of checkpoints: a row per epoch, and the course of every measure."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mi_audit.reports import _format, _series
from mi_audit.reports.console import Console
from mi_audit.reports.latex import Latex
from mi_audit.reports.markdown import Markdown
from mi_audit.schema.audit import Audit
from tests.reports import audits, verdicts

EPOCHS = (1, 5, 10, 1200)


def at(epoch: int, recall: float, far: float) -> Audit:
    rows = tuple(
        audits.attack_row("xgboost", (1_000, 500), recall, far, 0.6, subset=subset)
        for subset in ("all", "correct", "misclassified")
    )
    accuracy = (audits.accuracy_row("full", (2_000, 1_000), recall, 1 - far),)
    provenance = audits.PROVENANCE | {"series": {"epoch": epoch}}
    return replace(audits.normal(), rows=rows, accuracy=accuracy, provenance=provenance)


def series() -> list[Audit]:
    return [at(epoch, 0.5 + 0.1 * i, 0.4 - 0.05 * i) for i, epoch in enumerate(EPOCHS)]


def test_a_row_per_epoch_with_the_numbers_of_the_audits() -> None:
    table, _ = _series.tables(series())
    assert [row.cells[0] for row in table.rows] == ["1", "5", "10", "1,200"]
    for row, audit in zip(table.rows, series(), strict=True):
        metrics = audit.row("xgboost", "misclassified").metrics
        assert row.cells[1] == f"{100 * (audit.accuracy[0].member.value or 0):.2f}"
        assert row.cells[5] == f"{100 * (metrics['balanced_accuracy'].value or 0):.2f}"
        assert row.cells[8] == f"{100 * (metrics['false_alarm_rate'].value or 0):.2f}"


def test_courses_have_the_ends_and_the_extremes() -> None:
    _, courses = _series.tables(series())
    by_name = {row.cells[0]: row.cells[1:] for row in courses.rows}
    assert by_name["accuracy on members"] == ("50.00", "80.00", "50.00", "80.00", "▁▃▆█")
    assert by_name["FAR, all"] == ("40.00", "25.00", "25.00", "40.00", "█▆▃▁")


def test_what_is_undefined_is_a_dash_with_its_reason_and_epochs() -> None:
    empty = replace(series()[1], rows=(audits.attack_row("xgboost", (0, 500), 0.5, 0.5, 0.5, subset="misclassified"),))
    table, courses = _series.tables([series()[0], empty, series()[2]])
    assert table.rows[1].cells[5] == _format.DASH
    assert any("0 members" in note and "epoch 5" in note for note in table.notes)
    assert courses.rows[4].cells[-1] == "▁ █"


@pytest.mark.parametrize("name", audits.ALL | verdicts.ALL)
def test_any_audit_can_be_in_a_series(name: str) -> None:
    audit = (audits.ALL | verdicts.ALL)[name]()
    for report in (Console(by="epoch"), Markdown(by="epoch"), Latex(by="epoch"), Console(by="epoch", ascii=True)):
        assert report.render([audit, series()[0]]).endswith("\n")


def test_the_view_by_epoch_has_no_part_per_audit() -> None:
    text = Markdown(by="epoch").render(series())
    assert "## Over the epochs" in text
    assert "Where the numbers come from" not in text
    assert len(text) < 5_000


def test_courses_are_ascii_where_that_is_asked_for() -> None:
    text = Console(by="epoch", ascii=True).render(series(), width=120)
    assert text.isascii()
    assert "_-+#" in text
    assert "#+-_" in text


def test_an_epoch_that_is_none_is_not_shown_as_one() -> None:
    for wrong in (True, "7", None, 1.5):
        audit = replace(audits.normal(), provenance={"series": {"epoch": wrong}})
        assert _series.epoch_of(audit) is None
    assert _series.epoch_of(replace(audits.normal(), provenance={"series": 3})) is None


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=200))
def test_a_course_is_never_long_and_its_ends_are_the_ends(values: list[float | None]) -> None:
    line = _series.course(values)
    known = [value for value in values if value is not None]
    assert len(line) <= 60
    if len(values) <= 60 and known:
        assert len(line) == len(values)
        assert (values[-1] is None) == (line[-1] == " ")
        if max(known) > min(known):
            assert line[values.index(max(known))] == "█"
            assert line[values.index(min(known))] == "▁"


def test_a_flat_course_is_flat() -> None:
    assert _series.course([0.3, 0.3, 0.3]) == "▁▁▁"
    assert _series.course([None, None]) == ""
    assert _series.course([]) == ""


def test_the_verdicts_are_told_as_runs_of_epochs() -> None:
    outcomes = ("PASS", "PASS", "INCONCLUSIVE", "FAIL")
    made = verdicts.judged().verdict
    assert made is not None
    judged = [replace(audit, verdict=replace(made, outcome=one)) for audit, one in zip(series(), outcomes, strict=True)]
    assert _series.verdicts(judged) == "PASS at epoch 1 to 5, INCONCLUSIVE at epoch 10, FAIL at epoch 1,200."
    assert _series.verdicts(series()) == ""


def test_numbers_on_few_samples_are_told_with_their_epochs() -> None:
    few = [replace(row, n_members=6) if row.subset == "misclassified" else row for row in series()[1].rows]
    told = _series.tables([series()[0], replace(series()[1], rows=tuple(few))])[0].notes
    assert any("too few to rely on: misclassified, epoch 5." in note for note in told)
    assert not any("too few" in note for note in _series.tables(series())[0].notes)
