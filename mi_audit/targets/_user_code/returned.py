"""What a user's function may be, and what it may return: a network, and how images are prepared for it."""

import hashlib
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import torch
from torch import nn

from mi_audit.errors import CheckpointError, UsageError
from mi_audit.plugins import did_you_mean
from mi_audit.targets._checkpoint.refusals import plain
from mi_audit.targets._user_code.running import blamed_on

SETTINGS = ("mean", "std", "size", "resize", "interpolation")
RETURN = "return a torch.nn.Module, or (module, dict(mean=..., std=..., size=...))"


@dataclass(frozen=True)
class Returned:
    """What the function gave.

    Attributes:
        answers: what takes normalised images and gives logits.
        mean, std: per channel, or ``None`` where nothing was said.
        size: (height, width), or ``None``.
        resize: length of the shorter side before cropping, or ``None``.
        interpolation: by which images are resized.
    """

    answers: Callable[[torch.Tensor], Any]
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    size: tuple[int, int] | None = None
    resize: int | None = None
    interpolation: str = "bilinear"


class Answering(nn.Module):
    """Something that is called like a network and is none: a session of another library, a closure.

    Attributes:
        fingerprint: (32,) uint8, SHA-256 of what it answers, once `mark` was called: where there are no weights that
            could tell two of them apart, this does.
    """

    fingerprint: torch.Tensor

    def __init__(self, answers: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.answers = answers
        self.register_buffer("fingerprint", torch.zeros(32, dtype=torch.uint8))

    def mark(self, images: torch.Tensor) -> None:
        """Take the fingerprint from the answers to some images."""
        answers = self(images).detach().cpu().to(torch.float32).numpy()
        digest = bytearray(hashlib.sha256(answers.tobytes()).digest())
        self.fingerprint.copy_(torch.frombuffer(digest, dtype=torch.uint8))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits of normalised images; arrays become tensors on the device of the images."""
        return torch.as_tensor(self.answers(images), device=images.device)


def function_of(path: Path, module: ModuleType, name: str) -> Any:
    """The function, class or network of this name in the user's module.

    Raises:
        UsageError: there is none; the tip names the nearest.
    """
    if not hasattr(module, name):
        own = [
            known
            for known, value in vars(module).items()
            if not known.startswith("_") and callable(value) and getattr(value, "__module__", None) == module.__name__
        ]
        raise UsageError(f"{path}: has no function {plain(name)!r}", tip=did_you_mean(name, own))
    found = getattr(module, name)
    if not callable(found):
        refuse(path, name, f"expected a function, got {described(found)}")
    return found


def call(path: Path, name: str, function: Any, offered: Mapping[str, object]) -> Any:
    """What the function returns, given those of the offered arguments that it takes; a network is taken as it is.

    Raises:
        CheckpointError: it needs other arguments, or stopped.
    """
    if isinstance(function, nn.Module):
        return function
    with blamed_on(path, f"{plain(name)} stopped"):
        return function(**_taken(path, name, function, offered))


def _taken(path: Path, name: str, function: Any, offered: Mapping[str, object]) -> dict[str, object]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return {}
    named = [one for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    needed = [one.name for one in named if one.default is one.empty and one.name not in offered]
    positional = [one.name for one in named if one.kind is one.POSITIONAL_ONLY]
    if needed or positional:
        refuse(
            path,
            name,
            f"expected a function without arguments or with {', '.join(offered)}, got one that needs "
            f"{', '.join(needed or positional)}",
            "give the other arguments defaults, or write a function that calls it with them",
        )
    return {one.name: offered[one.name] for one in named if one.name in offered}


def read(path: Path, name: str, value: Any) -> Returned:
    """What was returned, checked.

    Raises:
        CheckpointError: neither a network nor a network with its settings.
    """
    settings: Any = {}
    if isinstance(value, tuple | list) and len(value) == 2:
        value, settings = value
        if not isinstance(settings, Mapping):
            refuse(path, name, f"expected (network, dict of settings), got {described(settings)} as settings")
    if isinstance(value, type) or not callable(value):
        refuse(path, name, f"expected a network, got {described(value)}", _tip_on(value))
    return Returned(value, **_Reader(path, name, settings).read())


def _tip_on(value: Any) -> str:
    if isinstance(value, type):
        return f"return an object of the class: {plain(value.__name__)}(...)"
    if isinstance(value, Mapping):
        return "build the network, load the weights into it with load_state_dict, and return the network"
    return RETURN


@dataclass(frozen=True)
class _Reader:
    """Reads the settings beside a network."""

    path: Path
    name: str
    settings: Mapping[Any, Any] = field(default_factory=dict)

    def read(self) -> dict[str, Any]:
        unknown = [str(key) for key in self.settings if key not in SETTINGS]
        if unknown:
            refuse(self.path, self.name, f"unknown setting {plain(unknown[0])!r}", did_you_mean(unknown[0], SETTINGS))
        if (self.settings.get("mean") is None) != (self.settings.get("std") is None):
            self._refuse("mean and std together", "one of them")
        found: dict[str, Any] = {key: self._numbers(key) for key in ("mean", "std") if key in self.settings}
        if "size" in self.settings:
            found["size"] = self._size()
        if found.get("mean") and len({len(found["mean"]), len(found["std"])} - {1}) > 1:
            self._refuse("as many values of mean as of std", f"{len(found['mean'])} and {len(found['std'])}")
        if self.settings.get("resize") is not None:
            found["resize"] = self._pixels("resize", self.settings["resize"])
        if "interpolation" in self.settings:
            found["interpolation"] = self._interpolation()
        return {key: value for key, value in found.items() if value is not None}

    def _numbers(self, key: str) -> tuple[float, ...] | None:
        """One number per channel."""
        values = self.settings[key]
        if values is None:
            return None
        try:
            numbers = tuple(map(float, torch.as_tensor(values, dtype=torch.float64).reshape(-1).tolist()))
        except (TypeError, ValueError, RuntimeError):
            self._refuse(f"numbers for {key}", described(values))
        if not numbers or not all(math.isfinite(number) for number in numbers):
            self._refuse(f"finite numbers for {key}", plain(str(numbers)))
        if key == "std" and min(numbers) <= 0:
            self._refuse("every std above 0", plain(str(numbers)))
        return numbers

    def _size(self) -> tuple[int, int] | None:
        size = self.settings["size"]
        if size is None:
            return None
        sides = tuple(size) if isinstance(size, Sequence) and not isinstance(size, str) else (size, size)
        if len(sides) != 2:
            self._refuse("size as height and width", plain(str(size)))
        return self._pixels("size", sides[0]), self._pixels("size", sides[1])

    def _pixels(self, key: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1 << 14:
            self._refuse(f"{key} in whole pixels", plain(str(value)))
        return value

    def _interpolation(self) -> str:
        value = self.settings["interpolation"]
        if value not in ("bilinear", "bicubic"):
            self._refuse("interpolation bilinear or bicubic", plain(str(value)))
        return str(value)

    def _refuse(self, expected: str, got: str) -> NoReturn:
        refuse(self.path, self.name, f"expected {expected}, got {got}", f"settings are {', '.join(SETTINGS)}")


def described(value: object) -> str:
    """What a value is, in words."""
    if value is None:
        return "nothing"
    if isinstance(value, type):
        return f"the class {plain(value.__name__)}"
    return f"a value of type {plain(type(value).__name__)}"


def refuse(path: Path, name: str, what: str, tip: str = RETURN) -> NoReturn:
    """Stop with one line that names the file and the function.

    Raises:
        CheckpointError: always.
    """
    raise CheckpointError(f"{path}: {plain(name)}: {what}", tip=tip)
