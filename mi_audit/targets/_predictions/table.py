"""A file of predictions as it was read, before anything in it is believed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from mi_audit.errors import OutputsError
from mi_audit.schema.feature_cache import OutputsKind
from mi_audit.targets._checkpoint.refusals import plain

Column = npt.NDArray[Any]
FORM = "one of logits, probabilities, predicted; and label, is_member; optionally sample_id, group"

# Strings in an array take the length of the longest each: up to so many bytes they may, and beyond within this ratio.
_FREE_BYTES = 256 << 20
_MAX_EXPANSION = 32


@dataclass(frozen=True)
class Table:
    """The columns of a file of predictions, n rows.

    Attributes:
        path: of the file.
        kind: what the target gave.
        outputs: (n, k) numbers, or ``None`` where `kind` is ``"labels"``.
        predicted: (n,) the classes that the target gave, for that kind.
        label: (n,) true classes, numbers or names.
        is_member: (n,) flags in any notation.
        sample_id: (n,) ids, or ``None``.
        class_names: of the columns of `outputs`, where the file names them.
        line: (n,) the line that each row ends on, of a text file.
        group: (n,) what samples that belong together share, or ``None``.
        is_kind_told: whether the file says what kind its outputs are, or only their values do.
    """

    path: Path
    kind: OutputsKind
    outputs: npt.NDArray[Any] | None
    predicted: Column | None
    label: Column
    is_member: Column
    sample_id: Column | None
    class_names: tuple[str, ...] | None = None
    line: npt.NDArray[np.int64] | None = None
    group: Column | None = None
    is_kind_told: bool = True

    def __len__(self) -> int:
        return len(self.label)

    def place(self, row: int) -> str:
        """Where a row is, in the words of the reader's editor."""
        return f"row {row}" if self.line is None else f"line {self.line[row]}"

    def refuse(self, what: str, tip: str | None = None) -> NoReturn:
        """Stop with one line that names the file."""
        refuse(self.path, what, tip)


def refuse(path: Path, what: str, tip: str | None = None) -> NoReturn:
    """Stop with one line that names the file.

    Raises:
        OutputsError: always.
    """
    raise OutputsError(f"{path}: {what}", tip=tip or f"a file of predictions has {FORM}")


def shown(value: object) -> str:
    """A value out of a file, quoted and printable."""
    return repr(plain(str(value), 40))


def texts(path: Path, values: list[str]) -> Column:
    """Strings as an array (kind U), unless one of them is so long that this would take all memory.

    Raises:
        OutputsError: it is.
    """
    longest, total = max(map(len, values), default=0), sum(map(len, values))
    if 4 * longest * len(values) > max(_FREE_BYTES, _MAX_EXPANSION * total):
        refuse(path, f"expected labels and ids of similar lengths, got one of {longest:,} characters")
    return np.array(values, dtype=np.str_)
