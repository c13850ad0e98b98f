"""What every record says about the software that made it."""

import hashlib
import importlib.metadata
import platform
from pathlib import Path

from mi_audit._version import __version__
from mi_audit.errors import UsageError

LIBRARIES = ("numpy", "scipy", "scikit-learn", "xgboost", "torch", "torchvision", "timm")


def versions() -> dict[str, str]:
    """Versions of mi-audit, of Python and of the libraries that determine numbers; nothing is imported."""
    found = {"mi-audit": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def model_digest(spec: str) -> str | None:
    """SHA-256 of the checkpoint that ``--model`` names; ``None`` where it names no single file."""
    path = Path(spec.removeprefix("file:"))
    return file_digest(path) if path.is_file() else None


def file_digest(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
