"""The command ``report``."""

from pathlib import Path
from typing import Annotated

import typer

from mi_audit.cli._edge import check_writable, has_color, product, width, write_text


def report(
    audits: Annotated[list[Path], typer.Argument(help="Audits from evaluate --out.", metavar="AUDIT.npz ...")],
    report_format: Annotated[
        str | None, typer.Option("--format", help="console, html, json, markdown or csv; by the suffix of --out.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write here instead of to stdout.")] = None,
) -> None:
    """Show one or more audits; nothing is computed again."""
    if out is not None:
        check_writable(out, *audits)
    from mi_audit import store
    from mi_audit.schema.audit import Audit
    from mi_audit.stages import report as stage

    chosen = report_format or (stage.SUFFIXES.get(out.suffix) if out else None) or "console"
    records = [store.read_kind(path, Audit) for path in audits]
    text = stage.render(records, chosen, width=width(), color=out is None and has_color())
    if out is None:
        product(text)
    else:
        write_text(out, text)
