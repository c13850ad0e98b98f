"""A number that may be undefined, with its interval and the reason why."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """One reported number.

    Attributes:
        value: the point estimate; ``None`` where the data cannot support one, and then `reason` says why.
        low, high: a confidence interval around it, or ``None`` where none is defined. A `value` of ``None`` may still
            carry bounds (what is known about a number that cannot be resolved).
        reason: why `value` is ``None``, in plain words: ``"0 members"``.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        if (self.value is None) != (self.reason is not None):
            raise ValueError(f"expected a value or a reason, got value={self.value!r} and reason={self.reason!r}")
        if (self.low is None) != (self.high is None):
            raise ValueError(f"expected both bounds or none, got low={self.low!r} and high={self.high!r}")
        for name in ("value", "low", "high"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise ValueError(f"expected a finite {name}, got {number!r}")

    @classmethod
    def undefined(cls, reason: str) -> "Estimate":
        """An estimate that the data cannot support, with the reason."""
        return cls(value=None, reason=reason)
