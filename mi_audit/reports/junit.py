"""JUnit XML for CI systems: a rule of the verdict, a control or a limit is a test case."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from mi_audit.reports import _format, _outcomes, _verdict_tables
from mi_audit.reports._outcomes import Point
from mi_audit.reports.interface import Report
from mi_audit.schema.audit import Audit

_NO_VERDICT = Point("rule", "verdict", "undecided", _outcomes.NOT_GATED)
_FAILURES = {"rule": "broken", "control": "failed", "limit": "exceeded"}
_SKIPPED = ("warned", "undecided", "waived", "not applicable")


@dataclass(frozen=True)
class Junit(Report):
    """JUnit XML: one suite per audit, one test case per rule, control and limit (``--fail-above``).

    A broken rule of severity error, a failed control and an exceeded limit are failures. What is undecided or waived,
    and a broken rule that is a warning only, is skipped, and says why. What a control or a rule says that held stands
    in ``system-out``. There are no times: the same audits give the same bytes.
    """

    def render(self, audits: Sequence[Audit], *, width: int = 80, color: bool = False) -> str:  # noqa: ARG002 - no terminal's
        """The document, indented."""
        root = ElementTree.Element("testsuites", {"name": "mi-audit"})
        suites = [_suite(root, audit) for audit in audits]
        for key in ("tests", "failures", "errors"):  # Jenkins' schema has no number of the skipped here
            root.set(key, str(sum(int(suite.get(key, 0)) for suite in suites)))
        ElementTree.indent(root)
        body = ElementTree.tostring(root, encoding="unicode")
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _suite(root: ElementTree.Element, audit: Audit) -> ElementTree.Element:
    points = _outcomes.points(audit) or (_NO_VERDICT,)
    failures, skipped = (sum(_is(point, states) for point in points) for states in (("failed",), _SKIPPED))
    counts = {"tests": len(points), "failures": failures, "errors": 0, "skipped": skipped}
    suite = ElementTree.SubElement(
        root, "testsuite", {"name": _text(audit.title or "untitled")} | {key: str(n) for key, n in counts.items()}
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in _properties(audit):
        ElementTree.SubElement(properties, "property", {"name": name, "value": _text(value)})
    for point in points:
        _case(suite, point)
    ElementTree.SubElement(suite, "system-out").text = "\n".join(_text(line) for line in _remarks(audit))
    return suite


def _case(suite: ElementTree.Element, point: Point) -> None:
    case = ElementTree.SubElement(
        suite, "testcase", {"classname": f"mi-audit.{point.kind}", "name": _text(point.name), "time": "0"}
    )
    if point.state == "failed":
        failure = {"type": _FAILURES[point.kind], "message": _text(point.message)}
        ElementTree.SubElement(case, "failure", failure).text = _text(point.message)
    elif point.state == "held":
        ElementTree.SubElement(case, "system-out").text = _text(point.message)
    else:
        said = "warning" if point.state == "warned" else point.state
        ElementTree.SubElement(case, "skipped", {"message": _text(f"{said}: {point.message}")})


def _is(point: Point, states: Sequence[str]) -> bool:
    return point.state in states


def _properties(audit: Audit) -> list[tuple[str, str]]:
    verdict = audit.verdict
    found = [("verdict", verdict.outcome if verdict else "none"), ("selected attack", audit.selected)]
    found += [(f"balanced accuracy in %, {subset}", figure) for subset, figure in _outcomes.by_subset(audit)]
    return [*found, ("policy digest", verdict.policy_digest)] if verdict and verdict.policy_digest else found


def _remarks(audit: Audit) -> list[str]:
    verdict = audit.verdict
    reasons = (*verdict.reasons, *_verdict_tables.to_do(verdict)) if verdict else ()
    said = [_outcomes.headline(audit), *reasons, _outcomes.statement(audit)]
    return said + [f"{finding.severity}: {finding.message} [{finding.slug}]" for finding in audit.findings]


def _text(text: str) -> str:
    """Text of characters that XML 1.0 has, on one line."""
    return _format.visible(text)
