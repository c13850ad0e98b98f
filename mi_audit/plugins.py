"""Plug-ins: found by the name of their file, imported when asked for.

A room is a folder of modules. The file name is the name on the command line (hyphens are underscores in the file name),
and the module holds exactly one subclass of the room's interface. A module that states a dictionary ``NAMES`` is listed
under these names instead, each with its meaning, and its class is told which as the field `name`. Packages outside add
plug-ins to a room through entry points in the group ``mi_audit.<room>``.
"""

import ast
import contextlib
import dataclasses
import difflib
import importlib
import importlib.metadata
import importlib.resources
import inspect
import math
import types
import typing
from collections.abc import Iterable, Mapping

from mi_audit.errors import MissingLibraryError, UsageError


def names(room: str) -> list[str]:
    """The names of all plug-ins in a room, sorted; nothing is imported."""
    return sorted({*_own_names(room), *_entry_points(room)})


def summary(room: str, name: str) -> str:
    """What a plug-in is, in a line, read without importing it.

    That is the first line of its module's docstring, or what ``NAMES`` says; for a plug-in from outside what its
    package says of itself, and which package that is.
    """
    module = _own_names(room).get(name)
    if module is None:
        return _package(_entry_points(room).get(name))
    source = _source(room, module)
    docstring = ast.get_docstring(ast.parse(source)) or ""
    return _stated_names(source).get(name, docstring.partition("\n")[0])


def plugin_class(room: str, name: str) -> type:
    """The class of one plug-in.

    Raises:
        UsageError: there is none of this name; the tip lists what there is and names the nearest.
        MissingLibraryError: it needs a library that is not installed.
    """
    if name not in names(room):
        raise UsageError(f"unknown name {name!r} in {room}", tip=did_you_mean(name, names(room)))
    try:
        if module := _own_names(room).get(name):
            return _class_in(importlib.import_module(f"mi_audit.{room}.{module}"), room)
        return typing.cast("type", _entry_points(room)[name].load())
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library == "mi_audit":  # a bug of ours, and nothing to install
            raise
        raise MissingLibraryError(
            f"{name!r} in {room} needs the library {library!r}", f"pip install {library}"
        ) from error


def load(room: str, name: str, options: Mapping[str, object] | None = None) -> typing.Any:
    """One plug-in with its options set; text options are read by the types of the fields.

    Raises:
        UsageError: an unknown name, an unknown option, or a value that the option's type does not take.
    """
    cls = plugin_class(room, name)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    types_by_name = typing.get_type_hints(cls)
    is_stated = _own_names(room).get(name, _module_name(name)) != _module_name(name)
    values: dict[str, object] = {"name": name} if is_stated else {}
    for key, value in (options or {}).items():
        option = key.replace("-", "_")
        if option not in fields:
            raise UsageError(f"{name!r} has no option {key!r}", tip=did_you_mean(option, fields))
        values[option] = _typed(value, types_by_name[option], f"{name}.{key}") if isinstance(value, str) else value
    try:
        return cls(**values)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from error


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A tip for an unknown name: the nearest known one, and all of them where they are few."""
    known = sorted(known)
    # Who types resnet56 means cifar_resnet56 rather than resnet50.
    longer = sorted((one for one in known if one.endswith(f"_{name}")), key=len) if len(name) > 3 else []
    nearest = longer[:1] or difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    guess = f"did you mean {nearest[0]!r}? " if nearest else ""
    listed = ", ".join(known) if len(known) <= 30 else f"{len(known)} names, see `mi-audit list`"
    return f"{guess}there is: {listed}" if known else "there is none"


def _module_name(name: str) -> str:
    return name.replace("-", "_")


def _own_names(room: str) -> dict[str, str]:
    """The module of every plug-in of ours, by name."""
    files = (entry.name for entry in (importlib.resources.files("mi_audit") / room).iterdir())
    modules = (file.removesuffix(".py") for file in files if file.endswith(".py") and not file.startswith("_"))
    found: dict[str, str] = {}
    for module in modules:
        if module != "interface":
            stated = _stated_names(_source(room, module))
            found |= dict.fromkeys(stated or [module.replace("_", "-")], module)
    return found


def _source(room: str, module: str) -> str:
    return (importlib.resources.files("mi_audit") / room / f"{module}.py").read_text(encoding="utf-8")


def _stated_names(source: str) -> dict[str, str]:
    """The names that a module states in ``NAMES``, with their meanings; none where it states none."""
    if "\nNAMES" not in source:
        return {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "NAMES" for target in node.targets):
            return typing.cast("dict[str, str]", ast.literal_eval(node.value))
    return {}


def _entry_points(room: str) -> dict[str, importlib.metadata.EntryPoint]:
    return {point.name: point for point in importlib.metadata.entry_points(group=f"mi_audit.{room}")}


def _package(point: importlib.metadata.EntryPoint | None) -> str:
    """What the package of an entry point says of itself; empty where nothing is known."""
    if point is None or point.dist is None:
        return ""
    return f"{point.dist.metadata.json.get('summary', '')} (package {point.dist.name})".strip()


def _class_in(module: types.ModuleType, room: str) -> type:
    """The one class of the module that fills the room's interface."""
    interface = importlib.import_module(f"mi_audit.{room}.interface")
    abstract = (cls for _, cls in inspect.getmembers(interface, inspect.isabstract))
    bases = tuple(cls for cls in abstract if cls.__module__ == interface.__name__)
    found = [
        cls
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if cls.__module__ == module.__name__ and issubclass(cls, bases) and not inspect.isabstract(cls)
    ]
    plugs = [cls for cls in found if dataclasses.is_dataclass(cls) and not cls.__name__.startswith(("Fitted", "_"))]
    if len(plugs) != 1:
        raise TypeError(f"expected exactly one plug-in in {module.__name__}, got {[cls.__name__ for cls in plugs]}")
    return plugs[0]


def _typed(text: str, expected: object, option: str) -> object:
    """A value from the command line, by its field's type: str, bool, int, float, a Literal, or one of them or None."""
    if typing.get_origin(expected) in (types.UnionType, typing.Union):  # which of them, X | None does not tell
        inner = [kind for kind in typing.get_args(expected) if kind is not types.NoneType]
        return None if text.lower() == "none" else _typed(text, inner[0], option)
    if typing.get_origin(expected) is typing.Literal:
        choices = [str(choice) for choice in typing.get_args(expected)]
        if text not in choices:
            expected_text = f"expected {option} to be one of {', '.join(choices)}"
            raise UsageError(f"{expected_text}, got {text!r}", tip=did_you_mean(text, choices))
        return typing.get_args(expected)[choices.index(text)]
    if expected is bool:
        if text.lower() not in ("true", "false"):
            raise UsageError(f"expected {option} to be true or false, got {text!r}", tip=f"--set {option}=true")
        return text.lower() == "true"
    if expected is int or expected is float:
        return _number(text, expected, option)
    return text


def _number(text: str, kind: type[int] | type[float], option: str) -> int | float:
    with contextlib.suppress(ValueError, OverflowError):
        if math.isfinite(value := kind(text)):
            return value
    raise UsageError(f"expected {option} to be {'a whole' if kind is int else 'a'} number, got {text!r}")
