"""A doubt that was raised on the way, kept with the numbers that it concerns."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["note", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One doubt or remark.

    Attributes:
        slug: a short stable name, ``"exact-duplicates"``; an anchor in the documentation.
        severity: ``"note"`` (worth knowing), ``"warning"`` (weakens the audit), ``"error"`` (it cannot be trusted).
        message: one plain sentence with the figures in it.
    """

    slug: str
    severity: Severity
    message: str

    def __post_init__(self) -> None:
        if self.severity not in ("note", "warning", "error"):
            raise ValueError(f"expected a severity of note, warning or error, got {self.severity!r}")
        if not self.slug or not self.message:
            raise ValueError("expected a slug and a message, got an empty one")
