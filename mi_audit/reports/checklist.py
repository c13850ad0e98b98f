"""A form for the release of a model: boxes that the audit can tick itself, and those that people have to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mi_audit.reports import _format, _lookup, _outcomes, _verdict_tables
from mi_audit.reports._attack_tables import FEW_SAMPLES
from mi_audit.reports._outcomes import Point
from mi_audit.reports.interface import Report
from mi_audit.reports.markdown import escaped
from mi_audit.schema import numerals
from mi_audit.schema.audit import Audit

_LONGEST_TITLE = 200
_FOR_PEOPLE = (
    "The audited weights are the ones that will be released: their digest was compared.",
    "The members are the whole training set or a fair sample of it, and the non-members come from the same source.",
    "Someone read the findings, and nothing in them speaks against a release.",
    "Someone asked who is in the training set, and what it would mean for them if their membership came out.",
    "The audit file is kept where the training set is kept: it says who was a member.",
    "Approved by, on:",
)


@dataclass(frozen=True)
class _Box:
    """A line of the form.

    Attributes:
        is_ticked: whether the record shows it.
        claim: what is true when the box is ticked.
        fact: what the record says.
    """

    is_ticked: bool
    claim: str
    fact: str


@dataclass(frozen=True)
class Checklist(Report):
    """A checklist in Markdown for the release of a model.

    A box is ticked where the record shows it, and says by what; a box that needs people is never ticked.
    """

    def render(self, audits: Sequence[Audit], *, width: int = 80, color: bool = False) -> str:  # noqa: ARG002 - no terminal's
        """One form per audit."""
        return "\n\n".join(block for audit in audits for block in _form(audit)) + "\n"


def _form(audit: Audit) -> Iterator[str]:
    yield f"# Release checklist: {escaped(_format.shortened(audit.title or 'untitled', _LONGEST_TITLE))}"
    yield f"**{escaped(_outcomes.headline(audit))}**"
    yield from map(escaped, _verdict_tables.to_do(audit.verdict) if audit.verdict else ())
    for heading, boxes in (("What was audited", _audited), ("How", _how), ("What came out", _result)):
        yield f"## {heading}\n\n" + "\n".join(_line(box) for box in boxes(audit))
    yield "## For people to tick\n\n" + "\n".join(f"- [ ] {item}" for item in _FOR_PEOPLE)


def _line(box: _Box) -> str:
    return f"- [{'x' if box.is_ticked else ' '}] {escaped(box.claim)} ({escaped(box.fact)})"


def _audited(audit: Audit) -> Iterator[_Box]:
    for claim, path in (
        ("The weights are known by their digest", ("target", "weights_digest")),
        ("The images are known by their digest", ("dataset", "digest")),
    ):
        digest = _lookup.provenance_text(audit, "features", *path)
        yield _Box(bool(digest), claim, f"SHA-256 {digest}" if digest else "not recorded")
    preprocessing = _lookup.provenance(audit, "features", "target", "preprocessing")
    source = preprocessing.get("source") if isinstance(preprocessing, Mapping) else None
    yield _Box(bool(preprocessing), "The preprocessing is recorded", str(source or "no source given"))
    full = _lookup.accuracy(audit)
    is_known = full is not None and None not in (full.member.value, full.non_member.value)
    yield _Box(is_known, "The accuracy of the target is known on both sides", _accuracy(audit))


def _accuracy(audit: Audit) -> str:
    full = _lookup.accuracy(audit)
    if full is None:
        return "not measured"
    sides = (full.member, full.non_member)
    shown = [_format.with_interval("accuracy", side) for side in sides]
    return f"members {shown[0]} %, non-members {shown[1]} %"


def _how(audit: Audit) -> Iterator[_Box]:
    headline = _lookup.headline(audit)
    n_least = min(headline.n_members, headline.n_non_members) if headline else 0
    members = numerals.counted(headline.n_members if headline else 0, "member")
    sizes = f"{members}, {numerals.counted(headline.n_non_members if headline else 0, 'non-member')}"
    yield _Box(n_least >= FEW_SAMPLES, f"Held-out samples on each side, at least {FEW_SAMPLES}", sizes)
    n_learned = sum(not attack.is_fixed for attack in audit.attacks)
    yield _Box(n_learned > 0, "Attacks beyond the naive one were tried", f"{numerals.counted(n_learned, 'attack')}")
    yield _Box(bool(audit.sweep), "Other ratios of members to non-members were looked at", _ratios(audit))
    controls = [point for point in _outcomes.points(audit) if _is_control(point)]
    yield _Box(
        bool(controls) and not _of(controls, "failed"), "No control failed", _tally(controls) or "no control was run"
    )
    yield _Box(
        bool(controls) and not _of(controls, "undecided"),
        "Every control had its evidence",
        ", ".join(point.name for point in _of(controls, "undecided")) or _tally(controls) or "no control was run",
    )


def _is_control(point: Point) -> bool:
    return point.kind == "control" or point.name.startswith("control/")


def _of(points: Sequence[Point], state: str) -> list[Point]:
    return [point for point in points if point.state == state]


def _tally(points: Sequence[Point]) -> str:
    """Counts by state: ``"3 held, 1 failed"``."""
    states = dict.fromkeys(point.state for point in points)
    return ", ".join(f"{numerals.count(len(_of(points, state)))} {state}" for state in states)


def _ratios(audit: Audit) -> str:
    return ", ".join(dict.fromkeys(row.ratio for row in audit.sweep)) or "none"


def _result(audit: Audit) -> Iterator[_Box]:
    verdict = audit.verdict
    rules = [point for point in _outcomes.points(audit) if point.kind == "rule"]
    digest = f"SHA-256 {verdict.policy_digest}" if verdict and verdict.policy_digest else "none"
    yield _Box(verdict is not None, "A policy was applied", digest)
    yield _Box(
        verdict is not None and verdict.outcome == "PASS", "The verdict is PASS", verdict.outcome if verdict else "none"
    )
    waived = ", ".join(point.name for point in _of(rules, "waived"))
    yield _Box(
        bool(rules) and not waived, "No rule was waived", waived or f"none of {numerals.counted(len(rules), 'rule')}"
    )
    limits = [point for point in _outcomes.points(audit) if point.kind == "limit"]
    if limits:
        is_kept = all(point.state == "held" for point in limits)
        yield _Box(is_kept, "Every --fail-above limit is kept", _tally(limits))
    figures = "; ".join(f"{subset} {figure}" for subset, figure in _outcomes.by_subset(audit))
    yield _Box(bool(figures), "The selected attack was measured, balanced accuracy in %", figures or "no row")
    severe = [finding for finding in audit.findings if finding.severity != "note"]
    slugs = ", ".join(dict.fromkeys(finding.slug for finding in severe))
    yield _Box(not severe, "No finding is a warning or an error", slugs or "none")
