"""What stands on the stack while a pickle is read without being done: symbols in place of objects."""

from dataclasses import dataclass

OPAQUE = None

_UTILS = "torch._utils."
# Functions of torch whose first arguments are a storage, an offset, a size and strides.
_REBUILDS = tuple(f"{_UTILS}_rebuild_{what}" for what in ("tensor", "tensor_v2", "tensor_v3", "qtensor"))
# It is copied into new memory of its full size; the others lie in the storage that they are given.
_COPIED = f"{_UTILS}_rebuild_qtensor"
_REBUILD_OF_TYPE = "torch._tensor._rebuild_from_type_v2"
_TENSOR_MAKERS = (_UTILS, "torch._tensor.", "torch.nn.parameter.")


@dataclass(frozen=True)
class GlobalName:
    """A class or function that a pickle asks for, ``module.name``."""

    name: str


@dataclass(frozen=True)
class Made:
    """What a call of a class or function gave."""

    by: str


@dataclass(frozen=True)
class Storage:
    """A storage that the pickle refers to, of so many items."""

    n_items: int


@dataclass(frozen=True)
class Items:
    """A tuple, with the largest whole number in it and in the tuples inside it (-1 for none).

    The number is kept beside the values, since tuples that hold one tuple twice, many levels deep, take forever to
    search. `start` is where in the stream the tuple begins, -1 where it does not begin with a mark.
    """

    values: tuple[object, ...]
    largest: int
    start: int = -1


def largest(value: object) -> int:
    """The largest whole number in a value, -1 for none."""
    if isinstance(value, Items):
        return value.largest
    return value if isinstance(value, int) else -1


def makes_tensors(name: str) -> bool:
    """Whether a call of this name gives a tensor, whose state torch sets as it is told."""
    return name.startswith(_TENSOR_MAKERS) or (name.startswith("torch.") and name.endswith("Tensor"))


def makes_memory(name: str, arguments: object) -> bool:
    """Whether a call takes memory out of nothing: an array, tensor or storage of so many items."""
    if largest(arguments) < 0:
        return False
    is_direct = name.startswith("torch.") and name.endswith(("Tensor", "Storage")) and "_rebuild" not in name
    return is_direct or name.endswith("bytearray")


def is_known_encoding(arguments: object) -> bool:
    """Whether bytes are encoded the way that pickles of protocol 2 hold them; other codecs would be imported."""
    return isinstance(arguments, Items) and arguments.values[1:] == ("latin1",)


def fits_storage(name: str, arguments: object) -> bool | None:
    """Whether a tensor that a call rebuilds lies inside its storage; ``None`` where that cannot be told.

    torch makes a storage larger where the tensor does not fit, so a small file would ask for any amount of memory.
    A call that rebuilds no tensor from a storage fits.
    """
    if name == _REBUILD_OF_TYPE:
        match arguments:
            case Items(values=(GlobalName(inner), _, Items() as inner_arguments, *_)):
                return fits_storage(inner, inner_arguments)
            case _:
                return None
    if name not in _REBUILDS:
        return True
    return lies_inside(arguments, copied=name == _COPIED)


def lies_inside(arguments: object, *, copied: bool = False) -> bool | None:
    """Whether (storage, offset, size, strides, ...) lie inside the storage; ``None`` where they are something else."""
    match arguments:
        case Items(values=(Storage(n_items), int(offset), Items(values=size), Items(values=strides), *_)):
            pass
        case _:
            return None
    if len(size) != len(strides):
        return None
    last, n_numbers = offset, 1
    for length, stride in zip(size, strides, strict=True):
        if not isinstance(length, int) or not isinstance(stride, int):
            return None
        if min(length, stride, offset) < 0:
            return False
        last += max(0, length - 1) * stride
        n_numbers *= length
    return n_numbers == 0 or (last < n_items and not (copied and n_numbers > n_items))
