"""The command ``policy``: write, check and show what a release may leak."""

from pathlib import Path
from typing import Annotated

import typer

from mi_audit.cli._edge import check_writable, product, say, write_text
from mi_audit.errors import UsageError

policy = typer.Typer(no_args_is_help=True, help="Write, check and show a release policy.")
PolicyName = Annotated[str, typer.Argument(help="A policy file, or strict, standard or lenient.", metavar="POLICY")]


@policy.command("init")
def init(
    preset: Annotated[str, typer.Option("--preset", help="strict, standard or lenient.")] = "standard",
    out: Annotated[Path, typer.Option("--out", "-o", help="The file that this makes.")] = Path("policy.yaml"),
) -> None:
    """Write a commented policy to start from; a file that is there stays.

    Example: mi-audit policy init --preset strict --out release.yaml
    """
    check_writable(out)
    if out.exists():
        raise UsageError(f"{out}: is there and stays as it is", tip="choose another --out")
    from mi_audit.gate._policy_text import commented
    from mi_audit.metrics.tolerance import PRESETS
    from mi_audit.plugins import did_you_mean
    from mi_audit.stages._gating import read_policy

    if preset not in PRESETS:
        raise UsageError(f"unknown preset {preset!r}", tip=did_you_mean(preset, PRESETS))
    write_text(out, commented(read_policy(preset), is_draft=True))
    say(f"wrote {out}; mi-audit evaluate ... --policy {out}")


@policy.command("check")
def check(file: PolicyName) -> None:
    """Read a policy and say what is wrong with it; exit 0 where nothing is, 2 otherwise.

    Example: mi-audit policy check release.yaml
    """
    import datetime

    from mi_audit.gate._policy_text import named
    from mi_audit.stages._gating import read_policy

    found = read_policy(file)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    for waiver in found.waivers:
        if waiver.expires < today:
            say(f"the waiver of {waiver.rule} expired on {waiver.expires} and does not count")
    product(f"{file}: {named(found)}, digest {found.digest()}\n")


@policy.command("show")
def show(file: PolicyName = "standard") -> None:
    """Print a policy with every default spelt out and its limits in numbers.

    Example: mi-audit policy show lenient
    """
    from mi_audit.gate._policy_text import commented
    from mi_audit.stages._gating import read_policy

    product(commented(read_policy(file)))
