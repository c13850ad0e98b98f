import copy
import importlib.resources
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from mi_audit.reports.json import Json
from tests.reports import audits, verdicts

SCHEMA: dict[str, Any] = json.loads(
    (importlib.resources.files("mi_audit") / "reports" / "audit.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def document(*names: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Json().render([audits.ALL[name]() for name in names]))
    return content


def first(name: str) -> dict[str, Any]:
    audit: dict[str, Any] = document(name)["audits"][0]
    return audit


def subschemas(node: object, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of a property or of a definition, with its place."""
    if isinstance(node, dict):
        for key in ("properties", "$defs"):
            for name, child in node.get(key, {}).items():
                yield f"{path}/{key}/{name}", child
        for key, child in node.items():
            yield from subschemas(child, f"{path}/{key}")


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_everything_in_the_schema_is_described() -> None:
    found = dict(subschemas(SCHEMA))
    assert len(found) > 80
    assert [place for place, child in found.items() if not child.get("description")] == []


def test_objects_are_closed() -> None:
    free = {"provenance", "options", "policy"}
    open_objects = [
        place
        for place, child in subschemas(SCHEMA)
        if child.get("type") == "object" and "additionalProperties" not in child and place.rsplit("/")[-1] not in free
    ]
    assert open_objects == []


@pytest.mark.parametrize("name", audits.ALL)
def test_documents_follow_the_schema(name: str) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(document(name))] == []


def test_several_audits_have_the_same_form_as_one() -> None:
    several = document("normal", "paper")
    VALIDATOR.validate(several)
    assert list(several) == ["schema_version", "audits"]
    assert several["audits"] == [first("normal"), first("paper")]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema_version",), 2),
        (("audits", 0, "rows", 0, "metrics", "balanced_accuracy", "value"), "69 %"),
        (("audits", 0, "rows", 0, "metrics", "bal_acc"), None),
        (("audits", 0, "rows", 0, "n_members"), -1),
        (("audits", 0, "rows", 0, "subset"), "some"),
        (("audits", 0, "accuracy", 0, "member"), 0.9),
    ],
)
def test_the_schema_refuses_what_is_wrong(path: tuple[str | int, ...], value: object) -> None:
    wrong: Any = copy.deepcopy(document("normal"))
    node = wrong
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    assert not VALIDATOR.is_valid(wrong)


def test_metrics_are_nested_by_their_first_dot() -> None:
    metrics = first("normal")["rows"][0]["metrics"]
    record = audits.normal().rows[0].metrics
    assert set(metrics["tpr_at_fpr"]) == {"0.01", "0.001"}
    assert metrics["tpr_at_fpr"]["0.001"]["value"] == record["tpr_at_fpr.0.001"].value
    for name in ("precision", "recall", "f1"):
        for side in ("member", "non_member"):
            assert metrics[name][side]["value"] == record[f"{name}.{side}"].value
    assert metrics["fpr"] == metrics["false_alarm_rate"]
    assert metrics["false_discovery_rate"]["value"] == record["false_discovery_rate"].value
    assert not any("." in name for name in metrics)


def test_numbers_keep_their_full_precision() -> None:
    estimate = audits.normal().row("xgboost").metrics["balanced_accuracy"]
    found = first("normal")["rows"][0]["metrics"]["balanced_accuracy"]
    assert found == {"value": estimate.value, "low": estimate.low, "high": estimate.high, "reason": None}


def test_undefined_is_null_with_a_reason_and_what_is_known() -> None:
    rows = first("paper")["rows"]
    assert rows[0]["metrics"]["tpr_at_fpr"]["0.001"] == {
        "value": None,
        "low": 0.0,
        "high": 0.05,
        "reason": "needs 3,700 non-members, there are 2,000",
    }
    empty = first("empty_subset")
    row = next(row for row in empty["rows"] if row["subset"] == "misclassified")
    assert row["metrics"]["balanced_accuracy"]["value"] is None
    assert row["metrics"]["balanced_accuracy"]["reason"] == "0 members"
    assert empty["confidence"][2]["member"] is None


def test_rows_per_class_have_the_name_of_the_class() -> None:
    names = {row["image_class"]: row["class_name"] for row in first("per_class")["rows"]}
    assert names[None] is None
    assert names[7] == "class 7"


def test_averages_and_sweep_are_nested_too() -> None:
    audit = first("paper")
    average = next(row for row in audit["class_averages"] if row["subset"] == "misclassified")
    assert average["metrics"]["balanced_accuracy"] == {"mean": 0.5437, "sd": 0.16, "n": 83}
    assert average["n_classes_undefined"]["fpr"] == 17
    assert audit["sweep"][0]["exact"]["precision"]["member"]["value"] == pytest.approx(0.8720468, abs=1e-6)
    assert audit["sweep"][0]["resampled"]["precision"]["member"]["n"] == 200


def test_hostile_names_come_back_as_they_were() -> None:
    text = Json().render([audits.hostile()])
    assert text.isascii()
    audit = json.loads(text)["audits"][0]
    assert audit["class_names"] == list(audits.HOSTILE)
    assert audit["selected"] == audits.HOSTILE[0]


def test_what_json_cannot_say_in_options_is_text() -> None:
    audit = audits.normal()
    attack = replace(audit.attacks[0], options={"z": float("inf"), "a": (1, None, True)})
    text = Json().render([replace(audit, attacks=(attack,))])
    assert json.loads(text)["audits"][0]["attacks"][0]["options"] == {"a": [1, None, True], "z": "inf"}


def test_names_that_contradict_each_other_stay_as_they_are() -> None:
    audit = audits.per_class()
    average = replace(audit.class_averages[0], n_classes_undefined={"x": 1, "x.y": 2, "a.b": 3})
    audit = replace(audit, class_averages=(average, *audit.class_averages[1:]))
    shown = json.loads(Json().render([audit]))["audits"][0]["class_averages"][0]["n_classes_undefined"]
    assert shown == {"x": 1, "x.y": 2, "a": {"b": 3}}


@pytest.mark.parametrize("name", verdicts.ALL)
def test_verdicts_and_statistics_follow_the_schema(name: str) -> None:
    content = json.loads(Json().render([verdicts.ALL[name]()]))
    assert [error.message for error in VALIDATOR.iter_errors(content)] == []


def test_samples_are_there_on_request_only_and_follow_the_schema() -> None:
    audit = replace(audits.normal(), samples=verdicts.samples())
    assert "samples" not in json.loads(Json().render([audit]))["audits"][0]
    content = json.loads(Json(per_sample=True).render([audit, audits.normal()]))
    VALIDATOR.validate(content)
    first_audit, aggregate_only = content["audits"]
    assert first_audit["samples"]["sample_id"] == ["train/1", "=cmd()", "test/3"]
    assert first_audit["samples"]["is_member"] == [True, True, False]
    assert first_audit["samples"]["score"] == {"xgboost": [None, 0.25, 0.5]}
    assert aggregate_only["samples"] is None
