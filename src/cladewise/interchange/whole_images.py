"""Prediction tables of whole images, with one row per image."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import polars as pl

from cladewise.errors import InputError
from cladewise.interchange.answered_nodes import scored_nodes
from cladewise.taxonomy import Taxonomy

Answers = list[tuple[int, float]]


class WholeImages:
    """The answers of tables that follow each other, image by image.

    Args:
        taxonomy: The tree whose nodes the tables name.

    Example:
        >>> tree = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin")])
        >>> table = pl.DataFrame({"path": ["a.jpg", "b.jpg"], "node": [2, None], "probability": [0.75, None]})
        >>> list(WholeImages(tree).answers(table))
        [('a.jpg', None, [(2, 0.75)]), ('b.jpg', None, [])]
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._taxonomy = taxonomy
        self._last: str | None = None

    def answers(self, table: pl.DataFrame) -> Generator[tuple[str, str | None, Answers]]:
        """Path, error and answers of every row: nodes with their probabilities, in the table's order.

        Raises:
            InputError: The decision gives one node per level, or an image has several rows, such as one per box.
        """
        paths = pl.concat([pl.Series("path", [self._last], dtype=pl.String), table["path"]])
        again = (paths == paths.shift()).fill_null(False)
        if again.any():
            advice = 'Predict whole images: crop="images".'
            raise InputError("one row per image", f"several of {paths.filter(again)[0]!r}", advice=advice)
        self._last = paths[-1]
        found = scored_nodes(table, self._taxonomy).group_by("row", maintain_order=True).agg("node", "probability")
        by_row: dict[int, Answers] = {
            row: list(zip(nodes, scores, strict=True)) for row, nodes, scores in found.iter_rows()
        }
        errors: Any = table["error"] if "error" in table.columns else [None] * table.height
        for row, (path, error) in enumerate(zip(table["path"], errors, strict=True)):
            yield path, error, by_row.get(row, [])
