"""The command ``index``."""

from pathlib import Path
from typing import Annotated

import typer

from mi_audit.cli import _options as options
from mi_audit.cli._edge import check_writable, say
from mi_audit.cli._progress import progress


def index(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write it here; without it, where it is found again.")
    ] = None,
    quiet: options.Quiet = False,
) -> None:
    """Rebuild the index of timm and torchvision classifiers for the installed versions (about five minutes)."""
    if out is not None:
        check_writable(out)
    from mi_audit.stages.index import rebuild

    path, n_classifiers = rebuild(out, progress(quiet=quiet))
    if not quiet:
        say(f"wrote {path}: {n_classifiers:,} classifiers")
