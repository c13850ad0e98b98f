"""The values of options as people give them in Python, made what the stages take."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mi_audit.errors import UsageError
from mi_audit.stages._settings import numbers_in


def spec(value: object, name: str, tip: str) -> str:
    """What ``--model`` or ``--data`` would be told.

    Raises:
        UsageError: neither text nor a path, such as a network; its tip is `tip`.
    """
    if isinstance(value, str | Path):
        return str(value)
    raise UsageError(f"expected {name} to be text or a path, got {type(value).__name__}", tip=tip)


def texts(value: object, name: str) -> tuple[str, ...]:
    """Names in a sequence, or in one text with commas.

    Raises:
        UsageError: something else.
    """
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, Sequence) and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise UsageError(f"expected {name} to be names, got {value!r}", tip=f"for example {name}=('a', 'b')")


def _numbers(value: object, name: str) -> tuple[float, ...]:
    """Numbers in a sequence, one alone, or in a text with commas."""
    if isinstance(value, str):
        return numbers_in(value, name)
    values = value if isinstance(value, Iterable) else (value,)
    try:
        return tuple(float(each) for each in values)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        tip = f"for example {name}=(.49, .48, .45)"
        raise UsageError(f"expected {name} to be numbers, got {value!r}", tip=tip) from None


def _path(value: object, name: str) -> Path:
    return Path(spec(value, name, tip=f"for example {name}='FILE'"))


_READERS: dict[str, Callable[[object, str], Any]] = {
    **dict.fromkeys(("data_dir", "members", "non_members", "members_index", "non_members_index", "membership"), _path),
    **dict.fromkeys(("mean", "std", "expect_accuracy"), _numbers),
    **dict.fromkeys(("features", "feature_settings", "declare", "on", "settings"), texts),
}


def typed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the stages with their values made what these take; ``None`` and what needs no reading stay.

    Raises:
        UsageError: a value that makes no sense.
    """
    return {
        name: value if value is None or name not in _READERS else _READERS[name](value, name)
        for name, value in options.items()
    }
