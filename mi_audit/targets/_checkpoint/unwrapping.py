"""From what a checkpoint holds to the sets of weights in it: which entries of a dict they are, and what kind."""

from dataclasses import dataclass, replace

import torch

from mi_audit.targets._checkpoint.module_tree import is_module, state_of
from mi_audit.targets._checkpoint.stand_ins import StandIn, attributes

AVERAGED_WRAPPERS = (
    "ema", "state_dict_ema", "model_ema", "ema_state_dict", "ema_model", "model_ema_state_dict", "params_ema",
    "swa_state_dict", "swa_model",
)  # fmt: skip
WRAPPERS = (
    "state_dict", "net", "model", "model_state_dict", "model_state", "weights", "params", "network", "module",
    "net_state_dict", "model_weights", *AVERAGED_WRAPPERS,
)  # fmt: skip

# What profilers (thop) leave in state dicts.
_COUNTERS = ("total_ops", "total_params")
# The counter that a running average of weights (SWA) keeps beside them.
_AVERAGED = "n_averaged"
# Dicts inside dicts: a pickle may make a dict that holds itself.
_MOST_LEVELS = 3


@dataclass(frozen=True)
class WeightSet:
    """The weights of one network as they were found.

    Attributes:
        tensors: by their names in the file.
        wrapper: the key it was found under, ``"state_dict"``; ``None`` for a bare state dict.
        other_keys: of the dict around it, and entries of the state dict that are no tensors.
        is_averaged: whether they are a moving average (EMA) or an average (SWA) of weights.
        class_name: of the network, where the whole of it was pickled.
        attribute: the prefix that names the network in a class around it, ``"resnet."``, where its others were dropped.
        dropped: names of tensors that belong to something else, such as the loss.
    """

    tensors: dict[str, torch.Tensor]
    wrapper: str | None = None
    other_keys: tuple[str, ...] = ()
    is_averaged: bool = False
    class_name: str | None = None
    attribute: str | None = None
    dropped: tuple[str, ...] = ()


def weight_sets(loaded: object, levels: int = _MOST_LEVELS) -> tuple[WeightSet, ...]:
    """All sets of weights in what was loaded, at most `levels` dicts deep, in the order in which they are preferred."""
    if is_module(loaded):
        return _of_module(loaded)
    named = attributes(loaded)
    if named is None or levels == 0:
        return ()
    inside = [
        _under(wrapper, inner, tuple(key for key in named if key != wrapper))
        for wrapper in WRAPPERS
        if wrapper in named
        for inner in weight_sets(named[wrapper], levels - 1)
    ]
    return tuple(inside) or _bare(named)


def unusable_weights(loaded: object) -> str | None:
    """Why there are no weights in what was loaded, where it is known; to be read after the name of the file."""
    named = attributes(loaded) or {}
    inner = next((entry for key in ("state_dict", "model", "net") if (entry := attributes(named.get(key)))), named)
    values = [value for value in inner.values() if isinstance(value, StandIn)]
    if any(value.name.endswith("multiarray._reconstruct") for value in values):
        return "holds numpy arrays where weights should be tensors"
    if any("DTensor" in value.name for value in values):
        return "holds the weights of several devices in parts (DTensor)"
    return None


def _of_module(module: object) -> tuple[WeightSet, ...]:
    state = state_of(module)
    class_name = _class_of(module)
    return tuple(replace(one, class_name=class_name) for one in _bare(state)) if state else ()


def _class_of(module: object) -> str | None:
    """The class of a network, or of the one inside DataParallel and the like."""
    children = attributes((attributes(module) or {}).get("_modules")) or {}
    inner = children.get("module")
    if isinstance(module, StandIn) and isinstance(inner, StandIn) and module.name.endswith("DataParallel"):
        return inner.name
    return module.name if isinstance(module, StandIn) else None


def _under(wrapper: str, inner: WeightSet, siblings: tuple[str, ...]) -> WeightSet:
    return replace(
        inner,
        wrapper=wrapper if inner.wrapper is None else f"{wrapper}.{inner.wrapper}",
        other_keys=(*inner.other_keys, *siblings),
        is_averaged=inner.is_averaged or wrapper in AVERAGED_WRAPPERS,
    )


def _bare(named: dict[str, object]) -> tuple[WeightSet, ...]:
    """The tensors of a dict as one set of weights."""
    tensors = {
        key: value
        for key, value in named.items()
        if isinstance(value, torch.Tensor) and key.rpartition(".")[2] not in (*_COUNTERS, _AVERAGED)
    }
    if not tensors:
        return ()
    others = tuple(key for key in named if key not in tensors)
    is_averaged = any(key.rpartition(".")[2] == _AVERAGED for key in named)
    return (WeightSet(tensors, other_keys=others, is_averaged=is_averaged),)
