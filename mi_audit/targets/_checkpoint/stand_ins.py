"""Inert stand-ins for the classes that a checkpoint names: nothing of theirs is imported or run, ever.

Weights-only loading refuses a file for one foreign class in it, be it the bag of the training's arguments. Under the
name of such a class torch is given an empty one of ours, whose objects keep what they are made of and do nothing.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

# Where the real class does nothing but hold values.
_REAL: Mapping[str, Callable[..., Any]] = {
    "builtins.list": list,
    "builtins.dict": dict,
    "builtins.set": set,
    "builtins.frozenset": frozenset,
    "builtins.int": int,
    "collections.OrderedDict": OrderedDict,
}
# What no checkpoint needs and what runs code. A stand-in would be as harmless; the file is not.
_RUNS_CODE = frozenset({
    *("os", "posix", "nt", "sys", "subprocess", "_posixsubprocess", "importlib", "runpy", "shutil", "socket", "ctypes"),
    *("pty", "pdb", "webbrowser", "pickle", "_pickle", "marshal", "requests", "urllib", "ftplib", "popen2"),
})  # fmt: skip
_RUNNING_BUILTINS = frozenset(
    f"builtins.{name}" for name in ("eval", "exec", "compile", "__import__", "open", "input", "breakpoint", "globals")
)


class StandIn:
    """An object of a class that is not imported.

    Attributes:
        name: of the class, as the file gives it.
        arguments: that it was made with.
        state: that it was given after it was made.
    """

    __slots__ = ("arguments", "state")

    name: ClassVar[str] = ""
    arguments: tuple[object, ...]
    state: object

    def __new__(cls, *arguments: object) -> Any:
        """Keep the arguments."""
        made = object.__new__(cls)
        made.arguments = arguments
        made.state = None
        return made

    def __init__(self, *_: object) -> None:
        """Whatever it is made with."""

    def __setstate__(self, state: object) -> None:
        """Keep the state; nothing of it becomes an attribute."""
        self.state = state


class _FilledStandIn(StandIn):
    """In place of a class whose objects are filled like a dict: they become plain dicts, which torch will fill."""

    __slots__ = ()

    def __new__(cls, *_: object) -> Any:
        """An empty dict, since torch puts entries in no other class."""
        return OrderedDict()


def stand_ins(names: Iterable[str], filled: Iterable[str]) -> list[tuple[Callable[..., Any], str]]:
    """What to load under each name, as ``torch.serialization.safe_globals`` takes it.

    Args:
        names: of the classes and functions that a pickle asks for; torch does not look at those that it knows itself.
        filled: those whose objects get entries like a dict.
    """
    as_dicts = set(filled)
    return [(_REAL.get(name) or _stand_in(name, is_filled=name in as_dicts), name) for name in dict.fromkeys(names)]


def running_code(names: Iterable[str]) -> str | None:
    """The first of the names that runs code; ``None`` where none does."""
    return next((name for name in names if name.partition(".")[0] in _RUNS_CODE or name in _RUNNING_BUILTINS), None)


def attributes(value: object) -> dict[str, object] | None:
    """What a dict or an object of a foreign class holds, by name; ``None`` for anything else.

    Nothing that the file could have put on the object is called.
    """
    if isinstance(value, StandIn):
        state = value.state
        if isinstance(state, tuple) and len(state) == 2:
            state = state[0]
        return attributes(state) if not isinstance(state, StandIn) else None
    if not isinstance(value, dict):
        return None
    return {key: entry for key, entry in dict.items(value) if type(key) is str}


def _stand_in(name: str, *, is_filled: bool) -> type:
    base = _FilledStandIn if is_filled else StandIn
    return type("StandIn", (base,), {"__slots__": (), "name": name, "__module__": __name__})


# torch keeps its list of safe names for the whole process, not for the thread that loads.
LOCK = threading.Lock()
