"""Nested folders of images: a file's folder is its node, at any depth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from os import PathLike
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from cladewise.datasets.dataset import Dataset, Skipped
from cladewise.datasets.files.other_files import counted, set_aside
from cladewise.datasets.files.walking import (
    existing_folder,
    given_taxonomy,
    some_usable,
    tell_odd_names,
    usable,
    walk_all,
)
from cladewise.datasets.path_labels import nodes_of_paths
from cladewise.datasets.split_names import split_name, tell_joined
from cladewise.datasets.splitting import FRACTIONS, split
from cladewise.datasets.top_folders import tell_wrappers, tops_are_splits
from cladewise.errors import warn
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.names.paths import path_text
from cladewise.taxonomy.names.sameness import composed

Names = tuple[str, ...]


def from_folder(
    path: str | PathLike[str],
    taxonomy: Taxonomy | str | PathLike[str] | None = None,
    *,
    taxonomy_options: Mapping[str, Any] | None = None,
    split_folders: bool | None = None,
    fractions: Mapping[str, float] = FRACTIONS,
    seed: int = 0,
) -> Dataset:
    """Read nested folders of images; a file's folder is its node, internal folders too.

    Args:
        path: The folder.
        taxonomy: The label tree, or its file. Without one the folders are the tree. With one, a folder stands for the
            node with its name below the nodes of its parent folders.
        taxonomy_options: Options of :func:`cladewise.taxonomy.read` for that file: ``{"separator": ";"}``.
        split_folders: Whether the top folders are splits rather than classes. By default they are if all of them are
            named as splits (train, val, valid, dev, test, eval, unlabeled, train2017, ...) and one is for training.
        fractions: Shares of the stratified splits, used if the folders are not splits.
        seed: Seed of the stratified splits.

    Raises:
        InputError: No such folder, no usable image in it, folders that the taxonomy does not have (all are listed),
            or top folders that could be splits as well as classes.

    Example:
        >>> from PIL import Image
        >>> root = getfixture("tmp_path")
        >>> for name in ("bird/wren/1.png", "bird/2.png"):
        ...     (root / name).parent.mkdir(parents=True, exist_ok=True)
        ...     Image.new("RGB", (8, 8)).save(root / name)
        >>> photos = from_folder(root)
        >>> photos.paths, [photos.taxonomy.path_name(int(node)) for node in photos.nodes]
        (('bird/2.png', 'bird/wren/1.png'), ['bird', 'bird/wren'])
    """
    root, at = existing_folder(path), str(path)
    listed = list(walk_all(root))
    images, unusable = usable(root, (name for name in listed if not name.endswith("/")))
    skipped, notes = set_aside(unusable)
    folders = [_folder_names(image) for image in images]
    tree, recorded = (None, {}) if taxonomy is None else given_taxonomy(taxonomy, taxonomy_options)
    by_split = tops_are_splits(set(folders), at, split_folders, tree)

    labels = [names[1:] if by_split else names for names in folders]
    outside = [image for image, names in zip(images, labels, strict=True) if not names]
    skipped += [Skipped(image, "a file outside the class folders") for image in outside]
    kept = [position for position, names in enumerate(labels) if names]
    images, labels = [images[i] for i in kept], [labels[i] for i in kept]
    some_usable(images, skipped, root, notes)

    classes = sorted(set(labels))
    if tree is None:
        tree = Taxonomy.from_paths(classes)
        node_by_class = {tree.path_names(node): node for node in range(1, len(tree))}
        tell_odd_names(tree, at)
        tell_wrappers(classes, at)
        _tell_two_forms(images, at)
    else:
        node_by_class = nodes_of_paths(tree, classes, at, what="folders", instead="the folders")
    consequence = ", so no class" if taxonomy is None else ""  # with a taxonomy it may still be a class
    _tell_empty([name for name in listed if name.endswith("/")], classes, by_split, consequence, at)

    splits: dict[str, np.ndarray] = {}
    if by_split:
        tops = [folders[i][0] for i in kept]
        tell_joined(dict.fromkeys(tops), at)
        given = np.array([split_name(top) or top for top in tops])
        known = [name for name in ("train", "val", "test") if (given == name).any()]
        others = sorted(set(given.tolist()).difference(known))
        splits = {name: np.flatnonzero(given == name) for name in (*known, *others)}
        notes += tuple(f"{counted(splits[name].size, 'image')} in the split {name}" for name in others)
        _tell_lost_splits([names[0] for names in folders if names], set(tops), at)
    dataset = Dataset(
        name=root.name,
        taxonomy=tree,
        root=root,
        paths=tuple(images),
        nodes=np.array([node_by_class[names] for names in labels], dtype=np.int64),
        splits=splits,
        skipped=tuple(sorted(skipped, key=lambda skip: skip.path)),
        source={"kind": "folder", "path": str(root), "split_folders": by_split, **recorded},
        notes=notes,
    )
    return dataset if by_split else split(dataset, fractions, seed)


def _folder_names(path: str) -> Names:
    # macOS stores é in decomposed form
    return PurePosixPath(composed(path)).parent.parts


def _tell_lost_splits(listed: Sequence[str], kept: Collection[str], at: str) -> None:
    """Warn about splits without any image in a class folder."""
    for top, count in Counter(listed).items():
        if top not in kept:
            warn(f"the split folder {top!r} left out: {counted(count, 'image')}, none in a class folder", at=at)


def _tell_two_forms(images: Sequence[str], at: str) -> None:
    """Warn about folders that are merged because they differ only in Unicode composition."""
    written = {str(PurePosixPath(image).parent) for image in images if not image.isascii()}
    same = Counter(composed(folder) for folder in written)
    twice = sorted(folder for folder, count in same.items() if count > 1)
    if twice:
        text = f"{2 * len(twice)} folders that differ only in how accents are stored, each pair read as one class"
        warn(f"{text}: {some(twice)}", at=at)


def _tell_empty(folders: Sequence[str], classes: Sequence[Names], by_split: bool, consequence: str, at: str) -> None:
    """Warn about folders that are not classes because they contain no usable image."""
    used = {names[:depth] for names in classes for depth in range(1, len(names) + 1)}
    empty: dict[Names, None] = {}
    for folder in folders:
        names = PurePosixPath(composed(folder)).parts[1 if by_split else 0 :]
        if names and names not in used and names[:-1] not in empty:
            empty[names] = None
    if empty:
        shown = some([path_text(names) for names in empty])
        warn(f"{counted(len(empty), 'folder')} without a usable image{consequence}: {shown}", at=at)
