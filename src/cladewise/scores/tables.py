"""The two shapes of scores: a value per row and class, and a list of classes per row."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.scores.classes import ScoredClass
from cladewise.scores.options import Over, Values

FloatArray = NDArray[Any]
IntArray = NDArray[np.int64]
PLACEHOLDER = "__number"
"""Column of a table that has no other columns, to keep its number of rows."""


def without_columns(height: int) -> pl.DataFrame:
    """The other columns of a table that has none, with its number of rows.

    Example:
        >>> without_columns(3).height, own_columns(without_columns(3)).width
        (3, 0)
    """
    return pl.DataFrame({PLACEHOLDER: np.arange(height)})


def own_columns(rows: pl.DataFrame) -> pl.DataFrame:
    """The other columns of a table, without the placeholder of :func:`without_columns`."""
    return rows.drop(PLACEHOLDER, strict=False)


@dataclasses.dataclass(frozen=True)
class WideTable(ABC):
    """A value for every row and class, read in blocks of rows.

    Attributes:
        source: The file, for messages.
        classes: The class of each score column.
        rows: The other columns, with one row per row.
        key: The column of them that names the rows; None if they have no names.
    """

    source: str
    classes: tuple[ScoredClass, ...]
    rows: pl.DataFrame
    key: str | None

    @property
    @abstractmethod
    def num_rows(self) -> int:
        """Number of rows."""

    @property
    def notes(self) -> Sequence[str]:
        """Sentences on how the file was read."""
        return ()

    @abstractmethod
    def blocks(self, columns: IntArray) -> Iterator[FloatArray]:
        """The scores ``[row, column]`` of some classes, in blocks of consecutive rows that fit into memory.

        Args:
            columns: Positions in :attr:`classes`, in the wanted order.
        """


@dataclasses.dataclass(frozen=True)
class ListedTable:
    """A list of classes per row with a score each, all in memory.

    Attributes:
        source: The file, for messages.
        classes: The classes that occur.
        rows: Columns of the rows, apart from the lists.
        key: The column of them that names the rows; None if they have no names.
        row: Row of each entry, ascending.
        class_of: Class of each entry, as a position in :attr:`classes`.
        score: Score of each entry.
        values: Scale of the scores, where the format defines it.
        over: What competes, where the format defines it.
        notes: Sentences on how the file was read.
    """

    source: str
    classes: tuple[ScoredClass, ...]
    rows: pl.DataFrame
    key: str | None
    row: IntArray
    class_of: IntArray
    score: NDArray[np.float64]
    values: Values | None = None
    over: Over | None = None
    notes: Sequence[str] = ()

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return self.rows.height
