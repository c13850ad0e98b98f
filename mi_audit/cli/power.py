"""The command ``power``."""

from typing import Annotated

import typer

from mi_audit.cli._edge import product


def power(
    members: Annotated[
        int, typer.Option("--members", min=1, help="Members held out: half of all, unless --known-fraction differs.")
    ],
    non_members: Annotated[int, typer.Option("--non-members", min=1, help="Non-members held out, likewise.")],
    policy: Annotated[str, typer.Option("--policy", help="strict, standard, lenient, or a file.")] = "standard",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say what so many samples can detect, fail and pass, before anything is audited.

    Example: mi-audit power --members 5000 --non-members 5000 --policy standard
    """
    import json

    from mi_audit.stages import power as stage
    from mi_audit.stages._gating import read_policy

    chosen = read_policy(policy)
    rows = stage.power(members, non_members, chosen)
    shown = (
        json.dumps(stage.as_json(rows, chosen), indent=2, sort_keys=True) + "\n" if as_json else stage.rendered(rows)
    )
    product(shown)
