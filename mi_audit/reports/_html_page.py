"""The sections of one audit, in the order in which they are read."""

from collections.abc import Iterator, Sequence

from mi_audit.reports import (
    _attack_tables,
    _facts,
    _feature_tables,
    _figures_attacks,
    _figures_ratio,
    _figures_roc,
    _figures_target,
    _html_repeat,
    _html_statistics,
    _html_text,
    _html_verdict,
    _statistics_tables,
    _sweep_tables,
    _target_tables,
)
from mi_audit.reports._html_figures import figure
from mi_audit.reports._html_text import bullets, details, escaped, paragraph, prose, tables
from mi_audit.reports._table import Table
from mi_audit.reports._tables import Page
from mi_audit.schema.audit import Audit
from mi_audit.schema.finding import Finding

Section = tuple[str, str, str]  # anchor, heading, inside

_TONES = {"error": "fail", "warning": "open", "note": "none"}
_LONG_TABLE = 15
_CONTROLS = "controls"

REVEALS = (
    "This page holds counts, rates and averages. It names no sample and shows no image and no score of one.",
    "A bin of a histogram may count a single sample; a mean of fewer than three samples is left out.",
    "The page repeats the path of the model and the names of the classes as they were given.",
)


def sections(audit: Audit, page: Page, prefix: str, claims: Sequence[str]) -> list[Section]:
    """The sections that have something to say.

    Args:
        audit: the record.
        page: the same as plain values.
        prefix: of all ids.
        claims: what the numbers say, and what they do not.
    """
    made = (
        ("target", "The target: accuracy and gap", _target(audit, prefix)),
        ("attacks", "Attacks", _attacks(audit, prefix)),
        ("statistics", "How sure the numbers are", _statistics(audit, prefix)),
        ("balancedness", "If members were rarer: balancedness", _balancedness(audit, prefix)),
        ("roc-curves", "ROC curves", figure(_figures_roc.roc(audit), prefix)),
        ("confidences", "What gives members away: confidences", _confidences(audit, prefix)),
        ("per-class", "Class by class", _classes(audit, prefix)),
        ("looks", "What the attack looks at", _sights(audit, prefix)),
        (_CONTROLS, "Controls and findings", _controls(audit, page.findings, prefix)),
        ("audited", "What was audited", _audited(page)),
        ("meaning", "What the result says, and what it does not", bullets((*claims, *REVEALS))),
        ("repeat", "How to repeat it", _repeat(audit)),
    )
    return [(f"{prefix}-{slug}", heading, inside) for slug, heading, inside in made if inside]


def _joined(prefix: str, *shown: Table | None) -> str:
    return tables([table for table in shown if table is not None], prefix)


def _folded(table: Table | None, anchor: str, summary: str) -> str:
    """A table as it is, or to be opened where it is long."""
    if table is None or not table.rows:
        return ""
    drawn = tables([table], anchor)
    return details(summary, drawn) if len(table.rows) > _LONG_TABLE else drawn


def _target(audit: Audit, prefix: str) -> str:
    return _joined(f"{prefix}-target", _target_tables.accuracy(audit), _target_tables.confidence(audit))


def _attacks(audit: Audit, prefix: str) -> str:
    return (
        figure(_figures_attacks.attacks(audit), prefix)
        + _joined(f"{prefix}-attacks", _attack_tables.attacks(audit), _attack_tables.subsets(audit))
        + _joined(f"{prefix}-limits", _sweep_tables.limits(audit))
    )


def _statistics(audit: Audit, prefix: str) -> str:
    return "".join(
        _folded(table, f"{prefix}-statistics-{number}", table.title)
        for number, table in enumerate(_html_statistics.tables(audit), start=1)
    )


def _balancedness(audit: Audit, prefix: str) -> str:
    return (
        _joined(f"{prefix}-sweep", _sweep_tables.exact(audit))
        + figure(_figures_ratio.ratio(audit), prefix)
        + _joined(f"{prefix}-drawn", _sweep_tables.resampled(audit))
    )


def _confidences(audit: Audit, prefix: str) -> str:
    drawings = (*_figures_target.histograms(audit), *_figures_target.mean_confidences(audit))
    return "".join(figure(drawing, prefix) for drawing in drawings)


def _classes(audit: Audit, prefix: str) -> str:
    table = _attack_tables.classes(audit, len(audit.class_names) or len(audit.rows))
    leaks = _html_statistics.class_leaks(audit)
    return (
        figure(_figures_attacks.classes(audit), prefix)
        + _folded(table, f"{prefix}-classes", "All classes in order")
        + _joined(f"{prefix}-worst", _statistics_tables.classes(audit))
        + _folded(leaks, f"{prefix}-leaks", leaks.title)
    )


def _sights(audit: Audit, prefix: str) -> str:
    shown = _joined(f"{prefix}-sights", _feature_tables.sights(audit), _feature_tables.values(audit))
    return figure(_figures_attacks.sights(audit), prefix) + shown if shown else ""


def _controls(audit: Audit, findings: Sequence[Finding], prefix: str) -> str:
    listed = "".join(_finding(finding) for finding in findings)
    return _joined(f"{prefix}-controls", _html_statistics.controls(audit)) + (
        f'<ul class="findings">{listed}</ul>' if listed else ""
    )


def _finding(finding: Finding) -> str:
    what = f"<strong>{escaped(finding.severity)}</strong> {prose(finding.message)}"
    return f'<li class="{_TONES[finding.severity]}">{what} <span class="note">({escaped(finding.slug)})</span></li>'


def _audited(page: Page) -> str:
    lines = (*page.facts, *page.provenance)
    return _html_text.facts(lines) + paragraph("Digests are SHA-256.", "note") if lines else ""


def _repeat(audit: Audit) -> str:
    lines = _html_repeat.commands(audit)
    if not lines:
        return ""
    typed = "\n".join(escaped(line) for line in lines)
    notes = "".join(paragraph(note, "note") for note in _html_repeat.NOTES)
    return f'<pre tabindex="0"><code>{typed}</code></pre>{notes}'


def glossary() -> str:
    """What the words of the page mean, to be opened by those who do not know them."""
    return details("The words on this page", _html_text.facts(_facts.WORDS))


def article(
    audit: Audit, page: Page, prefix: str, claims: Sequence[str], level: int, below_verdict: str = ""
) -> Iterator[str]:
    """One audit below its own heading: the verdict first, then contents and sections.

    Args:
        audit: the record.
        page: the same as plain values.
        prefix: of all ids.
        claims: what the numbers say, and what they do not.
        level: of the headings of its sections.
        below_verdict: what stands right under it.
    """
    yield _html_verdict.banner(audit, page.sentence, f"{prefix}-{_CONTROLS}")
    yield below_verdict
    yield _html_verdict.cards(audit)
    yield _rules(audit, prefix)
    found = sections(audit, page, prefix, claims)
    links = "".join(f'<li><a href="#{anchor}">{escaped(heading)}</a></li>' for anchor, heading, _ in found)
    yield f'<nav aria-label="Contents: {escaped(page.title)}"><ul>{links}</ul></nav>'
    for anchor, heading, inside in found:
        head = f'<h{level} id="{anchor}">{escaped(heading)}</h{level}>'
        yield f'<section aria-labelledby="{anchor}">{head}{inside}</section>'


def _rules(audit: Audit, prefix: str) -> str:
    """The rules of the policy, to be opened where they are many: the reasons are above."""
    return _folded(_html_verdict.rules(audit), f"{prefix}-rules", "Rules of the policy")
