"""Class by class: what each group gains and loses against the reference, at every level, in numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from cladewise.drawing.node_names import axis_names, block_names
from cladewise.records.metric_names import LEVEL_PREFIX
from cladewise.report.groups import Group
from cladewise.report.levels import level_names
from cladewise.report.run import FloatArray, IntArray, Run
from cladewise.taxonomy import Taxonomy

MOST_BARS = 1000
"""Of a chart; where there are more classes a bar stands for several neighbours."""

REACHES = (1, 2, 5, 10, 20, 50, 100)
"""Percentage points that an axis of differences may show to either side."""


@dataclasses.dataclass(frozen=True)
class ClassAccuracy:
    """The classes of a level that have images, from the hardest for the reference to the easiest.

    Args:
        level: Name of the level.
        reference: What the others are compared with.
        nodes: The classes ``[class]``.
        num_images: Images of each ``[class]`` whose labels say something of the level.
        accuracy: By group's index, the share of each class's images that are right at the level, mean over the
            seeds ``[class]``.
    """

    level: str
    reference: Group
    nodes: IntArray
    num_images: IntArray
    accuracy: dict[int, FloatArray]

    def change(self, group: Group) -> FloatArray:
        """Accuracy of a group minus the reference's ``[class]``."""
        return self.accuracy[group.index] - self.accuracy[self.reference.index]


def class_accuracies(groups: Sequence[Group], reference: Group) -> list[ClassAccuracy]:
    """Every level that was evaluated image by image, coarse to fine; empty where there is nothing to compare."""
    if len(groups) < 2:
        return []
    columns = [set(run.outcomes.columns) for group in groups for run in group.runs]
    levels = [name for name in level_names(groups) if all(LEVEL_PREFIX + name in there for there in columns)]
    found = [_accuracy(groups, reference, name) for name in levels]
    return [each for each in found if each.nodes.size]


def _accuracy(groups: Sequence[Group], reference: Group, level: str) -> ClassAccuracy:
    taxonomy = reference.runs[0].taxonomy
    representative = taxonomy.at_level(1 + taxonomy.level_names.index(level))
    found = {group.index: np.array([share_right(run, level, representative) for run in group.runs]) for group in groups}
    accuracy = {index: shares[:, 0].mean(axis=0) for index, shares in found.items()}
    num_images = found[reference.index][0, 1].astype(np.int64)
    nodes = np.flatnonzero(num_images)
    order = nodes[np.argsort(accuracy[reference.index][nodes], kind="stable")]
    return ClassAccuracy(
        level, reference, order, num_images[order], {index: share[order] for index, share in accuracy.items()}
    )


def share_right(run: Run, level: str, representative: IntArray) -> FloatArray:
    """Of every node, the share of a run's images of it that are right at a level, and their number ``[2, node]``."""
    right = run.outcomes[LEVEL_PREFIX + level].to_numpy().astype(np.float64)
    counts = ~np.isnan(right)
    nodes, size = representative[run.target[counts]], representative.size
    total = np.bincount(nodes, minlength=size).astype(np.float64)
    hits = np.bincount(nodes, weights=right[counts], minlength=size)
    return np.stack([np.divide(hits, total, out=np.full(size, np.nan), where=total > 0), total])


@dataclasses.dataclass(frozen=True)
class Bars:
    """A level as it is drawn ``[bar]``; in percent, and percentage points of ``change`` by group's index."""

    names: list[str]
    per_bar: int
    reference: FloatArray
    change: dict[int, FloatArray]
    num_images: IntArray

    @property
    def reach(self) -> float:
        """How far the axes of the changes go up and down: they are all alike."""
        largest = max((float(np.nanmax(np.abs(each), initial=0)) for each in self.change.values()), default=0)
        return next((reach for reach in REACHES if reach >= largest), REACHES[-1])


def bars_of(found: ClassAccuracy, groups: Sequence[Group], taxonomy: Taxonomy, most: int = MOST_BARS) -> Bars:
    """Bars of a level; a bar for several classes has the mean of their values and the sum of their images."""
    per_bar = math.ceil(found.nodes.size / most)
    starts = np.arange(0, found.nodes.size, per_bar)
    sizes = np.diff(np.append(starts, found.nodes.size))

    def mean(values: FloatArray) -> FloatArray:
        return 100 * np.add.reduceat(values, starts) / sizes

    return Bars(
        names=block_names(axis_names(found.nodes, taxonomy), per_bar),
        per_bar=per_bar,
        reference=mean(found.accuracy[found.reference.index]),
        change={group.index: mean(found.change(group)) for group in others(groups, found.reference)},
        num_images=np.add.reduceat(found.num_images, starts),
    )


def others(groups: Sequence[Group], reference: Group) -> list[Group]:
    """All groups but the reference."""
    return [group for group in groups if group is not reference]
