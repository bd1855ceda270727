"""An index of image vectors that is kept in a folder, for the nearest images to a vector."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from jaxtyping import Float, Int
from numpy.typing import NDArray

from cladewise.atomic import making_folder
from cladewise.errors import InputError, MissingExtraError
from cladewise.features.feature_tables import FeatureTable, read_features
from cladewise.parquet import read_parquet, write_parquet
from cladewise.records.reading import SCHEMA_VERSION, check_schema

Metric = Literal["cosine", "euclidean"]
Kind = Literal["auto", "exact", "hnsw"]
EXTRA = "index"
LARGEST_EXACT = 50_000
"""Images up to which ``auto`` compares with all of them, which takes milliseconds."""
CELLS_AT_ONCE = 1 << 24
"""Number of values of vectors or of distances that are worked on at a time, 64 MB."""
SPARE = 16
"""Candidates beyond ``k`` whose distances are computed again from differences."""
ABOUT, ROWS, VECTORS, GRAPH = "index.json", "rows.parquet", "vectors.npy", "graph.usearch"
_ADVICE = "Make it with: cladewise index."


@dataclasses.dataclass(frozen=True)
class ImageIndex:
    r"""Vectors of images, to search by distance.

    Distances are :math:`1 - \frac{u \cdot v}{\lVert u \rVert \lVert v \rVert}` in [0, 2] (``cosine``; a zero vector has
    distance 1 to all), or :math:`\lVert u - v \rVert` in the units of the features (``euclidean``). They are computed
    from differences in double precision, so that copies of an image have distance 0. Equal distances are in the order
    of the table.

    Args:
        folder: The folder.
        metric: ``"cosine"`` or ``"euclidean"``.
        kind: ``"exact"``: all vectors are compared. ``"hnsw"``: a graph of near neighbours (usearch) is descended,
            which may miss some.
        about: Description of the vectors, see :class:`FeatureTable`.
        encoder: The run's folder or the name of the encoder, to embed the images of a query.
        num_images: Number of vectors.
    """

    folder: Path
    metric: Metric
    kind: Kind
    about: dict[str, Any]
    encoder: str
    num_images: int

    @classmethod
    def open(cls, folder: str | os.PathLike[str] | ImageIndex) -> ImageIndex:
        """Open the folder of an index.

        Raises:
            InputError: It is not the folder of an index.
        """
        if isinstance(folder, ImageIndex):
            return folder
        path = Path(folder)
        at = str(path / ABOUT)
        try:
            entries: Any = json.loads((path / ABOUT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise InputError(
                "the folder of an index", f"one without a readable {ABOUT}", at=at, advice=_ADVICE
            ) from None
        check_schema(entries, at=at, advice=_ADVICE)
        values: dict[str, Any] = {name: entries[name] for name in ("metric", "kind", "about", "encoder", "num_images")}
        return cls(path, **values)

    @cached_property
    def rows(self) -> pl.DataFrame:
        """Path and further columns of every image."""
        return read_parquet(self.folder / ROWS, advice=_ADVICE)

    @cached_property
    def _vectors(self) -> NDArray[np.float32]:
        return np.load(self.folder / VECTORS, mmap_mode="r")

    @cached_property
    def _graph(self) -> Any:
        return _usearch().Index.restore(str(self.folder / GRAPH), view=True)

    def search(
        self, vectors: Float[NDArray[Any], "query feature"], k: int
    ) -> tuple[Int[NDArray[np.int64], "query k"], Float[NDArray[np.float64], "query k"]]:
        """The nearest images to some vectors: their rows, and distances, nearest first.

        Args:
            vectors: Vectors of the same encoder.
            k: Number of images; all if there are fewer.

        Raises:
            InputError: The vectors have another width or are not finite, or ``k`` is less than 1.
        """
        if k < 1:
            raise InputError("a k of at least 1", k)
        wanted = np.asarray(vectors, dtype=np.float32)
        width = int(self.about["num_features"])
        if wanted.ndim != 2 or wanted.shape[1] != width:
            raise InputError(f"vectors [query, {width}]", f"shape {list(wanted.shape)}")
        if not np.isfinite(wanted).all():
            raise InputError("finite vectors", "some that are not")
        k = min(k, self.num_images)
        wanted = self._scaled(wanted)
        rows = np.zeros((len(wanted), k), dtype=np.int64)
        distances = np.zeros((len(wanted), k))
        size = max(1, CELLS_AT_ONCE // max(1, (k + SPARE) * width))
        for start in range(0, len(wanted), size):
            part = slice(start, start + size)
            candidates = self._candidates(wanted[part], min(self.num_images, k + SPARE))
            rows[part], distances[part] = self._refined(wanted[part], candidates, k)
        return rows, distances

    def _scaled(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        return unit_rows(vectors) if self.metric == "cosine" else vectors

    def _candidates(self, wanted: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        """Rows that are near, of which the nearest are found by exact distances."""
        if self.kind == "hnsw":
            twice = np.concatenate([wanted, wanted[:1]])  # of a single vector the library returns another type
            found = self._graph.search(twice, count, threads=1)
            there = np.arange(count) < found.counts[:-1, None]  # where fewer are found, it fills up with row 0
            return np.where(there, found.keys[:-1].astype(np.int64), -1)
        best = np.zeros((len(wanted), 0), dtype=np.int64)
        near = np.zeros((len(wanted), 0), dtype=np.float32)
        size = max(count, CELLS_AT_ONCE // max(len(wanted), wanted.shape[1]))
        for start in range(0, self.num_images, size):
            block = np.asarray(self._vectors[start : start + size])
            squares = (block**2).sum(1) - 2 * (wanted @ block.T)
            near = np.concatenate([near, squares], 1)
            best = np.concatenate([best, np.broadcast_to(np.arange(start, start + len(block)), squares.shape)], 1)
            chosen = np.argpartition(near, min(count, near.shape[1]) - 1, axis=1)[:, :count]
            near, best = np.take_along_axis(near, chosen, 1), np.take_along_axis(best, chosen, 1)
        return best

    def _refined(
        self, wanted: NDArray[np.float32], candidates: NDArray[np.int64], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The nearest of the candidates by distances from differences."""
        own = self._at(candidates)
        distances = np.sqrt(((own.astype(np.float64) - wanted[:, None].astype(np.float64)) ** 2).sum(-1))
        if self.metric == "cosine":
            zero = (np.abs(own).max(-1) == 0) | (np.abs(wanted).max(-1) == 0)[:, None]
            distances = np.where(zero, 1.0, distances**2 / 2)
        distances[candidates < 0] = np.inf
        order = np.lexsort((candidates, distances), axis=-1)[:, :k]
        return np.take_along_axis(candidates, order, 1), np.take_along_axis(distances, order, 1)

    def _at(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        if self.kind == "exact":
            return np.asarray(self._vectors[rows.clip(0)])
        found = np.stack(self._graph.get(rows.clip(0).reshape(-1).astype(np.uint64)))
        return found.reshape(*rows.shape, -1)


def index_features(
    features: FeatureTable | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    metric: Metric = "cosine",
    kind: Kind = "auto",
    encoder: str | os.PathLike[str] | None = None,
) -> ImageIndex:
    """Make an index of a table of features, in a folder of its own.

    Images that could not be read are left out.

    Args:
        features: A table of features that :func:`embed_images` wrote.
        out: Folder of the index, which must not exist.
        metric: ``"cosine"`` or ``"euclidean"``.
        kind: ``"exact"``; ``"hnsw"``, approximate, for many images, with the extra ``index``; or ``"auto"``, exact up
            to 50,000 images.
        encoder: The run's folder, if it has moved since its features were computed.

    Raises:
        InputError: There are no features, the folder exists, or an option is wrong.
        MissingExtraError: ``usearch`` is not installed and is needed.
    """
    table = features if isinstance(features, FeatureTable) else read_features(features)
    for name, value, choices in (("metric", metric, Metric), ("kind", kind, Kind)):
        if value not in get_args(choices):
            raise InputError(f"a {name}: {', '.join(get_args(choices))}", repr(value))
    folder = Path(out)
    if folder.exists():
        raise InputError("a new folder for the index", "one that exists", at=str(folder))
    frames, count = list[pl.DataFrame](), 0
    for frame, vectors in table.parts():
        frames.append(frame.drop("error"))
        count += len(vectors)
    if count == 0:
        raise InputError("features of at least one image", "none", at=table.place)
    chosen: Kind = ("exact" if count <= LARGEST_EXACT else "hnsw") if kind == "auto" else kind
    with making_folder(folder) as temporary:
        parts = (unit_rows(v) if metric == "cosine" else v for _, v in table.parts())
        if chosen == "exact":
            _write_vectors(parts, temporary / VECTORS, count, table.num_features)
        else:
            _write_graph(parts, temporary / GRAPH, table.num_features)
        write_parquet(pl.concat(frames), temporary / ROWS)
        about = {
            "schema_version": SCHEMA_VERSION,
            "metric": metric,
            "kind": chosen,
            "about": table.about,
            "encoder": table.about.get("run") or table.about["encoder"]
            if encoder is None
            else os.path.abspath(encoder),
            "num_images": count,
        }
        (temporary / ABOUT).write_text(json.dumps(about, indent=2), encoding="utf-8")
    return ImageIndex.open(folder)


def unit_rows(vectors: Float[NDArray[np.float32], "image feature"]) -> Float[NDArray[np.float32], "image feature"]:
    """Vectors of length 1; zero vectors stay zero. Huge and tiny vectors neither overflow nor vanish.

    Example:
        >>> unit_rows(np.array([[3e30, 4e30], [0, 0]], np.float32)).round(3).tolist()
        [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    found = vectors.astype(np.float64)
    length = np.sqrt((found**2).sum(1, keepdims=True))
    return (found / np.where(length == 0, 1, length)).astype(np.float32)


def _write_vectors(parts: Iterator[NDArray[np.float32]], file: Path, count: int, width: int) -> None:
    whole = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=(count, width))
    start = 0
    for part in parts:
        whole[start : start + len(part)] = part
        start += len(part)
    whole.flush()


def _write_graph(parts: Iterator[NDArray[np.float32]], file: Path, width: int) -> None:
    graph = _usearch().Index(ndim=width, metric="l2sq", dtype="f32")  # in the order of the cosine for unit vectors
    for part in parts:
        if len(part):
            graph.add(np.arange(len(graph), len(graph) + len(part), dtype=np.uint64), part, threads=1)  # the same graph
    graph.save(str(file))


def _usearch() -> Any:
    try:
        import usearch.index
    except ImportError:
        raise MissingExtraError("usearch", EXTRA) from None
    return usearch.index
