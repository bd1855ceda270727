"""Ablations: the labels and the tree that a network is trained with, as ``[ablation]`` alters them."""

from __future__ import annotations

import dataclasses

from cladewise.datasets import Dataset, with_coarse_labels, with_label_noise, with_labels_by_level
from cladewise.datasets.relabelling import coarser_nodes
from cladewise.records import RunConfig
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.alteration import Alteration
from cladewise.taxonomy.level_choice import chosen_levels
from cladewise.taxonomy.surgery import random_hierarchy, with_wrong_parents, without_levels


def altered_tree(taxonomy: Taxonomy, config: RunConfig) -> Alteration:
    """The tree that a network is trained with: first leaves are shuffled, then some get wrong parents, then levels go.

    Raises:
        InputError: There is no such level, or so many leaves cannot be moved to a wrong parent.
    """
    wanted, seed = config.ablation, ablation_seed(config)
    change = Alteration.none(taxonomy)
    if wanted.hierarchy == "random":
        change = change.then(random_hierarchy(change.own, seed))
    change = change.then(with_wrong_parents(change.own, wanted.wrong_parents, seed))
    levels = chosen_levels(wanted.drop_levels, taxonomy) if wanted.drop_levels else ()
    return change.then(without_levels(change.own, levels))


def changes_labels(config: RunConfig) -> bool:
    """Whether some of the training images are given other labels than their own."""
    wanted = config.ablation
    return wanted.label_noise > 0 or wanted.coarse_labels > 0 or bool(wanted.label_levels)


def relabelled(dataset: Dataset, config: RunConfig) -> Dataset:
    """The data with the labels that the network is trained with, in the true tree: first wrong ones, then coarser ones.

    Raises:
        InputError: There is no such level, or the shares of the levels are not a distribution.
    """
    wanted, seed, split = config.ablation, ablation_seed(config), config.training.train_split
    coarser_nodes(dataset.taxonomy, wanted.coarse_level)  # an unknown level is an error even if the share is 0
    if wanted.label_noise:
        dataset = with_label_noise(dataset, wanted.label_noise, split=split, seed=seed)
    if wanted.coarse_labels:
        level = wanted.coarse_level
        dataset = with_coarse_labels(dataset, wanted.coarse_labels, split=split, level=level, seed=seed)
    if wanted.label_levels:
        dataset = with_labels_by_level(dataset, wanted.label_levels, split=split, seed=seed)
    return dataset


def in_own_tree(dataset: Dataset, change: Alteration) -> Dataset:
    """The data in the network's own tree; a label at a dropped node moves to its nearest remaining ancestor."""
    return dataclasses.replace(dataset, taxonomy=change.own, nodes=change.own_node[dataset.nodes])


def ablation_seed(config: RunConfig) -> int:
    """The seed of an ablation's random choices."""
    return config.seed if config.ablation.ablation_seed < 0 else config.ablation.ablation_seed
