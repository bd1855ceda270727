"""Images of an export with any number of labels each, and the one node of each image that follows from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cladewise.datasets.dataset import Skipped
from cladewise.taxonomy import Taxonomy

IntArray = NDArray[np.int64]
Several = Literal["skip", "common"]
"""Treatment of an image with several labels, none below another: skip it, or label it with the deepest node
that is above all of them."""


@dataclasses.dataclass(frozen=True)
class Labelled:
    """Images of an export with any number of labels each.

    Args:
        root: Folder that the paths are relative to.
        paths: Path of every image, with forward slashes.
        labels: The different labels, as paths of names from the top.
        image: Image of every pair of an image and a label, of shape ``[pair]``.
        label: Label of every pair, as an index of ``labels``, of shape ``[pair]``.
        splits: Name of the split of every image; empty if the export has no splits.
        taxonomy: The tree of the export; None if its labels make up the tree.
        nodes: Node of every label in the tree of the export.
        skipped: Images of the export that are left out, with the reason.
        notes: Further findings to show in summaries.
    """

    root: Path
    paths: Sequence[str]
    labels: Sequence[tuple[str, ...]]
    image: IntArray
    label: IntArray
    splits: Sequence[str] = ()
    taxonomy: Taxonomy | None = None
    nodes: Sequence[int] = ()
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()


def most_specific(taxonomy: Taxonomy, image: IntArray, node: IntArray) -> tuple[IntArray, IntArray]:
    r"""The pairs of an image and a node that are left without repetitions and nodes above another of the same image.

    A label at a node implies those above it, which many tools write down as well. In pre-order the nodes below a node
    follow it directly, so a pair :math:`(i, v)` is implied if the next node of the image is below :math:`v`: one
    sort of all pairs.

    Args:
        taxonomy: The tree.
        image: Image of every pair, of shape ``[pair]``.
        node: Node of every pair, of shape ``[pair]``.

    Returns:
        Images and nodes of the pairs that are left, sorted.

    Example:
        >>> tree = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin"), ("moth",)])
        >>> image, node = most_specific(tree, np.array([0, 0, 1, 1, 1]), np.array([2, 1, 3, 2, 2]))
        >>> image.tolist(), node.tolist()
        ([0, 1, 1], [2, 2, 3])
    """
    pairs = np.unique(np.stack([image, node], axis=1).astype(np.int64), axis=0)
    images, nodes = pairs[:, 0], pairs[:, 1]
    implied = np.zeros(nodes.size, dtype=bool)
    implied[:-1] = (images[1:] == images[:-1]) & (nodes[1:] < taxonomy.end[nodes[:-1]])
    return images[~implied], nodes[~implied]


def one_node_each(
    taxonomy: Taxonomy, num_images: int, image: IntArray, node: IntArray, several: Several = "skip"
) -> tuple[IntArray, dict[int, str]]:
    """The node of every image, and the reason for each image that has none.

    Args:
        taxonomy: The tree.
        num_images: Number of images.
        image: Image of every pair of an image and a node, of shape ``[pair]``.
        node: Node of every pair, of shape ``[pair]``.
        several: ``skip`` images with several labels, none of them below another, or label them with the deepest node in
            ``common``, if it is below the synthetic root.

    Returns:
        Nodes of shape ``[image]``, -1 where there is none, and the reasons by image.

    Example:
        >>> tree = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin"), ("moth",)])
        >>> pairs = np.array([0, 0, 1, 1, 2, 2]), np.array([1, 2, 2, 3, 2, 4])
        >>> one_node_each(tree, 3, *pairs)
        (array([ 2, -1, -1]), {1: '2 labels: bird/wren, bird/robin', 2: '2 labels: bird/wren, moth'})
        >>> one_node_each(tree, 3, *pairs, several="common")
        (array([ 2,  1, -1]), {2: '2 labels with nothing in common: bird/wren, moth'})
    """
    images, nodes = most_specific(taxonomy, image, node)
    count = np.bincount(images, minlength=num_images)
    start = np.concatenate([[0], np.cumsum(count)])
    chosen = np.full(num_images, -1, dtype=np.int64)
    single = count[images] == 1
    chosen[images[single]] = nodes[single]
    reasons = {int(i): "no label" for i in np.flatnonzero(count == 0)}
    many = np.flatnonzero(count > 1)
    if several == "common" and many.size:
        # pre-order: the ancestor of the first and the last node of a set is that of all
        common = np.asarray(taxonomy.lca(nodes[start[many]], nodes[start[many + 1] - 1]))
        fits = (common > 0) if taxonomy.synthetic_root else np.ones(many.size, dtype=bool)
        chosen[many[fits]] = common[fits]
        many = many[~fits]
    text = "labels with nothing in common" if several == "common" else "labels"
    for i in many.tolist():
        names = [taxonomy.path_name(int(v)) for v in nodes[start[i] : start[i + 1]]]
        reasons[i] = f"{len(names)} {text}: {', '.join(names[:5])}" + (", ..." if len(names) > 5 else "")
    return chosen, reasons
