"""Running a user's own code: the file as it stands, under a private name, without leaving traces in this process.

What goes wrong in it is the user's to read: one line with their file and line number, never our traceback.
"""

import contextlib
import functools
import hashlib
import os
import random
import sys
import sysconfig
import traceback
import types
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mi_audit.errors import CheckpointError, MiAuditError
from mi_audit.targets._checkpoint.refusals import plain

# How a user's file is called among the modules of this process.
_PRIVATE = "_mi_audit_model_"
_NOT_OWN = ("__main__", "__mp_main__", "mi_audit")
_LIBRARIES = frozenset({"site-packages", "dist-packages"})


@dataclass(frozen=True)
class Source:
    """A file of Python.

    Attributes:
        path: of the file.
        text: its bytes, which are what runs.
        digest: SHA-256 of them.
    """

    path: Path
    text: bytes
    digest: str

    @classmethod
    def of(cls, path: Path) -> "Source":
        """The file as it stands now.

        Raises:
            CheckpointError: it cannot be read.
        """
        try:
            text = path.read_bytes()
        except OSError as error:
            why = "no such file" if isinstance(error, FileNotFoundError) else error.strerror or "cannot be read"
            tip = "python:FILE.py:FUNCTION names a file and what in it builds the network"
            raise CheckpointError(f"{path}: {why}", tip=tip) from error
        return cls(path, text, hashlib.sha256(text).hexdigest())

    @property
    def folder(self) -> Path:
        """Where it lies, from which it may import."""
        return self.path.resolve().parent

    def with_imports(self, known: Collection[str] = frozenset()) -> tuple[str, tuple[str, ...]]:
        """Digest of the file and of all code that it has imported so far; and the names of those files.

        It is `digest` where nothing was imported. Libraries count by their versions elsewhere, not here.

        Args:
            known: modules that were there before the file ran, which count only where they lie in its folder.
        """
        itself = {self.folder / self.path.name, self.path.resolve()}
        own = {file: name for name, file in _own_modules(self.folder, known).items() if file not in itself}
        if not own:
            return self.digest, ()
        # Code outside the folder goes by its name: where it lies is nobody's business.
        others = sorted((_within(file, self.folder) or name, file) for file, name in own.items())
        names = tuple(name for name, _ in others)
        whole = hashlib.sha256(self.digest.encode())
        for name, file in others:
            whole.update(f"|{name}|{hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
        return whole.hexdigest(), names

    def run(self) -> types.ModuleType:
        """The module that the file makes.

        Raises:
            CheckpointError: its code stopped.
        """
        name = f"{_PRIVATE}{self.digest[:16]}"
        module = types.ModuleType(name)
        module.__file__ = str(self.path)
        sys.modules[name] = module  # dataclasses look their module up there
        with blamed_on(self.path):
            code = compile(self.text, str(self.path), "exec", dont_inherit=True)
            exec(code, module.__dict__)  # noqa: S102 - this is what the user asked for, by name
        return module


def _own_modules(folder: Path, known: Collection[str]) -> dict[str, Path]:
    """The files of the modules that a user's code may have loaded, by the names of the modules.

    Those are all modules that were loaded from the folder or from below it, by whomever, since an import would find
    them; and those from elsewhere that were not there before. None of them are the script that runs, mi-audit itself,
    and installed libraries, even in a virtual environment in the folder.
    """
    resolved = functools.cache(lambda directory: Path(directory).resolve())  # thousands of modules, hundreds of folders
    found = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.partition(".")[0] in _NOT_OWN or name.startswith(_PRIVATE) or not isinstance(file, str):
            continue
        path = resolved(os.path.dirname(file)) / os.path.basename(file)  # noqa: PTH119, PTH120 - Path is slower
        is_new = name not in known or path.is_relative_to(folder)
        if is_new and not _is_of_library(path, folder) and path.is_file():
            found[name] = path
    return found


def _within(path: Path, folder: Path) -> str:
    """The path from the folder on; empty where it does not lie there."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else ""


def _is_of_library(path: Path, folder: Path) -> bool:
    """Whether a file is one of Python itself or of an installed library, seen from the folder where it lies there."""
    is_of_python = path.is_relative_to(Path(sysconfig.get_path("stdlib")).resolve())
    seen = path.relative_to(folder) if path.is_relative_to(folder) else path
    return is_of_python or bool(_LIBRARIES.intersection(seen.parts))


@contextlib.contextmanager
def guest(folder: Path, seed: int) -> Iterator[frozenset[str]]:
    """While a user's code runs: its folder is importable, stdout is stderr, randomness starts at the seed.

    Afterwards all of that is as it was, and the code that was imported is forgotten, so that another file with helpers
    of the same names gets its own.

    Yields:
        The names of the modules that were there before.
    """
    states = (random.getstate(), np.random.get_state())  # noqa: NPY002 - users' code draws from the global generator
    dtype, is_grad, known = torch.get_default_dtype(), torch.is_grad_enabled(), frozenset(sys.modules)
    sys.path.insert(0, str(folder))
    writes_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        with torch.random.fork_rng(), contextlib.redirect_stdout(sys.stderr):
            torch.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002
            yield known
    finally:
        sys.dont_write_bytecode = writes_bytecode
        with contextlib.suppress(ValueError):
            sys.path.remove(str(folder))
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(is_grad)
        for name in set(_own_modules(folder, known)) - known:
            del sys.modules[name]


@contextlib.contextmanager
def blamed_on(path: Path, doing: str = "its code stopped") -> Iterator[None]:
    """Whatever the user's code raises, ``sys.exit`` included, becomes one line with the place in their file.

    Raises:
        CheckpointError: it raised something.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if isinstance(error, MiAuditError):
            raise
        what = f"{type(error).__name__}: {plain(_message(error), 200)}".removesuffix(": ")
        line = _line_in(path, error)
        place = f"line {line}: " if line else ""
        raise CheckpointError(f"{path}: {place}{doing}: {what}", tip=_tip(error)) from error


def _message(error: BaseException) -> str:
    return error.msg if isinstance(error, SyntaxError) else str(error)


def _line_in(path: Path, error: BaseException) -> int | None:
    """The last line of the user's file on the way to the error."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if os.path.abspath(frame.filename) == os.path.abspath(path)]  # noqa: PTH100
    return lines[-1] if lines else None


def _tip(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"install {plain(str(error.name))}, or put it into the folder of the file"
    if isinstance(error, SystemExit):
        return "the file is imported: keep what a script does behind if __name__ == '__main__'"
    return "the code is yours: run it on its own to see the whole traceback"
