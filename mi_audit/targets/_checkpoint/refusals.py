"""How a checkpoint is refused: one line that names the file, and a tip.

Nothing that a file says reaches a terminal unfiltered.
"""

import re
from pathlib import Path

from mi_audit.errors import CheckpointError

RESAVE = "where the model was made, save its weights alone: torch.save(model.state_dict(), 'weights.pt')"

PREDICTIONS = "run it yourself and pass what it predicts: --model predictions:FILE"
OTHER_WAYS = f"{RESAVE}; or audit it by --model python:FILE.py:function or --model predictions:FILE"
QUANTISED_WAYS = "audit the float network that it was made from, or the quantised one through --model predictions:FILE"

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def refusal(path: Path, what: str, tip: str | None = None) -> CheckpointError:
    """The error to raise: ``<file>: <what is wrong>``, with a tip."""
    return CheckpointError(f"{path}: {what}", tip=tip)


def plain(text: str, longest: int = 100) -> str:
    """Text out of a file or a library as one short printable line, without colour codes and control characters."""
    shown = "".join(letter if letter.isprintable() else " " for letter in _ANSI.sub("", text))
    shown = " ".join(shown.split())
    return shown if len(shown) <= longest else shown[: longest - 3] + "..."


def listing(names: list[str], most: int = 3) -> str:
    """The first few names, printable, with dots for the rest."""
    shown = ", ".join(plain(name) for name in names[:most])
    return f"{shown}, ..." if len(names) > most else shown
