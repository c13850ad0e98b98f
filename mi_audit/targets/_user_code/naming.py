"""How a user names code of their own: ``python:FILE.py:FUNCTION``, after ``--model`` or ``--arch``."""

from dataclasses import dataclass
from pathlib import Path

from mi_audit.errors import UsageError
from mi_audit.targets._user_code.running import Source

_PREFIX = "python:"


@dataclass(frozen=True)
class Code:
    """What was named.

    Attributes:
        source: the file.
        name: of the function, class or network in it.
    """

    source: Source
    name: str


def is_code(arch: str) -> bool:
    """Whether ``--arch`` names code rather than a network that is known."""
    return arch.startswith(_PREFIX)


def code_of(flag: str, spec: str) -> Code:
    """What the option `flag` names; `spec` may begin with ``python:``.

    Raises:
        CheckpointError: the file cannot be read.
        UsageError: no function was named.
    """
    place = spec.removeprefix(_PREFIX)
    file, _, name = place.rpartition(":")
    if not file or not name:
        message = f"expected {flag} {_PREFIX}FILE.py:FUNCTION, got {_PREFIX}{place}"
        raise UsageError(message, tip=f"for example {flag} {_PREFIX}net.py:Net")
    return Code(Source.of(Path(file)), name)
