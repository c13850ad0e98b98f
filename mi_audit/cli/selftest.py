"""The command ``selftest``."""

from typing import Annotated

import typer

from mi_audit.cli._edge import EXCEEDED, product
from mi_audit.cli._progress import progress


def selftest(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer simulated audits, in seconds.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the simulation.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Check numbers and verdicts on this machine against closed forms and simulated audits; exit 1 where one is off.

    Example: mi-audit selftest --quick
    """
    from mi_audit.stages.selftest import rendered
    from mi_audit.stages.selftest import selftest as stage

    cases = stage(is_quick=quick, seed=seed, progress=progress(quiet=quiet))
    product(rendered(cases))
    raise typer.Exit(0 if all(case.holds for case in cases) else EXCEEDED)
