"""The bytes of fitted attacks: a container of arrays, with the name of the attack in its header."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from mi_audit import store
from mi_audit.errors import ContainerError
from mi_audit.schema.arrays import Array, checked


def pack(attack: str, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> bytes:
    """The payload of an attack of this name."""
    return store.to_bytes({"attack": attack, **header}, dict(arrays))


@contextmanager
def unpacking(attack: str, payload: bytes) -> Iterator[tuple[dict[str, Any], dict[str, Array]]]:
    """The header and the arrays of a payload; whatever the block finds wrong with them becomes a `ContainerError`.

    Raises:
        ContainerError: not a container, another attack's, a missing part, or parts that the block cannot use.
    """
    header, arrays = store.from_bytes(payload)
    if header.get("attack") != attack:
        raise ContainerError(f"expected a fitted {attack}, got {header.get('attack')!r}")
    try:
        yield header, arrays
    except KeyError as error:
        raise ContainerError(f"fitted {attack}: {error} is missing") from error
    except (OverflowError, TypeError, ValueError) as error:
        raise ContainerError(f"fitted {attack}: {error}") from error


def text(value: object) -> str:
    """A header's value that has to be text."""
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {type(value).__name__}")
    return value


def texts(value: object) -> tuple[str, ...]:
    """A header's value that has to be a list of texts."""
    if not isinstance(value, list):
        raise TypeError(f"expected a list of texts, got {type(value).__name__}")
    return tuple(text(item) for item in value)


def number(value: object) -> float:
    """A header's value that has to be a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a number, got {type(value).__name__}")
    if not abs(value) < float("inf"):
        raise ValueError(f"expected a finite number, got {value}")
    return float(value)


def count(value: object) -> int:
    """A header's value that has to be a whole number from 0 on."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"expected a count, got {value!r}")
    return value


def finite(name: str, array: Array, shape: tuple[int | None, ...]) -> Array:
    """A read-only view of an array of finite floats of this shape (``None``: any length).

    Raises:
        ValueError: it is not one.
    """
    view = checked(name, array, shape, "f")
    if not np.isfinite(view).all():
        raise ValueError(f"expected finite {name}, got NaN or infinity")
    return view
