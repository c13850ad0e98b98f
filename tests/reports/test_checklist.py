"""Boxes are ticked from facts only."""

import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from mi_audit.reports.checklist import Checklist
from mi_audit.schema.audit import Audit
from tests.reports import audits, verdicts


def boxes(audit: Audit) -> dict[str, bool]:
    """{claim: whether it is ticked}."""
    found = re.findall(r"^- \[([ x])\] (.+?)(?: \(.*\))?$", Checklist().render([audit]), re.MULTILINE)
    return {claim: mark == "x" for mark, claim in found}


def test_a_pass_ticks_every_box_but_those_of_people() -> None:
    found = boxes(verdicts.passed())
    split = list(found).index("The audited weights are the ones that will be released: their digest was compared.")
    assert all(list(found.values())[:split])
    assert not any(list(found.values())[split:])


def test_an_audit_without_a_policy_ticks_no_verdict() -> None:
    found = boxes(audits.normal())
    assert not found["A policy was applied"]
    assert not found["The verdict is PASS"]
    assert not found["No control failed"]


@pytest.mark.parametrize(
    ("claim", "change"),
    [
        ("The weights are known by their digest", {"provenance": {}}),
        ("The images are known by their digest", {"provenance": {}}),
        ("The preprocessing is recorded", {"provenance": {}}),
        ("The accuracy of the target is known on both sides", {"accuracy": ()}),
        ("Held-out samples on each side, at least 30", {"rows": ()}),
        ("Attacks beyond the naive one were tried", {"attacks": (audits.trained("naive"),), "selected": "naive"}),
        ("Other ratios of members to non-members were looked at", {"sweep": ()}),
        ("No control failed", {"controls": (verdicts.CONTROLS[1],)}),
        ("Every control had its evidence", {"controls": (verdicts.CONTROLS[2],)}),
        ("The verdict is PASS", {"verdict": verdicts.judged("INCONCLUSIVE").verdict}),
        ("No rule was waived", {"verdict": verdicts.judged().verdict}),
        ("No finding is a warning or an error", {"findings": audits.duplicates().findings}),
    ],
)
def test_a_box_whose_fact_is_missing_stays_empty(claim: str, change: dict[str, object]) -> None:
    assert boxes(verdicts.passed())[claim]
    assert not boxes(replace(verdicts.passed(), **change))[claim]


def test_limits_have_a_box_where_there_are_some() -> None:
    assert not boxes(audits.limited())["Every --fail-above limit is kept"]
    within = replace(audits.limited(), limits=audits.limited().limits[1:2])
    assert boxes(within)["Every --fail-above limit is kept"]


@pytest.mark.parametrize("name", ["hostile", "hostile_verdict"])
def test_hostile_text_stays_in_its_line(name: str) -> None:
    audit = (audits.ALL | verdicts.ALL)[name]()
    shown = MarkdownIt("commonmark").render(Checklist().render([audit]))
    assert set(re.findall(r"<(\w+)", shown)) == {"h1", "h2", "p", "strong", "ul", "li"}
    assert set(boxes(audit)) >= set(boxes(audits.normal())) - {"Every --fail-above limit is kept"}


def test_the_box_of_waivers_names_them_and_counts_nothing_else() -> None:
    assert "No rule was waived (none of 3 rules)" in Checklist().render([verdicts.passed()])
    assert "No rule was waived (per-class)" in Checklist().render([verdicts.judged()])
