"""Which of the weights in a checkpoint are audited: the plain ones, or their moving average (EMA)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from mi_audit.errors import UsageError
from mi_audit.targets._checkpoint.unwrapping import WeightSet

Wanted = Literal["auto", "raw", "ema"]


def choose(path: Path, sets: Sequence[WeightSet], wanted: Wanted) -> tuple[WeightSet, tuple[str, ...]]:
    """The set of weights to use, and a note where another could be meant.

    Raises:
        UsageError: the wanted kind of weights is not there.
    """
    plain = [one for one in sets if not one.is_averaged]
    averaged = [one for one in sets if one.is_averaged]
    if wanted == "ema" and not averaged:
        there = f"only plain ones{_place(plain[0])}" if plain else "none at all"
        raise UsageError(f"{path}: holds no averaged weights (EMA), {there}", tip="leave out --weights ema")
    if wanted == "raw" and not plain:
        what = f"{path}: holds no plain weights, only averaged ones (EMA){_place(averaged[0])}"
        raise UsageError(what, tip="leave out --weights raw, or say --weights ema")
    chosen = averaged[0] if wanted == "ema" or not plain else plain[0]
    return chosen, _notes(chosen, plain, averaged, wanted)


def _notes(
    chosen: WeightSet, plain: Sequence[WeightSet], averaged: Sequence[WeightSet], wanted: Wanted
) -> tuple[str, ...]:
    if chosen.is_averaged:
        others = f"; the plain ones are{_place(plain[0])}" if plain else ""
        return (f"these are averaged weights (EMA), found{_place(chosen)}{others}",)
    if averaged and wanted == "auto":
        return (
            f"the plain weights{_place(chosen)} are used; averaged ones (EMA) are{_place(averaged[0])}: --weights ema",
        )
    return ()


def _place(found: WeightSet) -> str:
    """Where weights lie, after a space; empty for those that lie bare in the file."""
    if found.wrapper is not None and found.attribute is not None:
        return f" under {found.wrapper!r} as {found.attribute.rstrip('.')!r}"
    name = found.wrapper or (found.attribute.rstrip(".") if found.attribute else None)
    return f" under {name!r}" if name else " in the file itself"
