"""The section on how sure one can be: narrow enough, honest about what is missing, harmless."""

import importlib.resources
import json
from dataclasses import replace

import jsonschema
import pytest

from mi_audit.reports import _statistics_tables as tables
from mi_audit.reports._format import DASH
from mi_audit.reports.console import Console
from mi_audit.reports.json import Json
from mi_audit.reports.markdown import Markdown
from mi_audit.schema.statistics import Statistics
from mi_audit.stages._training_plan import TrainOptions
from mi_audit.stages.evaluate import EvaluateOptions, evaluate
from mi_audit.stages.train_attack import train_attacks
from tests.reports.audits import HOSTILE
from tests.stages.caches import cache


@pytest.fixture(scope="module")
def audit():
    planted = cache("planted", n_side=900)
    options = TrainOptions(attacks=("naive", "threshold:loss", "logistic-regression"))
    return evaluate(planted, train_attacks(planted, options), EvaluateOptions())


def test_everything_fits_into_80_columns(audit):
    text = Console().render([audit], width=80)
    assert max(map(len, text.splitlines())) <= 80
    for title in (
        "One-sided bounds of every attack",
        "What an alarm of",
        "Classes that leak most",
        "What these sample sizes can show",
    ):
        assert title in text


def test_the_numbers_are_those_of_the_audit(audit):
    row = next(r for r in audit.statistics.bounds if (r.attack, r.measure) == (audit.selected, "auc"))
    (marked,) = [one for one in tables.bounds(audit).rows if one.is_marked]
    assert marked.cells[0] == audit.selected
    assert marked.cells[1] == f"{row.low:.3f}{DASH}{row.high:.3f}"
    p_value = next(r.p_value for r in audit.statistics.chances if r.attack == audit.selected)
    assert marked.cells[5] == f"{p_value:.3f}"


def test_what_cannot_be_resolved_says_what_it_needs(audit):
    assert any("needs at least 4,786 non-members, there are" in note for note in tables.bounds(audit).notes)
    assert tables.power(audit).rows[2].cells[2] == DASH


def test_the_base_rate_row_falls_with_the_prior(audit):
    shown = tables.worth(audit)
    assert [row.cells[0] for row in shown.rows] == ["50.0", "10.0", "1.0", "0.1"]
    values = [float(row.cells[1].split("\u00a0")[0]) for row in shown.rows]
    assert values == sorted(values, reverse=True)


def test_classes_are_counted(audit):
    shown = tables.classes(audit)
    assert len(shown.rows) == 3
    assert shown.notes[0].startswith("4 classes of 4 leak")
    assert tables.classes(replace(audit, class_names=(*audit.class_names, "rare"))).notes[1].startswith("1 class with")


def test_json_holds_all_of_it_and_follows_the_schema(audit):
    document = json.loads(Json().render([audit]))
    schema = json.loads((importlib.resources.files("mi_audit") / "reports" / "audit.schema.json").read_text("utf-8"))
    jsonschema.validate(document, schema)
    (found,) = [one["statistics"] for one in document["audits"]]
    assert found["bounds"][0]["low"] == audit.statistics.bounds[0].low
    assert len(found["class_leaks"]) == 4


def test_a_constant_score_is_named(audit):
    flat = tuple(replace(row, is_informative=row.attack != "naive") for row in audit.statistics.bounds)
    notes = tables.bounds(replace(audit, statistics=replace(audit.statistics, bounds=flat))).notes
    assert "naive gives all samples one score and says nothing." in notes


def test_a_higher_epsilon_of_another_attack_is_explained(audit):
    lowered = tuple(
        replace(row, epsilon=0.1 if row.attack == audit.selected else 0.2) for row in audit.statistics.privacy
    )
    others = replace(audit, statistics=replace(audit.statistics, privacy=lowered))
    told = f"has a higher epsilon than {audit.selected} and is no better attack for that"
    assert any(told in note for note in tables.bounds(others).notes)
    highest = tuple(
        replace(row, epsilon=0.3 if row.attack == audit.selected else 0.2) for row in audit.statistics.privacy
    )
    best = replace(audit, statistics=replace(audit.statistics, privacy=highest))
    assert not any("higher epsilon" in note for note in tables.bounds(best).notes)


def test_an_audit_without_statistics_has_no_such_tables(audit):
    bare = replace(audit, statistics=Statistics())
    assert [table(bare) for table in (tables.bounds, tables.worth, tables.classes, tables.power)] == [None] * 4
    assert "Bounds:" not in Markdown().render([bare])


@pytest.mark.parametrize("name", HOSTILE[:4])
def test_class_names_can_do_no_harm(audit, name):
    text = Console().render([replace(audit, class_names=(name,) * 4)])
    assert "\x1b" not in text
    assert "<script>" not in Markdown().render([replace(audit, class_names=(name,) * 4)])
