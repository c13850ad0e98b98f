"""Reading the provenance of a record, which comes from files, so that nothing about it is certain."""

from collections.abc import Mapping
from typing import Any


def found_at(provenance: Mapping[str, Any], *path: str) -> object:
    """What it says at this path, or ``None``.

    >>> found_at({"attacks": {"options": {"known_fraction": 0.5}}}, "attacks", "options", "known_fraction")
    0.5
    """
    found: object = provenance
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found
