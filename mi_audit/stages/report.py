"""The stage ``report``: one or more audits become text; nothing is computed."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mi_audit import plugins
from mi_audit.errors import UsageError
from mi_audit.reports.interface import Report
from mi_audit.schema.audit import Audit

SUFFIXES = {
    ".json": "json",
    ".md": "markdown",
    ".markdown": "markdown",
    ".csv": "csv",
    ".txt": "console",
    ".html": "html",
    ".htm": "html",
    ".xml": "junit",
    ".tex": "latex",
}
DEFAULT = "console"
# What only makes sense on stdout: the runner of GitHub Actions reads its commands there.
_STREAMED = ("github",)


def render(
    audits: Sequence[Audit],
    report_format: str,
    *,
    width: int = 80,
    color: bool = False,
    per_sample: bool = False,
    by: str = "audit",
    is_ascii: bool = False,
) -> str:
    """The report of some audits in one format.

    Args:
        audits: in the order of the report.
        report_format: name of a plug-in.
        width: columns of the terminal.
        color: whether ANSI codes are wanted.
        per_sample: the samples too, with their membership; few formats can, and an aggregate-only audit cannot.
        by: ``"epoch"`` for a series, in the formats that have a view of it; the others show the audits in order.
        is_ascii: nothing but ASCII, in the formats that can.

    Raises:
        UsageError: an unknown format, or one without the sample list that was asked for.
    """
    cls = plugins.plugin_class("reports", report_format)
    known = {field.name for field in dataclasses.fields(cls)}
    options: dict[str, Any] = {name: value for name, value in (("by", by), ("ascii", is_ascii)) if name in known}
    if per_sample:
        _check_samples(audits, report_format, is_able="per_sample" in known)
        options["per_sample"] = True
    report: Report = plugins.load("reports", report_format, options)
    return report.render(audits, width=width, color=color)


def titled(audits: Sequence[Audit], title: str | None) -> list[Audit]:
    """The audits under their own titles, or one under another: what the record says of model and data stays.

    Raises:
        UsageError: one title for several audits, or an empty one.
    """
    if title is None:
        return list(audits)
    if len(audits) != 1:
        raise UsageError(
            f"--title names one audit, got {len(audits)}", tip="leave --title out, or report them one by one"
        )
    if not title.strip():
        raise UsageError("expected a --title with text, got an empty one", tip="for example --title 'Triage model 2.1'")
    return [dataclasses.replace(audit, title=title.strip()) for audit in audits]


def _check_samples(audits: Sequence[Audit], report_format: str, *, is_able: bool) -> None:
    """Refuse a sample list that cannot be had.

    Raises:
        UsageError: the format has none, or an audit has no samples.
    """
    if not is_able:
        raise UsageError(f"{report_format} never shows samples", tip="--per-sample works with csv and json")
    if any(audit.samples is None for audit in audits):
        tip = "evaluate again without --aggregate-only"
        raise UsageError("--per-sample needs the samples, which an aggregate-only audit does not have", tip=tip)


def assigned(formats: Sequence[str], paths: Sequence[Path]) -> tuple[list[tuple[str, Path]], str | None]:
    """Which format goes into which file, and which to stdout.

    As many formats as files: in order. Otherwise every file gets the format of its suffix, and the one format that is
    named goes to stdout. ``github`` always does.

    Returns:
        (format, file) pairs, and the format for stdout or ``None``.

    Raises:
        UsageError: more than one format for stdout, an unknown one, or a file whose suffix is that of none.
    """
    for name in formats:
        plugins.plugin_class("reports", name)
    for_files = [name for name in formats if name not in _STREAMED]
    if paths and len(for_files) == len(paths):
        streamed = [name for name in formats if name in _STREAMED]
        pairs = list(zip(for_files, paths, strict=True))
    else:
        streamed = list(formats) if paths or formats else [DEFAULT]
        pairs = [(_format_of(path), path) for path in paths]
    if len(streamed) > 1:
        named = ", ".join(streamed)
        tip = "give an --out for each, for example --out audit.md --out audit.xml"
        raise UsageError(f"expected one format for stdout, got {named}", tip=tip)
    return pairs, streamed[0] if streamed else None


def _format_of(path: Path) -> str:
    """The format of a file by its suffix; without one, that of the terminal."""
    suffix = path.suffix.lower()
    if suffix and suffix not in SUFFIXES:
        tip = f"known are {', '.join(SUFFIXES)}; or say --format as often as --out"
        raise UsageError(f"--out {path}: no report has the suffix {path.suffix}", tip=tip)
    return SUFFIXES.get(suffix, DEFAULT)
