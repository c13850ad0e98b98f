"""A table as plain values, which every format draws in its own way."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """The heading of a column.

    Attributes:
        name: in full words, where there is room.
        heading: where space is scarce, its lines separated by newlines; empty for `name`.
        is_text: names, which may be broken over lines; numbers never are.
        is_essential: shown first where not all columns fit side by side.
    """

    name: str
    heading: str = ""
    is_text: bool = False
    is_essential: bool = True


@dataclass(frozen=True)
class Row:
    """A row of cells, as text that is not yet escaped for any format.

    Attributes:
        cells: one per column.
        is_marked: the row that a reader looks for.
        starts_group: a little space above.
    """

    cells: tuple[str, ...]
    is_marked: bool = False
    starts_group: bool = False


@dataclass(frozen=True)
class Table:
    """A table with its title and what has to be said below it.

    Attributes:
        n_keys: so many leading columns say what a row is; they are repeated where a table is split by columns.

    Raises:
        ValueError: a row with more or fewer cells than there are columns.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    n_keys: int = 1

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise ValueError(f"expected {len(self.columns)} cells in {self.title!r}, got {len(row.cells)}")
