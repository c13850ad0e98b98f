"""Options from a file and from the environment: flags over ``MI_AUDIT_*`` over the file over defaults.

The file is ``mi-audit.toml`` in the current folder or, where that is not there, the table ``[tool.mi-audit]`` of
``pyproject.toml`` beside it. Keys are the long names of options without their dashes; keys at the top hold for every
command that has the option, those in a table named like a command for that command.
"""

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mi_audit.errors import InputError, UsageError
from mi_audit.plugins import did_you_mean

FILE, PROJECT_FILE, TABLE = "mi-audit.toml", "pyproject.toml", "tool.mi-audit"
PREFIX = "MI_AUDIT_"
DEFAULT = "default"

# A folder that somebody else made may hold such a file: what runs code, fetches, reads elsewhere or overwrites is for
# who types the command, or sets the environment.
_NOT_IN_FILES = ("model", "download", "allow-outside", "out", "cache-dir", "exit-zero")
_CODE = "python:"
_NO_OPTIONS = frozenset({"MI_AUDIT_TEST_ASSETS"})
_LARGEST_FILE = 1_000_000
_NEVER = ("help", "version", "install-completion", "show-completion")


@dataclass(frozen=True)
class Setting:
    """The value of an option of a command where no flag is given.

    Attributes:
        option: its long name without dashes.
        parameter: what the command calls it.
        value: as the command line would read it; of a default, the default.
        origin: ``"default"``, the name of the file, or that of the variable.
    """

    option: str
    parameter: str
    value: Any
    origin: str


def settings(commands: Mapping[str, Any], folder: Path, environment: Mapping[str, str]) -> dict[str, list[Setting]]:
    """{command: the setting of each of its options}, from file, environment and defaults.

    Args:
        commands: {name: command} of the command line.
        folder: where the file is looked for.
        environment: variables.

    Raises:
        InputError: the file is no TOML.
        UsageError: a key or a variable that no command has, or a value that is none.
    """
    options = {name: _options(command) for name, command in commands.items()}
    known = {option for own in options.values() for option in own}
    name, content = _read(folder)
    shared, tables = _split(content, options, known, name)
    variables = _variables(environment, known)
    return {
        command: [
            _setting(
                option,
                own[option],
                [variables.get(option), tables.get(command, {}).get(option), shared.get(option)],
            )
            for option in own
        ]
        for command, own in options.items()
    }


def default_map(found: Mapping[str, Iterable[Setting]]) -> dict[str, dict[str, Any]]:
    """What the command line takes instead of its own defaults: {command: {parameter: value}}."""
    return {
        command: {one.parameter: one.value for one in own if one.origin != DEFAULT} for command, own in found.items()
    }


def _options(command: Any) -> dict[str, Any]:
    """{long name without dashes: option}, arguments and what only prints left out."""
    found = {}
    for parameter in getattr(command, "params", ()):
        names = [text[2:] for text in parameter.opts if text.startswith("--")]
        if names and names[0] not in _NEVER:
            found[names[0]] = parameter
    return found


_Given = tuple[Any, str] | None


def _setting(option: str, parameter: Any, given: Iterable[_Given]) -> Setting:
    """The first of these values that is there, the strongest first."""
    for one in given:
        if one is not None:
            value, origin = one
            return Setting(option, parameter.name, _typed(value, parameter, f"{origin}: {option}"), origin)
    return Setting(option, parameter.name, parameter.default, DEFAULT)


def _typed(value: Any, parameter: Any, where: str) -> Any:
    """A value in the form in which the command line reads it: text, or a list of texts for what repeats.

    Raises:
        UsageError: a flag that is neither true nor false, or something that no flag could say.
    """
    if parameter.is_flag:
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        if str(value).lower() not in words:
            raise UsageError(f"expected {where} to be true or false, got {value!r}", tip="true or false")
        return words[str(value).lower()]
    parts = value if isinstance(value, list) else [value]
    if any(isinstance(part, bool) or not isinstance(part, str | int | float) for part in parts):
        raise UsageError(f"expected {where} to be text, a number or a list of them, got {value!r}", tip="see --help")
    texts = [str(part) for part in parts]
    return texts if parameter.multiple else ",".join(texts)


def _read(folder: Path) -> tuple[str, dict[str, Any]]:
    """The name of the file that counts, and what it says; nothing where there is none.

    Raises:
        InputError: it cannot be read, or is no TOML.
    """
    own, project = folder / FILE, folder / PROJECT_FILE
    if own.is_file():
        return FILE, _parsed(own)
    if project.is_file() and TABLE in _text(project):
        found = _parsed(project).get("tool", {}).get("mi-audit", {})
        return PROJECT_FILE, found if isinstance(found, dict) else {}
    return FILE, {}


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(path))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{path.name}: {error}", tip=f'for example device = "cpu" in {path.name}') from error


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise InputError(f"{path.name}: expected a small file, got {path.stat().st_size:,} bytes")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name}: cannot be read as UTF-8 text ({error})") from error


def _split(
    content: Mapping[str, Any], options: Mapping[str, Mapping[str, Any]], known: set[str], name: str
) -> tuple[dict[str, _Given], dict[str, dict[str, _Given]]]:
    """What holds for all commands, and what for one: {option: (value, origin)} each.

    Raises:
        UsageError: a key that is neither an option nor a command, or one that no file may set.
    """
    shared: dict[str, _Given] = {}
    tables: dict[str, dict[str, _Given]] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            if key not in options:
                raise UsageError(f"{name}: unknown command [{key}]", tip=did_you_mean(key, options))
            tables[key] = {_checked(inner, each, options[key], name): (each, name) for inner, each in value.items()}
        else:
            shared[_checked(key, value, known, name)] = (value, name)
    return shared, tables


def _checked(key: str, value: object, known: Iterable[str], name: str) -> str:
    option = key.replace("_", "-")
    if option in _NOT_IN_FILES or (option == "arch" and _CODE in str(value)):
        tip = f"type --{option}, or set {_variable(option)}"
        raise UsageError(f"{name}: {key} is not taken from a file, which may be a stranger's", tip=tip)
    if option not in known:
        raise UsageError(f"{name}: unknown option {key!r}", tip=did_you_mean(option, known))
    return option


def _variables(environment: Mapping[str, str], known: set[str]) -> dict[str, _Given]:
    """{option: (value, name of the variable)}.

    Raises:
        UsageError: a variable with our prefix that is no option.
    """
    by_name = {_variable(option): option for option in known}
    found: dict[str, _Given] = {}
    for name, value in environment.items():
        if not name.startswith(PREFIX) or name in _NO_OPTIONS:
            continue
        if name not in by_name:
            raise UsageError(f"unknown variable {name}", tip=did_you_mean(name, by_name))
        found[by_name[name]] = (value, name)
    return found


def _variable(option: str) -> str:
    return PREFIX + option.upper().replace("-", "_")


def here(commands: Mapping[str, Any]) -> dict[str, list[Setting]]:
    """`settings` of this folder and this environment."""
    return settings(commands, Path.cwd(), os.environ)
