"""The command ``report``."""

from pathlib import Path
from typing import Annotated

import typer

from mi_audit.cli import _options as options
from mi_audit.cli._edge import check_writable, has_color, is_ascii, product, say, width, write_text
from mi_audit.cli._streams import write_document
from mi_audit.errors import UsageError

_BY = ("audit", "epoch")
_PRIVATE = "this lists who was a member: keep it as you keep the training data"


def report(
    audits: Annotated[list[Path], typer.Argument(help="Audits from evaluate --out.", metavar="AUDIT.npz ...")],
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", help="See list formats; repeat or use commas. By the suffix of --out."),
    ] = None,
    outs: Annotated[
        list[Path] | None, typer.Option("--out", "-o", help="Write here instead of to stdout; repeat for more.")
    ] = None,
    title: Annotated[
        str | None, typer.Option("--title", help="Name for what was audited, in place of model and data; one audit.")
    ] = None,
    by: Annotated[str, typer.Option("--by", help="epoch: what changes over a series of checkpoints.")] = "audit",
    per_sample: Annotated[
        bool, typer.Option("--per-sample", help="csv, json: list the samples and who was a member.")
    ] = False,
    quiet: options.Quiet = False,
) -> None:
    """Show one or more audits; nothing is computed again.

    One file per --out, in the format of its suffix (.html, .json, .md, .csv, .xml, .tex, .txt) or, given as many
    --format as --out, in these, in order. One more --format goes to stdout, as --format github always does.
    """
    paths = list(outs or ())
    _check_outputs(paths, audits)
    if by not in _BY:
        raise UsageError(f"expected --by audit or epoch, got {by!r}")
    from mi_audit import store
    from mi_audit.schema.audit import Audit
    from mi_audit.stages import report as stage
    from mi_audit.stages._epochs import by_epoch

    pairs, streamed = stage.assigned(options.listed(formats), paths)
    records = stage.titled([store.read_kind(path, Audit) for path in audits], title)
    if by == "epoch":
        records = by_epoch(records, [path.name for path in audits])

    def text(name: str, **of_stdout: bool) -> str:
        return stage.render(records, name, width=width(), per_sample=per_sample, by=by, **of_stdout)

    texts = [(path, text(name)) for name, path in pairs]
    shown = None if streamed is None else text(streamed, color=has_color(), is_ascii=is_ascii())
    if per_sample and not quiet:
        say(_PRIVATE)
    for path, content in texts:
        write_text(path, content, is_private=per_sample)
        if not quiet:
            say(f"wrote {path}")
    if shown is not None:
        product(shown) if streamed == "console" else write_document(shown)


def _check_outputs(paths: list[Path], inputs: list[Path]) -> None:
    """Refuse before anything is written.

    Raises:
        UsageError: a file is named twice.
        OutputError: one cannot be written, or is an input.
    """
    for position, path in enumerate(paths):
        check_writable(path, *inputs)
        if path.resolve() in [other.resolve() for other in paths[:position]]:
            raise UsageError(f"--out {path} is given twice", tip="one file per format")
