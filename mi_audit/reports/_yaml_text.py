"""The little YAML that reports write: blocks of mappings and lists, every text in double quotes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from mi_audit.reports import _format


def block(value: Any) -> str:
    """Mappings, lists, texts and numbers as block YAML that ends in a newline; keys are ours and need no quotes."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, Mapping | list | tuple):
                yield f"{key}:"
                yield from _indented(inner)
            else:
                yield f"{key}: {_scalar(inner)}"
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            first, *rest = _lines(item)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
    else:
        yield _scalar(value)


def _indented(value: Any) -> Iterator[str]:
    """Lists stand below their key as they are in the metadata of the Hugging Face hub; mappings two columns in."""
    before = "  " if isinstance(value, Mapping) else ""
    yield from (before + line for line in _lines(value))


def _scalar(value: Any) -> str:
    """JSON's double quotes are YAML's; what `visible` leaves needs no further escape in it."""
    if isinstance(value, bool | int | float | Decimal):
        return json.dumps(value) if isinstance(value, bool) else str(value)
    return json.dumps(_format.visible(str(value)), ensure_ascii=False)
