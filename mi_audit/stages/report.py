"""The stage ``report``: one or more audits become text; nothing is computed."""

from collections.abc import Sequence

from mi_audit import plugins
from mi_audit.reports.interface import Report
from mi_audit.schema.audit import Audit

SUFFIXES = {
    ".json": "json",
    ".md": "markdown",
    ".markdown": "markdown",
    ".csv": "csv",
    ".txt": "console",
    ".xml": "junit",
    ".tex": "latex",
}


def render(audits: Sequence[Audit], report_format: str, *, width: int = 80, color: bool = False) -> str:
    """The report of some audits in one format.

    Raises:
        UsageError: an unknown format.
    """
    report: Report = plugins.load("reports", report_format)
    return report.render(audits, width=width, color=color)
