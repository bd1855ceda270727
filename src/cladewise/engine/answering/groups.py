"""Groups of images that show the same thing (bursts, frames, crops, views): by a column, folder, path or table."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise import catalogue
from cladewise.catalogue import nearest
from cladewise.decisions import Decision
from cladewise.engine.digests import file_hash
from cladewise.engine.rules import NO_INFERENCE
from cladewise.errors import InputError
from cladewise.inference.columns import needs_columns
from cladewise.inference.keys import as_texts
from cladewise.predictions import POOLS, Pool
from cladewise.taxonomy.formats.tables.side_table import read_side_table

IntArray = NDArray[np.int64]

FOLDER, PATH = "folder", "path"
_GROUP = "\0group"
"""Column of the groups beside columns of a user's."""
DEFAULT: Pool = "product"
"""The way of pooling that was best in the measurements in the documentation."""


@dataclasses.dataclass(frozen=True)
class Grouping:
    """A way of telling which images show the same thing, and of pooling their predictions.

    Args:
        by: A column; ``folder`` for the folder of each image; ``path:REGEX`` for the first group of a regular
            expression that is searched in the path, or its whole match; or the file of a table with the columns
            ``path`` and ``group``.
        pool: The way; see :func:`~cladewise.predictions.pooled`.

    Raises:
        InputError: There is no such way, or the regular expression is none.

    Example:
        >>> Grouping(r"path:(\\w+)_\\d+").of(["a/x_1.jpg", "a/x_2.jpg", "b/y.jpg"]).keys
        ('x', 'b/y.jpg')
    """

    name: ClassVar[str] = "by"

    by: str
    pool: Pool = DEFAULT

    def __post_init__(self) -> None:
        if self.pool not in POOLS:
            raise InputError(f"a way of pooling: {', '.join(POOLS)}", repr(self.pool), advice=nearest(self.pool, POOLS))
        if not self.by:
            raise InputError("a column, folder, path:REGEX or a table to group by", repr(self.by))
        if self.by.startswith(f"{PATH}:"):
            try:
                re.compile(self._regex)
            except re.error as error:
                raise InputError("a regular expression after path:", f"{self._regex!r} ({error})") from None

    @property
    def _regex(self) -> str:
        return self.by.removeprefix(f"{PATH}:")

    @property
    def is_table(self) -> bool:
        """Whether the groups are listed in a table."""
        return self.by != FOLDER and not self.by.startswith(f"{PATH}:") and Path(self.by).is_file()

    @property
    def needs_columns(self) -> bool:
        """Whether the groups are in a column of the table that lists the images."""
        return self.by != FOLDER and not self.by.startswith(f"{PATH}:") and not self.is_table

    def check_decision(self, rule: Decision) -> None:
        """Check that a decision does not need the columns of single images, which a group does not have.

        Raises:
            InputError: It does.
        """
        if needs_columns(rule):
            raise InputError(
                "a decision about groups without inferences that need columns of single images",
                rule.handle,
                advice="Give the inference as inference=, which is applied to each image before its group is pooled.",
            )

    def of(self, paths: Sequence[str], columns: pl.DataFrame | None = None, *, some: bool = True) -> Groups:
        """The groups of some images, in the order of their first images. An image without a group is one of its own.

        Args:
            paths: Path of each image.
            columns: Further columns of the images, one row per image.
            some: Whether at least one image must have a group.

        Raises:
            InputError: There is no such column or table, or no image has a group.
        """
        given = self._keys(pl.Series("path", list(paths), dtype=pl.String), columns)
        alone = given.is_null()
        if some and len(paths) and alone.all():
            raise InputError(f"images with a group by {self.by}", "none", advice=self._advice())
        keys = given.fill_null(pl.Series(list(paths), dtype=pl.String))
        distinct = pl.DataFrame({"key": keys, "alone": alone})
        first = distinct.unique(maintain_order=True).with_row_index("group")
        group = distinct.join(first, on=["key", "alone"], how="left", maintain_order="left")["group"]
        return Groups(tuple(first["key"]), group.cast(pl.Int64).to_numpy(writable=True), int(alone.sum()))

    def _keys(self, paths: pl.Series, columns: pl.DataFrame | None) -> pl.Series:
        if self.by == FOLDER:
            return paths.str.extract(r"^(.*)[/\\][^/\\]*$")
        if self.by.startswith(f"{PATH}:"):
            found = [re.search(self._regex, path) for path in paths]
            keys = [None if match is None else match[1 if match.re.groups else 0] for match in found]
            return as_texts(pl.Series(keys, dtype=pl.String))
        if self.is_table:
            return self._from_table(paths)
        there = [] if columns is None else columns.columns
        if columns is None or self.by not in there:
            raise InputError(
                f"a column {self.by} of the table that lists the images",
                f"the columns {', '.join(there)}" if there else "images without further columns",
                advice=nearest(self.by, there) or "Group by folder, path:REGEX, or a table with path and group.",
            )
        return as_texts(columns[self.by])

    def _from_table(self, paths: pl.Series) -> pl.Series:
        """The group of each path in the table; paths relative to the table's folder are found too."""
        file = Path(self.by)
        table = read_side_table(file, "a table with the columns path and group")
        if not {"path", "group"} <= set(table.columns):
            raise InputError("the columns path and group", ", ".join(table.columns), at=self.by)
        listed = pl.DataFrame({"path": as_texts(table["path"]), "group": as_texts(table["group"])}).unique()
        twice = listed.filter(listed["path"].is_duplicated())
        if len(twice):
            raise InputError("one group for each path", f"several for {twice['path'][0]!r}", at=self.by)
        return pl.DataFrame({"path": paths}).join(listed, on="path", how="left", maintain_order="left")["group"]

    def _advice(self) -> str:
        return "Its paths must be those that predictions have." if self.is_table else ""

    def handle_after(self, inference: str) -> str:
        """The handle of an inference and the pooling that follows it, for file names.

        Example:
            >>> Grouping("sequence").handle_after("none"), Grouping("sequence", "max").handle_after("diffusion")
            ('by-sequence', 'diffusion+by-sequence-pool=max')
        """
        return _after(inference, catalogue.handle(self))

    def spec_after(self, inference: str) -> str:
        """The spec of an inference and the pooling that follows it."""
        return _after(inference, catalogue.spec(self))

    @property
    def identity(self) -> str:
        """A text that changes whenever images are grouped or pooled otherwise, if their columns stay the same."""
        return f"{self.by} {self.pool} {file_hash(Path(self.by)) if self.is_table else ''}"


def _after(inference: str, text: str) -> str:
    return text if inference == NO_INFERENCE else f"{inference}+{text}"


@dataclasses.dataclass(frozen=True)
class Groups:
    """Images by group.

    Args:
        keys: Name of each group; of an image without one, its path.
        group: Group of each image.
        num_alone: Number of images without a group, each of which is one of its own.
    """

    keys: tuple[str, ...]
    group: IntArray
    num_alone: int

    @cached_property
    def order(self) -> IntArray:
        """The images, those of a group next to each other."""
        return np.argsort(self.group, kind="stable")

    @cached_property
    def starts(self) -> IntArray:
        """First place in :attr:`order` of each group; one more at the end."""
        return np.searchsorted(self.group[self.order], np.arange(len(self.keys) + 1))

    @property
    def sizes(self) -> IntArray:
        """Number of images of each group."""
        return np.diff(self.starts)

    def agreed(self, columns: pl.DataFrame) -> pl.DataFrame:
        """One row per group, with the value that all of its images have in each column; null where they differ.

        Example:
            >>> groups = Groups(("x", "y"), np.array([0, 1, 0]), 0)
            >>> groups.agreed(pl.DataFrame({"site": ["n", "s", "n"], "hour": [1, 2, 3]})).rows()
            [('n', None), ('s', 2)]
        """
        if not columns.width:
            return columns
        one = pl.when(pl.all().n_unique() == 1).then(pl.all().first())
        rows = columns.with_columns(pl.Series(_GROUP, self.group)).group_by(_GROUP).agg(one)
        return rows.sort(_GROUP).drop(_GROUP)
