"""The command ``verify``."""

from pathlib import Path
from typing import Annotated

import typer

from mi_audit.cli._edge import EXCEEDED, product, say


def verify(
    audit: Annotated[Path, typer.Argument(help="From evaluate --out.", metavar="AUDIT.npz")],
    model: Annotated[Path | None, typer.Option("--model", help="The checkpoint that it should be about.")] = None,
    policy: Annotated[str | None, typer.Option("--policy", help="That it should have been judged by.")] = None,
) -> None:
    """Check that an audit's arrays, model, policy and verdict are still those; exit 1 where one is not.

    Digests are compared and the verdict is derived again from the numbers in the file. That detects accidents and
    mix-ups, not forgery: whoever wants to deceive can write a file in which everything agrees.

    Example: mi-audit verify audit.npz --model net.pt --policy release.yaml
    """
    from mi_audit.stages.verify import NOT_FORGERY
    from mi_audit.stages.verify import verify as stage

    checks = stage(audit, model, policy)
    product("".join(f"{'ok      ' if each.holds else 'MISMATCH'}  {each.name:8}  {each.message}\n" for each in checks))
    say(NOT_FORGERY)
    raise typer.Exit(0 if all(each.holds for each in checks) else EXCEEDED)
