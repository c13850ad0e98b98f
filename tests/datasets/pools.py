"""A small pool of samples whose pixels say where they stood, and the sides that a request makes of it."""

from pathlib import Path
from typing import Any

import numpy as np

from mi_audit.datasets._images import ArrayImages
from mi_audit.datasets._pool import Splits, divided
from mi_audit.datasets.interface import DataRequest, MembershipData, Side


def pool(n: int, prefix: str = "") -> Side:
    """Samples 0 to n - 1; the first pixel of image i is i, its label i modulo 3."""
    pixels = np.zeros((n, 2, 2, 1), np.uint8)
    pixels[:, 0, 0, 0] = np.arange(n) % 256
    return Side(ArrayImages(pixels), np.arange(n) % 3, [f"{prefix}{index}" for index in range(n)])


def sides_of(n: int, **lists: Path) -> tuple[list[str], list[str]]:
    """Ids of the members and of the non-members; checks on the way that pixels and labels went with them."""
    members, non_members, _ = divided(pool(n, "train/"), DataRequest(**lists), "train", is_official=True)
    for side in (members, non_members):
        index = [int(sample_id.partition("/")[2]) for sample_id in side.sample_id]
        assert side.images.read(0, len(side))[:, 0, 0, 0].tolist() == [number % 256 for number in index]
        assert side.label.tolist() == [number % 3 for number in index]
    return list(members.sample_id), list(non_members.sample_id)


def opened_splits(request: DataRequest, **sizes: int) -> MembershipData:
    """Splits of these sizes with three classes; the first two are the default."""
    known: Any = tuple(sizes)

    def opened(name: str, _: Any) -> Any:
        return pool(sizes[name], f"{name}/"), ("a", "b", "c")

    return Splits("mine", "mine", known, known[:2], opened).data(request)
