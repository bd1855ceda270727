"""Features of any number of images, into a Parquet file or a folder of parts."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from cladewise.atomic import replacing
from cladewise.datasets import Dataset
from cladewise.engine.answering.prediction_table import printable
from cladewise.engine.answering.representing import Space
from cladewise.engine.run import Run
from cladewise.errors import InputError
from cladewise.features.dataset_source import DatasetSource
from cladewise.features.feature_tables import (
    FEATURES,
    WORK,
    FeatureTable,
    encoded,
    join_tables,
    read_features,
    table_of,
)
from cladewise.features.table_encoders import Encode, TableEncoder, table_encoder
from cladewise.runtimes import Precision
from cladewise.scale.allocation import give_back_images
from cladewise.scale.folder import Folder
from cladewise.scale.inputs import Decoder, InputRow
from cladewise.scale.progress import Meter
from cladewise.sources import Source, open_source

PART_ROWS = 2048
"""Rows per part: seconds to minutes of work, the most that is lost if the process is killed."""
NOT_FINITE_FEATURES = "an image whose features are not finite numbers"
_FOOTER = 1 << 18  # bytes that hold the metadata of a part


def embed_images(
    encoder: TableEncoder | Run | str | os.PathLike[str],
    images: Source | Dataset | Sequence[str | os.PathLike[str]] = (),
    out: str | os.PathLike[str] = "features.parquet",
    *,
    split: str | None = None,
    space: Space = "encoder",
    runtime: str | None = None,
    precision: Precision = "fp32",
    threads: int | None = None,
    part_rows: int = PART_ROWS,
    progress: bool = True,
) -> FeatureTable:
    """Features of images as Parquet, for any other tool, in bounded memory; call it again to resume.

    One row per image: ``path``, the further columns of the source, ``features`` (a fixed-size list of float32, null
    for an image that could not be read) and ``error``. The file's metadata has, under the key ``cladewise``, all that
    the features depend on, as JSON. Finished parts are not computed again; the file is
    written from them at the end.

    Args:
        encoder: A run, its folder, or the name of an encoder, see :func:`table_encoder`.
        images: Files, folders, patterns, tables, archives, videos or URIs, as :func:`cladewise.predict` on the command
            line takes them; a source from :func:`cladewise.sources.open_source`; or a dataset, whose labels and splits
            become the columns ``label_path`` and ``split``.
        out: A file that ends in ``.parquet``, or a folder for a file per part, which may be remote.
        split: Instead of images: a split of the data of a run, or of the dataset given; ``"all"`` for all images.
        space: ``"encoder"``: features of the encoder. ``"own"``: vectors of the run's head.
        runtime: Runtime of the encoder, see :func:`cladewise.runtimes.compile`.
        precision: Arithmetic of the encoder.
        threads: Threads that read and decode; by default one per processor, more if images come over a network.
        part_rows: Rows per part.
        progress: Show the progress.

    Returns:
        The table. For a remote folder read it with another tool.

    Raises:
        InputError: There are no images, the encoder does not exist, or ``out`` holds other features.
    """
    place = os.fspath(out)
    is_file = place.endswith(".parquet") and not Path(place).is_dir()
    if is_file and "://" in place:
        raise InputError("a folder for features in a remote storage", repr(place), advice="Leave out .parquet.")
    if not (is_file or "://" in place or place.endswith("/") or Path(place).is_dir()) and Path(place).suffix:
        advice = f"If it is a folder, put a slash behind it: {place}/"
        raise InputError("a file that ends in .parquet, or a folder", repr(place), advice=advice)
    made = table_encoder(encoder, space)
    source = _source(made, images, split)
    parts = Folder(f"{place}.parts" if is_file else place)
    parts.check()
    if part_rows < 1:
        raise InputError("a part_rows of at least 1", part_rows)
    clash = sorted({"path", FEATURES, "error"} & set(source.columns))
    if clash:
        raise InputError("other names of the columns of the input than path, features and error", ", ".join(clash))
    encode = made.compiled(runtime=runtime, precision=precision, num_images=source.num_rows)
    side = made.backbone.image_size
    width = encode(torch.zeros(1, 3, side, side)).shape[1]
    about = {**made.identity, "precision": precision, "num_features": width, "run": made.folder}
    task = json.dumps({**about, "source": source.identity, "part_rows": part_rows}, sort_keys=True)
    work = hashlib.sha256(task.encode(errors="surrogateescape")).hexdigest()[:32]
    chunks = source.chunks(part_rows)
    done = _done(parts, work)
    pending = [number for number in range(len(chunks)) if number not in done]
    rows = ((number, row) for number in pending for row in source.rows(chunks[number]))
    decoder = Decoder(made.backbone.transform(), threads, source.is_remote)
    give_back_images()
    waiting = set(pending)
    with Meter(None if done else source.num_rows, shown=progress, doing="embedding") as meter:
        for number, batches in groupby(decoder.batches(rows), key=lambda found: found[0]):
            part = _Part(source, about, work)
            for _, batch in batches:
                meter.add(len(batch), part.add(batch, encode))
            parts.write(_name(number), part.content())
            waiting.remove(number)
        for number in waiting:  # parts without rows
            parts.write(_name(number), _Part(source, about, work).content())
    if parts.is_remote:
        return FeatureTable(place, (), about)
    if is_file:
        with replacing(Path(place)) as temporary:
            join_tables((parts.read(_name(number)) or b"" for number in range(len(chunks))), temporary)
        shutil.rmtree(parts.place)
    return read_features(place)


class _Part:
    """A part whose rows are being added."""

    def __init__(self, source: Source, about: Mapping[str, Any], work: str) -> None:
        self._source, self._about, self._work = source, about, work
        self._names, self._columns = list[str](), list[Mapping[str, Any]]()
        self._errors, self._vectors = list[str | None](), list[NDArray[np.float32]]()

    def add(self, batch: Sequence[InputRow], encode: Encode) -> int:
        """Add images; returns the number of those that could not be read."""
        images = [item.image for item in batch if isinstance(item.image, Tensor)]
        errors = [item.image if isinstance(item.image, str) else None for item in batch]
        if images:
            vectors = encode(torch.stack(images)).numpy()
            finite: NDArray[np.bool_] = np.all(np.isfinite(vectors), axis=1)
            told = (None if good else NOT_FINITE_FEATURES for good in list(finite))
            errors = [next(told) if error is None else error for error in errors]
            self._vectors.append(vectors[finite])
        self._names += [printable(item.row.name) for item in batch]
        self._columns += [item.row.columns for item in batch]
        self._errors += errors
        return sum(error is not None for error in errors)

    def content(self) -> bytes:
        """The Parquet file of the part."""
        nothing = np.zeros((0, self._about["num_features"]), dtype=np.float32)
        passed = {
            name: pl.Series(name, [columns.get(name) for columns in self._columns], dtype=kind)
            for name, kind in self._source.columns.items()
        }
        vectors = np.concatenate([nothing, *self._vectors])
        table = table_of(self._names, pl.DataFrame(passed), self._errors, vectors, self._about, self._work)
        return encoded(table)


def _source(made: TableEncoder, images: Any, split: str | None) -> Source:
    if isinstance(images, Dataset):
        return DatasetSource(images, split or "all")
    if split is not None:
        if images:
            raise InputError("images, or a split of the data of a run", "both", advice="Leave out split=.")
        if made.run is None:
            raise InputError("a run with split=", f"the encoder {made.backbone.name!r}")
        return DatasetSource(made.run.dataset, split)
    return images if isinstance(images, Source) else open_source(images)


def _name(number: int) -> str:
    return f"part-{number:06d}.parquet"


def _done(parts: Folder, work: str) -> set[int]:
    """Numbers of the parts that are there.

    Raises:
        InputError: Some are of other work.
    """
    found: set[int] = set()
    for name in parts.names(""):
        if match := re.fullmatch(r"part-(\d{6})\.parquet", name):
            if _work_of(parts, name) != work:
                raise InputError(
                    "a folder with parts of these features",
                    "parts of another encoder or other images",
                    at=parts.at(name),
                    advice="Give another out=, or remove this folder.",
                )
            found.add(int(match[1]))
    return found


def _work_of(parts: Folder, name: str) -> str:
    end = io.BytesIO(parts.read_end(name, _FOOTER))
    try:
        return pl.read_parquet_metadata(end).get(WORK, "")
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise InputError("a part with features", "a damaged one", at=parts.at(name), advice="Delete it.") from error
