"""Progress on stderr: a bar with a rate and the time left on a terminal, a plain line now and then elsewhere."""

import sys
import time

import typer

from mi_audit.cli._edge import close_at_the_end, say

SECONDS_BETWEEN_LINES = 30.0
_WIDE = 70


def progress(*, quiet: bool, remarks_only: bool = False) -> "Lines | Bar | Quiet":
    """What suits this stderr: nothing when `quiet`, no bar and no lines of progress for `remarks_only`."""
    if quiet or remarks_only:
        return Quiet() if quiet else Remarks()
    return Bar() if sys.stderr.isatty() else Lines()


def progress_of(ctx: typer.Context) -> "Lines | Bar | Quiet":
    """What the command was asked for, by its options ``--quiet`` and ``--no-progress``."""
    return progress(quiet=ctx.params["quiet"], remarks_only=ctx.params["no_progress"])


class Quiet:
    """Nothing but what went wrong."""

    def start(self, what: str, total: int, done: int = 0) -> None:
        """Ignore it."""

    def advance(self, steps: int) -> None:
        """Ignore it."""

    def finish(self) -> None:
        """Ignore it."""

    def say(self, message: str) -> None:
        """Ignore it."""


class Remarks(Quiet):
    """What is worth knowing, but not how far the work is."""

    def say(self, message: str) -> None:
        """Say it."""
        say(message)


class Lines:
    """One plain line when work begins, every half minute, and when it ends."""

    def start(self, what: str, total: int, done: int = 0) -> None:
        """Say what begins."""
        self._what, self._total, self._done, self._first = what, total, done, done
        self._began = self._last = time.monotonic()
        say(f"{what}: {total:,}" if not done else f"{what}: {total:,}, of which {done:,} are done")

    def advance(self, steps: int) -> None:
        """Say how far it is, when the last line is half a minute old."""
        self._done += steps
        if time.monotonic() - self._last >= SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            rate = (self._done - self._first) / (self._last - self._began)
            pace = f", {_per_second(rate)}, {(self._total - self._done) / rate:,.0f} s left" if rate else ""
            say(f"{self._what}: {self._done:,} of {self._total:,}{pace}")

    def finish(self) -> None:
        """Say how long it took."""
        say(f"{self._what}: done in {time.monotonic() - self._began:.1f} s")

    def say(self, message: str) -> None:
        """Say it."""
        say(message)


def _per_second(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s"


class Bar:
    """A bar on a terminal; on a narrow one the numbers alone."""

    def start(self, what: str, total: int, done: int = 0) -> None:
        """Draw it."""
        from rich import progress
        from rich.console import Console

        console = Console(stderr=True)
        is_wide = console.width >= _WIDE
        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn() if is_wide else None,
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[rate]}"),
            progress.TimeElapsedColumn() if is_wide else None,
            progress.TimeRemainingColumn() if is_wide else None,
        )
        self._bar = progress.Progress(*filter(None, columns), console=console)
        close_at_the_end(self.finish)
        self._began, self._done = time.monotonic(), 0
        self._task = self._bar.add_task(what, total=total, completed=done, rate="")
        self._bar.start()

    def advance(self, steps: int) -> None:
        """Move it."""
        self._done += steps
        rate = self._done / max(1e-9, time.monotonic() - self._began)
        self._bar.update(self._task, advance=steps, rate=_per_second(rate))

    def finish(self) -> None:
        """Leave it as it is."""
        if self._bar.live.is_started:
            self._bar.stop()

    def say(self, message: str) -> None:
        """Say it above the bar."""
        say(message)
