"""Frozen dataclasses to JSON values and back.

What comes back is checked against the annotations, so that a stranger's file cannot smuggle in another type.
"""

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Mapping
from typing import Any

JsonValue = Any

_LARGEST = 2**63 - 1
_DEEPEST = 50  # free values are walked by functions that call themselves


def encode(value: object) -> JsonValue:
    """A JSON value for a frozen dataclass, or for what may be a field of one."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    return value


def decode(expected: Any, value: JsonValue, where: str = "header") -> Any:
    """The object of type `expected` that `value` stands for.

    Raises:
        ValueError: `value` has another shape or type than the annotations say; the message names the place.
    """
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if expected is Any:
        return _checked_depth(value, where)
    if isinstance(expected, type) and dataclasses.is_dataclass(expected):
        return _decode_dataclass(expected, value, where)
    if origin is types.UnionType or origin is typing.Union:
        return _decode_union(arguments, value, where)
    if origin is typing.Literal:
        return _checked(value, value in arguments, where, expected)
    if origin is tuple:
        _checked(value, isinstance(value, list), where, expected)
        if arguments[-1] is Ellipsis:
            return tuple(decode(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
        _checked(value, len(value) == len(arguments), where, expected)
        return tuple(
            decode(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(arguments, value, strict=True))
        )
    if origin in (dict, Mapping):
        _checked(value, isinstance(value, dict), where, expected)
        return {key: decode(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    return _decode_plain(expected, value, where)


def _decode_dataclass(expected: type, value: JsonValue, where: str) -> object:
    _checked(value, isinstance(value, dict), where, expected)
    kinds = _field_types(expected)
    if unknown := set(value) - set(kinds):
        raise ValueError(f"{where}: unknown entry {min(unknown)!r}")
    given = {name: decode(kinds[name], item, f"{where}.{name}") for name, item in value.items()}
    try:
        return expected(**given)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error


@functools.cache
def _field_types(expected: type) -> dict[str, Any]:
    kinds = typing.get_type_hints(expected)
    return {field.name: kinds[field.name] for field in dataclasses.fields(expected)}


def _decode_union(kinds: tuple[Any, ...], value: JsonValue, where: str) -> object:
    if value is None and types.NoneType in kinds:
        return None
    inner = [kind for kind in kinds if kind is not types.NoneType]
    return decode(inner[0], value, where)


def _decode_plain(expected: Any, value: JsonValue, where: str) -> object:
    if type(value) is int and abs(value) > _LARGEST:
        raise ValueError(f"{where}: expected a number of 64 bits, got a larger one")
    if expected is float:
        _checked(value, type(value) in (int, float) and math.isfinite(value), where, expected)
        return float(value)
    return _checked(value, type(value) is expected, where, expected)


def _checked_depth(value: JsonValue, where: str) -> JsonValue:
    """A free value as it is, when its lists and objects are not nested too deeply."""
    level = [value]
    for _ in range(_DEEPEST):
        inner = [item for item in level if isinstance(item, list | dict)]
        level = [part for item in inner for part in (item.values() if isinstance(item, dict) else item)]
        if not level:
            return value
    raise ValueError(f"{where}: expected at most {_DEEPEST} levels of lists and objects, got more")


def _checked(value: JsonValue, holds: bool, where: str, expected: Any) -> JsonValue:
    if not holds:
        name = getattr(expected, "__name__", str(expected))
        raise ValueError(f"{where}: expected {name}, got {type(value).__name__}")
    return value
