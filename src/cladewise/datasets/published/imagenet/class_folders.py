"""Images of ImageNet in folders called after the WordNet ids of their classes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from cladewise.datasets.files.listing import files_in

TRAIN = ("train", "ILSVRC/Data/CLS-LOC/train", "Data/CLS-LOC/train", "ILSVRC2012_img_train")
VAL = ("val", "ILSVRC/Data/CLS-LOC/val", "Data/CLS-LOC/val", "ILSVRC2012_img_val")
"""Folders of the training and the validation images: torchvision's, Kaggle's, and those of the archives."""
_ID = re.compile(r"n\d{8}")


def classes_in(folder: Path) -> list[str]:
    """WordNet ids after which subfolders are called, sorted.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> (folder / "n01440764").mkdir()
        >>> (folder / "others").mkdir()
        >>> classes_in(folder)
        ['n01440764']
    """
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if _ID.fullmatch(entry.name) and entry.is_dir())


def images_in(root: Path, folder: Path, classes: Iterable[str]) -> pl.DataFrame:
    """Columns ``class`` and ``path`` of the images in the folders of some classes.

    Args:
        root: Folder that the paths are relative to.
        folder: Folder with the folders of the classes.
        classes: Their WordNet ids.
    """
    prefix = folder.relative_to(root).as_posix()
    parts = [
        pl.DataFrame(
            {"path": [f"{prefix}/{one}/{file}" for file in files_in(folder / one)]}, schema={"path": pl.String}
        ).select(pl.lit(one).alias("class"), "path")
        for one in classes
    ]
    return pl.concat(parts)
