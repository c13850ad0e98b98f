"""What a pickle would do, read from its opcodes without doing it.

Safe loading keeps a pickle from running code, not from asking for memory: a file of a hundred bytes may claim a
tensor of a terabyte. So the opcodes are walked first, on a stack that knows strings, whole numbers, tuples and the
names of globals, and holds everything else as one opaque value. That is enough to see each storage that the pickle
claims and each number that it hands to a call.
"""

import pickletools
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from dataclasses import dataclass, field
from typing import BinaryIO

from mi_audit.targets._checkpoint.pickle_symbols import (
    OPAQUE,
    GlobalName,
    Items,
    Made,
    Storage,
    fits_storage,
    is_known_encoding,
    largest,
    lies_inside,
    makes_memory,
    makes_tensors,
)

# What walking over opcodes at random raises; MemoryError where a string claims to be longer than the memory.
_DAMAGE = (ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError, RecursionError)
_BYTES_PER_ITEM = {
    **dict.fromkeys(("DoubleStorage", "LongStorage", "ComplexFloatStorage"), 8),
    **dict.fromkeys(("FloatStorage", "IntStorage", "QInt32Storage"), 4),
    **dict.fromkeys(("HalfStorage", "BFloat16Storage", "ShortStorage"), 2),
    "ComplexDoubleStorage": 16,
}
_FILLING = ("SETITEM", "SETITEMS", "APPEND", "APPENDS")
_TUPLES = ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_TUPLE")


class DamagedPickleError(ValueError):
    """The opcodes make no sense, or end too early."""


@dataclass(frozen=True)
class _Mark:
    """A mark on the stack, and where in the stream it was set."""

    position: int


@dataclass
class Survey:
    """What one pickle would do.

    Attributes:
        protocol: of the pickle.
        globals: the classes and functions it asks for, in order, by their names in Python 3.
        filled: those of them whose objects get entries like a dict.
        strings: every string in it.
        storages: bytes that it claims of each storage, by the storage's key.
        largest_number: the largest whole number that a call of torch's is given: a size, a stride, an offset.
        overreaches: it rebuilds a tensor that does not lie inside its storage.
        fills_memory: it makes an array, a tensor or a storage of a given size out of nothing.
        is_strange: it refers to storages, or rebuilds tensors, in a way that ``torch.save`` does not.
        module_ids: where it refers to the class of a network with its source text: the mark that begins the reference,
            and the opcode that ends it.
    """

    protocol: int = 0
    globals: list[str] = field(default_factory=list)
    filled: set[str] = field(default_factory=set)
    strings: set[str] = field(default_factory=set)
    storages: dict[str, int] = field(default_factory=dict)
    largest_number: int = 0
    overreaches: bool = False
    fills_memory: bool = False
    is_strange: bool = False
    module_ids: list[tuple[int, int]] = field(default_factory=list)


def survey(stream: BinaryIO | bytes) -> Survey:
    """What the next pickle of a stream would do; the stream is left behind it.

    Raises:
        DamagedPickleError: it is truncated, or no pickle.
    """
    walk = _Walk()
    try:
        for opcode, argument, position in pickletools.genops(stream):
            walk.step(opcode, argument, position or 0)
    except _DAMAGE as error:
        raise DamagedPickleError(str(error)) from error
    return walk.found


class _Walk:
    """The stack machine of a pickle, with symbols in place of objects."""

    def __init__(self) -> None:
        self.found = Survey()
        self.stack: list[object] = []
        self.memo: dict[int, object] = {}
        self.position = 0
        self.last_mark = -1
        self.container: object = OPAQUE

    def step(self, opcode: pickletools.OpcodeInfo, argument: object, position: int) -> None:
        """Do one opcode."""
        self.position = position
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[_whole(argument)] = self.stack[-1]
        elif opcode.name == "MEMOIZE":
            self.memo[len(self.memo)] = self.stack[-1]
        elif opcode.name == "PROTO":
            self.found.protocol = _whole(argument)
        else:
            taken = self._taken(opcode)
            self.stack += self._given(opcode, argument, taken)
            if opcode.name in _FILLING:
                # What is filled stays what it is.
                self.stack[-1] = self.container

    def _taken(self, opcode: pickletools.OpcodeInfo) -> list[object]:
        """The values that an opcode takes off the stack; of one that goes back to a mark, those above the mark."""
        wanted = [kind.name for kind in opcode.stack_before]
        n_taken = wanted.index("mark") if "mark" in wanted else len(wanted)
        above_mark: list[object] = []
        if "mark" in wanted:
            while not isinstance(value := self.stack.pop(), _Mark):
                above_mark.append(value)
            self.last_mark = value.position
        if n_taken > len(self.stack):
            raise DamagedPickleError(f"{opcode.name} takes {n_taken} values, the stack has {len(self.stack)}")
        below = [self.stack.pop() for _ in range(n_taken)]
        if opcode.name in _FILLING:
            self.container = below[-1]
        if opcode.name.startswith("SETITEM") and isinstance(below[-1], Made):
            self.found.filled.add(below[-1].by)
        return (above_mark if "mark" in wanted else below)[::-1]

    def _given(self, opcode: pickletools.OpcodeInfo, argument: object, taken: list[object]) -> list[object]:
        """The symbols that an opcode leaves on the stack."""
        name = opcode.name
        if name == "MARK":
            return [_Mark(self.position)]
        if name in ("GET", "BINGET", "LONG_BINGET"):
            return [self.memo[_whole(argument)]]
        if name in _TUPLES:
            start = self.last_mark if name == "TUPLE" else -1
            return [Items(tuple(taken), max((largest(item) for item in taken), default=-1), start)]
        if name in ("GLOBAL", "STACK_GLOBAL", "INST"):
            return [self._asked_for(argument, taken)]
        if name in ("BINPERSID", "PERSID"):
            return [self._claim(taken[0] if taken else argument)]
        if name in ("REDUCE", "NEWOBJ"):
            return [self._call(taken[0], taken[1])]
        if name == "BUILD":
            return [self._build(taken[0], taken[1])]
        if not opcode.stack_before and isinstance(argument, int | str):
            if isinstance(argument, str):
                self.found.strings.add(argument)
            return [argument]
        return [OPAQUE] * len(opcode.stack_after)

    def _asked_for(self, argument: object, taken: list[object]) -> GlobalName:
        both = str(argument).split(" ", 1) if argument is not None else [str(part) for part in taken]
        module, name = both if len(both) == 2 else (both[0], "")
        module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        self.found.globals.append(f"{module}.{name}")
        return GlobalName(f"{module}.{name}")

    def _claim(self, persistent_id: object) -> object:
        """A storage that the pickle refers to: ("storage", type, key, device, number of items, ...)."""
        match persistent_id:
            case Items(values=("storage", GlobalName(kind), str(key), _, int(n_items), *_)):
                n_bytes = n_items * _BYTES_PER_ITEM.get(kind.rpartition(".")[2], 1)
                self.found.storages[key] = max(n_bytes, self.found.storages.get(key, 0))
                return Storage(n_items)
            case Items(values=("module", GlobalName() as network, *_)):
                self.found.module_ids.append((persistent_id.start, self.position))
                return network
            case _:
                self.found.is_strange = True
                return OPAQUE

    def _call(self, function: object, arguments: object) -> object:
        if not isinstance(function, GlobalName):
            return OPAQUE
        name = function.name
        if name.startswith("torch."):
            self.found.largest_number = max(self.found.largest_number, largest(arguments))
        self.found.fills_memory |= makes_memory(name, arguments)
        self.found.is_strange |= name == "_codecs.encode" and not is_known_encoding(arguments)
        self._note_fit(fits_storage(name, arguments))
        if name == "torch.Size" and isinstance(arguments, Items) and len(arguments.values) == 1:
            return arguments.values[0]
        return Made(name)

    def _build(self, built: object, state: object) -> object:
        """The state of an object; torch gives a tensor the storage, the size and the strides that its state names."""
        if isinstance(built, Made) and makes_tensors(built.by):
            self.found.largest_number = max(self.found.largest_number, largest(state))
            self._note_fit(lies_inside(state))
        return built

    def _note_fit(self, fits: bool | None) -> None:
        self.found.is_strange |= fits is None
        self.found.overreaches |= fits is False


def _whole(argument: object) -> int:
    if not isinstance(argument, int):
        raise DamagedPickleError(f"expected a whole number, got {argument!r}")
    return argument
