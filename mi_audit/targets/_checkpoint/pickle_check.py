"""What a pickle would do, read from its opcodes without doing it.

Safe loading keeps a pickle from running code, not from asking for memory: a file of a hundred bytes may claim a
tensor of a terabyte. So the opcodes are walked first, on a stack that knows strings, whole numbers, tuples and the
names of globals, and holds everything else as one opaque value. That is enough to see each storage that the pickle
claims and each number that it hands to a call.
"""

import pickletools
from dataclasses import dataclass, field
from typing import BinaryIO

_MARK = object()
_OPAQUE = None
# What walking over opcodes at random raises; MemoryError where a string claims to be longer than the memory.
_DAMAGE = (ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError)
_BYTES_PER_ITEM = {
    **dict.fromkeys(("DoubleStorage", "LongStorage", "ComplexFloatStorage"), 8),
    **dict.fromkeys(("FloatStorage", "IntStorage", "QInt32Storage"), 4),
    **dict.fromkeys(("HalfStorage", "BFloat16Storage", "ShortStorage"), 2),
    "ComplexDoubleStorage": 16,
}


class DamagedPickleError(ValueError):
    """The opcodes make no sense, or end too early."""


@dataclass(frozen=True)
class GlobalName:
    """A class or function that a pickle asks for, ``module.name``."""

    name: str


@dataclass(frozen=True)
class Items:
    """A tuple, with the largest whole number in it and in the tuples inside it (-1 for none).

    The number is kept beside the values, since tuples that hold one tuple twice, many levels deep, take forever to
    search.
    """

    values: tuple[object, ...]
    largest: int


@dataclass
class Survey:
    """What one pickle would do.

    Attributes:
        protocol: of the pickle.
        globals: the classes and functions it asks for, in order.
        strings: every string in it.
        storages: bytes that it claims of each storage, by the storage's key.
        largest_number: the largest whole number that a call of torch's is given: a size, a stride, an offset.
        fills_memory: it calls ``bytearray`` with a number, which makes that many bytes out of nothing.
        is_strange: it refers to storages in a way that ``torch.save`` does not.
    """

    protocol: int = 0
    globals: list[str] = field(default_factory=list)
    strings: set[str] = field(default_factory=set)
    storages: dict[str, int] = field(default_factory=dict)
    largest_number: int = 0
    fills_memory: bool = False
    is_strange: bool = False


def survey(stream: BinaryIO | bytes) -> Survey:
    """What the next pickle of a stream would do; the stream is left behind it.

    Raises:
        DamagedPickleError: it is truncated, or no pickle.
    """
    walk = _Walk()
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            walk.step(opcode, argument)
    except _DAMAGE as error:
        raise DamagedPickleError(str(error)) from error
    return walk.found


class _Walk:
    """The stack machine of a pickle, with symbols in place of objects."""

    def __init__(self) -> None:
        self.found = Survey()
        self.stack: list[object] = []
        self.memo: dict[int, object] = {}

    def step(self, opcode: pickletools.OpcodeInfo, argument: object) -> None:
        """Do one opcode."""
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[_whole(argument)] = self.stack[-1]
        elif opcode.name == "MEMOIZE":
            self.memo[len(self.memo)] = self.stack[-1]
        elif opcode.name == "PROTO":
            self.found.protocol = _whole(argument)
        else:
            taken = self._taken(opcode)
            self.stack += self._given(opcode, argument, taken)

    def _taken(self, opcode: pickletools.OpcodeInfo) -> list[object]:
        """The values that an opcode takes off the stack; of one that goes back to a mark, those above the mark."""
        wanted = [kind.name for kind in opcode.stack_before]
        n_taken = wanted.index("mark") if "mark" in wanted else len(wanted)
        above_mark: list[object] = []
        if "mark" in wanted:
            while (value := self.stack.pop()) is not _MARK:
                above_mark.append(value)
        if n_taken > len(self.stack):
            raise DamagedPickleError(f"{opcode.name} takes {n_taken} values, the stack has {len(self.stack)}")
        below = [self.stack.pop() for _ in range(n_taken)]
        return (above_mark if "mark" in wanted else below)[::-1]

    def _given(self, opcode: pickletools.OpcodeInfo, argument: object, taken: list[object]) -> list[object]:
        """The symbols that an opcode leaves on the stack."""
        name = opcode.name
        if name == "MARK":
            return [_MARK]
        if name in ("GET", "BINGET", "LONG_BINGET"):
            return [self.memo[_whole(argument)]]
        if name in ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_TUPLE"):
            return [Items(tuple(taken), max((_largest(item) for item in taken), default=-1))]
        if name in ("GLOBAL", "STACK_GLOBAL", "INST"):
            return [self._asked_for(argument, taken)]
        if name in ("BINPERSID", "PERSID"):
            self._claim(taken[0] if taken else argument)
        elif name in ("REDUCE", "NEWOBJ"):
            self._call(taken[0], taken[1])
        elif not opcode.stack_before and isinstance(argument, int | str):
            if isinstance(argument, str):
                self.found.strings.add(argument)
            return [argument]
        return [_OPAQUE] * len(opcode.stack_after)

    def _asked_for(self, argument: object, taken: list[object]) -> GlobalName:
        name = str(argument).replace(" ", ".", 1) if argument is not None else ".".join(str(part) for part in taken)
        self.found.globals.append(name)
        return GlobalName(name)

    def _claim(self, persistent_id: object) -> None:
        """A storage that the pickle refers to: ("storage", type, key, device, number of items, ...)."""
        match persistent_id:
            case Items(values=("storage", GlobalName(kind), str(key), _, int(n_items), *_)):
                n_bytes = n_items * _BYTES_PER_ITEM.get(kind.rpartition(".")[2], 1)
                self.found.storages[key] = max(n_bytes, self.found.storages.get(key, 0))
            case Items(values=("module", *_)):  # the source text of a class, in pickles of whole modules
                pass
            case _:
                self.found.is_strange = True

    def _call(self, function: object, arguments: object) -> None:
        if not isinstance(function, GlobalName):
            return
        if function.name.startswith("torch."):
            self.found.largest_number = max(self.found.largest_number, _largest(arguments))
        if function.name.endswith("bytearray") and _largest(arguments) >= 0:
            self.found.fills_memory = True


def _largest(value: object) -> int:
    """The largest whole number in a value, -1 for none."""
    if isinstance(value, Items):
        return value.largest
    return value if isinstance(value, int) else -1


def _whole(argument: object) -> int:
    if not isinstance(argument, int):
        raise DamagedPickleError(f"expected a whole number, got {argument!r}")
    return argument
