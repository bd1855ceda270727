"""Label noise and coarse labels for experiments: pure functions on datasets, deterministic for a seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cladewise.datasets.dataset import Dataset
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.carry_over import CarryOver
from cladewise.taxonomy.level_choice import chosen_levels
from cladewise.taxonomy.order import path_sums

IntArray = NDArray[np.int64]

RELABELLED = "relabelled"
"""Entry of a dataset's source with the changes made to its labels."""

_NOISE, _COARSE = 3, 4
"""Salts, so that two kinds of change with the same seed draw different images."""


def relabelled_by(carried: CarryOver, dataset: Dataset) -> Dataset:
    """The data with labels in a new tree. Data that is labelled in the new tree already stays as it is.

    Raises:
        InputError: The data is labelled in neither tree.

    Example:
        >>> from cladewise.taxonomy import Taxonomy
        >>> from cladewise.taxonomy.correspondence import Correspondence
        >>> from pathlib import Path
        >>> old, new = Taxonomy.from_paths([("a",), ("b",), ("c",)]), Taxonomy.from_paths([("ab",), ("c",)])
        >>> carried = CarryOver.of(Correspondence.from_pairs(old, new, [(1, 1), (2, 1), (3, 2)]))
        >>> relabelled_by(carried, Dataset("toy", old, Path(), list("123"), np.array([1, 2, 3]), {})).nodes.tolist()
        [1, 1, 2]
    """
    if dataset.taxonomy == carried.before:
        return dataclasses.replace(dataset, taxonomy=carried.after, nodes=carried.place[dataset.nodes])
    if dataset.taxonomy == carried.after:
        return dataset
    raise InputError(
        f"data labelled in {carried.before} or in {carried.after}",
        f"{dataset.taxonomy}",
        at=dataset.name,
        advice="Compare the trees: cladewise taxonomy diff.",
    )


def with_label_noise(dataset: Dataset, share: float, *, split: str = "train", seed: int = 0) -> Dataset:
    """Give a share of a split's images a wrong label of the same level.

    An image at a leaf gets another leaf, uniformly at random. One at an internal node gets another node of the extended
    level of its label, which may be a shallower leaf. Ancestors and descendants of the label are never drawn. An image
    whose level has no other node keeps its label and does not count towards the share.

    Args:
        dataset: Images and nodes.
        share: Share of the images whose label can be wrong; the number is rounded.
        split: Split whose labels change; several are joined with ``+``. All other labels stay.
        seed: Random seed of the images and labels.

    Raises:
        InputError: There is no such split, or the share is not in [0, 1].

    Example:
        >>> from cladewise.taxonomy import Taxonomy
        >>> tree = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> splits = {"train": np.arange(4), "test": np.arange(4, 6)}
        >>> data = Dataset("toy", tree, ".", list("123456"), np.array([2, 2, 3, 4, 2, 3]), splits)
        >>> with_label_noise(data, 0.5, seed=0).nodes.tolist()
        [2, 4, 4, 4, 2, 3]
    """
    taxonomy, nodes = dataset.taxonomy, dataset.nodes.copy()
    images = _images(dataset, share, split)
    level = np.where(taxonomy.is_leaf, taxonomy.num_levels, taxonomy.level)[nodes]
    by_level = {int(k): images[level[images] == k] for k in np.unique(level[images])}
    can_be_wrong = [of[_num_others(taxonomy, k)[nodes[of]] > 0] for k, of in by_level.items()]
    random = np.random.default_rng((seed, _NOISE))
    drawn = _drawn(np.concatenate([np.zeros(0, dtype=np.int64), *can_be_wrong]), share, random)
    for k in by_level:
        here = drawn[level[drawn] == k]
        nodes[here] = _another(taxonomy, nodes[here], k, random)
    return _changed(dataset, nodes, {"kind": "noise", "share": share, "split": split, "seed": seed})


def with_coarse_labels(
    dataset: Dataset, share: float, *, split: str = "train", level: str = "", seed: int = 0
) -> Dataset:
    """Replace the labels of a share of a split's images by coarser ones, to simulate missing fine labels.

    Args:
        dataset: Images and nodes.
        share: Share of the images that have a coarser label; the number is rounded. An image does not have one if its
            label is that coarse already, or its ancestor at the level is the root.
        split: Split whose labels change; several are joined with ``+``. All other labels stay.
        level: Level of the new labels, by name or number; empty for the parent of each label.
        seed: Random seed of the images.

    Raises:
        InputError: There is no such split or level, or the share is not in [0, 1].

    Example:
        >>> from cladewise.taxonomy import Taxonomy
        >>> tree = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> data = Dataset("toy", tree, ".", list("1234"), np.array([2, 2, 3, 4]), {"train": np.arange(4)})
        >>> with_coarse_labels(data, 1.0).nodes.tolist()
        [1, 1, 1, 4]

    References: Wang et al., Label hierarchy transition; the authors' later code keeps the fine labels of the first
        images of the list, this of random ones.
    """
    images, nodes = _images(dataset, share, split), dataset.nodes.copy()
    coarser = coarser_nodes(dataset.taxonomy, level)[nodes]
    have_one = images[(coarser[images] != nodes[images]) & (coarser[images] > 0)]
    drawn = _drawn(have_one, share, np.random.default_rng((seed, _COARSE)))
    nodes[drawn] = coarser[drawn]
    step = {"kind": "coarse", "share": share, "split": split, "level": level, "seed": seed}
    return _changed(dataset, nodes, step)


def coarser_nodes(taxonomy: Taxonomy, level: str) -> IntArray:
    """The coarser label of every node: its ancestor at a level, by name or number, or its parent if none is given.

    Raises:
        InputError: There is no such level, or several are given.

    Example:
        >>> coarser_nodes(Taxonomy.from_paths([("a", "b", "c"), ("d",)]), "1").tolist()
        [0, 1, 1, 1, 4]
    """
    if not level:
        return np.maximum(taxonomy.parents, 0)
    levels = chosen_levels(level, taxonomy)
    if len(levels) != 1:
        raise InputError("one level that is left", repr(level))
    return taxonomy.at_level(levels[0])


def relabel_again(dataset: Dataset, step: Mapping[str, Any]) -> Dataset:
    """Apply a change of labels that is stored in a dataset's source.

    Raises:
        InputError: The kind of change is unknown.
    """
    options = dict(step)
    changes = {"noise": with_label_noise, "coarse": with_coarse_labels}
    kind = options.pop("kind", None)
    if kind not in changes:
        raise InputError(f"a change of labels: {', '.join(changes)}", repr(kind))
    return changes[kind](dataset, options.pop("share"), **options)


def refuse_relabelled(dataset: Dataset) -> None:
    """Refuse to split a dataset with changed labels, since splits are stratified by the original ones.

    Raises:
        InputError: Some labels were changed.
    """
    if RELABELLED in dataset.source:
        advice = "Split it before changing labels."
        raise InputError("a dataset with its original labels", "changed labels", advice=advice)


def _images(dataset: Dataset, share: float, split: str) -> IntArray:
    """The distinct images of a split."""
    if not 0 <= share <= 1:
        raise InputError("a share of the images in [0, 1]", share)
    return np.unique(dataset.indices(split))


def _drawn(candidates: IntArray, share: float, random: np.random.Generator) -> IntArray:
    """A random share of the images, in ascending order."""
    return np.sort(random.permutation(np.sort(candidates))[: round(share * candidates.size)])


def _num_others(taxonomy: Taxonomy, level: int) -> IntArray:
    """Number of wrong labels of an extended level for each node of it."""
    members = np.zeros(taxonomy.num_nodes, dtype=np.int64)
    members[taxonomy.level_nodes(level)] = 1
    return members.sum() - path_sums(taxonomy.parents, members)


def _another(taxonomy: Taxonomy, nodes: IntArray, level: int, random: np.random.Generator) -> IntArray:
    """A wrong node of the same level for each node, uniformly at random."""
    members = taxonomy.level_nodes(level)
    found, open_ = nodes.copy(), np.arange(nodes.size)
    while open_.size:  # draw again for the few that hit themselves or a node on their path
        found[open_] = members[random.integers(members.size, size=open_.size)]
        open_ = open_[taxonomy.contains(found[open_], nodes[open_]) | taxonomy.contains(nodes[open_], found[open_])]
    return found


def _changed(dataset: Dataset, nodes: IntArray, step: Mapping[str, Any]) -> Dataset:
    done = [*dataset.source.get(RELABELLED, ()), dict(step)]
    return dataclasses.replace(dataset, nodes=nodes, source={**dataset.source, RELABELLED: done})
