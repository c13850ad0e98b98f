"""The command ``inspect``."""

from pathlib import Path
from typing import Annotated

import typer

from mi_audit.cli import _options as options
from mi_audit.cli._edge import product, width


def inspect(
    file: Annotated[Path, typer.Argument(help="A checkpoint, or a folder with config.json and weights.")],
    weights: options.Weights = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Say what a checkpoint is and what an audit of it needs; nothing in it is executed."""
    import json

    from mi_audit.stages._inspection_text import rendered
    from mi_audit.stages.inspect import inspect as stage

    found = stage(file, weights)
    if as_json:
        product(json.dumps(found.as_json(), indent=2, sort_keys=True) + "\n")
    else:
        product(rendered(found, width()))
