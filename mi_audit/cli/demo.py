"""The command ``demo``."""

import contextlib
import shlex
from pathlib import Path
from typing import Annotated

import typer

from mi_audit.cli._edge import make_folder, say
from mi_audit.cli._progress import progress


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for the files that it makes.")] = Path("mi-audit-demo"),
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same result.")] = 0,
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
    _run(["evaluate", str(features), str(attack), "--out", str(audit), "--json"], out / "audit.json")
    _run(["report", str(audit)])


def _run(arguments: list[str], stdout: Path | None = None) -> None:
    """Show a command as the user may type it, and run it; `stdout` is where its product goes."""
    from mi_audit.cli._app import app

    shown = f"$ mi-audit {shlex.join(arguments)}"
    if stdout is None:
        say(shown)
        app(arguments, standalone_mode=False)
        return
    say(f"{shown} > {shlex.quote(str(stdout))}")
    with stdout.open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
        app(arguments, standalone_mode=False)
