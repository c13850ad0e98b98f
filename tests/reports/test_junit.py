"""JUnit against its schema, and against the verdict that it stands for."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
import xmlschema

from mi_audit.reports import _format
from mi_audit.reports.junit import Junit
from mi_audit.schema.audit import Audit
from mi_audit.schema.verdict import RuleResult
from tests.reports import audits, verdicts

SCHEMA = Path(__file__).with_name("junit.xsd")
ALL = audits.ALL | verdicts.ALL


def violations(document: str) -> list[str]:
    """What the schema of JUnit files refuses in a document."""
    return [str(error.reason) for error in xmlschema.XMLSchema(SCHEMA).iter_errors(document)]


def parsed(*made: Audit) -> ElementTree.Element:
    return ElementTree.fromstring(Junit().render(made).encode())


def states(audit: Audit) -> dict[str, str]:
    """{name of a test case: what a reader makes of it}."""
    kinds = ("failure", "skipped")
    return {
        case.get("name", ""): next((kind for kind in kinds if case.find(kind) is not None), "passed")
        for case in parsed(audit).iter("testcase")
    }


@pytest.mark.parametrize("name", ALL)
def test_documents_follow_the_schema(name: str) -> None:
    assert violations(Junit().render([ALL[name](), audits.normal()])) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "<testsuites><suite/></testsuites>",
        "<testsuites tests='many'/>",
        "<testsuites><testsuite name='x'/></testsuites>",
        "<testsuites>text</testsuites>",
        "<testsuite name='x' tests='1'><system-out/><testcase name='a' classname='b'/></testsuite>",
        "<testcase name='a' classname='b'><failure type='x'/><failure type='x'/></testcase>",
    ],
)
def test_the_schema_refuses_what_is_none(wrong: str) -> None:
    assert violations(wrong)


def test_xmllint_agrees_where_it_is_there(tmp_path: Path) -> None:
    if shutil.which("xmllint") is None:
        pytest.skip("needs xmllint")
    (tmp_path / "junit.xml").write_text(Junit().render([verdicts.hostile(), verdicts.judged()]), encoding="utf-8")
    subprocess.run(["xmllint", "--noout", "--schema", SCHEMA, tmp_path / "junit.xml"], check=True)


def test_every_outcome_of_a_rule_has_its_state() -> None:
    found = states(verdicts.judged())
    assert found["tolerance/auc"] == "failure"
    assert found["tolerance/tpr-1"] == found["minimum/members"] == "passed"
    assert [found[name] for name in ("tolerance/tpr-0.1", "far", "per-class", "boundary")] == ["skipped"] * 4


def test_every_outcome_of_a_control_has_its_state() -> None:
    found = states(verdicts.judged())
    assert found["shift"] == "failure"
    assert found["untrained-twin"] == found["shuffled"] == "skipped"
    assert "duplicates" not in found
    assert found["control/duplicates"] == "passed"


def test_every_outcome_of_a_limit_has_its_state() -> None:
    found = states(audits.limited())
    assert list(found.values()) == ["failure", "passed", "skipped"]


def test_what_is_skipped_says_why() -> None:
    said = [one.get("message", "") for one in parsed(verdicts.judged()).iter("skipped")]
    assert "undecided: TPR at 0.1 % FAR cannot be resolved with 5,000 non-members." in said
    assert any("waived" in text and "A. Nother, until 2027-01-31" in text for text in said)
    assert any(text.startswith("warning: FAR is 41.02 %") for text in said)


def test_a_pass_has_no_failure_and_nothing_skipped() -> None:
    root = parsed(verdicts.passed())
    assert (root.get("failures"), root.find("testsuite").get("skipped"), root.get("errors")) == ("0", "0", "0")
    assert set(states(verdicts.passed()).values()) == {"passed"}


def test_an_audit_without_a_verdict_does_not_look_like_a_pass() -> None:
    assert states(audits.normal()) == {"verdict": "skipped"}


def test_counts_are_those_of_the_cases() -> None:
    root = parsed(verdicts.judged(), audits.limited(), audits.normal())
    for kind, tag in (("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped")):
        n = len(list(root.iter(tag)))
        assert sum(int(suite.get(kind, "")) for suite in root) == n
        assert kind == "skipped" or int(root.get(kind, "")) == n


@pytest.mark.parametrize("text", audits.HOSTILE[:-1])
def test_hostile_text_comes_back_as_it_is_shown(text: str) -> None:
    rule = RuleResult(text, "broken", "error", text)
    verdict = verdicts.judged().verdict
    assert verdict is not None
    case = next(parsed(replace(audits.normal(), verdict=replace(verdict, rules=(rule,)))).iter("testcase"))
    assert case.get("name") == _format.visible(text)
    assert case.find("failure").text == _format.visible(text)
