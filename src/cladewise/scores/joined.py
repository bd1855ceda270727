"""Several files that are parts of one table of scores."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from cladewise.errors import InputError
from cladewise.scores.classes import ScoredClass
from cladewise.scores.tables import FloatArray, IntArray, ListedTable, WideTable
from cladewise.taxonomy.checks.problems import some


@dataclasses.dataclass(frozen=True)
class JoinedTable(WideTable):
    """Wide tables with the same classes, one after another.

    Attributes:
        tables: The tables.
        columns_of: For each table, the position of every class.
    """

    tables: tuple[WideTable, ...]
    columns_of: tuple[IntArray, ...]

    @property
    def num_rows(self) -> int:
        return sum(table.num_rows for table in self.tables)

    def blocks(self, columns: IntArray) -> Iterator[FloatArray]:
        for table, column_of in zip(self.tables, self.columns_of, strict=True):
            yield from table.blocks(column_of[columns])


def joined(tables: Sequence[WideTable | ListedTable]) -> WideTable | ListedTable:
    """The tables of several files as one.

    Raises:
        InputError: There are none, some are lists and others are not, or their classes or keys differ.
    """
    if not tables:
        raise InputError("at least one file of scores", "none")
    first = tables[0]
    if len(tables) == 1:
        return first
    other = next((table for table in tables if table.key != first.key), None)
    if other is not None:
        got = f"{other.key!r} in {other.source}"
        raise InputError(f"files whose rows are named by {first.key!r}, as in {first.source}", got)
    lists = [table for table in tables if isinstance(table, ListedTable)]
    wide = [table for table in tables if isinstance(table, WideTable)]
    if lists and wide:
        raise InputError("files of one format", f"lists in {lists[0].source}, a column per class in {wide[0].source}")
    rows = pl.concat([table.rows for table in tables], how="diagonal_relaxed")
    source = f"{first.source} and {len(tables) - 1} more"
    return _wide(wide, rows, source) if wide else _lists(lists, rows, source)


def _wide(tables: Sequence[WideTable], rows: pl.DataFrame, source: str) -> JoinedTable:
    first, columns_of = tables[0], list[IntArray]()
    for table in tables:
        place = {each: position for position, each in enumerate(table.classes)}
        differing = set(first.classes) ^ set(table.classes)
        if differing:
            got = f"{some(sorted(each.text for each in differing), 3)} in one of them alone"
            raise InputError(f"the same classes in {first.source} and {table.source}", got)
        columns_of.append(np.array([place[each] for each in first.classes], dtype=np.int64))
    return JoinedTable(source, first.classes, rows, first.key, tuple(tables), tuple(columns_of))


def _lists(tables: Sequence[ListedTable], rows: pl.DataFrame, source: str) -> ListedTable:
    number: dict[ScoredClass, int] = {}
    class_of: list[IntArray] = []
    row: list[IntArray] = []
    before = 0
    for table in tables:
        own = np.array([number.setdefault(each, len(number)) for each in table.classes], dtype=np.int64)
        class_of.append(own[table.class_of])
        row.append(table.row + before)
        before += table.num_rows
    meanings = {(table.values, table.over) for table in tables}
    if len(meanings) > 1:
        raise InputError("files of one format", f"several in {source}")
    return dataclasses.replace(
        tables[0],
        source=source,
        classes=tuple(number),
        rows=rows,
        row=np.concatenate(row),
        class_of=np.concatenate(class_of),
        score=np.concatenate([table.score for table in tables]),
        notes=tuple(dict.fromkeys(note for table in tables for note in table.notes)),
    )
