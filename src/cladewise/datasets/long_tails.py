"""Long-tailed training images: labels whose numbers of images fall exponentially, deterministic for a seed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cladewise.datasets.dataset import Dataset
from cladewise.datasets.random_order import path_key, shuffled_by_node, uniform
from cladewise.datasets.relabelling import refuse_relabelled
from cladewise.datasets.splitting import with_step
from cladewise.errors import InputError

IntArray = NDArray[np.int64]

SURPLUS = "surplus"
"""The split of the images that a long tail leaves out of training."""


def with_long_tail(
    dataset: Dataset, imbalance: float, *, split: str = "train", seed: int = 0, into: str = SURPLUS
) -> Dataset:
    r"""Leave images out of a split, so that the numbers of images of its labels fall exponentially.

    .. math:: n'_r = \min\Bigl(n_r, \max\bigl(1, \operatorname{round}(n_0\, \iota^{-r/(C-1)})\bigr)\Bigr), \qquad
        r = 0, \dots, C - 1

    The labels are the nodes that images of the split are labelled with, leaves or not, ranked by their number of images
    :math:`n_r`, ties at random. Where all have equally many, ranks are thus random, and the most frequent label has
    :math:`\iota` times as many images as the rarest. Every label keeps at least one image, so that the imbalance
    reached is at most :math:`n_0`; where the labels have a tail of their own, none gets more than it has. Ranks and
    images depend on the seed, the paths of the nodes and the file names, not on the order of files.

    Args:
        dataset: Images and nodes.
        imbalance: The imbalance factor :math:`\iota`, >= 1, where 1 leaves nothing out.
        split: The split to thin out; with several joined by ``+``, their images are ranked together.
        seed: Random seed of the ranks of equally frequent labels, and of the images that are left out.
        into: Name of a new split with the images that are left out.

    Raises:
        InputError: There is no such split, ``into`` exists already, the imbalance is below 1, or labels were changed
            before.

    Example:
        >>> from cladewise.taxonomy import Taxonomy
        >>> tree = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> paths, nodes = [f"{i}.jpg" for i in range(300)], np.repeat([2, 3, 4], 100)
        >>> data = Dataset("toy", tree, ".", paths, nodes, {"train": np.arange(300)})
        >>> tailed = with_long_tail(data, 100, seed=0)
        >>> sorted(np.bincount(tailed.nodes[tailed.indices("train")])[2:].tolist()), len(tailed.splits["surplus"])
        ([1, 10, 100], 189)

    References: Cao et al., Learning imbalanced datasets with label-distribution-aware margin loss, NeurIPS 2019,
        arXiv:1906.07413, whose exponential profile this is; there, classes are ranked by their number, which here would
        put the tail into the last branch of the tree.
    """
    refuse_relabelled(dataset)
    if not (imbalance >= 1 and math.isfinite(imbalance)):
        raise InputError("an imbalance factor of at least 1", imbalance)
    if into in dataset.splits or "+" in into:
        raise InputError("a new name for the images left out", repr(into), advice="Pass into=...")
    salt = f"{seed} long tail"
    order = shuffled_by_node(dataset, np.unique(dataset.indices(split)), salt)
    nodes, first, counts = np.unique(dataset.nodes[order], return_index=True, return_counts=True)
    keys = np.array([uniform(salt, path_key(dataset, node)) for node in nodes.tolist()])
    kept = np.empty_like(counts)
    ranked = np.lexsort((keys, -counts))
    kept[ranked] = long_tail_sizes(counts[ranked], imbalance)
    rank = np.arange(order.size) - np.repeat(first, counts)
    left_out = np.sort(order[rank >= np.repeat(kept, counts)])
    rest = {part: np.setdiff1d(dataset.splits[part], left_out) for part in split.split("+")}
    step = {"name": split, "imbalance": imbalance, "seed": seed, "into": into}
    return dataclasses.replace(
        dataset, splits={**dataset.splits, **rest, into: left_out}, source=with_step(dataset, step)
    )


def long_tail_sizes(counts: IntArray, imbalance: float) -> IntArray:
    """Number of images that each label keeps, for numbers in falling order.

    Example:
        >>> long_tail_sizes(np.array([100, 100, 100, 4]), 8).tolist()
        [100, 50, 25, 4]
    """
    if counts.size < 2:
        return counts
    wanted = np.round(counts[0] * imbalance ** (-np.arange(counts.size) / (counts.size - 1)), 9)
    return np.minimum(counts, np.maximum(1, np.rint(wanted).astype(np.int64)))


def long_tail_again(dataset: Dataset, step: Mapping[str, Any]) -> Dataset:
    """Apply a step of :func:`with_long_tail` that is stored under ``held_out`` in a dataset's source."""
    return with_long_tail(dataset, step["imbalance"], split=step["name"], seed=step["seed"], into=step["into"])
