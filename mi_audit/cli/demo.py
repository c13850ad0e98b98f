"""The command ``demo``."""

import contextlib
import io
import shlex
from pathlib import Path
from typing import Annotated

import typer

from mi_audit.cli import _options as options
from mi_audit.cli._edge import make_folder, say, write_text
from mi_audit.cli._progress import progress


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the files that it makes.")] = Path(
        "mi-audit-demo"
    ),
    seed: options.Seed = 0,
) -> None:
    """Train a small network on half of scikit-learn's digits and audit it, showing every command on the way."""
    from mi_audit.stages.demo import ARCHITECTURE, train_target

    names = ("digits.pt", "features.npz", "attack.npz", "audit.npz")
    checkpoint, features, attack, audit = (out / name for name in names)
    make_folder(out)
    train_target(checkpoint, seed, progress(quiet=False))
    target = ["--model", str(checkpoint), "--arch", ARCHITECTURE, "--data", "digits"]
    _run(["extract", *target, "--out", str(features)])
    _run(["train-attack", str(features), "--out", str(attack)])
    _run(["evaluate", str(features), str(attack), "--out", str(audit), "--json", "--exit-zero"], out / "audit.json")
    _run(["report", str(audit)])


def _run(arguments: list[str], stdout: Path | None = None) -> None:
    """Show a command as the user may type it, and run it; `stdout` is where its product goes."""
    from mi_audit.cli._app import app

    shown = f"$ mi-audit {shlex.join(arguments)}"
    if stdout is None:
        say(shown)
        _checked(app(arguments, standalone_mode=False))
        return
    say(f"{shown} > {shlex.quote(str(stdout))}")
    captured = io.StringIO()
    with contextlib.redirect_stdout(captured):
        _checked(app(arguments, standalone_mode=False))
    write_text(stdout, captured.getvalue())


def _checked(code: int | None) -> None:
    """Stop where a command stopped: inside another one, Typer returns the exit code instead of exiting with it."""
    if code:
        raise typer.Exit(code)
