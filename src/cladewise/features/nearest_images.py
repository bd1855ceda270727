"""The nearest images of an index to query images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from cladewise.engine.run import Run
from cladewise.errors import InputError
from cladewise.features.embedding_images import embed_images
from cladewise.features.feature_tables import FeatureTable, read_features
from cladewise.features.image_index import ImageIndex
from cladewise.features.table_encoders import check_same, table_encoder
from cladewise.records import RunFolder
from cladewise.sources import Source

_OF_FEATURES = ("encoder", "weights", "transform", "space", "head", "num_features")


def nearest(
    index: ImageIndex | str | os.PathLike[str],
    images: Source | Sequence[str | os.PathLike[str]] | FeatureTable,
    *,
    k: int = 10,
    encoder: Run | str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> pl.DataFrame:
    """The nearest images of an index, nearest first.

    Args:
        index: An index that :func:`index_features` made, or its folder.
        images: Images as :func:`embed_images` takes them, or their features: a table that :func:`embed_images` wrote,
            or its path as the only one.
        k: Number of images for each.
        encoder: The run or encoder, if it has moved since the index was made.
        progress: Show the progress of embedding.

    Returns:
        ``k`` rows per image: ``query`` (its path), ``rank`` from 1, ``path``, ``distance``, and the further columns of
        the index, such as ``label_path``. An image that cannot be read has one row with its ``error``.

    Raises:
        InputError: The images are embedded by another encoder than those of the index, or there are none.
    """
    opened = ImageIndex.open(index)
    wanted: Any = images
    table = images if isinstance(images, FeatureTable) else _given_table(images)
    if table is not None:
        check_same(table.about, {name: opened.about[name] for name in _OF_FEATURES}, at=table.place)
        return _found(opened, table, k)
    place = opened.encoder if encoder is None else encoder
    _check_there(place, opened)
    made = table_encoder(place, opened.about["space"])
    known = {name: opened.about[name] for name in _OF_FEATURES if name != "num_features"}
    check_same(made.identity, known, at=made.folder or made.backbone.name)
    with TemporaryDirectory() as folder:
        return _found(opened, embed_images(made, wanted, Path(folder) / "queries.parquet", progress=progress), k)


def _given_table(images: Any) -> FeatureTable | None:
    """The table of features that the only path names, if it does."""
    if isinstance(images, Source) or len(images) != 1 or not os.fspath(images[0]).endswith(".parquet"):
        return None
    try:
        return read_features(images[0])
    except InputError:  # a table of images
        return None


def _check_there(place: Any, index: ImageIndex) -> None:
    if os.path.isabs(index.encoder) and isinstance(place, str) and not RunFolder(Path(place)).config.is_file():
        advice = "Give its folder with encoder=."
        raise InputError("the run whose encoder the index is of", f"{place!r}", at=str(index.folder), advice=advice)


def _found(index: ImageIndex, table: FeatureTable, k: int) -> pl.DataFrame:
    rows, distances = index.search(table.vectors, k)
    width = rows.shape[1]
    queries = table.frame
    read = np.flatnonzero(queries["error"].is_null().to_numpy())
    known = index.rows[rows.reshape(-1)]
    known = known.rename({name: f"index_{name}" for name in ("query", "rank", "distance", "error") if name in known})
    found = pl.DataFrame(
        {
            "place": np.repeat(read, width),
            "query": queries["path"].gather(np.repeat(read, width)),
            "rank": np.tile(np.arange(1, width + 1), len(rows)),
            "path": known["path"],
            "distance": distances.reshape(-1),
        }
    ).hstack(known.drop("path"))
    failed = queries.with_columns(pl.Series("place", np.arange(len(queries)))).filter(pl.col("error").is_not_null())
    whole = pl.concat([found, failed.select("place", pl.col("path").alias("query"), "error")], how="diagonal")
    return whole.sort("place", "rank").drop("place")
