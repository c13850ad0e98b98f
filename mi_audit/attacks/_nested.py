"""Payloads of attacks that are made of other attacks."""

from collections.abc import Mapping, Sequence

import numpy as np

from mi_audit import plugins
from mi_audit.attacks.interface import Attack, FittedAttack
from mi_audit.errors import UsageError
from mi_audit.schema.arrays import Array, checked


def name_of(attack: Attack) -> str:
    """The name of the plug-in."""
    return type(attack).__module__.rpartition(".")[2].replace("_", "-")


def fitted_class(name: str) -> type[FittedAttack]:
    """What an attack of this name is after fitting.

    Raises:
        ValueError: there is no such attack here.
    """
    try:
        attack: type[Attack] = plugins.plugin_class("attacks", name)
    except UsageError as error:
        raise ValueError(f"there is no attack {name!r}") from error
    return attack.fitted


def row_of(payloads: Sequence[bytes]) -> dict[str, Array]:
    """Payloads in a row, and where each ends."""
    ends = np.cumsum([len(payload) for payload in payloads], dtype=np.int64)
    return {"ends": ends, "payloads": np.frombuffer(b"".join(payloads), dtype=np.uint8)}


def parts_of(arrays: Mapping[str, Array]) -> list[bytes]:
    """The payloads that `row_of` put in a row.

    Raises:
        KeyError, ValueError: they do not follow each other from its start to its end.
    """
    ends, blob = checked("ends", arrays["ends"], (None,), "i"), checked("payloads", arrays["payloads"], (None,), "u")
    starts = np.concatenate([[0], ends[:-1]])
    if (ends[-1] if len(ends) else 0) != len(blob) or (starts[: len(ends)] >= ends).any():
        raise ValueError("expected payloads that follow each other")
    return [blob[start:end].tobytes() for start, end in zip(starts.tolist(), ends.tolist(), strict=False)]
