"""The stage behind ``list layers``: which places in a network can be observed, and what each of them costs."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from mi_audit import plugins
from mi_audit.errors import UsageError
from mi_audit.stages import _feature_plan, _forward, extract
from mi_audit.stages._extract_options import ExtractOptions
from mi_audit.stages._sources import opened
from mi_audit.stages.inspect import inspect
from mi_audit.target_model import TargetModel
from mi_audit.targets._user_code.naming import is_code
from mi_audit.targets.interface import TargetRequest

USUAL_CLASSES = 1000
_FLOAT_BYTES = 4


@dataclass(frozen=True)
class LayersOptions:
    """What the user chose for this stage; as in `ExtractOptions`, but for `data`, which may be empty.

    Attributes:
        model, data, arch, weights, data_dir, download, split: as there.
    """

    model: str
    data: str = ""
    arch: str | None = None
    weights: Literal["auto", "raw", "ema"] = "auto"
    data_dir: Path | None = None
    download: bool = False
    split: str | None = None


@dataclass(frozen=True)
class LayerRow:
    """One place that ``--features layer:NAME`` can name.

    Attributes:
        name: what follows ``layer:``.
        kind: class of the module; for a numbered one, which module it goes into.
        shape: what one sample gives there.
        n_columns: in the cache, after pooling.
        n_bytes: of a sample in the cache.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    n_columns: int
    n_bytes: int


def layers(options: LayersOptions) -> tuple[LayerRow, ...]:
    """The layers of a target: inputs of its fully connected layers, the last first, then its modules in their order.

    Args:
        options: without ``data`` the network is shown images of its own size.

    Raises:
        InputError: the model or the data cannot be opened.
        UsageError: without data it is not known what to build.
    """
    if options.data:
        chosen = {field.name: getattr(options, field.name) for field in fields(options)}
        extraction = extract.prepare(ExtractOptions(**chosen, device="cpu"))
        return rows_of(extraction.target, extraction.shape)
    target = _without_data(options)
    size, channels = target.preprocessing.size, len(target.preprocessing.mean)
    assert size is not None, "a target that was opened without images has a size of its own"
    return rows_of(target, (*size, channels))


def rows_of(target: TargetModel, shape: tuple[int, int, int]) -> tuple[LayerRow, ...]:
    """The layers of a target in eval mode.

    Args:
        target: on its device.
        shape: (height, width, channels) of the images.
    """
    seen, called = _shapes(target, shape)
    numbered = {str(-number): name for number, name in enumerate(reversed(called), start=1)}
    names = [*numbered, *seen]
    asked = _feature_plan.wanted([f"layer:{name}" for name in names])
    columns = {} if not names else _feature_plan.planned(asked, target, shape)[0].bound.columns
    modules = dict(target.module.named_modules())
    rows = []
    for name in names:
        module, n_columns = numbered.get(name, name), len(columns[f"layer:{name}"])
        kind = f"into {module}" if name in numbered else type(modules[module]).__name__
        rows.append(
            LayerRow(
                name, kind, called[module] if name in numbered else seen[name], n_columns, _FLOAT_BYTES * n_columns
            )
        )
    return tuple(rows)


def rendered(rows: Sequence[LayerRow]) -> str:
    """The layers as a table of at most 80 columns; a name that is too long for its column has a line to itself."""
    if not rows:
        return "no layer can be observed: the network has no modules\n"
    table = [("layer", "type", "shape", "columns", "bytes")]
    table += [
        (row.name, row.kind, "x".join(map(str, row.shape)), f"{row.n_columns:,}", f"{row.n_bytes:,}") for row in rows
    ]
    widths = [min(most, max(len(line[at]) for line in table)) for at, most in enumerate((24, 23, 13, 7, 9))]
    return "".join(_line(line, widths) for line in table) + _LEGEND


_LEGEND = (
    "\nbytes: of one sample in the cache. Shapes of more than one number are pooled to\n"
    "the mean and the maximum of each channel. Use: extract --features layer:LAYER\n"
)


def _line(line: tuple[str, ...], widths: Sequence[int]) -> str:
    name, kind, shape, *numbers = line
    kind = kind if len(kind) <= widths[1] else "..." + kind[3 - widths[1] :]
    rest = f"{kind:<{widths[1]}} {shape:<{widths[2]}} {numbers[0]:>{widths[3]}} {numbers[1]:>{widths[4]}}"
    if len(name) > widths[0]:
        return f"{name}\n{'':<{widths[0]}} {rest}\n"
    return f"{name:<{widths[0]}} {rest}\n"


def _shapes(
    target: TargetModel, shape: tuple[int, int, int]
) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    """What one sample gives at every module with a tensor of a row per sample, in the order in which they are named.

    Returns:
        of the outputs of all modules, and of the inputs of the fully connected ones in the order of their last calls.
    """
    seen: dict[str, tuple[int, ...]] = {}
    called: dict[str, tuple[int, ...]] = {}

    def look(name: str, module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        first = next(iter(output), None) if isinstance(output, tuple | list) else output
        seen.pop(name, None)
        if isinstance(first, torch.Tensor) and first.ndim and len(first) == 2:
            seen[name] = tuple(first.shape[1:])
        if isinstance(module, nn.Linear) and inputs and isinstance(inputs[0], torch.Tensor):
            called.pop(name, None)
            called[name] = tuple(inputs[0].shape[1:])

    named = {name: module for name, module in target.module.named_modules() if name}
    hooks = [
        module.register_forward_hook(lambda module, inputs, output, name=name: look(name, module, inputs, output))
        for name, module in named.items()
    ]
    try:
        with torch.no_grad():
            target(torch.zeros((2, *shape), dtype=torch.uint8, device=_forward.device_of(target.module)))
    finally:
        for hook in hooks:
            hook.remove()
    return {name: seen[name] for name in named if name in seen}, called


def _without_data(options: LayersOptions) -> TargetModel:
    """The target at the size that it was designed for, with as many classes as it has or as is usual."""
    if options.arch is not None and is_code(options.arch):
        raise UsageError(f"without --data it is not known what {options.arch} is shown", tip="add --data")
    request = TargetRequest(
        n_classes=_n_classes(options.model),
        shape=None,
        arch=options.arch,
        weights=options.weights,
        download=options.download,
    )
    target = opened(options.model, request)
    target.module.eval()
    if target.preprocessing.size is None:
        raise UsageError("it is not known how large the images of this network are", tip="add --data")
    return target


def _n_classes(model: str) -> int:
    """How many classes the target tells apart, where that can be known without it.

    Raises:
        UsageError: it cannot.
    """
    prefix, colon, rest = model.partition(":")
    if not (colon and prefix in plugins.names("targets")):
        found = inspect(Path(model)).n_classes
        return max(2, found or USUAL_CLASSES)  # a single output tells two classes apart
    if prefix in ("timm", "torchvision"):
        return _of_pretrained(rest) if prefix == "timm" else USUAL_CLASSES
    if prefix == "predictions":
        raise UsageError(f"{model} is no model and has no layers", tip="give a checkpoint, or timm:NAME")
    raise UsageError(f"without --data it is not known what {model} is shown", tip="add --data")


def _of_pretrained(name: str) -> int:
    """The classes of a tag of timm; what is usual for a network without weights."""
    if "." not in name:
        return USUAL_CLASSES
    import timm

    settings = timm.models.get_pretrained_cfg(name)
    return int(settings.num_classes) if settings is not None else USUAL_CLASSES
