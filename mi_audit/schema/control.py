"""What a control says about whether an audit can be trusted."""

from dataclasses import dataclass
from typing import Literal

ControlOutcome = Literal["held", "failed", "not applicable", "no evidence"]


@dataclass(frozen=True)
class ControlResult:
    """The outcome of one control.

    Attributes:
        slug: its name, an anchor in the README; the same as its plug-in's.
        outcome: ``"failed"`` makes the verdict INVALID; ``"no evidence"`` of a required control makes it INCONCLUSIVE;
            ``"not applicable"`` says in the message why, and does no harm.
        message: one plain sentence with the figures in it.
        p_value: of the test that the control is, where it is one.
    """

    slug: str
    outcome: ControlOutcome
    message: str
    p_value: float | None = None

    def __post_init__(self) -> None:
        if not self.slug or not self.message:
            raise ValueError("expected a slug and a message, got an empty one")
