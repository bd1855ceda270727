"""Parquet files, local or remote, read a batch of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from cladewise.errors import InputError
from cladewise.sources.storage import Storage

_BATCH = 1024  # rows decoded at once
_BUFFER = 1 << 20  # bytes read at once of every column
_INDEX = ("", "__index_level_0__")  # of a pandas data frame


class DamagedTableError(InputError):
    """A Parquet file that cannot be decoded, rather than not be reached."""


@dataclass(frozen=True, slots=True)
class ParquetTable:
    """Columns and row groups of a Parquet file.

    Attributes:
        place: Path or URI.
        schema: Type of every column.
        groups: Rows of every row group.
    """

    place: str
    schema: dict[str, pl.DataType]
    groups: tuple[int, ...]

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return sum(self.groups)

    @property
    def types(self) -> dict[str, pl.DataType]:
        """Type of every column whose values can be written to any kind of table."""
        plain = {name: _written(kind) for name, kind in self.schema.items() if name not in _INDEX}
        return {name: kind for name, kind in plain.items() if kind is not None}

    @property
    def left_out(self) -> tuple[str, ...]:
        """Columns of lists, structures and bytes, which are not passed through."""
        return tuple(name for name, kind in self.schema.items() if name not in _INDEX and _written(kind) is None)

    def read(
        self,
        storage: Storage,
        start: int,
        stop: int,
        columns: Sequence[str] | None = None,
        *,
        num_rows_at_once: int = _BATCH,
    ) -> Iterator[dict[str, Any]]:
        """The rows of a range, decoded a few at a time.

        Raises:
            DamagedTableError: The file is damaged there.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        first, groups = 0, list[int]()
        before = 0
        for number, num_rows in enumerate(self.groups):
            if before < stop and before + num_rows > start:
                if not groups:
                    first = before
                groups.append(number)
            before += num_rows
        names = list(self.types) if columns is None else list(columns)
        try:
            with storage.open(self.place) as file, pq.ParquetFile(file, buffer_size=_BUFFER, pre_buffer=False) as found:
                for batch in found.iter_batches(num_rows_at_once, row_groups=groups, columns=names, use_threads=False):
                    after = first + batch.num_rows
                    if after > start:
                        part = batch.slice(max(0, start - first), min(stop, after) - max(start, first))
                        frame: Any = pl.from_arrow(pa.Table.from_batches([part]))
                        yield from frame.cast({pl.Categorical: pl.String}).iter_rows(named=True)
                    first = after
                    if first >= stop:
                        return
        except (pa.ArrowException, pl.exceptions.PolarsError, OSError) as error:
            raise _damaged(self.place, error) from error


def open_parquet(storage: Storage, place: str) -> ParquetTable:
    """The columns and row groups of a Parquet file, from its footer.

    Raises:
        InputError: The file cannot be read, or is not Parquet.

    Example:
        >>> path = getfixture("tmp_path") / "a.parquet"
        >>> pl.DataFrame({"path": ["a.jpg"], "box": [[1, 2]]}).write_parquet(path)
        >>> table = open_parquet(Storage(), str(path))
        >>> table.num_rows, table.types, table.left_out
        (1, {'path': String}, ('box',))
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with storage.open(place) as file, pq.ParquetFile(file) as found:
            metadata = found.metadata
            groups = tuple(metadata.row_group(number).num_rows for number in range(metadata.num_row_groups))
            empty: Any = pl.from_arrow(found.schema_arrow.empty_table())
            names = found.schema_arrow.names  # polars renames a blank one
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(place, error) from error
    return ParquetTable(place, dict(zip(names, empty.dtypes, strict=True)), groups)


def _written(kind: pl.DataType) -> pl.DataType | None:
    """The type in which a column is passed through; none if it is not."""
    if isinstance(kind, (pl.Categorical, pl.Enum, pl.Null)):
        return pl.String()
    return None if kind.is_nested() or isinstance(kind, (pl.Binary, pl.Object)) else kind


def _damaged(place: str, error: BaseException) -> DamagedTableError:
    lines = str(error).splitlines()
    return DamagedTableError("a Parquet file", lines[0] if lines else type(error).__name__, at=place)
