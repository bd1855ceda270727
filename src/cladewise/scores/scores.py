"""Somebody's scores, read in parts as predictions."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.predictions import Prediction
from cladewise.scores.layouts import Layout
from cladewise.scores.tables import FloatArray, WideTable
from cladewise.taxonomy import Taxonomy

CELLS_AT_ONCE = 1 << 24
"""Scores of a part, by default."""


@dataclasses.dataclass(frozen=True, eq=False)
class Scores(ABC):
    """Scores of a classifier for the nodes of a taxonomy, one row per image; made by
    :func:`~cladewise.scores.open_scores`.

    Attributes:
        taxonomy: The label tree.
        notes: What was recognised in the file and why, as sentences.
        keys: Name of each row, all different: the path of its image, or its number.
        columns: Further columns of the rows, such as labels, the sequence or the place.
        targets: Node of each row's true label, -1 for rows without; None if there are no labels.
        splits: Split of each row, where the table of labels has them; None otherwise.
        digest: Hash of the files and of all options that the predictions depend on.
    """

    taxonomy: Taxonomy
    notes: tuple[str, ...]
    keys: pl.Series
    columns: pl.DataFrame
    targets: NDArray[np.int64] | None
    splits: pl.Series | None
    digest: str

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return self.keys.len()

    @property
    @abstractmethod
    def bytes_per_row(self) -> int:
        """Memory of the scores of a row as a prediction."""

    @abstractmethod
    def parts(self, rows_at_once: int | None = None) -> Iterator[tuple[slice, Prediction]]:
        """The predictions of consecutive rows, in order, all of one kind.

        Args:
            rows_at_once: Most rows of a part; by default as many as have about 16 million scores.

        Raises:
            InputError: A row's scores are missing, or are not what the first rows' are.
        """

    def at(self, row: int) -> str:
        """The place of a row for messages."""
        return f"{self._source}, row {row + 1:,} ({self.keys[row]})"

    @property
    @abstractmethod
    def _source(self) -> str: ...


@dataclasses.dataclass(frozen=True, eq=False)
class WideScores(Scores):
    """A score for every row and class."""

    table: WideTable
    layout: Layout

    @property
    def _source(self) -> str:
        return self.table.source

    @property
    def bytes_per_row(self) -> int:
        return 4 * self.layout.width

    def parts(self, rows_at_once: int | None = None) -> Iterator[tuple[slice, Prediction]]:
        size = rows_at_once or max(1, CELLS_AT_ONCE // max(1, self.layout.width))
        start = 0
        for block in even_blocks(self.table.blocks(self.layout.order), size):
            first = start
            rows = slice(first, first + len(block))
            yield rows, self.layout.prediction(block, lambda row, first=first: self.at(first + row))
            start = rows.stop


def even_blocks(blocks: Iterator[FloatArray], size: int) -> Iterator[FloatArray]:
    """The rows of blocks in blocks of one size, the last one smaller; a block's rows are copied only at its ends.

    Example:
        >>> [len(block) for block in even_blocks(iter([np.zeros((3, 1)), np.zeros((4, 1))]), 2)]
        [2, 2, 2, 1]
    """
    kept: list[FloatArray] = []
    held = 0
    for block in blocks:
        rest = block
        while held + len(rest) >= size:
            piece, rest = rest[: size - held], rest[size - held :]
            yield np.concatenate([*kept, piece]) if kept else piece
            kept, held = [], 0
        if len(rest):
            kept.append(rest)
            held += len(rest)
    if kept:
        yield np.concatenate(kept) if len(kept) > 1 else kept[0]
