"""What every record that travels in a file can do: give its parts, and be made of them."""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

from mi_audit.schema.arrays import Array


class Record(Protocol):
    """A frozen record: arrays, and a header of JSON values.

    Arrays are numeric, bool, or strings (kind U); the container decides how each is laid out.
    """

    kind: ClassVar[str]

    def header(self) -> dict[str, Any]:
        """Everything that is not an array, as JSON values."""
        ...

    def arrays(self) -> dict[str, Array]:
        """The arrays by name."""
        ...

    @classmethod
    def from_parts(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """The record that these parts make.

        Raises:
            ValueError: they do not make one.
        """
        ...
