"""Recall of labels with many, medium and few training images, at every level."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from cladewise.errors import InputError
from cladewise.metrics.label_counts import LabelSums, label_bounds
from cladewise.statistics import FREQUENCIES, FrequencyBounds, images_at_level
from cladewise.taxonomy import Taxonomy

FREQUENCY_RECALLS = tuple(f"{frequency}_recall" for frequency in FREQUENCIES)
"""Names of the values of :func:`recall_by_frequency`, computed over all labels and per level."""


class GroupRecall(NamedTuple):
    """Mean recall of the labels of a group, NaN if there is none, and how many labels it is the mean of."""

    value: float
    num_labels: int


def images_per_label(num_images: Int[np.ndarray, " node"], taxonomy: Taxonomy) -> Int[np.ndarray, " label"]:
    """Number of training images of every label at or under it, in the order of the levels.

    An image counts for the labels of all levels that its own label determines: a genus may have many images although
    each of its species has few.

    Args:
        num_images: Number of training images labelled with each node itself.
        taxonomy: The label tree.

    Raises:
        InputError: There is not one number for each node.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> images_per_label(np.array([0, 0, 90, 30, 5]), t).tolist()  # a, d; b, c, d
        [120, 5, 90, 30, 5]
    """
    if num_images.shape != (taxonomy.num_nodes,):
        raise InputError(f"a number of images for each of {taxonomy.num_nodes} nodes", f"shape {num_images.shape}")
    levels = range(1, taxonomy.num_levels + 1)
    parts = [images_at_level(num_images, level, taxonomy)[0][taxonomy.level_nodes(level)] for level in levels]
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts])


def recall_by_frequency(
    sums: LabelSums,
    num_images: Int[np.ndarray, " node"],
    taxonomy: Taxonomy,
    bounds: FrequencyBounds | None = None,
) -> dict[str, GroupRecall]:
    r"""Mean recall of the labels with many, medium and few training images.

    .. math:: R_G = \frac{1}{|G|} \sum_{v \in G} \frac{tp_v}{tp_v + fn_v}

    where the group :math:`G` holds the labels with many, medium or few training images at or under them, and at least
    one evaluated image. Groups are made at every level: a label is grouped by its own number of images, not by those of
    its children. Labels without training images have few.

    Args:
        sums: Numbers of hits and of true labels of the evaluated images.
        num_images: Number of training images labelled with each node itself.
        taxonomy: The label tree.
        bounds: The bounds of the groups; by default those of ImageNet-LT.

    Returns:
        Each of :data:`FREQUENCY_RECALLS` over the labels of all levels under its name, and per level under
        ``name/<level>``.

    Raises:
        InputError: There is not one number of images for each node.

    Example:
        >>> import torch
        >>> from cladewise.decisions import Nodes
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)], level_names=["genus", "species"])
        >>> answer, target = Nodes(torch.tensor([2, 2, 4]), torch.zeros(3)), torch.tensor([2, 3, 4])
        >>> found = recall_by_frequency(LabelSums.of(answer, target, t), np.array([0, 0, 110, 30, 5]), t)
        >>> found["many_recall/genus"].value, found["medium_recall/species"].value, found["few_recall/species"].value
        (1.0, 0.0, 1.0)

    References: Liu et al., Large-scale long-tailed recognition in an open world, CVPR 2019, arXiv:1904.05160.
    """
    groups = (bounds or FrequencyBounds()).of(images_per_label(num_images, taxonomy))
    hit, true = (counts.cpu().numpy().astype(np.float64) for counts in (sums.hit, sums.true))
    seen = true > 0
    recall = hit / np.maximum(true, 1)
    parts = {"": slice(None)}
    for level, (start, end) in zip(taxonomy.level_names, pairwise(label_bounds(taxonomy)), strict=True):
        parts[f"/{level}"] = slice(start, end)
    found: dict[str, GroupRecall] = {}
    for ending, part in parts.items():
        for frequency, name in zip(FREQUENCIES, FREQUENCY_RECALLS, strict=True):
            chosen = recall[part][seen[part] & (groups[part] == frequency)]
            value = float(chosen.mean()) if chosen.size else float("nan")
            found[f"{name}{ending}"] = GroupRecall(value, chosen.size)
    return found
