"""The command ``config``."""

import json as json_text
from typing import Annotated, Any

import typer

from mi_audit.cli import _config
from mi_audit.cli._edge import product
from mi_audit.errors import UsageError
from mi_audit.plugins import did_you_mean

ACTIONS = ("show",)


def config(
    ctx: typer.Context,
    action: Annotated[str, typer.Argument(help="show", metavar="show")],
    command: Annotated[str | None, typer.Argument(help="Every option of one command.", metavar="[COMMAND]")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show which options are set, and where: flags over MI_AUDIT_* over mi-audit.toml over defaults.

    MI_AUDIT_DEVICE=cpu is --device cpu. In mi-audit.toml, or the table tool.mi-audit of pyproject.toml, keys are long
    options: device = "cpu" for all commands, the same in a table evaluate for one.
    """
    if action not in ACTIONS:
        raise UsageError(f"unknown action {action!r}", tip="mi-audit config show")
    commands = _commands(ctx)
    if command is not None and command not in commands:
        raise UsageError(f"unknown command {command!r}", tip=did_you_mean(command, commands))
    found = _config.here(commands)
    shown = {command: found[command]} if command else found
    if not command:
        shown = {name: [one for one in own if one.origin != _config.DEFAULT] for name, own in found.items()}
    product(_document(shown) if json else _lines(shown, is_all=command is not None))


def _commands(ctx: typer.Context) -> dict[str, Any]:
    parent: Any = ctx.parent
    commands: dict[str, Any] = parent.command.commands
    return commands


def _document(shown: dict[str, list[_config.Setting]]) -> str:
    content = {
        command: {one.option: {"value": _plain(one.value), "from": one.origin} for one in own}
        for command, own in shown.items()
        if own
    }
    return json_text.dumps(content, indent=2) + "\n"


def _lines(shown: dict[str, list[_config.Setting]], *, is_all: bool) -> str:
    rows = [(name, one.option, _text(one.value), one.origin) for name, own in shown.items() for one in own]
    if not rows:
        return "Nothing is set: every option has its default. `mi-audit config show COMMAND` lists them.\n"
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows
    ]
    note = [] if is_all else ["", "All else has its default. `mi-audit config show COMMAND` lists every option."]
    return "\n".join([*lines, *note]) + "\n"


def _text(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else "-" if value is None else str(value)
    return "".join(character if character.isprintable() else " " for character in text)


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)
