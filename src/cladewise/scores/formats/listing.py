"""Lists of classes per row, from tables with one entry per row and from documents."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.scores.classes import ScoredClass
from cladewise.scores.options import Over, Values
from cladewise.scores.tables import ListedTable

IMAGE = "image"
"""Column with the image of a row, in formats with several rows per image."""


@dataclasses.dataclass
class Listing:
    """Lists that grow row by row.

    Attributes:
        source: The file, for messages.
    """

    source: str

    def __post_init__(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._lengths: list[int] = []
        self._class_of: list[int] = []
        self._scores: list[float] = []
        self._classes: dict[ScoredClass, int] = {}
        self._by_text: dict[str, int] = {}

    def add(self, row: dict[str, Any], classes: Iterable[str | ScoredClass], scores: Sequence[Any]) -> None:
        """Add a row with its list.

        Raises:
            InputError: There are not as many scores as classes, or a score is no number.
        """
        before = len(self._class_of)
        for each in classes:
            self._class_of.append(self._number(each))
        if len(self._class_of) - before != len(scores):
            got = f"{len(self._class_of) - before} classes and {len(scores)} scores"
            raise InputError("a score for each class of a list", got, at=self._at(row))
        for score in scores:
            if not isinstance(score, int | float) or isinstance(score, bool):
                raise InputError("scores that are numbers", repr(score), at=self._at(row))
            self._scores.append(float(score))
        self._rows.append(row)
        self._lengths.append(len(scores))

    def table(
        self,
        key: str | None,
        *,
        values: Values | None = None,
        over: Over | None = None,
        notes: Sequence[str] = (),
    ) -> ListedTable:
        """All rows as a table.

        Args:
            key: Column that names the rows.
            values: Scale of the scores, if the format defines it.
            over: Classes that compete, if the format defines it.
            notes: Remarks for the user.

        Raises:
            InputError: There are none.
        """
        if not self._rows:
            told = " ".join(notes)
            raise InputError("rows with classifications", "none", at=self.source, advice=told)
        row = np.repeat(np.arange(len(self._rows)), self._lengths)
        return ListedTable(
            self.source,
            tuple(self._classes),
            pl.DataFrame(self._rows, infer_schema_length=None, strict=False),
            key,
            row,
            np.array(self._class_of, dtype=np.int64),
            np.array(self._scores, dtype=np.float64),
            values,
            over,
            tuple(notes),
        )

    def _number(self, each: str | ScoredClass) -> int:
        if isinstance(each, str):
            number = self._by_text.get(each)
            if number is None:
                number = self._by_text[each] = self._classes.setdefault(ScoredClass(each), len(self._classes))
            return number
        return self._classes.setdefault(each, len(self._classes))

    def _at(self, row: dict[str, Any]) -> str:
        return f"{self.source}, row {len(self._rows) + 1:,} ({next(iter(row.values()), '')})"


def from_entries(
    frame: pl.DataFrame,
    key: str,
    classes: Sequence[ScoredClass],
    class_of: NDArray[np.int64],
    score: str,
    *,
    drop: Sequence[str] = (),
    source: str,
    values: Values | None = None,
    over: Over | None = None,
    notes: Sequence[str] = (),
) -> ListedTable:
    """Lists from a table with one entry per row, whose rows may be in any order.

    Columns that have one value for each key are kept; the others belong to the entries and are left out, with a note.

    Args:
        frame: The table.
        key: Column that names the row of an entry.
        classes: The distinct classes.
        class_of: Class of each entry.
        score: Column of scores.
        drop: Columns that belong to the entries.
        source: The file, for messages.
        values: Scale of the scores, if the format defines it.
        over: Classes that compete, if the format defines it.
        notes: Remarks for the user.

    Raises:
        InputError: A score is missing.
    """
    scores = frame[score].cast(pl.Float64, strict=False)
    lacking = scores.is_null().arg_true()
    if lacking.len():
        got = f"{lacking.len():,} without a number"
        raise InputError("a score in every row", got, at=f"{source}, row {lacking[0] + 1:,}")
    keys = frame[key].cast(pl.String).fill_null("")
    distinct = keys.unique(maintain_order=True)
    place = pl.DataFrame({key: distinct, "__row": np.arange(distinct.len())})
    row = pl.DataFrame({key: keys}).join(place, on=key, how="left", maintain_order="left")["__row"].to_numpy()
    order = np.argsort(row, kind="stable")
    others = [name for name in frame.columns if name not in (key, score, *drop)]
    rows = pl.DataFrame({key: distinct})
    if others:
        counts = frame.select(pl.col(others), __row=pl.Series(row)).group_by("__row").agg(pl.col(others).n_unique())
        constant = [name for name in others if (counts[name] == 1).all()]
        if constant:
            first = np.zeros(distinct.len(), dtype=np.int64)
            first[row[::-1]] = np.arange(len(row))[::-1]
            rows = rows.hstack(frame[first].select(constant))
        if varying := [name for name in others if name not in constant]:
            told = ", ".join(varying[:8]) + (", ..." if len(varying) > 8 else "")
            notes = (*notes, f"Columns that differ within a row's list are left out: {told}.")
    return ListedTable(
        source,
        tuple(classes),
        rows,
        key,
        row[order],
        class_of[order],
        scores.to_numpy()[order],
        values,
        over,
        tuple(notes),
    )
