"""Parquet files that hold the images themselves, as Hugging Face's data sets do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import polars as pl

from cladewise.errors import InputError
from cladewise.sources.columns import as_text, chosen_column
from cladewise.sources.parquet_table import DamagedTableError, ParquetTable
from cladewise.sources.places import folder
from cladewise.sources.source import Chunk, Row
from cladewise.sources.storage import Storage
from cladewise.sources.table import fail, image_reader

_BATCH = 16  # images decompressed at once
_NAMES = re.compile(
    r"(image|img|photo|picture|file)?[\s_-]?(bytes|content|data|binary)|image|img|photo|picture|jpe?g|png|webp",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ParquetSource:
    """Images in a column of Parquet files; a chunk is one or more whole row groups.

    The column holds bytes, or structures of ``bytes`` and ``path`` as Hugging Face writes them. Where such a structure
    has a path, it is passed through as ``<column>_path``; where it has only a path, the image is read from there.

    Args:
        tables: The files, with the same columns.
        column: The column with the images.
        root: Folder or URI that relative paths start from; the file's own folder by default.
        storage: Access to the files.
        marks: State of every file.
        notes: What was left out.
    """

    tables: tuple[ParquetTable, ...]
    column: str
    root: str | None
    storage: Storage
    marks: tuple[dict[str, Any], ...]
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return "parquet"

    @property
    def columns(self) -> dict[str, pl.DataType]:
        path = {self._path_column: pl.String()} if self._path_column else {}
        return {**path, **self.tables[0].types}

    @property
    def identity(self) -> dict[str, Any]:
        return {"kind": self.kind, "files": list(self.marks), "column": self.column, "root": self.root}

    @property
    def num_rows(self) -> int:
        return sum(table.num_rows for table in self.tables)

    @property
    def is_remote(self) -> bool:
        return False  # the images come with their rows

    def chunks(self, size: int) -> list[Chunk]:
        return [chunk for table in self.tables for chunk in _by_groups(table, size)]

    def rows(self, chunk: Chunk) -> Iterator[Row]:
        (table,) = (table for table in self.tables if table.place == chunk.file)
        stop = table.num_rows if chunk.stop is None else chunk.stop
        number = chunk.start
        try:
            for cells in table.read(
                self.storage, chunk.start, stop, [self.column, *table.types], num_rows_at_once=_BATCH
            ):
                yield self._row(table, number, cells)
                number += 1
        except DamagedTableError as error:
            nothing = dict.fromkeys(self.columns)
            for lost in range(number, stop):
                name = f"{table.place}#{lost}"
                yield Row(name, partial(fail, name, f"a damaged part of the file ({error.got})"), columns=nothing)

    @property
    def _path_column(self) -> str | None:
        """Name of the column for the paths beside the bytes, if there are any."""
        kind = self.tables[0].schema[self.column]
        named = isinstance(kind, pl.Struct) and any(field.name == "path" for field in kind.fields)
        name = f"{self.column}_path"
        return name if named and name not in self.tables[0].types else None

    def _row(self, table: ParquetTable, number: int, cells: dict[str, Any]) -> Row:
        name = f"{table.place}#{number}"
        cell = cells[self.column]
        content, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (cell, None)
        read: Callable[[], bytes]
        if content is not None:
            read = partial(_given, content)
        elif path:
            read = image_reader(self.storage, folder(table.place) if self.root is None else self.root, path, name)
        else:
            read = partial(fail, name, f"no {self.column} in this row")
        paths = {self._path_column: path} if self._path_column else {}
        others = {key: as_text(cells[key]) if isinstance(cells[key], str) else cells[key] for key in table.types}
        return Row(name, read, columns={**paths, **others})


def image_columns(table: ParquetTable) -> list[str]:
    """Columns of a file that hold images: structures with bytes, and bytes under a usual name.

    Example:
        >>> image = pl.Struct({"bytes": pl.Binary(), "path": pl.String()})
        >>> schema = {"image": image, "hash": pl.Binary(), "label": pl.Int64()}
        >>> image_columns(ParquetTable("a.parquet", schema, (10,)))
        ['image']
    """
    named = [name for name, kind in table.schema.items() if isinstance(kind, pl.Binary) and _NAMES.fullmatch(name)]
    return [name for name, kind in table.schema.items() if holds_images(kind) and (name in named or kind.is_nested())]


def holds_images(kind: pl.DataType) -> bool:
    """Whether a column of this type can hold encoded images."""
    if isinstance(kind, pl.Struct):
        return any(field.name == "bytes" and field.dtype == pl.Binary for field in kind.fields)
    return isinstance(kind, pl.Binary)


def parquet_source(
    tables: Sequence[ParquetTable], storage: Storage, *, column: str | None, root: str | None
) -> ParquetSource:
    """Parquet files with images as one source.

    Raises:
        InputError: Their columns differ, several could hold the images, or there is no row.
    """
    first = tables[0]
    candidates = image_columns(first)
    if column is None and len(candidates) > 1:
        shown = ", ".join(map(repr, candidates))
        advice = f'Choose one: column="{candidates[0]}".'
        raise InputError("one column with images", f"several: {shown}", at=first.place, advice=advice)
    chosen = chosen_column(list(first.schema), column or candidates[0], first.place)
    for table in tables[1:]:
        if table.schema != first.schema:
            different = sorted(name for name, _ in {*table.schema.items()} ^ {*first.schema.items()})
            got = f"{', '.join(map(repr, dict.fromkeys(different)))} in one of them only, or of another type"
            raise InputError("files with the same columns", got, at=f"{first.place} and {table.place}")
    if not any(table.num_rows for table in tables):
        raise InputError("a file with images", "no row", at=first.place)
    left_out = [name for name in first.left_out if name != chosen]
    told = [f"columns left out, since they hold lists, structures or bytes: {', '.join(left_out)}"] if left_out else []
    return ParquetSource(tuple(tables), chosen, root, storage, storage.marks([t.place for t in tables]), tuple(told))


def _by_groups(table: ParquetTable, size: int) -> list[Chunk]:
    """Whole row groups: a part of one could only be read by decompressing what lies before it."""
    chunks: list[Chunk] = []
    start = stop = 0
    for num_rows in table.groups:
        if stop > start and stop - start + num_rows > size:
            chunks.append(Chunk(table.place, start, stop))
            start = stop
        stop += num_rows
    return [*chunks, Chunk(table.place, start, stop)] if stop > start else chunks


def _given(content: bytes) -> bytes:
    return content
