"""The lists of CUB-200-2011 and NABirds: paths, classes and splits of images, with an id and a value per line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cladewise.datasets.exports import class_lists
from cladewise.datasets.exports.labelled import Labelled
from cladewise.datasets.published.made_up import write_picture
from cladewise.datasets.published.official_files import OfficialFiles
from cladewise.taxonomy.formats.class_lists import CLASSES, HIERARCHY

FILES = (CLASSES, class_lists.IMAGES, class_lists.LABELS, class_lists.SPLIT)
"""Files that both datasets have."""


def read_bird_lists(files: OfficialFiles, names: Sequence[str] = FILES) -> Labelled:
    """The images of the lists.

    Args:
        files: The folder.
        names: Files that must be there.

    Raises:
        InputError: A file is missing or malformed.
    """
    for name in names:
        files.file(name)
    return class_lists.read(files.root, files.folder("images"))


def rows_of(listed: Labelled, nodes: Sequence[int]) -> list[tuple[str, str, int]]:
    """Split, path and node of every image.

    Args:
        listed: The images.
        nodes: Node of each label of the lists.
    """
    labels = listed.label.tolist()
    return [(split, path, nodes[label]) for split, path, label in zip(listed.splits, listed.paths, labels, strict=True)]


def write_bird_lists(
    root: Path,
    images: Sequence[tuple[str, str, int, bool]],
    random: np.random.Generator,
    *,
    classes: Sequence[str],
    hierarchy: Sequence[str] = (),
) -> None:
    """Write made-up images and the lists of images and classes.

    Args:
        root: The folder.
        images: Id, path below ``images``, number of the class, and whether the image is for training.
        random: Source of the noise.
        classes: Lines of ``classes.txt``.
        hierarchy: Lines of ``hierarchy.txt``, which is not written without any.
    """
    for _, path, number, _ in images:
        write_picture(root / "images" / path, number, random)
    texts = {
        CLASSES: classes,
        **({HIERARCHY: hierarchy} if hierarchy else {}),
        class_lists.IMAGES: [f"{image} {path}" for image, path, _, _ in images],
        class_lists.LABELS: [f"{image} {number}" for image, _, number, _ in images],
        class_lists.SPLIT: [f"{image} {int(is_train)}" for image, _, _, is_train in images],
    }
    for name, lines in texts.items():
        (root / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
