"""Names out of files as words in a message: few, short and printable."""

import os
from collections.abc import Sequence

N_NAMED = 5
LONGEST = 100


def printable(name: object) -> str:
    """A name as it can be shown anywhere: control characters and bytes that are no text are escaped, long ones cut."""
    text = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(name))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def first(names: Sequence[object]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - N_NAMED:,} more" if len(names) > N_NAMED else ""
    return ", ".join(printable(name) for name in names[:N_NAMED]) + more


def storable(name: str) -> str:
    """A file's name as text that can be stored; one that is not UTF-8 stays recognisable."""
    return os.fsencode(name).decode(errors="backslashreplace")
