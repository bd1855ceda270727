"""A run's space of labels and images as pictures: where they lie, and how images come down the tree."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from cladewise.drawing.frame import spread_around
from cladewise.drawing.label_space import Photograph, embedding_drawing, frame_of
from cladewise.drawing.thumbnails import thumbnail_pixels
from cladewise.embeddings import Picture, picture
from cladewise.engine import Run
from cladewise.engine.answering.spaces import RunSpace
from cladewise.errors import InputError
from cladewise.explanations.descent import descents
from cladewise.explanations.descent_drawing import Descending, descent_drawing
from cladewise.explanations.explaining import representatives
from cladewise.explanations.keeping import Topic, keep
from cladewise.records.plates import Plate

TOPIC = Topic(
    "space",
    "The space of labels and images",
    "A label is a region, and what is under it lies in this region: of cones the more general are near the middle and "
    "open outwards, the more special are farther out, and images beyond them. An energy says by how much an image "
    "misses a region; inside it is 0.",
)
IntArray = NDArray[np.int64]
SMALL, LARGE = 112, 200
"""Longest side of a photograph in pixels, around the space and next to its energies."""


def space(
    run: Run | str | PathLike[str],
    *,
    split: str = "test",
    images: int = 2000,
    photographs: int = 32,
    descending: int = 8,
    seed: int = 0,
    progress: bool = True,
) -> Path:
    """Draw the embedding space of a run: its labels, its images, and the energies of some images along their paths.

    Pictures and numbers go into the run folder, ``plates/space/<split>/``, replacing earlier ones of that split;
    the report shows them. Vectors of two dimensions are drawn as they are. Images whose energies are shown are chosen
    by their labels alone, so that they are the same in all runs on the same data.

    Args:
        run: A run whose labels and images are vectors, or its folder.
        split: Split to take images from.
        images: Maximum number of images drawn as dots, a random sample of the split.
        photographs: Maximum number of photographs around the picture.
        descending: Number of images whose energies are drawn.
        seed: Seed of the sample.
        progress: Show progress bars.

    Returns:
        The index of what was written.

    Raises:
        InputError: A setting is wrong, the run has no such space, or no image could be read.

    References: Figures 8, 13 and 15 of Dhall et al., Hierarchical Image Classification using Entailment Cone
        Embeddings, CVPR Workshops 2020, arXiv:2004.03459.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    if images < 1 or photographs < 0 or descending < 1:
        raise InputError(
            "at least 1 image, 0 photographs and 1 image with energies", f"{images}, {photographs}, {descending}"
        )
    asked = run.dataset.indices(split)
    opened = RunSpace.of(run, progress=progress)
    placed = opened.place(split, progress=progress)
    if not placed.paths:
        raise InputError("images that can be read", "none", at=f"{split} of {run.dataset.name}")
    place_by_path = {path: place for place, path in enumerate(placed.paths)}
    examples = [run.dataset.paths[int(i)] for i in representatives(run.dataset, split, asked.size)]
    chosen = [place_by_path[path] for path in examples if path in place_by_path][:descending]
    index_by_path = {run.dataset.paths[int(i)]: int(i) for i in asked}
    index = np.array([index_by_path[path] for path in placed.paths], dtype=np.int64)
    dots = np.sort(np.random.default_rng(seed).permutation(index.size)[:images])
    drawn = picture(opened.labels, placed.vectors[torch.from_numpy(dots)])
    pictured = _around(run, drawn, index[dots], photographs)
    ways = descents(opened.labels, placed.vectors[chosen], placed.nodes[chosen])
    shown = [
        Descending(way, placed.paths[place], thumbnail_pixels(run.dataset, int(index[place]), LARGE))
        for way, place in zip(ways, chosen, strict=True)
    ]
    figures = [
        (_space_plate(opened, drawn, len(pictured)), embedding_drawing(drawn, run.taxonomy, pictured, photographs)),
        (_descent_plate(opened, len(shown)), descent_drawing(shown, run.taxonomy, opened.threshold)),
    ]
    return keep(run, split, TOPIC, figures, data={"energies": _energies(shown, opened)})


def _around(run: Run, drawn: Picture, index: IntArray, number: int) -> list[Photograph]:
    """Photographs of dots, each in its direction."""
    if number == 0:
        return []
    nodes, taxonomy = run.dataset.nodes[index], run.taxonomy
    chosen, angles = spread_around(drawn.images, nodes, frame_of(drawn), number)
    return [
        Photograph(
            place, angle, thumbnail_pixels(run.dataset, int(index[place]), SMALL), str(taxonomy.names[nodes[place]])
        )
        for place, angle in zip(chosen.tolist(), angles.tolist(), strict=True)
    ]


def _space_plate(opened: RunSpace, drawn: Picture, photographs: int) -> Plate:
    labels, kind = opened.labels, opened.labels.geometry.name
    told = [
        f"{len(drawn.points):,} labels, the larger the coarser, with the tree's edges"
        f"{' and the regions of those that have others under them' if drawn.regions else ''}; "
        f"{len(drawn.images):,} images as grey dots; {photographs} of them as photographs along the edge, in their "
        "direction and with a line to their dot. Images and labels farther out than the picture goes lie on its edge."
    ]
    if drawn.share < 1:
        tangent = " in the tangent plane at the origin" if drawn.disk else ""
        told.append(
            f"Two principal components of the labels{tangent}, with {drawn.share:.0%} of the labels' variance and "
            f"{drawn.image_share:.0%} of the images'. What lies in which region shows in all {labels.dim} only."
        )
    elif labels.dim == 2:
        told.append("The vectors themselves: what lies within a region here lies within it.")
    told.append("The cross is the origin, where the order begins." if drawn.centred else "The cross is the middle.")
    return Plate(
        "space",
        f"Labels and images, {kind}, {labels.dim} dimensions",
        " ".join(told),
        f"Labels and {len(drawn.images):,} images as points of a plane, with photographs around it",
    )


def _descent_plate(opened: RunSpace, number: int) -> Plate:
    return Plate(
        "energies",
        "Down the tree, image by image",
        "Beside each photograph, left: its energy under each label of its path, coarse to fine (filled), and the least "
        "under any other label of that level (hollow). Where the filled dot is above the dotted line, the label no "
        f"longer holds the image (energy above {opened.threshold:.3g}, the threshold of best F1 on the validation "
        "split); where it is above the hollow one, another label holds it better. Right: the same energies on the way "
        "from the origin out to the image: regions hold it one after another, the coarse ones first.",
        f"Energies of {number} images under the labels of their paths",
    )


def _energies(shown: Sequence[Descending], opened: RunSpace) -> pl.DataFrame:
    """A row an image and label of its path."""
    taxonomy = opened.labels.taxonomy
    return pl.DataFrame(
        [
            {
                "path": each.path,
                "level": taxonomy.level_names[int(taxonomy.level[label]) - 1],
                "label": taxonomy.path_name(label),
                "energy": own,
                "other": taxonomy.path_name(rival),
                "other_energy": best,
                "threshold": opened.threshold,
            }
            for each in shown
            for label, own, rival, best in zip(
                each.way.path.tolist(), each.way.own, each.way.rival.tolist(), each.way.rivals, strict=True
            )
        ],
        schema=dict.fromkeys(("path", "level", "label"), pl.String)
        | {"energy": pl.Float64, "other": pl.String, "other_energy": pl.Float64, "threshold": pl.Float64},
    )
