"""What features are going to cost, said before they are computed."""

import os
from collections.abc import Iterable

import torch

from mi_audit.stages import _forward
from mi_audit.stages._extraction import Extraction
from mi_audit.stages._feature_plan import Planned
from mi_audit.stages.progress import Progress

GIGABYTE = 10**9
_FLOAT_BYTES = 4


def announce(extraction: Extraction, features: Iterable[Planned], n: int, progress: Progress) -> None:
    """Say how many passes each feature takes, how large it is where that is a lot, and where memory may not do.

    Args:
        extraction: whose target they are of.
        features: that are going to be computed.
        n: samples.
        progress: told about it.
    """
    features = tuple(features)
    for one in features:
        names = ", ".join(one.names)
        if not one.is_free:
            n_chosen = _n_chosen(one, extraction, n)
            passes = f"about {one.bound.passes:.3g} passes forward and backward for each of {n_chosen:,} samples"
            progress.say(f"{names}: {passes}")
        if (n_bytes := _FLOAT_BYTES * n * sum(map(len, one.bound.columns.values()))) > GIGABYTE:
            progress.say(f"{names}: {n_bytes / GIGABYTE:,.1f} GB in the cache")
    if not all(one.is_free for one in features):
        _warn_of_memory(extraction, progress)


def _n_chosen(one: Planned, extraction: Extraction, n: int) -> int:
    """How many of n samples a feature is computed for."""
    is_chosen = one.bound.subsample(extraction.label, extraction.is_member)
    return n if is_chosen is None else min(n, int(is_chosen.sum()))


def _warn_of_memory(extraction: Extraction, progress: Progress) -> None:
    needed = _forward.graph_bytes(extraction.target, extraction.shape)
    free = _free_bytes(_forward.device_of(extraction.target.module))
    if free is not None and needed > free:
        progress.say(
            f"a pass forward and backward of one sample needs about {needed / GIGABYTE:,.1f} GB, "
            f"and {free / GIGABYTE:,.1f} GB are free: memory may run out"
        )


def _free_bytes(device: torch.device) -> int | None:
    """Memory that is free on the device; ``None`` where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None
