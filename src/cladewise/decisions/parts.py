"""Predictions in parts, which bounds the memory for what is computed per image and node."""

from __future__ import annotations

from collections.abc import Iterator

from cladewise.predictions import Prediction
from cladewise.taxonomy import Taxonomy

CELLS_AT_ONCE = 1 << 21
"""Approximate number of (image, node) cells processed at a time, 8 MB in single precision."""


def images_at_once(taxonomy: Taxonomy, cells: int | None = None) -> int:
    """Number of images of a part."""
    return max(1, (CELLS_AT_ONCE if cells is None else cells) // taxonomy.num_nodes)


def in_parts(prediction: Prediction, cells: int | None = None) -> Iterator[Prediction]:
    """The prediction with one batch axis in parts of some images each; one empty part without images.

    Args:
        prediction: Of any batch shape.
        cells: Approximate number of (image, node) cells of a part; :data:`CELLS_AT_ONCE` by default.
    """
    flat, at_once = prediction.flat(), images_at_once(prediction.taxonomy, cells)
    if flat.batch_shape[0] <= at_once:
        yield flat
        return
    for start in range(0, flat.batch_shape[0], at_once):
        yield flat[start : start + at_once]
