"""The command ``doctor``."""

import dataclasses
import json as json_text
from typing import Annotated

import typer

from mi_audit.cli import _options as options
from mi_audit.cli._edge import product


def doctor(
    data_dir: options.DataDir = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say which versions, devices and data sets are here, and what is missing for what."""
    from mi_audit.stages.doctor import health, rendered

    found = health(data_dir)
    product(json_text.dumps(dataclasses.asdict(found), indent=2) + "\n" if json else rendered(found))
