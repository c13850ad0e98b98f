"""The format that ``torch.save`` wrote before PyTorch 1.6: five pickles in a row, with the storages behind them."""

import io
from pathlib import Path
from typing import BinaryIO

from mi_audit.targets._checkpoint.pickle_check import Survey

# A name that no file has: the function that finds the class in a reference to it.
CLASS_FINDER = "mi_audit.class_of_network"


def with_plain_classes(path: Path, content: Survey) -> BinaryIO:
    """The file, with the classes of networks as plain names.

    Where a whole network was saved, this format refers to each class through a tuple with its source text, which
    weights-only loading refuses. The tuple is handed to `class_in` instead: the name of the function goes in front of
    it, and the opcode that ends the reference becomes a call.
    """
    whole = path.read_bytes()
    finder = b"c" + CLASS_FINDER.replace(".", "\n", 1).encode() + b"\n"
    parts, done = [], 0
    for start, end in sorted(content.module_ids):
        if done <= start < end:
            parts += [whole[done:start], finder, whole[start:end], b"R"]
            done = end + 1
    return io.BytesIO(b"".join([*parts, whole[done:]]))


def class_in(*reference: object) -> object:
    """The class in ("module", class, file, source text)."""
    return reference[1] if len(reference) > 1 else None
