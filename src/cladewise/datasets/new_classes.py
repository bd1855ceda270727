"""Classes held out of training, to measure how a run answers images of classes that it does not know."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cladewise.datasets.dataset import Dataset, HeldOutClasses
from cladewise.datasets.random_order import uniform
from cladewise.datasets.relabelling import refuse_relabelled
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.pruning import remaining_place, without_nodes

IntArray = NDArray[np.int64]

HELD_OUT_CLASSES = "held_out_classes"
"""Entry of a dataset's source with the classes that were held out."""
NEW = "-new"
"""End of the name of the split with the images of held-out classes, as in ``test-new``."""
FEWEST_LEFT = 2
"""Children with images that every parent keeps; among fewer there is nothing to tell apart."""


def hold_out_classes(
    dataset: Dataset, share: float | None = None, *, nodes: Sequence[str | int] = (), seed: int = 0
) -> Dataset:
    r"""Take classes out of a dataset, so that a run trained on it does not know them.

    The label tree of the result lacks the held-out nodes. Their images are in splits of their own, ``test-new`` for
    those of ``test`` and so on, labelled with what a perfect answer would be: the nearest ancestor in the new tree.

    Args:
        dataset: Images and nodes.
        share: Share of the leaves to hold out, in (0, 1), by branch: of :math:`n` leaves with images under one parent
            either :math:`\lfloor n s \rfloor` or :math:`\lceil n s \rceil`, :math:`n s` on average over parents
            (systematic sampling), as long as the parent keeps two children with images.
        nodes: The nodes to hold out instead, by number, name, id or path; an inner one with its whole branch.
        seed: Random seed of the leaves.

    Raises:
        InputError: Neither or both of ``share`` and ``nodes`` are given, no leaf can be held out, an inner node would
            keep no child, there is a split of such a name, or the data was changed in another way before.

    Example:
        >>> from pathlib import Path
        >>> t = Taxonomy.from_paths([("finch", "serin"), ("finch", "linnet"), ("finch", "siskin"), ("wren",)])
        >>> photos = Dataset("d", t, Path(), list("abcd"), np.array([2, 3, 4, 5]), {"test": np.arange(4)})
        >>> known = hold_out_classes(photos, nodes=["linnet"])
        >>> known.splits["test"].tolist(), known.splits["test-new"].tolist(), known.nodes.tolist()
        ([0, 2, 3], [1], [2, 1, 3, 4])
    """
    if (share is None) == (not len(nodes)):
        raise InputError("a share of the leaves or the nodes to hold out", "both" if share is not None else "neither")
    refuse_relabelled(dataset)
    if HELD_OUT_CLASSES in dataset.source or "held_out" in dataset.source:
        raise InputError(
            "data as it was read",
            "data with classes or images held out before",
            at=dataset.name,
            advice="Hold all classes out at once, and images afterwards.",
        )
    taken = [name for name in dataset.splits if name.endswith(NEW)]
    if taken:
        raise InputError(f"splits whose names do not end in {NEW}", ", ".join(taken), at=dataset.name)
    tree = dataset.taxonomy
    chosen = drawn_leaves(dataset, share, seed) if share is not None else _found(tree, nodes)
    less, kept = without_nodes(tree, chosen)
    place = remaining_place(tree, kept)
    is_new = ~np.isin(dataset.nodes, kept)
    splits = {name: rows[~is_new[rows]] for name, rows in dataset.splits.items()}
    splits |= {f"{name}{NEW}": rows[is_new[rows]] for name, rows in dataset.splits.items()}
    step = {"nodes": [tree.path_name(int(v)) for v in chosen]} if share is None else {"share": share, "seed": seed}
    return dataclasses.replace(
        dataset,
        taxonomy=less,
        nodes=place[dataset.nodes],
        splits=splits,
        source={**dataset.source, HELD_OUT_CLASSES: step},
        held_out_classes=HeldOutClasses(tree, dataset.nodes, chosen),
    )


def hold_out_again(dataset: Dataset, step: Mapping[str, Any]) -> Dataset:
    """Hold the classes out that are stored under ``held_out_classes`` in a dataset's source."""
    if "nodes" in step:
        return hold_out_classes(dataset, nodes=step["nodes"])
    return hold_out_classes(dataset, step["share"], seed=step["seed"])


def drawn_leaves(dataset: Dataset, share: float, seed: int) -> IntArray:
    """A share of the leaves with images, by parent, such that every parent keeps two children with images.

    The leaves depend on the seed and the paths of the nodes, not on the order of siblings.

    Raises:
        InputError: The share is not in (0, 1), or no parent has enough children.
    """
    if not 0 < share < 1:
        raise InputError("a share of the leaves in (0, 1)", share)
    tree = dataset.taxonomy
    seen = _images_under(tree, dataset.nodes) > 0
    siblings = np.bincount(tree.parents[1:][seen[1:]], minlength=tree.num_nodes)
    leaves = tree.leaf_nodes[seen[tree.leaf_nodes] & (tree.leaf_nodes > 0)]
    keys = np.array([uniform(f"{seed} classes", tree.path_name(int(v))) for v in leaves])
    leaves = leaves[np.lexsort((keys, tree.parents[leaves]))]
    parents, first, counts = np.unique(tree.parents[leaves], return_index=True, return_counts=True)
    offsets = np.array([uniform(f"{seed} classes", f"{tree.path_name(int(v))}/") for v in parents])
    wanted = np.floor(np.round(counts * share, 9) + offsets).astype(np.int64)
    taken = np.minimum(wanted, np.maximum(siblings[parents] - FEWEST_LEFT, 0))
    rank = np.arange(leaves.size) - np.repeat(first, counts)
    chosen = np.sort(leaves[rank < np.repeat(taken, counts)])
    if not chosen.size:
        raise InputError(
            "parents with three or more children that have images",
            f"none of which a leaf is drawn at the share {share:g}",
            at=dataset.name,
            advice="Give a larger share, or name the classes.",
        )
    return chosen


def _images_under(tree: Taxonomy, nodes: IntArray) -> IntArray:
    """Number of images labelled at or under each node."""
    before = np.append(0, np.bincount(nodes, minlength=tree.num_nodes).cumsum())
    return before[tree.end] - before[np.arange(tree.num_nodes)]


def _found(tree: Taxonomy, nodes: Sequence[str | int]) -> IntArray:
    numbers = [node if isinstance(node, int) else tree.find(node) for node in nodes]
    return np.unique(np.array(numbers, dtype=np.int64))
