"""Folders of ImageNet's images, called after the WordNet ids of their classes."""

from __future__ import annotations

import os
import re
from pathlib import Path

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
