"""Several networks under one roof: the groups of names in a state dict of a class that trains a network.

A Lightning module keeps the network as an attribute, ``model.conv1.weight``, and beside it its loss and its metrics, a
moving average of the network, or a teacher.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch

from mi_audit.targets._checkpoint.prefixes import COMMON
from mi_audit.targets._checkpoint.unwrapping import WeightSet

_AVERAGED = ("ema.", "ema_model.", "model_ema.", "averaged_model.", "swa_model.", "shadow.")
_NETWORKS = tuple(prefix for prefix in COMMON if prefix not in (*_AVERAGED, "backbone.", "encoder."))
_LOSSES = ("loss", "crit", "metric", "acc", "auroc", "f1", "confusion")


def split(found: WeightSet, *, is_lightning: bool) -> tuple[WeightSet, ...]:
    """The networks in a set of weights; one that is alone stays as it is.

    Args:
        found: the weights.
        is_lightning: whether any attribute may be the network, not only those with a usual name.
    """
    groups = _grouped(found.tensors)
    averaged = next((prefix for prefix in _AVERAGED if prefix in groups), None)
    network = _network(groups, averaged, is_lightning=is_lightning)
    if network is None:
        return (found,)
    sets = [_one_of(found, network, groups)]
    if averaged is not None and averaged != network:
        sets.append(replace(_one_of(found, averaged, groups), is_averaged=True))
    return tuple(sets)


def _grouped(tensors: Mapping[str, torch.Tensor]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in tensors:
        first, dot, _ = name.partition(".")
        groups.setdefault(first + dot, []).append(name)
    return groups


def _network(groups: Mapping[str, list[str]], averaged: str | None, *, is_lightning: bool) -> str | None:
    """The prefix of the network, where the other groups are not parts of it."""
    if averaged is None and not is_lightning:
        return None
    usual = [prefix for prefix in _NETWORKS if prefix in groups]
    if usual:
        return max(usual, key=lambda prefix: len(groups[prefix]))
    rest = [prefix for prefix in groups if prefix != averaged and not _is_stray(prefix)]
    return rest[0] if len(rest) == 1 and rest[0].endswith(".") and is_lightning else None


def _is_stray(prefix: str) -> bool:
    """Whether a group belongs to the loss or to a metric, by its name."""
    parts = prefix.rstrip(".").lower().split("_")
    return any(part.startswith(_LOSSES) for part in parts)


def _one_of(found: WeightSet, prefix: str, groups: Mapping[str, list[str]]) -> WeightSet:
    kept = {name: found.tensors[name] for name in groups[prefix]}
    return replace(
        found, tensors=kept, attribute=prefix, dropped=tuple(name for name in found.tensors if name not in kept)
    )
