"""Pixels of small sets stay on the GPU: uploaded once, then taken by position there."""

import numpy as np
import torch

from mi_audit.datasets._images import ArrayImages
from mi_audit.stages._extraction import Extraction

# Of the memory that is free, so that the network and its activations find room too.
SHARE_OF_FREE_MEMORY = 0.25


class ResidentPixels:
    """All images of an extraction on one device, members first.

    Args:
        extraction: of arrays.
        device: where they go.
    """

    def __init__(self, extraction: Extraction, device: torch.device) -> None:
        sides = extraction.data.members.images, extraction.data.non_members.images
        self._pixels = torch.cat([torch.from_numpy(side.read(0, len(side))).to(device) for side in sides])

    def read(self, start: int, stop: int) -> torch.Tensor:
        """Images from `start` to `stop`, (n, height, width, channels) uint8, a view on the device."""
        return self._pixels[start:stop]


def resident_pixels(
    extraction: Extraction, device: torch.device, n_bytes_free: int | None = None
) -> ResidentPixels | None:
    """The pixels on a GPU, where there is one, they are arrays, and they fit; ``None`` where not.

    Args:
        extraction: whose images are read.
        device: of the target.
        n_bytes_free: on the device; asked of it when ``None``.
    """
    sides = extraction.data.members.images, extraction.data.non_members.images
    if device.type != "cuda" or not all(isinstance(side, ArrayImages) for side in sides):
        return None
    free = torch.cuda.mem_get_info(device)[0] if n_bytes_free is None else n_bytes_free
    n_bytes = len(extraction) * int(np.prod(extraction.data.shape or (0,)))
    return ResidentPixels(extraction, device) if n_bytes <= SHARE_OF_FREE_MEMORY * free else None
