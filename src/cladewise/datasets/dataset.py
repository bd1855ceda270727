"""The dataset type that all readers return: images with a node each, and splits."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cladewise.catalogue import nearest
from cladewise.datasets.further_columns import FurtherColumns
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

IntArray = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Skipped:
    """An image that could not be used, and the reason."""

    path: str
    reason: str


@dataclasses.dataclass(frozen=True)
class HeldOutClasses:
    """The state of a dataset before classes were held out of it; see :func:`cladewise.datasets.hold_out_classes`.

    Args:
        taxonomy: The label tree with the held-out classes.
        nodes: Node of every image in that tree.
        classes: The held-out nodes, ascending.
    """

    taxonomy: Taxonomy
    nodes: IntArray
    classes: IntArray


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Images on disk with their nodes, and named splits.

    Args:
        name: Short name, for reports.
        taxonomy: The label tree.
        root: Folder that ``paths`` are relative to.
        paths: Path of every image, with forward slashes.
        nodes: Node of every image; internal nodes allowed.
        splits: Image indices of each split: ``train``, ``val``, ``test`` or others.
        skipped: Files that were listed but cannot be used.
        source: Arguments of :func:`cladewise.datasets.open` to recreate this dataset, as written to ``config.toml``.
        credit: Authors and licence of the images.
        notes: Further findings to show in summaries, such as files that are not images.
        columns: Further columns of the table that the images are listed in, such as a sequence or a location.
        held_out_classes: The data before classes were held out, if some were.
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
    columns: FurtherColumns | None = None
    held_out_classes: HeldOutClasses | None = None

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

    @property
    def split_names(self) -> list[str]:
        """Name of the split of each image, several joined with ``+``; empty for an image in none."""
        names = np.full(len(self), "", dtype=object)
        for name, images in self.splits.items():
            names[images] = [f"{before}+{name}" if before else name for before in names[images].tolist()]
        return names.tolist()

    def indices(self, split: str) -> IntArray:
        """Image indices of a split, or of several joined with ``+``, as in ``train+val``.

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
