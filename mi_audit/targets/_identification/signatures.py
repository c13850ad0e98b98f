"""What identifies a network by its state dict alone: hashes of the names of its tensors and of their shapes.

The number of classes and of input channels is the owner's choice, so the shapes are hashed with those dimensions left
open. Which dimensions are open is known of a network that was laid out with telling numbers of both (large primes,
which no width of a network is a multiple of) and is kept beside the hashes, so that the same hash can be taken of a
checkpoint, and its numbers of classes and channels be read, without building anything.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Shapes = Mapping[str, tuple[int, ...]]

CLASSES, CHANNELS = "c", "i"
# Batches seen in training; absent from files that PyTorch before 0.4.1 wrote.
_COUNTER = "num_batches_tracked"
_N_HEX = 10
_OPEN_DIMENSION = re.compile(r"([ci])(\d+)\.(\d+)(?:x(\d+))?")


@dataclass(frozen=True)
class OpenDimension:
    """A dimension that the owner of a network chooses.

    Attributes:
        of: `CLASSES` or `CHANNELS`.
        tensor: position of the tensor in the sorted names.
        axis: of the tensor.
        times: the length is so many times the number of classes or channels.
    """

    of: str
    tensor: int
    axis: int
    times: int

    def __str__(self) -> str:
        return f"{self.of}{self.tensor}.{self.axis}" + (f"x{self.times}" if self.times > 1 else "")


def parsed(text: str) -> tuple[OpenDimension, ...]:
    """The open dimensions that were written as text, joined by commas.

    Raises:
        ValueError: the text is something else.
    """
    found = []
    for part in text.split(","):
        match = _OPEN_DIMENSION.fullmatch(part)
        if match is None:
            raise ValueError(f"expected an open dimension, got {part!r}")
        found.append(OpenDimension(match[1], int(match[2]), int(match[3]), int(match[4] or 1)))
    return tuple(found)


def counted(names: Iterable[str]) -> list[str]:
    """The names that identify a network, sorted: all but the counters of batches."""
    return sorted(name for name in names if not name.endswith(_COUNTER))


def hash_of_names(names: Iterable[str]) -> str:
    """Ten hexadecimal digits for a set of names of tensors."""
    return _hash("\n".join(counted(names)))


def open_dimensions(shapes: Shapes, n_classes: int, n_channels: int) -> tuple[OpenDimension, ...]:
    """The dimensions that are multiples of these numbers; telling only if both are primes beyond any width."""
    return tuple(
        OpenDimension(of, position, axis, length // unit)
        for position, name in enumerate(counted(shapes))
        for axis, length in enumerate(shapes[name])
        for of, unit in ((CLASSES, n_classes), (CHANNELS, n_channels))
        if length and length % unit == 0
    )


def hash_of_shapes(shapes: Shapes, free: Iterable[OpenDimension]) -> str | None:
    """Ten hexadecimal digits for names and shapes without the open dimensions; ``None`` where those contradict."""
    names = counted(shapes)
    lengths = {name: [str(length) for length in shapes[name]] for name in names}
    free = tuple(free)
    sizes = open_sizes(shapes, free)
    if sizes is None:
        return None
    for one in free:
        lengths[names[one.tensor]][one.axis] = f"{one.of}{one.times}"
    return _hash("\n".join(f"{name} {','.join(lengths[name])}" for name in names))


def open_sizes(shapes: Shapes, free: Iterable[OpenDimension]) -> dict[str, int] | None:
    """The number of classes and of channels by `CLASSES` and `CHANNELS`; ``None`` where the shapes contradict."""
    names = counted(shapes)
    sizes: dict[str, int] = {}
    for one in free:
        if one.tensor >= len(names) or one.axis >= len(shapes[names[one.tensor]]):
            return None
        number, rest = divmod(shapes[names[one.tensor]][one.axis], one.times)
        if rest or sizes.setdefault(one.of, number) != number:
            return None
    return sizes


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=_N_HEX // 2).hexdigest()
