"""The stage ``doctor``: what is installed, what is there, and what is missing for what."""

import importlib.metadata
import locale
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mi_audit.datasets._official_layouts import LAYOUTS, Layout
from mi_audit.datasets.interface import DEFAULT_DATA_DIR
from mi_audit.stages._provenance import versions

# Optional libraries: what needs them, and how they come.
_OPTIONAL = {
    "pyarrow": ("predictions and manifests in parquet files", "pip install 'mi-audit[parquet]'"),
    "huggingface-hub": ("--model hf-hub:USER/REPO", "pip install huggingface_hub"),
    "matplotlib": ("the figures of --format html", "pip install matplotlib"),
}
_NEEDED = ("numpy", "scipy", "scikit-learn", "pillow", "pyyaml", "rich", "safetensors", "typer", "xgboost")
_OF_MODELS = ("torch", "torchvision", "timm")


@dataclass(frozen=True)
class Lack:
    """Something that is not there.

    Attributes:
        what: the library or file.
        needed_for: what cannot be done without it.
        tip: what to type.
    """

    what: str
    needed_for: str
    tip: str


@dataclass(frozen=True)
class Health:
    """What this machine has for an audit.

    Attributes:
        versions: {library: version}, mi-audit and Python among them.
        devices: names for ``--device``, each with what it is.
        data_dir: folder in which named data sets are looked for.
        data: names of the data sets of which files are there.
        terminal: facts about standard output.
        lacks: what is not there.
    """

    versions: Mapping[str, str]
    devices: Mapping[str, str]
    data_dir: str
    data: tuple[str, ...]
    terminal: Mapping[str, str]
    lacks: tuple[Lack, ...]


def health(data_dir: Path | None = None) -> Health:
    """Look around; nothing is changed and nothing is fetched.

    Args:
        data_dir: folder of the data sets; the usual one when ``None``.
    """
    folder = (data_dir or DEFAULT_DATA_DIR).expanduser()
    devices = _devices()
    lacks = [
        *_missing(dict.fromkeys(_NEEDED, ("every audit", "pip install --force-reinstall mi-audit"))),
        *_missing(dict.fromkeys(_OF_MODELS, ("extract, and evaluate --model", "pip install torch torchvision timm"))),
        *_missing(_OPTIONAL),
    ]
    if len(devices) == 1:
        lacks.append(Lack("a GPU", "extraction in minutes instead of hours, of large models", "--device cpu works too"))
    data = tuple(name for name, layout in LAYOUTS.items() if _is_there(folder, layout))
    if not data:
        tip = "--data-dir DIR, or --download with evaluate; --data digits needs no files"
        lacks.append(Lack(f"named data sets in {folder}", "--data cifar100 and other names", tip))
    libraries = {name: found for name in (*_NEEDED, *_OPTIONAL) if (found := _version(name))}
    return Health(versions() | libraries, devices, str(folder), data, _terminal(), tuple(lacks))


def _missing(wanted: Mapping[str, tuple[str, str]]) -> list[Lack]:
    return [Lack(f"the library {name}", *why) for name, why in wanted.items() if _version(name) is None]


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _devices() -> dict[str, str]:
    """{name for ``--device``: what it is}; the processor is always there."""
    found = {"cpu": f"{platform.machine()}, {os.cpu_count() or 1} processors"}
    if _version("torch") is not None:
        import torch

        for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
            memory = torch.cuda.get_device_properties(number).total_memory / 2**30
            found[f"cuda:{number}"] = f"{torch.cuda.get_device_name(number)}, {memory:.0f} GiB"
    return found


def _is_there(folder: Path, layout: Layout) -> bool:
    """Whether something of a data set lies where it is looked for; that it is whole, only opening it can tell."""
    wanted = [layout.folder] if layout.folder else [split.folder for split in layout.splits.values() if split.folder]
    return any((folder / name).exists() for name in (*wanted, *layout.files))


def _terminal() -> dict[str, str]:
    return {
        "stdout": "a terminal" if sys.stdout.isatty() else "no terminal: no colour, a line every half minute",
        "encoding": (sys.stdout.encoding or locale.getpreferredencoding(do_setlocale=False)).lower(),
        "NO_COLOR": "set" if os.environ.get("NO_COLOR") else "not set",
    }


def rendered(found: Health) -> str:
    """The same as text for people."""
    parts = [
        ("versions", [f"{name} {version}" for name, version in found.versions.items()]),
        ("devices", [f"{name}: {what}" for name, what in found.devices.items()]),
        (f"data in {found.data_dir}", list(found.data) or ["no named data set"]),
        ("terminal", [f"{name}: {what}" for name, what in found.terminal.items()]),
        ("missing", [f"{lack.what}, for {lack.needed_for}: {lack.tip}" for lack in found.lacks] or ["nothing"]),
    ]
    return "\n\n".join("\n".join([f"{heading}:", *(f"  {line}" for line in lines)]) for heading, lines in parts) + "\n"
