"""Reading and writing Parquet files, with ordinary errors for damaged files and full disks.

polars' reader needs several times less memory than Arrow's, but panics on some damaged files: it raises an exception
that ``except Exception`` does not catch and prints a Rust trace. So Arrow reads the footer first, where most damage
shows.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import polars as pl

from cladewise.errors import InputError


def read_parquet_schema(path: Path, *, advice: str = "") -> pl.Schema:
    """The type of each column by name.

    Raises:
        InputError: The file is not Parquet, or is damaged.

    Example:
        >>> file = getfixture("tmp_path") / "a.parquet"
        >>> pl.DataFrame({"name": ["wren"]}).write_parquet(file)
        >>> read_parquet_schema(file)
        Schema([('name', String)])
    """
    import pyarrow as pa  # here, since few runs read Parquet and its import takes a while
    import pyarrow.parquet as pq

    try:
        pq.read_schema(path)
        return pl.Schema(pl.read_parquet_schema(path))
    except (pa.ArrowException, pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise _refusal(path, error, advice) from error


def read_parquet(path: Path, *, columns: Sequence[str] | None = None, advice: str = "") -> pl.DataFrame:
    """The whole table, or some of its columns.

    Raises:
        InputError: The file is not Parquet, is damaged, or has no such column.

    Example:
        >>> file = getfixture("tmp_path") / "a.parquet"
        >>> pl.DataFrame({"name": ["wren"], "count": [3]}).write_parquet(file)
        >>> read_parquet(file, columns=["name"]).rows()
        [('wren',)]
    """
    read_parquet_schema(path, advice=advice)
    try:
        return pl.read_parquet(path, columns=None if columns is None else list(columns))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise _refusal(path, error, advice) from error


def write_parquet(frame: pl.DataFrame, path: Path) -> None:
    """Write a table.

    polars encodes the table in memory and Python writes it: for a disk that fills up at the end of the file, polars
    itself reports only "transport error".

    Raises:
        OSError: The file cannot be written.

    Example:
        >>> file = getfixture("tmp_path") / "a.parquet"
        >>> write_parquet(pl.DataFrame({"name": ["wren"]}), file)
        >>> read_parquet(file).rows()
        [('wren',)]
    """
    content = io.BytesIO()
    frame.write_parquet(content)
    path.write_bytes(content.getbuffer())


class ParquetRows:
    """A Parquet file that tables of the same columns are appended to, as row groups.

    Example:
        >>> path = getfixture("tmp_path") / "a.parquet"
        >>> with path.open("wb") as file, ParquetRows(file) as rows:
        ...     rows.append(pl.DataFrame({"name": ["wren"]}))
        ...     rows.append(pl.DataFrame({"name": ["robin"]}))
        >>> read_parquet(path).rows()
        [('wren',), ('robin',)]
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._writer = file, None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._writer is not None:
            self._writer.close()

    def append(self, frame: pl.DataFrame) -> None:
        """Write the rows of a table.

        Raises:
            OSError: The file cannot be written.
        """
        import pyarrow.parquet as pq

        rows = frame.to_arrow()
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, rows.schema)
        self._writer.write_table(rows)


def write_parquet_parts(frames: Iterable[pl.DataFrame], path: Path) -> None:
    """Write a table whose parts are made one after another, so that it need not fit in memory.

    A table of one part is written as by :func:`write_parquet`.

    Args:
        frames: At least one, all with the same columns. Each becomes a row group.
        path: The file.

    Raises:
        OSError: The file cannot be written.

    Example:
        >>> file = getfixture("tmp_path") / "a.parquet"
        >>> write_parquet_parts((pl.DataFrame({"name": [name]}) for name in ("wren", "robin")), file)
        >>> read_parquet(file).rows()
        [('wren',), ('robin',)]
    """
    remaining = iter(frames)
    first, second = next(remaining), next(remaining, None)
    if second is None:
        write_parquet(first, path)
        return
    with path.open("wb") as file, ParquetRows(file) as rows:
        for frame in itertools.chain((first, second), remaining):
            rows.append(frame)


def _refusal(path: Path, error: BaseException, advice: str) -> InputError:
    lines = str(error).splitlines()
    return InputError("a Parquet file", lines[0] if lines else type(error).__name__, at=str(path), advice=advice)
