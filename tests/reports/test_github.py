"""Annotations, read as the runner of GitHub Actions reads them."""

import re
from dataclasses import replace

import pytest

from mi_audit.reports import _format
from mi_audit.reports.github import Github
from mi_audit.schema.audit import Audit
from mi_audit.schema.finding import Finding
from mi_audit.schema.verdict import RuleResult
from tests.reports import audits, verdicts

COMMAND = re.compile(r"::(?P<level>error|warning|notice) (?P<properties>[^:]*)::(?P<message>.*)")
CODES = {"%25": "%", "%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ","}


def decoded(text: str) -> str:
    return re.sub("%(25|0D|0A|3A|2C)", lambda found: CODES[found[0]], text)


def read(*made: Audit) -> list[tuple[str, str, str]]:
    """(level, title, message) of every line, each of which is a command."""
    found = []
    for line in Github().render(made).rstrip("\n").split("\n"):
        command = COMMAND.fullmatch(line)
        assert command is not None, line
        assert command["properties"].count("=") >= 1
        properties = dict(one.split("=", 1) for one in command["properties"].split(","))
        assert set(properties) == {"title"}
        found.append((command["level"], decoded(properties["title"]), decoded(command["message"])))
    return found


def test_one_annotation_for_each_rule_and_control_that_did_not_hold() -> None:
    found = read(verdicts.judged())
    levels = {title.removeprefix("mi-audit, cifar_resnet56 on cifar100, "): level for level, title, _ in found}
    assert levels["rule tolerance/auc"] == levels["control shift"] == "error"
    assert levels["rule tolerance/tpr-0.1"] == levels["rule far"] == levels["control untrained-twin"] == "warning"
    assert levels["rule per-class"] == "notice"
    held = ("minimum/members", "duplicates", "boundary", "shuffled")
    assert not any(name in title for _, title, _ in found for name in held if "exact" not in title)


@pytest.mark.parametrize(
    ("outcome", "level"), [("PASS", "notice"), ("FAIL", "error"), ("INCONCLUSIVE", "warning"), ("INVALID", "error")]
)
def test_the_verdict_has_the_level_of_its_exit_code(outcome: str, level: str) -> None:
    first = next(one for one in read(verdicts.judged(outcome)) if one[1] == "mi-audit, cifar_resnet56 on cifar100")  # type: ignore[arg-type]
    assert first[0] == level
    assert first[2].startswith(outcome)


def test_without_a_verdict_there_is_a_notice_with_the_numbers() -> None:
    ((level, _, message),) = read(audits.normal())
    assert level == "notice"
    assert "no verdict" in message
    assert "69.89" in message


def test_an_invalid_audit_gives_no_number_about_leakage() -> None:
    messages = [message for _, title, message in read(verdicts.judged("INVALID")) if "rule" not in title]
    assert any("says nothing about what the target reveals" in message for message in messages)
    assert not any("69.89" in message or "tells members" in message for message in messages)


def test_errors_come_first() -> None:
    levels = [level for level, _, _ in read(audits.normal(), verdicts.judged())]
    assert levels == sorted(levels, key=("error", "warning", "notice").index)


def test_findings_that_are_notes_stay_out() -> None:
    found = read(audits.duplicates())
    assert [level for level, _, _ in found] == ["warning", "notice"]
    assert not any("batch-size" in title for _, title, _ in found)


def test_there_are_never_more_of_a_level_than_github_shows() -> None:
    findings = tuple(Finding(f"slug-{number}", "warning", "Something.") for number in range(25))
    found = [one for one in read(replace(audits.normal(), findings=findings)) if one[0] == "warning"]
    assert len(found) == 10
    assert found[-1][2].startswith("16 more")
    exactly = [one for one in read(replace(audits.normal(), findings=findings[:10])) if one[0] == "warning"]
    assert [title.rpartition(", ")[2] for _, title, _ in exactly] == [f"slug-{number}" for number in range(10)]


def test_every_line_is_a_command_whatever_names_say() -> None:
    assert len(read(verdicts.hostile(), audits.hostile())) > 10


@pytest.mark.parametrize("text", [*audits.HOSTILE[:-1], "100% a:b,c%0Ad"])
def test_hostile_text_comes_back_as_it_is_shown(text: str) -> None:
    verdict = verdicts.passed().verdict
    assert verdict is not None
    rule = RuleResult(text, "broken", "error", text)
    found = read(replace(audits.normal(), verdict=replace(verdict, rules=(rule,))))
    level, title, message = found[0]
    assert level == "error"
    assert message == _format.visible(text)
    name = _format.shortened(f"rule {text}", 80)
    assert title == f"mi-audit, cifar_resnet56 on cifar100, {_format.visible(name)}"
