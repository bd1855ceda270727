"""Further columns of a table of images, such as a sequence or a location, read when they are asked for."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.errors import InputError, InputWarning


@dataclasses.dataclass(frozen=True)
class FurtherColumns:
    """The columns of a table of images that are neither their paths nor their labels nor their splits, as texts.

    Only the row of each image is kept. The table is read again when its columns are asked for, since there may be many
    of them and few rules use any.

    Args:
        names: Names of the columns.
        rows: Row in the table of each image.
        num_rows: Number of rows that the table had when the images were listed.
        table: Reads the columns of all rows.
        source: The file, for messages.

    Example:
        >>> photos = pl.DataFrame({"sequence": ["s1", "s1", "s2"]})
        >>> columns = FurtherColumns(("sequence",), np.array([2, 0]), 3, lambda: photos, "photos.csv")
        >>> columns.of(np.array([1]))["sequence"].to_list()
        ['s1']
    """

    names: tuple[str, ...]
    rows: NDArray[np.int64]
    num_rows: int
    table: Callable[[], pl.DataFrame]
    source: str

    def of(self, images: NDArray[np.int64]) -> pl.DataFrame:
        """The columns of some images, one row per image in the order given.

        Raises:
            InputError: The table has changed since the images were listed.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)  # of the same table, given when the images were listed
            found = self.table()
        if found.height != self.num_rows or not set(self.names) <= set(found.columns):
            raise InputError(
                f"a table with {self.num_rows} rows and the columns {', '.join(self.names)}",
                f"{found.height} rows with the columns {', '.join(found.columns)}",
                at=self.source,
                advice="It changed since its images were listed: run the command again.",
            )
        return found.select(self.names)[self.rows[images]]
