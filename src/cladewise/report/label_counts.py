"""How many images every label has, in training and in the evaluated split, level by level."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from cladewise.records import counts
from cladewise.records.layout import RunFolder
from cladewise.report.groups import Group
from cladewise.report.run import IntArray, Run
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """What some of the groups were trained on: its split, images of every node itself ``[node]``, and the groups."""

    split: str
    num_images: IntArray
    groups: tuple[Group, ...]


@dataclasses.dataclass(frozen=True)
class LevelCounts:
    """The labels of a level, from the most to the least frequent in training.

    Args:
        level: Name of the level.
        nodes: The labels ``[label]``: the extended level's nodes.
        training: Images to train on ``[label]``.
        evaluated: Images of the evaluated split ``[label]``.
        above: Images of either whose labels are coarser than the level.
    """

    level: str
    nodes: IntArray
    training: IntArray
    evaluated: IntArray
    above: tuple[int, int]


def training_data(groups: Sequence[Group]) -> list[TrainingData]:
    """Each set of images that any group was trained on, as far as the run folders tell; by their shown runs."""
    found: list[TrainingData] = []
    for group in groups:
        told = _trained_on(group.shown_run)
        if told is None:
            continue
        split, num_images = told
        same = next((place for place, data in enumerate(found) if np.array_equal(data.num_images, num_images)), None)
        if same is None:
            found.append(TrainingData(split, num_images, (group,)))
        else:
            found[same] = dataclasses.replace(found[same], groups=(*found[same].groups, group))
    return found


def _trained_on(run: Run) -> tuple[str, IntArray] | None:
    file = RunFolder(run.folder).counts
    if not file.is_file():
        return None
    by_split = counts.read(file, run.taxonomy.num_nodes)
    split = str(run.config.get("training", {}).get("train_split", "train"))
    parts = [by_split[name] for name in split.split("+") if name in by_split]
    return (split, np.sum(parts, axis=0)) if parts else None


def level_counts(data: TrainingData) -> list[LevelCounts]:
    """Images of every label of every level, coarse to fine."""
    run = data.groups[0].shown_run
    taxonomy = run.taxonomy
    evaluated = np.bincount(run.target, minlength=taxonomy.num_nodes)
    found: list[LevelCounts] = []
    for level, name in enumerate(taxonomy.level_names, start=1):
        nodes = taxonomy.level_nodes(level)
        (training, above), (of_split, above_of_split) = (
            at_level(each, level, taxonomy) for each in (data.num_images, evaluated)
        )
        order = np.argsort(-training[nodes], kind="stable")
        ranked = nodes[order]
        found.append(LevelCounts(name, ranked, training[ranked], of_split[ranked], (above, above_of_split)))
    return found


def at_level(num_images: IntArray, level: int, taxonomy: Taxonomy) -> tuple[IntArray, int]:
    """Images that every node represents at a level ``[node]``, and those whose labels say nothing of it."""
    told = taxonomy.is_leaf | (taxonomy.level >= level)
    total = np.zeros(taxonomy.num_nodes, dtype=np.int64)
    np.add.at(total, taxonomy.at_level(level)[told], num_images[told])
    return total, int(num_images[~told].sum())
