"""Images that look alike to a model and are of different classes, and images of one class that do not."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from os import PathLike
from typing import Literal

import numpy as np
import polars as pl
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cladewise import ops
from cladewise.drawing.thumbnails import thumbnail_pixels
from cladewise.engine import Run
from cladewise.engine.answering.representing import represent
from cladewise.errors import InputError
from cladewise.explanations.keeping import Topic, keep
from cladewise.explanations.pair_drawing import PicturedPair, pair_drawing
from cladewise.explanations.pairs import extreme_pairs
from cladewise.records.plates import Plate
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.level_choice import chosen_levels

TOPIC = Topic(
    "look-alikes",
    "Look-alikes",
    "Where the model's space and the tree disagree most: pairs of images of different classes that lie nearest to each "
    "other, and pairs of images of one class that lie farthest apart. Distance is 1 - cosine of the vectors that the "
    "head turns to its classes from: 0 is the same direction, 1 nothing in common. Wrong labels and images that were "
    "taken twice are found here too.",
)
SIDE = 240
"""Longest side of a photograph in pixels."""
Kind = Literal["across", "within"]


@dataclasses.dataclass(frozen=True)
class LookAlike:
    """A pair of images.

    Args:
        kind: ``across``: of different classes, and near; ``within``: of one class, and far.
        first: Index of the first image in the data.
        second: Index of the other.
        distance: 1 - cosine.
        meet: Lowest common ancestor of their labels.
    """

    kind: Kind
    first: int
    second: int
    distance: float
    meet: int


def look_alikes(
    run: Run | str | PathLike[str],
    *,
    split: str = "test",
    level: int | str = "",
    within: int | str = "",
    pairs: int = 12,
    progress: bool = True,
) -> list[LookAlike]:
    """Find the nearest pairs of images of different classes, and the farthest pairs of one class, and draw them.

    Each image is in at most one pair of each kind. The search is exact. Images whose label is coarser than the level
    take no part. Pictures and ``pairs.csv`` go into the run folder, ``plates/look-alikes/<split>/``, replacing
    earlier ones of that split; the report shows them.

    Args:
        run: A run of any method, or its folder.
        split: Split to take images from.
        level: Level, by number or name, at which look-alikes differ; by default the one above the finest.
        within: Level at which dissimilar pairs have the same class; by default the same level.
        pairs: Maximum number of pairs of each kind.
        progress: Show progress bars.

    Returns:
        The pairs of both kinds, the most striking first.

    Raises:
        InputError: A setting is wrong, or there is no pair of either kind.

    References: Figure 14 of Dhall et al., Hierarchical Image Classification using Entailment Cone Embeddings, CVPR
        Workshops 2020, arXiv:2004.03459.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    taxonomy = run.taxonomy
    if pairs < 1:
        raise InputError("at least 1 pair", pairs)
    if not taxonomy.num_levels:
        raise InputError("a taxonomy with levels", "only a root")
    across = _level(level, taxonomy, max(1, taxonomy.num_levels - 1))
    inside = _level(within, taxonomy, across)
    seen = represent(run, run.dataset, run.dataset.indices(split), progress=progress)
    vectors, nodes = seen.vectors[:, 0], torch.from_numpy(run.dataset.nodes[seen.index])
    speaks, at_levels = ops.speaks(nodes, taxonomy), ops.at_levels(nodes, taxonomy)
    found: list[LookAlike] = []
    kinds: tuple[tuple[Kind, int], ...] = (("across", across), ("within", inside))
    for kind, wanted in kinds:
        says = speaks[:, wanted - 1].nonzero()[:, 0]
        best = extreme_pairs(
            vectors[says], at_levels[says, wanted - 1], pairs, within=kind == "within", progress=progress
        )
        index = seen.index[says.numpy()]
        first, second = index[best.first], index[best.second]
        meet = taxonomy.lca(run.dataset.nodes[first], run.dataset.nodes[second])
        columns = (first.tolist(), second.tolist(), best.distance.tolist(), meet.tolist())
        found += [LookAlike(kind, *each) for each in zip(*columns, strict=True)]
    if not found:
        raise InputError("two images whose labels determine their class", "none", at=f"{split} of {run.dataset.name}")
    drawn = [each for kind, wanted in kinds if (each := _drawn(run, found, kind, taxonomy.level_names[wanted - 1]))]
    keep(run, split, TOPIC, drawn, data={"pairs": _frame(run, found)})
    return found


def _level(chosen: int | str, taxonomy: Taxonomy, otherwise: int) -> int:
    if chosen == "":
        return otherwise
    levels = chosen_levels(str(chosen), taxonomy)
    if len(levels) != 1:
        raise InputError("one level", repr(chosen))
    return levels[0]


def _drawn(run: Run, found: Sequence[LookAlike], kind: Kind, level: str) -> tuple[Plate, Figure] | None:
    """The picture of one kind, if there is a pair of it."""
    shown = [_pictured(run, pair) for pair in found if pair.kind == kind]
    if not shown:
        return None
    if kind == "across":
        title = f"Alike, of different classes ({level})"
        what = f"The nearest pairs whose classes at the level {level} differ"
    else:
        title = f"Unlike, of one class ({level})"
        what = f"The farthest pairs of one class at the level {level}"
    caption = (
        f"{what}, the most striking first, each image in one pair at most. Under each image the names of its path; "
        "between the two their distance and the node at which their paths part."
    )
    return Plate(kind, title, caption, f"{len(shown)} pairs of photographs"), pair_drawing(shown)


def _pictured(run: Run, pair: LookAlike) -> PicturedPair:
    data, taxonomy = run.dataset, run.taxonomy
    ends = (pair.first, pair.second)
    return PicturedPair(
        pixels=tuple(thumbnail_pixels(data, index, SIDE) for index in ends),
        paths=tuple(taxonomy.path_names(int(data.nodes[index])) for index in ends),
        distance=pair.distance,
        meet=str(taxonomy.names[pair.meet]) if pair.meet else "the root",
    )


def _frame(run: Run, found: Sequence[LookAlike]) -> pl.DataFrame:
    """A row a pair."""
    data, taxonomy = run.dataset, run.taxonomy
    first, second = ([int(getattr(pair, end)) for pair in found] for end in ("first", "second"))
    meet = np.array([pair.meet for pair in found], dtype=np.int64)
    depth: NDArray[np.int64] = taxonomy.depth
    apart = depth[data.nodes[first]] + depth[data.nodes[second]] - 2 * depth[meet]
    return pl.DataFrame(
        {
            "kind": [pair.kind for pair in found],
            "first": [data.paths[index] for index in first],
            "second": [data.paths[index] for index in second],
            "first_label": [taxonomy.path_name(int(data.nodes[index])) for index in first],
            "second_label": [taxonomy.path_name(int(data.nodes[index])) for index in second],
            "distance": [pair.distance for pair in found],
            "meet": [taxonomy.path_name(node) for node in meet.tolist()],
            "tree_distance": apart,
        }
    )
