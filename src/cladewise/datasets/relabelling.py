"""Label noise and coarse labels for experiments: pure functions on datasets, deterministic for a seed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cladewise.datasets.dataset import Dataset
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.carry_over import CarryOver
from cladewise.taxonomy.level_choice import chosen_levels, one_level
from cladewise.taxonomy.order import path_sums

IntArray = NDArray[np.int64]

RELABELLED = "relabelled"
"""Entry of a dataset's source with the changes made to its labels."""

_NOISE, _COARSE, _BY_LEVEL = 3, 4, 5
"""Salts, so that the kinds of change draw different images with the same seed."""


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


def with_labels_by_level(
    dataset: Dataset, shares: str | Mapping[str, float] | Mapping[int, float], *, split: str = "train", seed: int = 0
) -> Dataset:
    r"""Cut the labels of a split's images at levels drawn from a stated distribution: free-grained labels.

    The level is drawn for each label separately, stratified: of its n images, each level k gets
    :math:`\lfloor n s_k \rfloor` or :math:`\lceil n s_k \rceil`, :math:`n s_k` on average over seeds. With
    :math:`F_k` the cumulated shares, coarse to fine, and one :math:`u \sim U[0, 1)` per label, the i-th of its images
    in random order gets the first level with :math:`F_k \ge (i - u) / n`.

    An image whose label is coarser than its level keeps it, so on a ragged tree, or with labels at internal nodes,
    fewer labels than stated may be fine. If no node of a path is at or above the level, the label is the coarsest node
    of the path below the root.

    Args:
        dataset: Images and nodes.
        shares: Share of the images whose label is at each level, by name or number; levels that are absent have none.
            They sum to 1. Text like ``"family=0.4,genus=0.3,species=0.3"`` is read as such a mapping.
        split: Split whose labels change; several are joined with ``+``. All other labels stay.
        seed: Random seed of the levels.

    Raises:
        InputError: There is no such split or level, a level is given twice, or the shares are not in [0, 1] with sum 1.

    Example:
        >>> from cladewise.taxonomy import Taxonomy
        >>> tree = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> nodes = np.array([2, 2, 2, 2, 3, 3, 4, 4])
        >>> data = Dataset("toy", tree, ".", list("12345678"), nodes, {"train": np.arange(8)})
        >>> with_labels_by_level(data, {"1": 0.5, "2": 0.5}).nodes.tolist()
        [1, 2, 2, 1, 1, 3, 4, 4]

    References: Park et al., Free-grained hierarchical visual recognition, CVPR 2026, arXiv:2510.14737 (CUB-F and
        Aircraft-F). The released code rounds the numbers of the finer levels down in each class, so a class of nine
        images has no fine label at a share of 0.1. ImageNet-F instead keeps the levels that CLIP predicts correctly.
    """
    images, nodes, taxonomy = np.unique(dataset.indices(split)), dataset.nodes.copy(), dataset.taxonomy
    by_level = level_shares(shares, taxonomy)
    random = np.random.default_rng((seed, _BY_LEVEL))
    shuffled = random.permutation(images)
    shuffled = shuffled[np.argsort(nodes[shuffled], kind="stable")]
    _, first, label, count = np.unique(nodes[shuffled], return_index=True, return_inverse=True, return_counts=True)
    rank = np.arange(shuffled.size) - first[label] + 1
    place = (rank - random.random(first.size)[label]) / count[label]
    bounds = np.cumsum(list(by_level.values()))
    bounds[-1] = 1.0
    drawn = np.searchsorted(bounds, place)
    for position, level in enumerate(by_level):
        here = shuffled[drawn == position]
        nodes[here] = _cut_at(taxonomy, level)[nodes[here]]
    given = {taxonomy.level_names[level - 1]: share for level, share in by_level.items()}
    return _changed(dataset, nodes, {"kind": "by-level", "shares": given, "split": split, "seed": seed})


def level_shares(shares: str | Mapping[str, float] | Mapping[int, float], taxonomy: Taxonomy) -> dict[int, float]:
    """The share of the labels at each level that has one, coarse to fine.

    Args:
        shares: Shares by name or number of a level, or a text like ``"family=0.4,species=0.6"``.
        taxonomy: The label tree.

    Raises:
        InputError: There is no such level, one is given twice, or the shares are not in [0, 1] with sum 1.

    Example:
        >>> tree = Taxonomy.from_paths([("a", "b"), ("c",)], level_names=["family", "species"])
        >>> level_shares("species=0.6,family=0.4", tree), level_shares({"2": 1.0}, tree)
        ({1: 0.4, 2: 0.6}, {2: 1.0})
    """
    listed = _listed_shares(shares) if isinstance(shares, str) else [(str(k), float(v)) for k, v in shares.items()]
    by_level = {one_level(name, taxonomy): share for name, share in listed}
    if len(by_level) < len(listed):
        raise InputError("each level once", ", ".join(name for name, _ in listed))
    total = math.fsum(by_level.values())
    if not (all(0 <= share <= 1 for share in by_level.values()) and abs(total - 1) <= 1e-6):
        stated = ", ".join(f"{name}: {share:g}" for name, share in listed)
        raise InputError("shares of the labels in [0, 1] with sum 1", f"{stated or 'none'} (sum {total:g})")
    return {level: share for level, share in sorted(by_level.items()) if share > 0}


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
    changes: dict[Any, Callable[..., Dataset]] = {
        "noise": with_label_noise,
        "coarse": with_coarse_labels,
        "by-level": with_labels_by_level,
    }
    kind = options.pop("kind", None)
    if kind not in changes:
        raise InputError(f"a change of labels: {', '.join(changes)}", repr(kind))
    return changes[kind](dataset, **options)


def refuse_relabelled(dataset: Dataset) -> None:
    """Refuse to split a dataset with changed labels, since splits are stratified by the original ones.

    Raises:
        InputError: Some labels were changed.
    """
    if RELABELLED in dataset.source:
        advice = "Split it before changing labels."
        raise InputError("a dataset with its original labels", "changed labels", advice=advice)


def _listed_shares(text: str) -> list[tuple[str, float]]:
    """The levels and shares of a text like ``family=0.4,species=0.6``."""
    found: list[tuple[str, float]] = []
    for part in text.split(","):
        name, _, share = part.rpartition("=")
        try:
            found.append((name.strip(), float(share)))
        except ValueError:
            name = ""
        if not name:
            raise InputError("levels with a share each, like family=0.4,species=0.6", repr(text))
    return found


def _cut_at(taxonomy: Taxonomy, level: int) -> IntArray:
    """Every node cut at a level: its representative there, or the coarsest node of its path where that is the root."""
    found = taxonomy.at_level(level)
    for finer in range(level + 1, taxonomy.num_levels + 1):
        found = np.where(found == 0, taxonomy.at_level(finer), found)
    return found


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
