"""Read back by the YAML of PyYAML and, as the hub does, by huggingface_hub."""

from dataclasses import replace
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from mi_audit.reports import _format, _yaml_text
from mi_audit.reports.model_card import ModelCard
from mi_audit.schema.audit import Audit
from tests.reports import audits, verdicts

ALL = audits.ALL | verdicts.ALL


def parts(*made: Audit) -> tuple[dict[str, Any], str]:
    """The front matter, and the section."""
    text = ModelCard().render(made)
    _, front, section = text.split("---\n", 2)
    content: dict[str, Any] = yaml.safe_load(front)
    return content, section


def test_the_index_holds_both_accuracies_and_the_selected_attack() -> None:
    content, _ = parts(audits.normal())
    ((entry,), (result,)) = content["model-index"], content["model-index"][0]["results"]
    assert entry["name"] == "cifar_resnet56"
    assert result["task"]["type"] == "image-classification"
    assert result["dataset"] == {"name": "cifar100", "type": "cifar100"}
    values = {metric["name"]: metric["value"] for metric in result["metrics"]}
    assert values["Accuracy on non-members"] == 0.7263
    row = audits.normal().row("xgboost")
    assert values["Membership inference, AUC"] == round(row.metrics["auc"].value or 0, 4)
    assert values["Membership inference, false alarm rate"] == 0.4102


def test_the_hub_reads_it() -> None:
    repocard = pytest.importorskip("huggingface_hub.repocard_data")
    content, _ = parts(audits.normal(), replace(audits.paper(), title="another"))
    name, results = repocard.model_index_to_eval_results(content["model-index"])
    assert name == "cifar_resnet56"
    assert len(results) == sum(len(one["metrics"]) for one in content["model-index"][0]["results"]) > 10
    assert {one.dataset_name for one in results} == {"cifar100"}


def test_audits_of_one_target_share_an_entry() -> None:
    content, _ = parts(audits.normal(), audits.paper())
    assert [len(entry["results"]) for entry in content["model-index"]] == [2]


@pytest.mark.parametrize("name", ALL)
def test_every_result_has_what_the_hub_asks_for(name: str) -> None:
    content, section = parts(ALL[name]())
    for entry in content["model-index"]:
        assert entry["name"]
        for result in entry["results"]:
            assert set(result) == {"task", "dataset", "metrics"}
            assert result["metrics"]
            assert all(set(metric) == {"type", "name", "value"} for metric in result["metrics"])
    assert section.startswith("\n## ")


def test_what_is_not_estimable_is_left_out_and_said() -> None:
    content, section = parts(audits.undefined())
    names = [metric["name"] for metric in content["model-index"][0]["results"][0]["metrics"]]
    assert names == ["Accuracy on non-members", "Membership inference, false alarm rate"]
    assert "0 members" in section


def test_an_invalid_audit_makes_no_statement_about_leakage() -> None:
    content, section = parts(verdicts.judged("INVALID"))
    names = [metric["name"] for metric in content["model-index"][0]["results"][0]["metrics"]]
    assert names == ["Accuracy on members", "Accuracy on non-members"]
    assert "69.89" not in section
    assert "This audit is not valid" in section
    assert "tells members from" not in section


@pytest.mark.parametrize("text", audits.HOSTILE[:-1])
def test_yaml_gives_hostile_text_back_as_it_is_shown(text: str) -> None:
    assert yaml.safe_load(_yaml_text.block({"key": text, "list": [{"a": text}]})) == {
        "key": _format.visible(text),
        "list": [{"a": _format.visible(text)}],
    }


def test_hostile_text_opens_no_html_in_the_section() -> None:
    _, section = parts(verdicts.hostile())
    shown = MarkdownIt("commonmark").enable("table").render(section)
    assert "<script" not in shown
    assert "href" not in shown
    assert "<img" not in shown


def test_yaml_of_nested_values() -> None:
    value = {"a": [{"b": 1, "c": {"d": "x"}}, {"e": [{"f": 0.5}]}], "g": True, "h": {"i": "--- # :"}}
    assert yaml.safe_load(_yaml_text.block(value)) == value
