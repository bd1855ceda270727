"""Tables of features in Parquet: one row per image, with a column of vectors that other tools read as it is."""

from __future__ import annotations

import dataclasses
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float
from numpy.typing import NDArray

from cladewise.errors import InputError

FEATURES = "features"
"""Column of the vectors."""
ABOUT = b"cladewise"
"""Key of the description of the features in the metadata of the file."""
WORK = "cladewise_work"
"""Key of the digest of the work that a part belongs to."""
FORMAT = 1


def table_of(
    names: Sequence[str],
    passed: pl.DataFrame,
    errors: Sequence[str | None],
    vectors: Float[NDArray[np.float32], "read feature"],
    about: Mapping[str, Any],
    work: str = "",
) -> pa.Table:
    """The rows of some images: path, further columns, vector and error.

    Args:
        names: Path of each image.
        passed: Further columns, one row per image.
        errors: Why each image has no vector; ``None`` if it has one.
        vectors: Vectors of the images without an error, in order.
        about: The description of the features.
        work: Digest of the work that the rows belong to.
    """
    read = np.array([error is None for error in errors], dtype=np.bool_)
    width = vectors.shape[1]
    full = np.zeros((len(names), width), dtype=np.float32)
    full[read] = vectors
    column = pa.FixedSizeListArray.from_arrays(pa.array(full.reshape(-1)), width, mask=pa.array(~read))
    table = pa.table({"path": pa.array(list(names), pa.large_string())})
    for name, values in zip(passed.columns, passed.to_arrow().columns, strict=True):
        table = table.append_column(name, values)
    table = table.append_column(FEATURES, column).append_column("error", pa.array(list(errors), pa.large_string()))
    return table.replace_schema_metadata({ABOUT: json.dumps({"format": FORMAT, **about}).encode(), WORK: work})


def encoded(table: pa.Table) -> bytes:
    """A table as the content of a Parquet file."""
    content = io.BytesIO()
    with _writer(content, table.schema) as writer:
        writer.write_table(table)
    return content.getvalue()


def _writer(where: Any, schema: pa.Schema) -> pq.ParquetWriter:
    texts: Any = [field.name for field in schema if field.name != FEATURES]  # numbers hardly repeat
    return pq.ParquetWriter(where, schema, compression="zstd", use_dictionary=texts)


def join_tables(contents: Iterator[bytes], file: Path) -> None:
    """Write the rows of Parquet files of one work into one, a row group per file, in the memory of one."""
    writer: pq.ParquetWriter | None = None
    try:
        for content in contents:
            table = pq.read_table(io.BytesIO(content))
            table = table.replace_schema_metadata({ABOUT: (table.schema.metadata or {})[ABOUT]})
            if writer is None:
                writer = _writer(file, table.schema)
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


@dataclasses.dataclass(frozen=True)
class FeatureTable:
    """Features of images, as :func:`embed_images` writes them.

    Args:
        place: The file, or the folder of files.
        files: The files, in order.
        about: Description of the features: ``encoder``, ``weights``, ``transform``, ``image_size``, ``pooling``,
            ``space``, ``head``, ``precision`` and ``num_features``; and the folder of the ``run``, if any.
    """

    place: str
    files: tuple[Path, ...]
    about: dict[str, Any]

    @property
    def num_features(self) -> int:
        """Width of the vectors."""
        return int(self.about["num_features"])

    def parts(self) -> Iterator[tuple[pl.DataFrame, Float[NDArray[np.float32], "image feature"]]]:
        """Rows of images with a vector and their vectors, in parts of a row group."""
        for file in self.files:
            with pq.ParquetFile(file) as opened:
                for group in range(opened.num_row_groups):
                    table = opened.read_row_group(group)
                    kept = table.filter(table[FEATURES].is_valid())
                    yield _frame(kept), _matrix(kept, self.num_features)

    @property
    def frame(self) -> pl.DataFrame:
        """All rows without their vectors, also those with an error."""
        return pl.concat([_frame(pq.read_table(file, columns=_others(file))) for file in self.files])

    @property
    def vectors(self) -> Float[NDArray[np.float32], "image feature"]:
        """The vectors of all images that could be read, in order."""
        found = [vectors for _, vectors in self.parts()]
        return np.concatenate(found) if found else np.zeros((0, self.num_features), np.float32)


def read_features(path: str | os.PathLike[str]) -> FeatureTable:
    """Open a table of features that :func:`embed_images` wrote, a file or a folder of parts.

    Any other reader of Parquet reads it too: ``polars.read_parquet(path)``.

    Raises:
        InputError: It is not such a table, or its parts are from different encoders.
    """
    place = Path(path)
    files = sorted(place.glob("part-*.parquet")) if place.is_dir() else [place]
    if not files:
        raise InputError("a table of features", "a folder without parts", at=str(place))
    abouts = [about_of(file) for file in files]
    if any(about != abouts[0] for about in abouts):
        raise InputError("parts with features of one encoder", "several", at=str(place))
    return FeatureTable(str(place), tuple(files), abouts[0])


def about_of(file: Path | io.BytesIO) -> dict[str, Any]:
    """The description of the features of a Parquet file.

    Raises:
        InputError: It is not a Parquet file, or one without features.
    """
    at = str(file) if isinstance(file, Path) else ""
    advice = "Write one with: cladewise embed images."
    try:
        found = (pq.read_schema(file).metadata or {}).get(ABOUT)
    except (pa.ArrowException, OSError) as error:
        raise InputError("a table of features in Parquet", f"{error}", at=at, advice=advice) from None
    about: Any = None if found is None else json.loads(found)
    if not isinstance(about, dict) or "num_features" not in about:
        raise InputError("a table of features", "another Parquet file", at=at, advice=advice)
    return about


def _others(file: Path) -> list[str]:
    return [name for name in pq.read_schema(file).names if name != FEATURES]


def _frame(table: pa.Table) -> pl.DataFrame:
    plain = table.drop_columns([FEATURES]) if FEATURES in table.column_names else table
    found = pl.from_arrow(plain.replace_schema_metadata(None))
    assert isinstance(found, pl.DataFrame)
    return found


def _matrix(table: pa.Table, width: int) -> NDArray[np.float32]:
    chunks = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in table[FEATURES].chunks]
    whole = np.concatenate(chunks) if chunks else np.zeros(0, np.float32)
    return whole.astype(np.float32, copy=False).reshape(-1, width)
