"""A source whose rows are ordered by group, so that the images of one thing are in one part."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.engine.answering.groups import Grouping
from cladewise.errors import InputError
from cladewise.sources import Chunk, Row, Source

KINDS = ("files", "table", "boxes")
"""Kinds of sources whose rows can be listed without reading the images."""


@dataclass(frozen=True)
class GroupedSource:
    """The rows of a source, those of a group next to each other; chunks end with a group. Made by :func:`by_group`.

    Args:
        source: The source.
        grouping: Which rows show the same thing.
        ordered: The rows, group by group.
        starts: First row of each group; one more at the end.
        notes: Sentences for the user.
    """

    source: Source
    grouping: Grouping
    ordered: tuple[Row, ...]
    starts: NDArray[np.int64]
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return self.source.kind

    @property
    def columns(self) -> dict[str, pl.DataType]:
        return self.source.columns

    @property
    def identity(self) -> dict[str, Any]:
        return {"kind": "grouped", "by": self.grouping.identity, "source": self.source.identity}

    @property
    def num_rows(self) -> int:
        return len(self.ordered)

    @property
    def is_remote(self) -> bool:
        return self.source.is_remote

    def chunks(self, size: int) -> list[Chunk]:
        """Whole groups, in chunks of at most ``size`` rows unless a single group has more."""
        chunks, first = list[Chunk](), 0
        for start, stop in itertools.pairwise(self.starts.tolist()):
            if stop - first > size and start > first:
                chunks.append(Chunk("", first, start))
                first = start
        return [*chunks, Chunk("", first, len(self.ordered))]

    def rows(self, chunk: Chunk) -> Iterator[Row]:
        yield from self.ordered[chunk.start : chunk.stop]


def by_group(source: Source, grouping: Grouping) -> GroupedSource:
    """Order the rows of a source by group. All rows are listed first; their images are not read.

    Raises:
        InputError: The rows cannot be listed without reading the images, or cannot be grouped.

    Example:
        >>> from cladewise.sources.files import FileSource
        >>> source = by_group(FileSource(("a/1.jpg", "b/1.jpg", "a/2.jpg")), Grouping("folder"))
        >>> [row.name for chunk in source.chunks(2) for row in source.rows(chunk)], len(source.chunks(2))
        (['a/1.jpg', 'a/2.jpg', 'b/1.jpg'], 2)
    """
    if source.kind not in KINDS:
        advice = "Give the files themselves, or a table of them."
        raise InputError(
            f"{', '.join(KINDS[:-1])} or {KINDS[-1]} to group", f"a source of kind {source.kind}", advice=advice
        )
    rows = [row for chunk in source.chunks(1 << 16) for row in source.rows(chunk)]
    columns = columns_of_rows(rows, source.columns) if grouping.needs_columns else None
    groups = grouping.of([row.name for row in rows], columns)
    told = [f"{len(rows):,} images in {len(groups.keys):,} groups"]
    if groups.num_alone:
        told.append(f"images without a group, each counted as one: {groups.num_alone:,}")
    ordered = tuple(rows[place] for place in groups.order.tolist())
    return GroupedSource(source, grouping, ordered, groups.starts, (*source.notes, *told))


def columns_of_rows(rows: list[Row], types: dict[str, pl.DataType]) -> pl.DataFrame:
    """The further columns of rows."""
    return pl.DataFrame(
        {name: pl.Series(name, [row.columns.get(name) for row in rows], dtype=kind) for name, kind in types.items()}
    )
