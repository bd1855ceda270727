"""Image files as a dataset, for those that were never part of one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from cladewise.datasets import Dataset
from cladewise.taxonomy import Taxonomy


def unlabelled(paths: Sequence[str | PathLike[str]], taxonomy: Taxonomy, name: str = "images") -> Dataset:
    """Image files as a dataset in which every label is the root and there are no splits.

    Example:
        >>> unlabelled(["a.png", Path("b.png")], Taxonomy.from_paths([("bird",)])).paths
        ['a.png', 'b.png']
    """
    nodes = np.zeros(len(paths), dtype=np.int64)
    return Dataset(name, taxonomy, Path(), [os.fsdecode(path) for path in paths], nodes, {})
