"""Annotations of a GitHub Actions run: what failed, what is undecided, and how the audit came out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from mi_audit.reports import _format, _outcomes, _verdict_tables
from mi_audit.reports._outcomes import State
from mi_audit.reports.interface import Report
from mi_audit.schema import numerals
from mi_audit.schema.audit import Audit

_Level = Literal["error", "warning", "notice"]

# GitHub shows ten annotations of a level per step and drops the rest without a word.
_MOST = 10
_LONGEST_NAME = 80
_LEVELS: dict[State, _Level] = {
    "failed": "error",
    "warned": "warning",
    "undecided": "warning",
    "waived": "notice",
}
_VERDICTS: dict[str, _Level] = {"FAIL": "error", "INVALID": "error", "INCONCLUSIVE": "warning", "PASS": "notice"}


@dataclass(frozen=True)
class _Annotation:
    """One line that the runner takes for a command."""

    level: _Level
    title: str
    message: str

    def __str__(self) -> str:
        return f"::{self.level} title={_property(self.title)}::{_message(self.message)}"


@dataclass(frozen=True)
class Github(Report):
    """Workflow commands (``::error``, ``::warning``, ``::notice``) for the log of a GitHub Actions step.

    One for how an audit came out, one for each rule, control and limit that did not hold, one for each finding that is
    a warning or an error; never one per sample. Where there would be more than ten of a level, which GitHub would drop,
    the tenth says how many are left.
    """

    def render(self, audits: Sequence[Audit], *, width: int = 80, color: bool = False) -> str:  # noqa: ARG002 - no terminal's
        """One command per line, errors first."""
        found = [annotation for audit in audits for annotation in _annotations(audit)]
        lines = [str(one) for level in ("error", "warning", "notice") for one in _at_most(_of(found, level))]
        return "\n".join(lines) + "\n"


def _annotations(audit: Audit) -> Iterator[_Annotation]:
    title = _format.shortened(audit.title or "untitled", _LONGEST_NAME)
    verdict = audit.verdict
    figures = "; ".join(f"{subset} {figure}" for subset, figure in _outcomes.by_subset(audit))
    measured = f" Balanced accuracy in %: {figures}." if figures else ""
    to_do = _verdict_tables.to_do(verdict) if verdict else ()
    yield _Annotation(
        _VERDICTS[verdict.outcome] if verdict else "notice",
        f"mi-audit, {title}",
        " ".join([_outcomes.headline(audit), *to_do, f"{_outcomes.statement(audit)}{measured}"]),
    )
    for point in _outcomes.points(audit):
        if point.state in _LEVELS:
            name = _format.shortened(f"{point.kind} {point.name}", _LONGEST_NAME)
            message = f"{point.message} ({point.state})" if point.state in ("undecided", "waived") else point.message
            yield _Annotation(_LEVELS[point.state], f"mi-audit, {title}, {name}", message)
    for finding in audit.findings:
        if finding.severity != "note":
            yield _Annotation(finding.severity, f"mi-audit, {title}, {finding.slug}", finding.message)


def _of(found: Sequence[_Annotation], level: str) -> list[_Annotation]:
    return [annotation for annotation in found if annotation.level == level]


def _at_most(found: list[_Annotation]) -> list[_Annotation]:
    """As many as GitHub shows, the last one a count of what is left."""
    if len(found) <= _MOST:
        return found
    left = numerals.count(len(found) - _MOST + 1)
    more = _Annotation(found[0].level, "mi-audit", f"{left} more like these; the other formats have all of them.")
    return [*found[: _MOST - 1], more]


def _message(text: str) -> str:
    """The text of a command on one line: a percent sign would begin a code, and a newline would end the command."""
    return _format.visible(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """The value of a command's property, which a colon or a comma would end."""
    return _message(text).replace(":", "%3A").replace(",", "%2C")
