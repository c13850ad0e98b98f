"""Predictions in a Parquet file: one column per class, or one that holds a list."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mi_audit.errors import MissingLibraryError
from mi_audit.npz_arrays import ALWAYS_ALLOWED_BYTES, MAX_EXPANSION
from mi_audit.targets._checkpoint.refusals import plain
from mi_audit.targets._predictions.checking import as_flags, kind_by_values
from mi_audit.targets._predictions.columns import Columns, columns_of
from mi_audit.targets._predictions.table import Column, Table, refuse, texts

_DAMAGED = "expected a Parquet file, got one that is damaged, truncated or of another kind"


def read(path: Path) -> Table:
    """The columns of these names.

    Raises:
        MissingLibraryError: pyarrow is not installed.
        OutputsError: not a Parquet file, or columns that make no table.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError as error:
        raise MissingLibraryError(
            f"{path}: Parquet files need the library pyarrow", "pip install 'mi-audit[parquet]'"
        ) from error
    try:
        with pq.ParquetFile(path) as file:
            names = list(file.schema_arrow.names)
            columns = columns_of(path, names, lambda position: _values(path, file, names[position]))
            positions = [*dict.fromkeys([*columns.outputs, *columns.texts.values()])]
            wanted = [names[position] for position in positions]
            _check_size(path, file, wanted)
            content = file.read(columns=wanted)
            return _table(path, columns, names, content)
    except (pa.ArrowException, OSError, UnicodeDecodeError, MemoryError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else _DAMAGED
        refuse(path, plain(why))


def _values(path: Path, file: Any, name: str) -> set[str]:
    """The different values of a column."""
    _check_size(path, file, [name])
    return {str(value).strip() for value in set(_scalars(path, name, file.read(columns=[name])).tolist())}


def _check_size(path: Path, file: Any, names: list[str]) -> None:
    """Repeated values compress to nothing, so a small file could ask for any amount of memory."""
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    chunks = [group.column(number) for group in groups for number in range(group.num_columns)]
    wanted = [chunk for chunk in chunks if _is_of(chunk.path_in_schema, names)]
    n_bytes = sum(max(8 * chunk.num_values, chunk.total_uncompressed_size) for chunk in wanted)
    if n_bytes > max(ALWAYS_ALLOWED_BYTES, MAX_EXPANSION * path.stat().st_size):
        refuse(path, f"expected columns of at most {MAX_EXPANSION} times the file's size, got {n_bytes:,} bytes")


def _is_of(leaf: str, names: list[str]) -> bool:
    """Whether a leaf of the schema belongs to one of these columns; the values of a list lie below its name."""
    return any(leaf == name or leaf.startswith(f"{name}.") for name in names)


def _table(path: Path, columns: Columns, names: list[str], content: Any) -> Table:
    if not len(content):
        refuse(path, "expected rows, got none")
    outputs = _outputs(path, columns, names, content)
    scalars = {name: _scalars(path, names[position], content) for name, position in columns.texts.items()}
    return Table(
        path=path,
        kind=columns.kind or kind_by_values(np.empty((0, 0)) if outputs is None else outputs),
        outputs=outputs,
        predicted=scalars.get("predicted"),
        label=scalars["label"],
        is_member=as_flags(names[columns.is_member], scalars["is_member"]),
        sample_id=scalars.get("sample_id"),
        class_names=columns.class_names,
        group=scalars.get("group"),
        is_kind_told=columns.kind is not None,
    )


def _outputs(path: Path, columns: Columns, names: list[str], content: Any) -> npt.NDArray[Any] | None:
    if columns.kind == "labels":
        return None
    if columns.is_per_class:
        return np.column_stack([_numbers(path, names[position], content) for position in columns.outputs])
    return _lists(path, names[columns.outputs[0]], content)


def _scalars(path: Path, name: str, content: Any) -> Column:
    """One value per row: numbers, flags, or text (categories too)."""
    import pyarrow as pa

    column = content.column(name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    _check_no_gaps(path, name, column)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return texts(path, column.to_pylist())
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
    if not any(is_kind(column.type) for is_kind in kinds):
        refuse(path, f"expected numbers or text in {name}, got {plain(str(column.type))}")
    return np.asarray(column.to_numpy())


def _numbers(path: Path, name: str, content: Any) -> npt.NDArray[Any]:
    values = _scalars(path, name, content)
    if values.dtype.kind == "U":
        refuse(path, f"expected numbers in {plain(name)}, got text")
    return values


def _lists(path: Path, name: str, content: Any) -> npt.NDArray[Any]:
    """A column of lists of one length as (n, k); a column of numbers is (n, 1)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = content.column(name)
    is_list = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(is_kind(column.type) for is_kind in is_list):
        return _numbers(path, name, content)[:, None]
    _check_no_gaps(path, name, column)
    lengths = pc.list_value_length(column).to_numpy()
    if lengths.min() != lengths.max() or not lengths.max():
        row = int((lengths != lengths[0]).argmax())
        refuse(path, f"expected {lengths[0] or 'some'} numbers in {name}, got {lengths[row]} in row {row}")
    values = pc.list_flatten(column)
    _check_no_gaps(path, name, values)
    if not (pa.types.is_floating(values.type) or pa.types.is_integer(values.type)):
        refuse(path, f"expected numbers in {name}, got {plain(str(values.type))}")
    return np.asarray(values.to_numpy()).reshape(len(content), -1)


def _check_no_gaps(path: Path, name: str, column: Any) -> None:
    if column.null_count:
        refuse(path, f"expected a value in every row of {plain(name)}, got {column.null_count:,} without")
