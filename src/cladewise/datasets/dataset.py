"""What every reader yields: images, each at a node of one taxonomy."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cladewise.catalogue import nearest
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

IntArray = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Skipped:
    """An image that could not be used, and why."""

    path: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Images on disk, the node of each, and named splits.

    Args:
        name: Short name, for reports.
        taxonomy: The label tree.
        root: Folder that ``paths`` are relative to.
        paths: Path of every image, with forward slashes.
        nodes: Node of every image; internal nodes allowed.
        splits: Image indices of each split: ``train``, ``val``, ``test`` or others.
        skipped: Files that were listed and cannot be used.
        source: What :func:`cladewise.datasets.open` needs to make this data set again, as written to ``config.toml``.
        credit: Whose images these are, and under which licence.
        notes: Sentences about what else was found, to be shown where the data set is described: files that are no
            images, folders without any.
    """

    name: str
    taxonomy: Taxonomy
    root: Path
    paths: Sequence[str]
    nodes: IntArray
    splits: Mapping[str, IntArray]
    skipped: tuple[Skipped, ...] = ()
    source: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    credit: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.nodes.shape != (len(self.paths),):
            raise InputError(f"a node for each of {len(self.paths)} images", f"nodes of shape {self.nodes.shape}")
        if self.nodes.size:
            low, high = int(self.nodes.min()), int(self.nodes.max())
            if low < 0 or high >= self.taxonomy.num_nodes:
                raise InputError(f"nodes from 0 to {self.taxonomy.num_nodes - 1}", f"{low} to {high}")

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        splits = ", ".join(f"{len(images)} {name}" for name, images in self.splits.items())
        return f"Dataset({self.name!r}, {len(self)} images ({splits}), {self.taxonomy})"

    def indices(self, split: str) -> IntArray:
        """Image indices of a split; several are joined with ``+``, as in ``train+val``.

        Raises:
            InputError: There is no such split, or one is named twice.
        """
        parts: list[IntArray] = []
        names = split.split("+")
        if len(set(names)) < len(names):
            raise InputError("each split once", repr(split))
        for name in names:
            if name not in self.splits:
                there = ", ".join(self.splits) or "none"
                raise InputError(f"a split of {self.name}: {there}", repr(name), advice=nearest(name, self.splits))
            parts.append(self.splits[name])
        return np.concatenate(parts)
