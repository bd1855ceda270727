"""The bird data sets CUB-200 and NABirds: images, classes and splits in text files with an id and a value per line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cladewise.datasets.exports.labelled import Labelled
from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.bounded_files import read_text
from cladewise.taxonomy.formats.class_lists import CLASSES, HIERARCHY, pairs, tree_of_lists
from cladewise.taxonomy.names.columns import ID

IMAGES, LABELS, SPLIT = "images.txt", "image_class_labels.txt", "train_test_split.txt"


def read(path: Path, root: Path | None) -> Labelled:
    """Images with the class of each, by ids.

    Args:
        path: The folder, or its ``image_class_labels.txt``.
        root: Folder of the images; by default ``images`` in it.

    Raises:
        InputError: A file is missing, or refers to an image or class that is not listed.
    """
    folder = path if path.is_dir() else path.parent
    names, parents = _pairs(folder / CLASSES), _pairs(folder / HIERARCHY, optional=True)
    images, labels = _pairs(folder / IMAGES), _pairs(folder / LABELS)
    splits = _pairs(folder / SPLIT, optional=True)
    tree = tree_of_lists(names, parents, str(folder))
    expected = [("images", labels, images), ("images", splits, images), ("labels", images, labels)]
    if splits:
        expected.append(("splits", images, splits))
    for what, given, known in expected:
        lost = [identifier for identifier in given if identifier not in known]
        if lost:
            raise InputError(
                "the same images in all files", f"{len(lost)} without {what}: {some(lost)}", at=str(folder)
            )
    odd = [f"{number} of {identifier}" for identifier, number in splits.items() if number not in ("0", "1")]
    if odd:
        raise InputError("1 for images to train on, and 0 for others", some(odd), at=str(folder / SPLIT))
    used = list(dict.fromkeys(labels.values()))
    unknown = [identifier for identifier in used if identifier not in names]
    if unknown:
        raise InputError(f"classes of {CLASSES}", some(unknown), at=str(folder / LABELS))
    position = {identifier: number for number, identifier in enumerate(used)}
    node_by_id = {str(identifier): node for node, identifier in enumerate(tree.columns[ID].tolist())}
    nodes = [node_by_id[identifier] for identifier in used]
    return Labelled(
        root=root or folder / "images",
        paths=list(images.values()),
        labels=[tree.path_names(node) for node in nodes],
        image=np.arange(len(images)),
        label=np.array([position[labels[image]] for image in images], dtype=np.int64),
        splits=["train" if splits[image] == "1" else "test" for image in images] if splits else [],
        taxonomy=tree,
        nodes=nodes,
    )


def _pairs(file: Path, *, optional: bool = False) -> dict[str, str]:
    if not file.is_file():
        if optional:
            return {}
        raise InputError(f"a file {file.name}", "none", at=str(file.parent))
    return pairs(read_text(file), str(file))
