"""Nested folders of images: a file's folder is its node, at any depth."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from cladewise.datasets.dataset import Dataset, Skipped
from cladewise.datasets.listing import as_taxonomy, existing_folder, some_usable, split_name, usable, walk
from cladewise.datasets.splitting import FRACTIONS, split
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

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
        taxonomy: The label tree, or a file that holds it. Without one the folders are the tree. With one, a folder
            names the node that has its name and lies under the nodes that the folders above it name.
        taxonomy_options: Options of :func:`cladewise.taxonomy.read` for that file: ``{"separator": ";"}``.
        split_folders: Whether the top folders are splits and not classes. By default they are if all of them have
            names of splits (train, training, val, valid, validation, test, testing) and one is for training.
        fractions: Shares of the stratified splits, made where the folders give none.
        seed: Seed of those.

    Raises:
        InputError: No such folder, no usable image in it, folders that the taxonomy does not have (all are listed),
            or top folders of which some are splits and some are not.

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
    root = existing_folder(path)
    images, skipped = usable(root, walk(root))
    folders = [_folder_names(image) for image in images]
    by_split = _tops_are_splits({names[0] for names in folders if names}, str(path), split_folders)

    labels = [names[1:] if by_split else names for names in folders]
    skipped += [Skipped(i, "a file in no class folder") for i, names in zip(images, labels, strict=True) if not names]
    kept = [position for position, names in enumerate(labels) if names]
    images, labels = [images[i] for i in kept], [labels[i] for i in kept]
    some_usable(images, skipped, root)

    recorded: dict[str, object] = {}
    classes = sorted(set(labels))
    if taxonomy is None:
        tree = Taxonomy.from_paths(classes)
        node_by_class = {tree.path_names(node): node for node in range(1, len(tree))}
    else:
        tree, recorded = as_taxonomy(taxonomy, taxonomy_options)
        node_by_class = _match_all(tree, classes, str(path))

    splits: dict[str, np.ndarray] = {}
    if by_split:
        given = np.array([split_name(folders[i][0]) for i in kept])
        splits = {name: np.flatnonzero(given == name) for name in ("train", "val", "test") if (given == name).any()}
    dataset = Dataset(
        name=root.name,
        taxonomy=tree,
        root=root,
        paths=tuple(images),
        nodes=np.array([node_by_class[names] for names in labels], dtype=np.int64),
        splits=splits,
        skipped=tuple(sorted(skipped, key=lambda skip: skip.path)),
        source={"kind": "folder", "path": str(root), "split_folders": by_split, **recorded},
    )
    return dataset if by_split else split(dataset, fractions, seed)


def _folder_names(path: str) -> Names:
    # macOS stores é as e and an accent: one text for one name
    return PurePosixPath(unicodedata.normalize("NFC", path)).parent.parts


def _tops_are_splits(tops: set[str], path: str, wanted: bool | None) -> bool:
    names = sorted(top for top in tops if split_name(top))
    others = sorted(tops.difference(names))
    splits = {split_name(name) for name in names}
    if wanted is True and (others or not names):
        raise InputError("every top folder to be a split", ", ".join(others[:5]) or "none", at=path)
    if wanted is not None:
        return wanted
    if others and {"train", "test"} <= splits:
        raise InputError(
            "top folders that are all splits, or all classes",
            f"the splits {', '.join(names)} beside {', '.join(others[:5])}",
            at=path,
            advice="Move the others away, or pass split_folders=False if they are all classes.",
        )
    return "train" in splits and not others


def _match_all(taxonomy: Taxonomy, classes: Sequence[Names], path: str) -> dict[Names, int]:
    found = {names: _match(taxonomy, names) for names in classes}
    unknown = ["/".join(names) for names, nodes in found.items() if not nodes]
    if unknown:
        raise InputError(
            "folders that are named as nodes of the taxonomy",
            f"{len(unknown)} that are not: {', '.join(unknown[:20])}" + (", ..." if len(unknown) > 20 else ""),
            at=path,
            advice="Rename them, add them to the taxonomy, or leave the taxonomy out to use the folders as the tree.",
        )
    unclear = {"/".join(names): nodes for names, nodes in found.items() if len(nodes) > 1}
    if unclear:
        name, nodes = next(iter(unclear.items()))
        raise InputError(
            "folders that name one node each",
            f"{len(unclear)} that name several, such as {name!r}",
            at=path,
            advice=f"Put them into folders by path: {', '.join(taxonomy.path_name(v) for v in nodes[:5])}.",
        )
    return {names: nodes[0] for names, nodes in found.items()}


def _match(taxonomy: Taxonomy, names: Names) -> list[int]:
    """Nodes with the folder's path, else those with its name that lie under all its parents that are nodes."""
    exact = taxonomy.matches(names)
    if exact:
        return exact
    above = {name for name in names[:-1] if taxonomy.matches((name,))}
    return [node for node in taxonomy.matches(names[-1:]) if above <= set(taxonomy.path_names(node))]
