"""What people type who come from other tools, and what it is called here."""

from typing import Any

from typer.core import TyperCommand, TyperGroup

COMMANDS = {"audit": "evaluate", "run": "evaluate", "attack": "train-attack", "train": "train-attack"}
OPTIONS = {"--checkpoint": "--model", "--ckpt": "--model", "--weights-file": "--model", "--dataset": "--data"}


class Command(TyperCommand):
    """A command that names its own option for one of another tool."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As Typer does, which refuses unknown options and names those that are spelt alike."""
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            meant = OPTIONS.get(getattr(error, "option_name", ""))
            if meant and any(meant in parameter.opts for parameter in self.params):
                error.possibilities = [meant]  # type: ignore[attr-defined]
            raise


class Group(TyperGroup):
    """The program, which names its own command for one of another tool."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As Typer does, which refuses unknown commands."""
        try:
            return super().resolve_command(ctx, args)
        except Exception as error:
            meant = f"Did you mean '{COMMANDS[args[0]]}'?" if args and args[0] in COMMANDS else ""
            if hasattr(error, "message") and meant not in error.message:
                error.message += f" {meant}"
            raise
