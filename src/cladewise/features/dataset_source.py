"""The labelled images of a dataset as a source of images, with their labels as columns."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from functools import cached_property, partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.datasets import Dataset
from cladewise.sources import Chunk, Row
from cladewise.sources.source import ranges
from cladewise.sources.storage import Storage


@dataclasses.dataclass(frozen=True)
class DatasetSource:
    """Images of a dataset, with the columns ``label_path`` and ``split``.

    Args:
        dataset: The dataset.
        split: A split, several joined by ``+``, or ``"all"`` for all images.
    """

    dataset: Dataset
    split: str = "all"

    @property
    def kind(self) -> str:
        return "dataset"

    @property
    def columns(self) -> dict[str, Any]:
        return {"label_path": pl.String(), "split": pl.String()}

    @cached_property
    def _images(self) -> NDArray[np.int64]:
        return np.arange(len(self.dataset)) if self.split == "all" else self.dataset.indices(self.split)

    @cached_property
    def _splits(self) -> list[str]:
        return self.dataset.split_names

    @property
    def identity(self) -> dict[str, Any]:
        digest = hashlib.sha256(str(self.dataset.root).encode(errors="surrogateescape"))
        for image in self._images.tolist():
            text = f"{self.dataset.paths[image]}\0{self.dataset.nodes[image]}\0{self._splits[image]}\0"
            digest.update(text.encode(errors="surrogateescape"))
        return {"kind": self.kind, "num_rows": len(self._images), "digest": digest.hexdigest()[:32]}

    @property
    def num_rows(self) -> int:
        return len(self._images)

    @property
    def is_remote(self) -> bool:
        return False

    @property
    def notes(self) -> tuple[str, ...]:
        return ()

    def chunks(self, size: int) -> list[Chunk]:
        return ranges("", len(self._images), size)

    def rows(self, chunk: Chunk) -> Iterator[Row]:
        data = self.dataset
        for image in self._images[chunk.start : chunk.stop].tolist():
            path = str(data.root / str(data.paths[image]))
            label = data.taxonomy.path_name(int(data.nodes[image]))
            columns = {"label_path": label, "split": self._splits[image]}
            yield Row(path, partial(Storage().read_image, path), columns=columns)
