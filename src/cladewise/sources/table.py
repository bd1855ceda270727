"""Tables with one row per image, named by a path or URI; the other columns are passed through."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NoReturn

import polars as pl

from cladewise.datasets.files.decoding import UnreadableImageError
from cladewise.errors import InputError
from cladewise.sources.columns import as_text, chosen_column
from cladewise.sources.parquet_table import ParquetTable
from cladewise.sources.places import folder, local, resolved, scheme
from cladewise.sources.source import Chunk, Row, ranges
from cladewise.sources.storage import Storage
from cladewise.sources.text_table import TextTable, joint_kinds

Table = TextTable | ParquetTable

NUM_TRIED = 20
"""Images whose existence is checked before the others are read."""


@dataclasses.dataclass(frozen=True, slots=True)
class TableSource:
    """Rows of tables that name an image each.

    Args:
        tables: The tables, with the same columns.
        column: The column with the paths and URIs.
        root: Folder or URI that relative paths start from; the table's own folder by default.
        storage: Access to tables and images.
        marks: State of every table's file.
        remote: Whether one of the first images is a URI.
        notes: What was left out.
    """

    tables: tuple[Table, ...]
    column: str
    root: str | None
    storage: Storage
    marks: tuple[dict[str, Any], ...]
    remote: bool
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return "table"

    @property
    def columns(self) -> dict[str, pl.DataType]:
        return {name: kind for name, kind in self.tables[0].types.items() if name != self.column}

    @property
    def identity(self) -> dict[str, Any]:
        return {"kind": self.kind, "files": list(self.marks), "column": self.column, "root": self.root}

    @property
    def num_rows(self) -> int:
        return sum(table.num_rows for table in self.tables)

    @property
    def is_remote(self) -> bool:
        return self.remote

    def chunks(self, size: int) -> list[Chunk]:
        return [chunk for table in self.tables for chunk in ranges(table.place, table.num_rows, size)]

    def rows(self, chunk: Chunk) -> Iterator[Row]:
        (table,) = (table for table in self.tables if table.place == chunk.file)
        stop = table.num_rows if chunk.stop is None else chunk.stop
        root = folder(table.place) if self.root is None else self.root
        names = list(self.columns)
        for number, cells in enumerate(table.read(self.storage, chunk.start, stop), start=chunk.start):
            path = (cells[self.column] or "").strip()
            others = {name: as_text(cell) if isinstance(cell := cells[name], str) else cell for name in names}
            if path:
                yield Row(path, image_reader(self.storage, root, path), columns=others)
            else:
                name = f"{table.place}#{number}"
                yield Row(name, partial(fail, name, f"no {self.column} in this row"), columns=others)


def image_reader(storage: Storage, root: str, path: str, name: str | None = None) -> Callable[[], bytes]:
    """Reads the image with a path in a table; errors name it as the table does, unless another name is given."""
    return partial(_read, storage, root, path, name or path)


def _read(storage: Storage, root: str, path: str, name: str) -> bytes:
    return storage.read_image(resolved(root, path), name)


def fail(name: str, reason: str) -> NoReturn:
    """Stands for the reading of an image that is known to be impossible.

    Raises:
        UnreadableImageError: Always.
    """
    raise UnreadableImageError(name, reason)


def any_remote(place: str, root: str | None, paths: Sequence[str | None]) -> bool:
    """Whether an image that a table names is not on this machine."""
    base = folder(place) if root is None else root
    return any(scheme(path) or (scheme(base) and not os.path.isabs(path)) for path in paths if path)


def missing_note(place: str, root: str | None, paths: Sequence[str | None]) -> list[str]:
    """A sentence if none of the first images of a local table exists, since their folder is probably another one."""
    base = folder(place) if root is None else root
    given = [path.strip() for path in paths if path and path.strip()]
    found = [resolved(base, path) for path in given if not scheme(path)]
    if scheme(base) or not found or any(os.path.lexists(local(path)) for path in found):
        return []
    return [f"none of the first images of {place} exists, such as {found[0]}; the root of its paths may be another one"]


def table_source(
    tables: Sequence[Table], storage: Storage, *, column: str | None, root: str | None, notes: Sequence[str] = ()
) -> TableSource:
    """Tables with the same columns as one source.

    Raises:
        InputError: Their columns differ, none or several could name the images, or there is no row.
    """
    tables = _alike(tables)
    first = tables[0]
    texts = [name for name, kind in first.types.items() if isinstance(kind, pl.String)]
    seen = first.schema if isinstance(first, ParquetTable) else first.types
    chosen = chosen_column(list(seen), column, first.place, candidates=texts)
    if chosen not in texts:
        raise InputError("a column of paths or URIs", f"{chosen!r} of type {seen[chosen]}", at=first.place)
    if not any(table.num_rows for table in tables):
        raise InputError("a table with a row per image", "no row", at=first.place)
    left_out = [name for table in tables[:1] if isinstance(table, ParquetTable) for name in table.left_out]
    told = [f"columns left out, since they hold lists, structures or bytes: {', '.join(left_out)}"] if left_out else []
    remote = False
    for table in tables:
        tried = [cells[chosen] for cells in table.read(storage, 0, min(NUM_TRIED, table.num_rows))]
        remote |= any_remote(table.place, root, tried)
        told += missing_note(table.place, root, tried)
    marks = storage.marks([table.place for table in tables])
    return TableSource(tuple(tables), chosen, root, storage, marks, remote, (*notes, *told))


def _alike(tables: Sequence[Table]) -> Sequence[Table]:
    if all(isinstance(table, TextTable) for table in tables):
        tables = joint_kinds([table for table in tables if isinstance(table, TextTable)])
    for table in tables[1:]:
        if table.types != tables[0].types:
            both = {*table.types.items()} ^ {*tables[0].types.items()}
            got = f"{', '.join(sorted(repr(name) for name, _ in both))} in one of them only, or of another type"
            raise InputError("tables with the same columns", got, at=f"{tables[0].place} and {table.place}")
    return tables
