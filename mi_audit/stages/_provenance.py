"""What every record says about the software that made it."""

import importlib.metadata
import platform

from mi_audit._version import __version__

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
