"""The command line, put together."""

from typing import Annotated, Any

import typer

from mi_audit._version import __version__
from mi_audit.cli import _config
from mi_audit.cli._edge import be_verbose, product, say
from mi_audit.cli._meant import Command, Group
from mi_audit.cli.config import config
from mi_audit.cli.demo import demo
from mi_audit.cli.doctor import doctor
from mi_audit.cli.evaluate import evaluate
from mi_audit.cli.extract import extract
from mi_audit.cli.index import index
from mi_audit.cli.inspect import inspect
from mi_audit.cli.list import list_
from mi_audit.cli.policy import policy
from mi_audit.cli.power import power
from mi_audit.cli.report import report
from mi_audit.cli.selftest import selftest
from mi_audit.cli.train_attack import train_attack
from mi_audit.cli.verify import verify

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        product(f"mi-audit {__version__}\n")
        raise typer.Exit


@app.callback()
def _main(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say which options were set elsewhere, and where errors arise.")
    ] = False,
) -> None:
    """Audit an image classifier by membership inference before you release it.

    Exit codes: 0 done or PASS, 1 FAIL or over a limit, 2 could not run, 3 no verdict (INCONCLUSIVE, INVALID, a limit
    that cannot be estimated), 130 interrupted.
    """
    if not ctx.resilient_parsing and ctx.invoked_subcommand not in (None, "config", "doctor"):
        commands: dict[str, Any] = getattr(ctx.command, "commands", {})
        found = _config.here(commands)
        ctx.default_map = _config.default_map(found)
        if verbose:
            be_verbose()
            _tell(found.get(ctx.invoked_subcommand or "", []))


def _tell(settings: list[_config.Setting]) -> None:
    """Say which options of a command are set, and where."""
    for one in settings:
        if one.origin != _config.DEFAULT:
            say(f"{one.option} = {one.value} ({one.origin})")


app.command("extract", cls=Command)(extract)
app.command("train-attack", cls=Command)(train_attack)
app.command("evaluate", cls=Command)(evaluate)
app.command("report", cls=Command)(report)
app.command("inspect", cls=Command)(inspect)
app.command("list", cls=Command)(list_)
app.command("demo", cls=Command)(demo)
app.command("index", cls=Command)(index)
app.add_typer(policy, name="policy")
app.command("power", cls=Command)(power)
app.command("verify", cls=Command)(verify)
app.command("selftest", cls=Command)(selftest)
app.command("config", cls=Command)(config)
app.command("doctor", cls=Command)(doctor)
