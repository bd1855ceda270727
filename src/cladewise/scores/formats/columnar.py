"""Wide tables in columns, Parquet and Feather, read in groups of rows and batches of columns.

Columns are turned into rows within bounded memory: groups of rows that are too large for it are turned on disk.
"""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

from cladewise.errors import InputError
from cladewise.scores.formats.wide_columns import WideColumns, wide_columns
from cladewise.scores.options import ScoreOptions
from cladewise.scores.tables import FloatArray, IntArray, WideTable, without_columns
from cladewise.taxonomy import Taxonomy

CELLS_AT_ONCE = 1 << 22
"""Scores that are read at once, of as many columns as there are rows for."""
Read = Callable[[int, Sequence[str]], pa.Table]
"""Function that reads some columns of a group of rows."""
LARGEST_BLOCK = 1 << 27
"""Scores of a group of rows that are held in memory; a larger group is turned on disk."""


@dataclasses.dataclass(frozen=True)
class ColumnarTable(WideTable):
    """A wide table in groups of rows.

    Attributes:
        names: Name of the column of each class.
        dtype: Type of the scores.
        heights: Number of rows of each group.
    """

    names: tuple[str, ...]
    dtype: np.dtype[Any]
    heights: tuple[int, ...]

    @property
    def num_rows(self) -> int:
        return sum(self.heights)

    @abstractmethod
    def opened(self) -> AbstractContextManager[Read]:
        """A function that reads some columns of a group of rows, from a file whose footer is read once."""

    def blocks(self, columns: IntArray) -> Iterator[FloatArray]:
        names = [self.names[column] for column in columns.tolist()]
        with self.opened() as read:
            for group, height in enumerate(self.heights):
                if height and height * len(names) <= LARGEST_BLOCK:
                    yield self._turned(read, group, names)
                elif height:
                    yield from self._turned_on_disk(read, group, names)

    def _batches(self, read: Read, group: int, names: Sequence[str]) -> Iterator[FloatArray]:
        """The columns of a group ``[column, row]``, in batches."""
        size = max(1, CELLS_AT_ONCE // self.heights[group])
        for first in range(0, len(names), size):
            wanted = names[first : first + size]
            table = read(group, wanted)
            batch = np.empty((len(wanted), self.heights[group]), dtype=self.dtype)
            for place, name in enumerate(wanted):
                start = 0
                for chunk in table.column(name).chunks:
                    batch[place, start : start + len(chunk)] = chunk.to_numpy(zero_copy_only=False)
                    start += len(chunk)
            yield batch

    def _turned(self, read: Read, group: int, names: Sequence[str]) -> FloatArray:
        block = np.empty((self.heights[group], len(names)), dtype=self.dtype)
        first = 0
        for batch in self._batches(read, group, names):
            block[:, first : first + len(batch)] = batch.T
            first += len(batch)
        return block

    def _turned_on_disk(self, read: Read, group: int, names: Sequence[str]) -> Iterator[FloatArray]:
        """Rows of a large group: batches of columns are written row by row, and read back side by side."""
        height, widths = self.heights[group], list[int]()
        with tempfile.TemporaryFile() as file:
            for batch in self._batches(read, group, names):
                np.ascontiguousarray(batch.T).tofile(file)
                widths.append(len(batch))
            step = max(1, LARGEST_BLOCK // 8 // len(names))
            for start in range(0, height, step):
                yield _side_by_side(file, widths, start, min(start + step, height), height, self.dtype)


def _side_by_side(
    file: BinaryIO, widths: Sequence[int], start: int, stop: int, height: int, dtype: np.dtype[Any]
) -> FloatArray:
    """Rows of blocks ``[row, width]`` that follow one another in a file."""
    block, first = np.empty((stop - start, sum(widths)), dtype=dtype), 0
    for width in widths:
        file.seek((first * height + start * width) * dtype.itemsize)
        part = np.fromfile(file, dtype, (stop - start) * width)
        block[:, first : first + width] = part.reshape(stop - start, width)
        first += width
    return block


@dataclasses.dataclass(frozen=True)
class ParquetTable(ColumnarTable):
    """A wide table in Parquet."""

    path: Path

    @contextlib.contextmanager
    def opened(self) -> Generator[Read]:
        with pq.ParquetFile(self.path) as file:
            yield lambda group, names: file.read_row_group(group, columns=list(names), use_threads=False)


@dataclasses.dataclass(frozen=True)
class FeatherTable(ColumnarTable):
    """A wide table in Feather, which is an Arrow file."""

    path: Path

    @contextlib.contextmanager
    def opened(self) -> Generator[Read]:
        def read(group: int, names: Sequence[str]) -> pa.Table:
            with _arrow(self.path, names) as file:
                return pa.Table.from_batches([file.get_batch(group)])

        yield read


def open_parquet(path: Path, taxonomy: Taxonomy, options: ScoreOptions) -> ParquetTable:
    """A wide Parquet table.

    Raises:
        InputError: The file is damaged, or lacks a column that the options name.
    """
    with pq.ParquetFile(path) as file:
        about, schema = file.metadata, file.schema_arrow
        heights = tuple(about.row_group(group).num_rows for group in range(about.num_row_groups))
        columns = wide_columns(_numeric(schema), taxonomy, options, at=str(path))
        rows = _frame(file.read(columns=list(columns.others)), sum(heights))
    return ParquetTable(
        str(path), columns.scored, rows, columns.key, columns.classes, _dtype(schema, columns), heights, path
    )


def open_feather(path: Path, taxonomy: Taxonomy, options: ScoreOptions) -> FeatherTable:
    """A wide Feather table.

    Raises:
        InputError: The file is damaged, or lacks a column that the options name.
    """
    with _arrow(path) as file:
        schema = file.schema
    columns = wide_columns(_numeric(schema), taxonomy, options, at=str(path))
    with _arrow(path, columns.others or schema.names[:1]) as file:
        batches = [file.get_batch(group) for group in range(file.num_record_batches)]
    heights = tuple(batch.num_rows for batch in batches)
    held = pa.Table.from_batches(batches).select(list(columns.others)) if batches else schema.empty_table().select([])
    return FeatherTable(
        str(path),
        columns.scored,
        _frame(held, sum(heights)),
        columns.key,
        columns.classes,
        _dtype(schema, columns),
        heights,
        path,
    )


def schema_of(path: Path) -> pa.Schema | None:
    """The schema of a Parquet or Feather file; None if it is neither."""
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(b"PAR1"):
        try:
            return pq.read_schema(path)
        except (pa.ArrowException, OSError) as error:
            raise InputError("a Parquet file", str(error).splitlines()[0], at=str(path)) from error
    if start.startswith(b"ARROW1"):
        with _arrow(path) as opened:
            return opened.schema
    return None


def numeric_columns(schema: pa.Schema) -> dict[str, bool]:
    """Whether each column holds numbers."""
    return _numeric(schema)


def _numeric(schema: pa.Schema) -> dict[str, bool]:
    repeated = (
        [name for name in schema.names if schema.names.count(name) > 1]
        if len(set(schema.names)) < len(schema.names)
        else []
    )
    if repeated:
        raise InputError("columns with different names", f"several called {repeated[0]!r}")
    return {field.name: pa.types.is_floating(field.type) or pa.types.is_integer(field.type) for field in schema}


def _dtype(schema: pa.Schema, columns: WideColumns) -> np.dtype[Any]:
    """Single precision, unless a column has more."""
    single = all(
        pa.types.is_float16(kind) or pa.types.is_float32(kind)
        for kind in (schema.field(name).type for name in columns.classes)
    )
    return np.dtype(np.float32 if single else np.float64)


def _frame(table: pa.Table, height: int) -> pl.DataFrame:
    """Columns of the rows as a frame, which has the height of the table also if it has none."""
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    frame.columns = table.column_names  # an index without a name was given one
    return frame if frame.width else without_columns(height)


def _arrow(path: Path, names: Sequence[str] | None = None) -> ipc.RecordBatchFileReader:
    try:
        source = pa.memory_map(str(path))
        if names is None:
            return ipc.open_file(source)
        with ipc.open_file(pa.memory_map(str(path))) as file:
            place = {name: position for position, name in enumerate(file.schema.names)}
        return ipc.open_file(source, options=ipc.IpcReadOptions(included_fields=[place[n] for n in names]))
    except (pa.ArrowException, OSError) as error:
        raise InputError("a Feather file", str(error).splitlines()[0], at=str(path)) from error
