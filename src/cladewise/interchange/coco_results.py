"""COCO results: a list of ``image_id``, ``category_id`` and ``score``, with ``bbox`` for boxes.

Format: https://cocodataset.org/#format-results. ``image_id`` is that of the COCO file that was predicted.
``category_id`` is the node's own id, or as :func:`~cladewise.taxonomy.formats.documents.coco_writing.category_ids`
says where it has none, so that a tree written as COCO categories has the same. Each result has an ``id``, without which
pycocotools cannot load results that are not boxes. Images with an error are left out.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import IO

import numpy as np
import polars as pl

from cladewise.errors import warn
from cladewise.interchange.answered_nodes import scored_nodes
from cladewise.interchange.json_array import json_array, objects
from cladewise.interchange.writing import About, Write
from cladewise.taxonomy.formats.documents.coco_writing import category_ids

_EDGES = {
    "box_left": "image_width",
    "box_top": "image_height",
    "box_width": "image_width",
    "box_height": "image_height",
}
_DIGITS = 4  # of pixels


@contextmanager
def writer(file: IO[bytes], about: About) -> Generator[Write]:
    """A function that appends predictions as COCO results.

    Raises:
        InputError: The decision gives one node per level.
    """
    ids = category_ids(about.taxonomy)
    written = foreign = 0
    with json_array(file) as append:

        def write(table: pl.DataFrame) -> None:
            nonlocal written, foreign
            found = scored_nodes(table, about.taxonomy)
            rows, nodes = found["row"], found["node"].to_numpy()
            foreign += int((~ids.own[nodes]).sum())
            results = {
                "id": pl.Series(np.arange(written + 1, written + 1 + found.height)),
                "image_id": table["image_id"].gather(rows),
                "category_id": pl.Series(ids.ids[nodes]),
                **_boxes(table, rows),
                "score": found["probability"],
            }
            append(objects(_with_numbers(pl.DataFrame(results), "image_id")))
            written += found.height

        yield write
    if foreign and ids.own.any():
        noun = "answer is" if foreign == 1 else "answers are"
        warn(
            f"{foreign} {noun} at nodes without a category id of their own, and have one that the taxonomy's file lacks"
        )


def _boxes(table: pl.DataFrame, rows: pl.Series) -> dict[str, pl.Series]:
    """Boxes in pixels as left, top, width and height, if the table has any; a row without one has that of its image."""
    if not {*_EDGES, *_EDGES.values()} <= set(table.columns):
        return {}
    whole = {"box_left": 0.0, "box_top": 0.0, "box_width": 1.0, "box_height": 1.0}
    edges = [
        (pl.col(edge).fill_null(whole[edge]) * pl.col(size)).round(_DIGITS).alias(edge) for edge, size in _EDGES.items()
    ]
    return {"bbox": table.select(pl.concat_list(edges).alias("bbox"))["bbox"].gather(rows)}


def _with_numbers(results: pl.DataFrame, column: str) -> pl.DataFrame:
    """Ids as numbers if all of them are whole numbers, since the files of other tools pass through as texts."""
    texts = results[column].cast(pl.String)
    are_numbers = texts.str.contains(r"^(0|-?[1-9]\d{0,17})$").fill_null(False).all()
    return results.with_columns(texts.cast(pl.Int64) if are_numbers else texts)
