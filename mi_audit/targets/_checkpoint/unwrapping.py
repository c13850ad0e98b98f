"""From what a checkpoint holds to its state dict: which entry of a dict it is, and which prefixes its names carry."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch

WRAPPERS = (
    "state_dict", "net", "model", "model_state_dict", "model_state", "weights", "params", "ema", "state_dict_ema",
    "network", "module",
)  # fmt: skip

# What profilers (thop) leave in state dicts.
_COUNTERS = ("total_ops", "total_params")
# What wrappers of a module (DataParallel, torch.compile) put anywhere into the names below it.
_ANYWHERE = ("module", "_orig_mod")
# What a class around the network puts in front of all its names.
_COMMON = ("_fsdp_wrapped_module.", "model.", "net.", "network.", "_model.", "backbone.", "encoder.")
# The counter that a running average of weights (SWA) keeps beside them.
_AVERAGED = "n_averaged"
# The DenseNets of torchvision were named ``norm.1`` before PyTorch 0.4.1 and ``norm1`` since.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")
# Dicts inside dicts: a pickle may make a dict that holds itself.
_MOST_LEVELS = 3


@dataclass(frozen=True)
class Unwrapped:
    """A state dict as it was found.

    Attributes:
        tensors: by their names in the file.
        wrapper: the key it was found under, ``"state_dict"``; ``None`` for a bare state dict.
        other_keys: of the dict around it, and entries of the state dict that are no tensors.
    """

    tensors: dict[str, torch.Tensor]
    wrapper: str | None
    other_keys: tuple[str, ...]


def unwrap(loaded: object, levels: int = _MOST_LEVELS) -> Unwrapped | None:
    """The state dict in what was loaded, at most `levels` dicts deep; ``None`` where there is none."""
    if not isinstance(loaded, Mapping) or levels == 0:
        return None
    named = {key: value for key, value in loaded.items() if isinstance(key, str)}
    for wrapper in WRAPPERS:
        inner = unwrap(named.get(wrapper), levels - 1)
        if inner is not None:
            others = (*inner.other_keys, *(key for key in named if key != wrapper))
            return Unwrapped(inner.tensors, _joined(wrapper, inner.wrapper), others)
    tensors = {
        key: value
        for key, value in named.items()
        if isinstance(value, torch.Tensor) and key.rpartition(".")[2] not in _COUNTERS and key != _AVERAGED
    }
    return Unwrapped(tensors, None, tuple(key for key in named if key not in tensors)) if tensors else None


def without_prefixes(names: list[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The names in the file by the names in the network, and the prefixes that were taken off.

    Names stay as they are where two of them would become one.
    """
    shorter = {_without_wrappers(name): name for name in names}
    taken = [f"{part}." for part in _ANYWHERE if any(part in name.split(".")[:-1] for name in names)]
    while (prefix := _shared_prefix(list(shorter))) is not None:
        shorter = {name.removeprefix(prefix): saved for name, saved in shorter.items()}
        taken.append(prefix)
    if len(shorter) < len(names):
        return {name: name for name in names}, ()
    return shorter, tuple(taken)


def _without_wrappers(name: str) -> str:
    *path, last = name.split(".")
    shorter = ".".join([*(part for part in path if part not in _ANYWHERE), last])
    return _OLD_DENSENET.sub(r"\1\2", shorter)


def _shared_prefix(names: list[str]) -> str | None:
    return next((prefix for prefix in _COMMON if all(name.startswith(prefix) for name in names)), None)


def _joined(outer: str, inner: str | None) -> str:
    return outer if inner is None else f"{outer}.{inner}"
