"""The report as plain values, in the order in which it is read: what every format draws in its own way."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mi_audit.reports import (
    _attack_tables,
    _facts,
    _feature_tables,
    _format,
    _lookup,
    _paper_feature_tables,
    _paper_tables,
    _series,
    _statistics_tables,
    _sweep_tables,
    _target_tables,
    _verdict_tables,
)
from mi_audit.reports._outcomes import statement
from mi_audit.reports._table import Table
from mi_audit.schema.audit import Audit
from mi_audit.schema.finding import Finding
from mi_audit.schema.verdict import Verdict

By = Literal["audit", "epoch"]

_LONGEST_TITLE = 200
_SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class Page:
    """One audit as its reader sees it.

    Attributes:
        heading: mi-audit and the version that evaluated it, where that is known.
        title: what was audited.
        verdict: said before anything else; ``None`` where there is none.
        facts: (label, text) lines: target, data, protocol.
        sentence: what it means.
        tables: in the order of reading.
        findings: the most severe first.
        provenance: (label, text) lines: digests, preprocessing, seeds, versions.
    """

    heading: str
    title: str
    verdict: Verdict | None
    facts: _facts.Facts
    sentence: str
    tables: tuple[Table, ...]
    findings: tuple[Finding, ...]
    provenance: _facts.Facts


@dataclass(frozen=True)
class Document:
    """All audits of a report.

    Attributes:
        comparison: one row per audit, where there are several.
        pages: one per audit, in order.
        paper: Tables 1 to 7 over the audits under the founding paper's protocol, as far as there is something to say;
            empty without any.
        claims: what the numbers say, and what they do not.
        comparison_by_subset: a row per audit and subset, where there are several audits.
        series: what changes over the epochs of a series, where that is asked for; then there is nothing else.
    """

    comparison: Table | None
    pages: tuple[Page, ...]
    paper: tuple[Table, ...]
    claims: tuple[str, ...]
    comparison_by_subset: Table | None = None
    series: tuple[Table, ...] = ()

    @property
    def legend(self) -> tuple[str, ...]:
        """What the words mean, then the claims: for formats that say both in one place."""
        return (*_facts.words(), *self.claims)

    @property
    def compared(self) -> tuple[Table, ...]:
        """The tables over all audits, where there are several."""
        found = (*self.series, self.comparison, self.comparison_by_subset)
        return tuple(table for table in found if table is not None)


def document(audits: Sequence[Audit], n_classes: int, by: By = "audit") -> Document:
    """The report of these audits.

    Args:
        audits: in the order of the report.
        n_classes: how many of the most leaking classes to show, where rows per class exist.
        by: ``"epoch"`` for what changes over a series of checkpoints, in place of everything about each.
    """
    if by == "epoch":
        return Document(None, (), (), _facts.claims(audits), series=_series.tables(audits))
    titles = [audit.title for audit in audits]
    of_paper = [audit for audit in audits if audit.protocol == "paper"]
    if len(audits) > 1:
        titles = [f"{number}. {title}" for number, title in enumerate(titles, start=1)]
    return Document(
        comparison=_target_tables.comparison(audits) if len(audits) > 1 else None,
        pages=tuple(_page(audit, titles[i], n_classes) for i, audit in enumerate(audits)),
        paper=(*_paper_tables.tables(of_paper), *_paper_feature_tables.tables(of_paper)),
        claims=_facts.claims(audits),
        comparison_by_subset=_target_tables.comparison_by_subset(audits) if len(audits) > 1 else None,
    )


def _page(audit: Audit, title: str, n_classes: int) -> Page:
    tables = (
        _verdict_tables.rules(audit),
        _target_tables.accuracy(audit),
        _target_tables.confidence(audit),
        _feature_tables.values(audit),
        _attack_tables.attacks(audit),
        _feature_tables.sights(audit),
        _attack_tables.subsets(audit),
        _attack_tables.classes(audit, n_classes),
        _statistics_tables.bounds(audit),
        _statistics_tables.worth(audit),
        _statistics_tables.classes(audit),
        _statistics_tables.power(audit),
        _sweep_tables.exact(audit),
        _sweep_tables.resampled(audit),
        _sweep_tables.limits(audit),
    )
    return Page(
        heading=f"mi-audit {_lookup.provenance_text(audit, 'evaluate', 'versions', 'mi-audit')}".strip(),
        title=_format.shortened(title or "untitled", _LONGEST_TITLE),
        verdict=audit.verdict,
        facts=_facts.header(audit),
        sentence=statement(audit),
        tables=tuple(table for table in tables if table is not None and table.rows),
        findings=tuple(sorted(audit.findings, key=lambda finding: _SEVERITIES.index(finding.severity))),
        provenance=_facts.provenance(audit),
    )
