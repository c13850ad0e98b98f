"""``python -m mi_audit`` and the console script ``mi-audit``."""

import signal
from types import FrameType
from typing import NoReturn

from mi_audit.cli import _streams
from mi_audit.cli._edge import guarded


def main() -> None:
    """Run the command line and exit with its code."""
    _streams.protect()
    with guarded():
        signal.signal(signal.SIGTERM, _interrupt)
        from mi_audit.cli._app import app

        app(prog_name="mi-audit")


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """Being told to end is being interrupted: the same clean-up, the same exit code."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
