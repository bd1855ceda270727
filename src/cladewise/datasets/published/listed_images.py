"""A dataset from the lists of images and classes that its files have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cladewise.datasets.dataset import Dataset
from cladewise.datasets.files.walking import some_usable, usable
from cladewise.taxonomy import Taxonomy


def listed_images(
    name: str,
    taxonomy: Taxonomy,
    root: Path,
    rows: Sequence[tuple[str, str, int]],
    splits: Sequence[str],
    *,
    source: Mapping[str, Any],
    credit: str,
) -> Dataset:
    """The dataset of all listed images that can be used; the others are listed as skipped.

    Args:
        name: Name of the dataset.
        taxonomy: Its tree.
        root: Folder of the images.
        rows: Split, path relative to the folder, and node of every image.
        splits: Names of the splits, in order.
        source: Arguments that recreate the dataset.
        credit: Authors and licence.

    Raises:
        InputError: No image can be used.
    """
    images, skipped = usable(root, [image for _, image, _ in rows])
    some_usable(images, skipped, root)
    unusable = {skip.path for skip in skipped}
    kept = [row for row in rows if row[1] not in unusable] if unusable else rows
    split_of = np.array([split for split, _, _ in kept])
    return Dataset(
        name=name,
        taxonomy=taxonomy,
        root=root,
        paths=tuple(images),
        nodes=np.array([node for _, _, node in kept], dtype=np.int64),
        splits={split: np.flatnonzero(split_of == split) for split in splits},
        skipped=tuple(skipped),
        source=source,
        credit=credit,
    )
