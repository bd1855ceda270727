"""Feature spaces of several runs side by side, coloured at several levels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cladewise.drawing.paper import paper
from cladewise.engine import Run
from cladewise.errors import InputError
from cladewise.explanations.class_choice import ClassChoice
from cladewise.explanations.placing import Placed, placed
from cladewise.explanations.plane import in_the_plane, reducer_package
from cladewise.explanations.scatter import Cloud, draw_names, draw_points
from cladewise.taxonomy import Taxonomy

PANEL = 3.2
"""Width of a panel in inches."""
TEXT_SIZES = (60.0, 24.0, 8.0)
"""Sizes of the dots of texts at the first, second and third level, in square points."""
IntArray = NDArray[np.int64]


@dataclasses.dataclass(frozen=True, eq=False)
class ManifoldGrid:
    """A picture with a column per run, and the points that it is drawn from.

    Args:
        figure: A row for the texts, coloured at the first level, if a model has texts; and one row per level.
        points: One row per point: ``run``, ``of`` (image or text), ``node`` (its path), ``x`` and ``y``.
    """

    figure: Figure
    points: pl.DataFrame


def manifold_grid(
    runs: Mapping[str, Run],
    *,
    split: str = "test",
    levels: str = "",
    classes: Sequence[str] = (),
    most: Sequence[int] = (),
    images: int = 2000,
    texts: bool = True,
    by: str = "tsne",
    perplexity: float = 30.0,
    seed: int = 0,
    progress: bool = True,
) -> ManifoldGrid:
    """Draw the same images as several runs see them: a column per run, a row per level to colour by.

    Args:
        runs: Runs on the same data, by the heads of their columns.
        split: Split to take images from.
        levels: One to three levels, by number or name; the coarsest and the finest by default.
        classes: Classes by name or path, as in :func:`~cladewise.explanations.manifolds`.
        most: Numbers of classes with the most images to draw, ``[5, 4]``.
        images: Maximum number of images.
        texts: Draw a row of the class texts above the images, larger dots for coarser levels.
        by: ``tsne`` or ``umap``.
        perplexity: Perplexity of t-SNE; reduced if there are few points.
        seed: Seed of the sample of images and of the projection.
        progress: Show progress bars.

    Raises:
        InputError: There is no run, the runs are of different trees, or a setting is wrong.
        MissingExtraError: scikit-learn, or umap-learn for UMAP, is not installed.

    References: Figures 4, 6 and 7 of "Hierarchical classification via diffusion on manifolds", with scikit-learn's
        t-SNE (van der Maaten and Hinton, JMLR 2008).
    """
    reducer_package(by)
    if not runs:
        raise InputError("one run or more", "none")
    trees = {run.own_taxonomy.fingerprint for run in runs.values()}
    if len(trees) > 1:
        raise InputError("runs of one tree", f"{len(trees)} trees")
    taxonomy = next(iter(runs.values())).own_taxonomy
    choice = ClassChoice.of(taxonomy, levels, classes, most)

    def cloud(points: Placed | None, sizes: Any = 5.0) -> Cloud | None:
        if points is None:
            return None
        flat = in_the_plane(points.vectors, by=by, perplexity=perplexity, seed=seed)
        return Cloud(flat, points.nodes, sizes)

    columns: dict[str, tuple[Cloud | None, Cloud | None]] = {}
    for head, run in runs.items():
        seen, said = placed(run, choice, split=split, images=images, seed=seed, progress=progress)
        said = said if texts else None
        columns[head] = (cloud(said, None if said is None else _text_sizes(taxonomy, choice, said.nodes)), cloud(seen))
    return ManifoldGrid(_figure(columns, taxonomy, choice), _points(columns, taxonomy))


def _text_sizes(taxonomy: Taxonomy, choice: ClassChoice, nodes: IntArray) -> NDArray[np.float64]:
    """The coarser the chosen level that a node is at or above, the larger its dot; leaves have the smallest."""
    place = np.searchsorted(choice.levels, taxonomy.level[nodes]).clip(max=len(choice.levels) - 1)
    place[taxonomy.is_leaf[nodes]] = len(choice.levels) - 1
    return np.array(TEXT_SIZES)[place]


def _figure(
    columns: Mapping[str, tuple[Cloud | None, Cloud | None]], taxonomy: Taxonomy, choice: ClassChoice
) -> Figure:
    apart, first = not choice.is_all, choice.levels[0]
    with_texts = any(said is not None for said, _ in columns.values())
    rows = [("texts", first)] * with_texts + [("images", level) for level in choice.levels]
    with paper(PANEL * len(columns), PANEL * len(rows), axes_grid=False) as figure:
        panels: NDArray[Any] = np.asarray(figure.subplots(len(rows), len(columns), squeeze=False))
        drawn: list[tuple[Any, Cloud, int]] = []
        for down, (what, level) in enumerate(rows):
            for across, (head, (said, seen)) in enumerate(columns.items()):
                axes, cloud = panels[down, across], said if what == "texts" else seen
                if down == 0:
                    axes.set_title(head)
                if across == 0:
                    axes.set_ylabel(f"{what} by {taxonomy.level_names[level - 1]}")
                if cloud is None:
                    axes.set(xticks=[], yticks=[])
                    for spine in axes.spines.values():
                        spine.set_visible(False)
                    continue
                draw_points(axes, cloud, taxonomy, level, apart=apart)
                drawn.append((axes, cloud, level))
        for axes, cloud, level in drawn:
            draw_names(axes, cloud, taxonomy, level, apart=apart)
    return figure


def _points(columns: Mapping[str, tuple[Cloud | None, Cloud | None]], taxonomy: Taxonomy) -> pl.DataFrame:
    frames = [
        pl.DataFrame(
            {
                "run": [head] * len(cloud.nodes),
                "of": [what] * len(cloud.nodes),
                "node": [taxonomy.path_name(node) for node in cloud.nodes.tolist()],
                "x": cloud.points[:, 0],
                "y": cloud.points[:, 1],
            }
        )
        for head, (said, seen) in columns.items()
        for what, cloud in (("text", said), ("image", seen))
        if cloud is not None
    ]
    return pl.concat(frames)
