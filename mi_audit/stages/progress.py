"""How a stage tells its caller how far it is; what is done with that is the caller's business."""

from typing import Protocol


class Progress(Protocol):
    """Told about long work as it goes."""

    def start(self, what: str, total: int, done: int = 0) -> None:
        """Work named `what` begins: `total` steps, of which `done` were done before."""

    def advance(self, steps: int) -> None:
        """So many more steps are done."""

    def finish(self) -> None:
        """The work that was started last is over."""

    def say(self, message: str) -> None:
        """One line that is worth knowing."""


class Silence:
    """Nobody listens."""

    def start(self, what: str, total: int, done: int = 0) -> None:
        """Ignore it."""

    def advance(self, steps: int) -> None:
        """Ignore it."""

    def finish(self) -> None:
        """Ignore it."""

    def say(self, message: str) -> None:
        """Ignore it."""
