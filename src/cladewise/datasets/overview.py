"""A summary of a dataset in a few lines, with its likely mistakes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cladewise.datasets.dataset import Dataset
from cladewise.datasets.long_tails import SURPLUS
from cladewise.datasets.new_classes import NEW
from cladewise.taxonomy import Taxonomy

IntArray = NDArray[np.int64]

SHOWN = 5
"""Most names or files that a line lists."""
MANY = 0.1
"""Share of unusable files above which they are reported as odd."""


@dataclasses.dataclass(frozen=True)
class DatasetOverview:
    """A textual summary of a dataset.

    Args:
        lines: Images, classes with images by level, splits and their origin, notes, skipped files.
        oddities: Likely mistakes, one sentence each without a full stop.
    """

    lines: tuple[str, ...]
    oddities: tuple[str, ...]


def overview(dataset: Dataset, train_split: str = "train", val_split: str = "val") -> DatasetOverview:
    """Summary of a dataset, and likely mistakes for training.

    Args:
        dataset: Images and nodes.
        train_split: The training split; several are joined with ``+``.
        val_split: The validation split; ``none`` for none.

    Raises:
        InputError: There is no such split to train on.

    Example:
        >>> tree = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin"), ("moth",)], level_names=["order", "kind"])
        >>> nodes = np.array([tree.find("wren"), tree.find("bird")])
        >>> photos = Dataset("photos", tree, getfixture("tmp_path"), ("1.png", "2.png"), nodes, {"train": np.arange(2)})
        >>> print(*overview(photos, val_split="none").lines, sep="\\n")
        photos: 2 images, 1 of them labelled at an internal node
          classes with images: 1 of 2 of order, 1 of 3 of kind
          splits of the dataset: 2 train
        >>> print(*overview(photos, val_split="none").oddities, sep="\\n")
        2 of 3 classes have no image of their own to train on: bird/robin, moth
        all images to train on are of one class: bird/wren
    """
    return DatasetOverview(tuple(_lines(dataset)), tuple(_oddities(dataset, train_split, val_split)))


def _lines(dataset: Dataset) -> Iterator[str]:
    tree, counts = dataset.taxonomy, _images_under(dataset.taxonomy, dataset.nodes)
    inner = int((~tree.is_leaf[dataset.nodes]).sum())
    where = "an internal node" if inner == 1 else "internal nodes"
    of_inner = f", {inner:,} of them labelled at {where}" if inner else ""
    yield f"{dataset.name}: {_count(len(dataset), 'image')}{of_inner}"
    levels = [(name, tree.level_nodes(k + 1)) for k, name in enumerate(tree.level_names)]
    shares = [f"{np.count_nonzero(counts[nodes]):,} of {len(nodes):,} of {name}" for name, nodes in levels]
    if shares:
        yield f"  classes with images: {', '.join(shares)}"
    sizes = ", ".join(f"{len(images):,} {name}" for name, images in dataset.splits.items())
    yield f"  splits {_origin(dataset)}: {sizes or 'none'}"
    yield from (f"  {note}" for note in dataset.notes)
    if dataset.skipped:
        of = f"{len(dataset.skipped):,} of {_count(len(dataset) + len(dataset.skipped), 'file')}"
        yield f"  left out, {of}: {_some([f'{skip.path} ({skip.reason})' for skip in dataset.skipped], '; ')}"


def _oddities(dataset: Dataset, train_split: str, val_split: str) -> Iterator[str]:
    tree = dataset.taxonomy
    listed = len(dataset) + len(dataset.skipped)
    if len(dataset.skipped) > MANY * listed:
        yield f"{len(dataset.skipped):,} of {listed:,} files cannot be used, {len(dataset):,} can"
    trained = tree.leaf_nodes[_images_of_leaves(tree, dataset.nodes[dataset.indices(train_split)]) > 0]
    missing = np.setdiff1d(tree.leaf_nodes, trained)
    if missing.size:
        yield (
            f"{missing.size:,} of {_classes(tree.num_leaves)} "
            f"{'has no image of its own' if missing.size == 1 else 'have no image of their own'} to train on: "
            f"{_names(tree, missing)}"
        )
    above = np.unique(tree.further_parents[:, 1])
    overlapping = above[tree.is_leaf[above]]
    if overlapping.size:
        yield (
            f"{overlapping.size:,} of {_classes(tree.num_leaves)} "
            f"{'contains another through its' if overlapping.size == 1 else 'contain others through their'} further "
            f"parents, though classes exclude each other: {_names(tree, overlapping)}"
        )
    if trained.size == 1:
        yield f"all images to train on are of one class: {tree.path_name(int(trained[0]))}"
    for name, images in dataset.splits.items():
        if name in {*train_split.split("+"), SURPLUS} or not images.size:
            continue
        if name.endswith(NEW) and dataset.held_out_classes:
            continue
        absent = np.setdiff1d(trained, dataset.nodes[images])
        if absent.size:
            yield (
                f"the split {name} has no image of {absent.size:,} of the {_classes(trained.size)} trained on: "
                f"{_names(tree, absent)}"
            )
    watched = [dataset.splits.get(name, np.zeros(0)) for name in val_split.split("+")]
    if val_split != "none" and not any(images.size for images in watched):
        yield f"the split {val_split} has no images, so there is no validation during training"


def _origin(dataset: Dataset) -> str:
    """Origin of the splits, according to the source."""
    source: dict[str, Any] = dict(dataset.source)
    if "fractions" in source:
        return f"made with seed {source.get('seed', 0)}"
    if source.get("split_folders"):
        return "from the top folders"
    return "from the column split" if source.get("kind") == "manifest" else "of the dataset"


def _images_under(tree: Taxonomy, nodes: IntArray) -> IntArray:
    """Number of images at or under every node ``[node]``."""
    before = np.concatenate([[0], np.bincount(nodes, minlength=tree.num_nodes).cumsum()])
    return before[tree.end] - before[:-1]


def _images_of_leaves(tree: Taxonomy, nodes: IntArray) -> IntArray:
    """Number of images of every leaf ``[leaf]``."""
    return np.bincount(nodes, minlength=tree.num_nodes)[tree.leaf_nodes]


def _names(tree: Taxonomy, nodes: IntArray) -> str:
    shown = [tree.path_name(int(node)) for node in nodes[:SHOWN]]
    return ", ".join(shown) + _and_more(nodes.size)


def _some(texts: Sequence[str], between: str) -> str:
    return between.join(texts[:SHOWN]) + _and_more(len(texts))


def _and_more(number: int) -> str:
    return f" and {number - SHOWN:,} more" if number > SHOWN else ""


def _classes(number: int) -> str:
    return f"{number:,} class{'' if number == 1 else 'es'}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
