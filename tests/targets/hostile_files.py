"""Hostile checkpoints: pickles written by hand in the opcodes of protocol 2, so that they get past the first look.

Each is put into the three forms in which a pickle can lie in a file: the zip format, the legacy format, bare.
"""

import io
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

WEIGHTS = {"fc.weight": torch.arange(4.0)}
COMMAND = "touch ran_a_command"


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def number(value: int) -> bytes:
    encoded = pickle.encode_long(value)
    return b"\x8a" + bytes([len(encoded)]) + encoded


def group(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


def call(function: bytes, *arguments: bytes) -> bytes:
    return function + group(*arguments) + b"R"


def made(of: bytes, *arguments: bytes) -> bytes:
    return of + group(*arguments) + b"\x81"


def mapping(entries: dict[str, bytes]) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in entries.items()) + b"u"


def storage(n_items: int = 4, key: str = "0", kind: str = "FloatStorage") -> bytes:
    return group(text("storage"), name("torch", kind), text(key), text("cpu"), number(n_items)) + b"Q"


def tensor(size: tuple[int, ...] = (4,), strides: tuple[int, ...] = (1,), offset: int = 0, **claim: object) -> bytes:
    ordered = call(name("collections", "OrderedDict"))
    shape, steps = (group(*map(number, values)) for values in (size, strides))
    where = storage(**claim)  # type: ignore[arg-type]
    return call(name("torch._utils", "_rebuild_tensor_v2"), where, number(offset), shape, steps, b"\x89", ordered)


def beside(value: bytes) -> bytes:
    """A state dict, and an entry beside it."""
    return mapping({"state_dict": mapping({"fc.weight": tensor()}), "extra": value})


def reduced(module: str, attribute: str, *arguments: str) -> bytes:
    return beside(call(name(module, attribute), *map(text, arguments)))


def with_attributes(value: bytes, attributes: dict[str, bytes]) -> bytes:
    """A tensor with attributes, by the function of torch that sets them."""
    function = name("torch._tensor", "_rebuild_from_type_v2")
    rebuild = name("torch._utils", "_rebuild_tensor_v2")
    where = group(
        storage(), number(0), group(number(4)), group(number(1)), b"\x89", call(name("collections", "OrderedDict"))
    )
    return call(function, rebuild, name("torch", "Tensor"), where, mapping(attributes)) if value else b""


class Runs:
    """An object whose pickle calls a function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.called = (function, arguments)

    def __reduce__(self) -> tuple[object, object]:
        return self.called


EVIL = name("os", "system")
INERT = name("nobody.knows", "Thing")
NESTED = pickle.dumps(WEIGHTS, 2).hex()
CYCLE = b"}q\x07(" + text("_modules") + mapping({"again": b"h\x07"}) + text("_parameters") + b"}u"

# ruff: noqa: E501 - one row, one line
# What the pickle does, and what comes of it: a pattern of the refusal, or "" where the weights are opened.
RUNS = "which runs code"
HOSTILE: dict[str, tuple[bytes, str]] = {
    "reduce: a command": (reduced("os", "system", COMMAND), RUNS),
    "reduce: a command by its other name": (reduced("posix", "system", COMMAND), RUNS),
    "reduce: by its name in Python 2": (reduced("__builtin__", "eval", "1"), RUNS),
    "reduce: commands of Python 2": (reduced("commands", "getoutput", COMMAND), RUNS),
    "reduce: a process": (reduced("subprocess", "Popen", COMMAND), RUNS),
    "reduce: eval": (reduced("builtins", "eval", f"__import__('os').system('{COMMAND}')"), RUNS),
    "reduce: exec": (reduced("builtins", "exec", "import os"), RUNS),
    "reduce: import": (reduced("builtins", "__import__", "os"), RUNS),
    "reduce: open": (reduced("builtins", "open", "written", "w"), RUNS),
    "reduce: open of io": (reduced("io", "open", "written", "w"), ""),
    "reduce: importlib": (reduced("importlib", "import_module", "antigravity"), RUNS),
    "reduce: runpy": (reduced("runpy", "run_path", "x.py"), RUNS),
    "reduce: a socket": (reduced("socket", "create_connection"), RUNS),
    "reduce: a deleted folder": (reduced("shutil", "rmtree", "."), RUNS),
    "reduce: a browser": (reduced("webbrowser", "open", "http://localhost"), RUNS),
    "reduce: torch.load": (reduced("torch", "load", "other.pt"), ""),
    "reduce: torch.hub": (reduced("torch.hub", "load", "a/b", "c"), ""),
    "reduce: torch.jit": (reduced("torch.jit", "load", "other.pt"), ""),
    "reduce: a compiler": (reduced("torch.utils.cpp_extension", "load_inline", "a", "b"), ""),
    "reduce: a class of our own": (reduced("mi_audit.store", "replacing", "written"), ""),
    "reduce: getattr": (beside(call(name("builtins", "getattr"), INERT, text("__globals__"))), ""),
    "reduce: getattr of a real class": (
        beside(call(name("builtins", "getattr"), name("torch", "Tensor"), text("__class__"))), "",
    ),
    "reduce: partial": (beside(call(call(name("functools", "partial"), INERT, text(COMMAND)))), "nothing in it was run"),
    "reduce: methodcaller": (reduced("operator", "methodcaller", "system", COMMAND), ""),
    "reduce: code": (reduced("types", "CodeType"), ""),
    "reduce: interpreter": (reduced("code", "InteractiveInterpreter"), ""),
    "reduce: time it": (reduced("timeit", "timeit", "import os"), ""),
    "reduce: an imported codec": (reduced("_codecs", "encode", "a", "zlib_codec"), "in a way that torch.save does not"),
    "reduce: what a call gave": (beside(call(call(INERT))), "nothing in it was run"),
    "reduce: a number of a million digits": (reduced("builtins", "int", "9" * 100_000), "damaged"),
    "nested: a pickle inside": (reduced("pickle", "loads", NESTED), RUNS),
    "nested: in another way": (reduced("_pickle", "loads", NESTED), RUNS),
    "nested: dill": (reduced("dill", "loads", NESTED), ""),
    "nested: numpy": (reduced("numpy", "load", "other.npy"), ""),
    "nested: joblib": (reduced("joblib", "load", "other"), ""),
    "new object": (beside(made(INERT, text(COMMAND))), ""),
    "new object: of a real class": (beside(made(name("threading", "Thread"), text(COMMAND))), ""),
    "build: attributes of Python's": (
        beside(made(INERT) + mapping({"__class__": EVIL[:0] + INERT, "__setstate__": INERT, "name": text("x")}) + b"b"), "",
    ),
    "build: attributes in slots": (
        beside(made(INERT) + group(mapping({}), mapping({"__class__": INERT, "state": INERT})) + b"b"), "",
    ),
    "build: a class": (beside(INERT + mapping({"__new__": INERT}) + b"b"), "nothing in it was run"),
    "build: methods of a dict": (
        mapping({"state_dict": call(name("collections", "OrderedDict")) + b"(" + text("fc.weight") + tensor() + b"u"
                 + mapping({"items": INERT, "keys": INERT, "get": INERT, "__iter__": INERT}) + b"b"}), "",
    ),
    "build: a tensor out of its storage": (
        mapping({"fc.weight": tensor() + group(storage(), number(0), group(number(10**6)), group(number(1))) + b"b"}),
        "cannot hold|opcode|damaged",
    ),
    "build: a tensor from a list": (
        mapping({"fc.weight": tensor() + b"](" + storage() + number(0) + group(number(400)) + group(number(1)) + b"eb"}),
        "in a way that torch.save does not",
    ),
    "setattr: methods of a tensor": (
        mapping({"fc.weight": with_attributes(b"x", {"detach": INERT, "numel": INERT, "shape": INERT, "is_cuda": INERT})}),
        "damaged|",
    ),
    "setattr: the class of a tensor": (mapping({"fc.weight": with_attributes(b"x", {"__class__": INERT})}), "damaged"),
    "setattr: a tensor in place of its numbers": (mapping({"fc.weight": with_attributes(b"x", {"data": INERT})}), "damaged"),
    "stack-global": (beside(text("os") + text("system") + b"\x93"), RUNS),
    "stack-global: inert": (beside(text("nobody") + text("thing") + b"\x93" + group() + b"R"), "nothing in it was run"),
    "inst": (beside(b"(" + text(COMMAND) + b"inobody\nthing\n"), "nothing in it was run"),
    "inst: a command": (beside(b"(" + text(COMMAND) + b"ios\nsystem\n"), RUNS),
    "obj": (beside(b"(" + INERT + text(COMMAND) + b"o"), "nothing in it was run"),
    "extension": (beside(b"\x82\x01"), "nothing in it was run|damaged"),
    "keyword arguments": (beside(INERT + b")}\x92"), "nothing in it was run"),
    "persistent id: a command": (
        beside(group(text("module"), EVIL, text("f"), text("s")) + b"Q" + group(text(COMMAND)) + b"R"), RUNS,
    ),
    "persistent id: a function of torch": (
        beside(group(text("module"), name("torch", "load"), text("f"), text("s")) + b"Q" + group(text("x")) + b"R"), "|",
    ),
    "persistent id: a text": (beside(text("../../hidden") + b"Q"), "in a way that torch.save does not"),
    "persistent id: by line": (beside(b"P../../hidden\n"), "in a way that torch.save does not"),
    "storage: a file outside": (mapping({"fc.weight": tensor(key="../../../etc/passwd")}), "holds 0|is truncated"),
    "storage: an entry of the zip file": (mapping({"fc.weight": tensor(key="../version")}), "holds 0|is truncated"),
    "storage: larger than stored": (mapping({"fc.weight": tensor(n_items=10**9)}), "claims|is truncated"),
    "storage: without end": (mapping({"fc.weight": tensor((2**40,), (0,))}), "cannot hold"),
    "storage: without end, in small steps": (mapping({"fc.weight": tensor((400,) * 4, (0,) * 4)}), "more than are stored|cannot hold"),
    "storage: outside by its strides": (mapping({"fc.weight": tensor((2, 2), (300, 1))}), "cannot hold"),
    "storage: outside by its offset": (mapping({"fc.weight": tensor((4,), (1,), 200)}), "cannot hold"),
    "storage: negative sizes": (mapping({"fc.weight": tensor((-4,))}), "cannot hold"),
    "storage: negative strides": (mapping({"fc.weight": tensor((4,), (-1,), 3)}), "cannot hold"),
    "storage: other numbers": (mapping({"fc.weight": tensor(kind="DoubleStorage")}), "claims|is truncated"),
    "storage: no numbers": (mapping({"fc.weight": tensor((0,))}), ""),
    "memory: bytes": (beside(call(name("builtins", "bytearray"), number(2**31))), "cannot hold"),
    "memory: a tensor": (beside(made(name("torch", "FloatTensor"), number(400), number(400), number(400))), "cannot hold"),
    "memory: a storage": (beside(call(name("torch.storage", "UntypedStorage"), number(300))), "cannot hold"),
    "memory: a long text": (beside(b"X\xff\xff\xff\xff"), "damaged|cut off"),
    "memory: a long number": (beside(b"\x8b\xff\xff\xff\x7f"), "damaged"),
    "cycle: modules in modules": (made(INERT) + CYCLE + b"b", "expected a state dict|damaged"),
    "cycle: a dict in itself": (b"}q\x07(" + text("model") + b"h\x07u", "no weights|damaged"),
    "depth: tuples": (beside(b")" + b"\x85" * 50_000), ""),
    "depth: dicts": (beside((b"}" + text("a")) * 20_000 + b"N" + b"s" * 20_000), ""),
    "breadth: tuples of one tuple": (beside(b")" + b"q\x09h\x09\x86" * 60), ""),
    "class with a colour": (beside(made(name("\x1b[31mred", "Thing"))), "|"),
    "class with a long name": (made(name("a" * 5000, "Thing")), "class a{97}|damaged"),
    "factory of a dict": (beside(call(name("collections", "defaultdict"), INERT) + b"(" + text("a") + b"Nu"), ""),
    "key that is no text": (beside(b"}(" + made(INERT) + b"Nu"), ""),
}  # fmt: skip


def in_zip(pickled: bytes) -> bytes:
    """What ``torch.save`` writes, with another pickle in it."""
    stream, written = io.BytesIO(), io.BytesIO()
    torch.save(WEIGHTS, stream)
    with zipfile.ZipFile(stream) as archive, zipfile.ZipFile(written, "w") as copy:
        for entry in archive.namelist():
            copy.writestr(entry, pickled if entry.endswith("data.pkl") else archive.read(entry))
    return written.getvalue()


def in_legacy(pickled: bytes) -> bytes:
    """The legacy format with another pickle in it, and the storage of the weights behind it."""
    stream = io.BytesIO()
    torch.save(WEIGHTS, stream, _use_new_zipfile_serialization=False)
    head = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    # Here a reference to a storage has one field more, the part of it that is meant.
    pickled = pickled.replace(b"tQ", b"NtQ")
    return b"".join(head) + pickled + pickle.dumps(["0"], 2) + stream.getvalue()[-24:]


FORMS: dict[str, Callable[[bytes], bytes]] = {"zip": in_zip, "legacy": in_legacy, "bare": bytes}


def write_all(folder: Path) -> Iterator[tuple[str, str]]:
    """Write every file; its name, and the pattern of what is said of it."""
    for number_of_row, (pickled, expected) in enumerate(HOSTILE.values()):
        for form, around in FORMS.items():
            path = folder / f"{number_of_row}.{form}"
            path.write_bytes(around(b"\x80\x02" + pickled + b"."))
            yield path.name, "torch.save did not write" if form == "bare" else expected
