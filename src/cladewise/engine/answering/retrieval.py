"""Retrieval and entailment queries for runs that embed labels and images in one space."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import polars as pl

from cladewise.datasets import Skipped
from cladewise.embeddings.label_space import Label
from cladewise.engine.answering.prediction_table import node_path, printable
from cladewise.engine.answering.spaces import PlacedImages, RunSpace
from cladewise.engine.run import Run
from cladewise.errors import InputError

Images = Sequence[str | PathLike[str]]


@dataclasses.dataclass(frozen=True)
class Retrieval:
    """Images found in the space of a run.

    Args:
        frame: One row per image. Under a label: ``path`` and ``energy``, least energy first. Otherwise: ``path``, the
            ``nearest`` label, and the labels that contain the image (``held_by``), coarse to fine.
        skipped: Files that could not be read, with reasons.
    """

    frame: pl.DataFrame
    skipped: tuple[Skipped, ...] = ()


@dataclasses.dataclass(frozen=True)
class Entailment:
    """Whether a label contains another label or an image; true in a condition if it does.

    Args:
        energy: How far the special one is outside the region of the general one; 0 inside.
        threshold: Largest energy at which it counts as contained.
    """

    energy: float
    threshold: float

    def __bool__(self) -> bool:
        return self.energy <= self.threshold


def retrieve(
    run: Run | str | PathLike[str],
    images: Images = (),
    *,
    under: Label | None = None,
    split: str = "test",
    limit: int | None = 20,
    threshold: float | None = None,
    new: str | None = None,
    parent: Label | None = None,
    examples: Images = (),
    progress: bool = True,
) -> Retrieval:
    """List the images under a label, or the labels that contain each image.

    Args:
        run: A run of a method whose labels are vectors, or its folder.
        images: Image files; by default the images of the split.
        under: List the images under this label (node, name, id or path) instead of the labels of each image.
        split: Split of the data to take images from if no files are given.
        limit: Maximum number of images to list.
        threshold: Largest energy at which a label contains an image; by default the one with the best F1 on the
            validation split.
        new: Name of a label to add first, without retraining.
        parent: Parent of the new label; by default the root.
        examples: Example images of the new label.
        progress: Show progress bars.

    Raises:
        InputError: The run has no such space, a label or split does not exist, or ``parent`` or ``examples`` are given
            without ``new``.
    """
    space = _space(run, threshold, new, parent, examples, progress)
    placed = space.place(images or split, progress=progress)
    if under is not None:
        found = space.retrieve(under, placed, limit=limit)
        columns = {
            "path": [printable(placed.paths[i]) for i in found.image.tolist()],
            "energy": found.energy.double().tolist(),
        }
        frame = pl.DataFrame(columns, schema={"path": pl.String, "energy": pl.Float64})
        return Retrieval(frame, placed.skipped)
    return Retrieval(_labels_of(space, placed, limit), placed.skipped)


def entails(
    run: Run | str | PathLike[str],
    general: Label,
    special: Label | PathLike[str],
    *,
    threshold: float | None = None,
    new: str | None = None,
    parent: Label | None = None,
    examples: Images = (),
    progress: bool = True,
) -> Entailment:
    """Decide from their vectors whether a label contains another label or an image.

    Args:
        run: A run of a method whose labels are vectors, or its folder.
        general: A label: a node, name, id or path.
        special: Another label, or an image file.
        threshold: Largest energy at which a label contains an image; by default the one with the best F1 on the
            validation split.
        new: Name of a label to add first, without retraining.
        parent: Parent of the new label; by default the root.
        examples: Example images of the new label.
        progress: Show progress bars.

    Raises:
        InputError: The run has no such space, a label does not exist, or the image cannot be read.
    """
    space = _space(run, threshold, new, parent, examples, progress)
    labels = space.labels
    if not isinstance(special, str | PathLike) or not Path(special).is_file():
        label = str(special) if isinstance(special, PathLike) else special
        return Entailment(labels.energy(general, label), labels.threshold)
    placed = space.place([special], progress=progress)
    for unread in placed.skipped:
        raise InputError("an image that can be read", unread.reason, at=unread.path)
    energy = float(labels.geometry.energy(labels.vector(general), placed.vectors[0]))
    return Entailment(energy, space.threshold)


def _space(
    run: Run | str | PathLike[str],
    threshold: float | None,
    new: str | None,
    parent: Label | None,
    examples: Images,
    progress: bool,
) -> RunSpace:
    if new is None and (parent is not None or examples):
        raise InputError("new=NAME with parent= and examples=", "none", advice="Name the label to add.")
    run = run if isinstance(run, Run) else Run.open(run)
    space = RunSpace.of(run, threshold=threshold, progress=progress)
    if new is None:
        return space
    placed = space.place(examples, progress=progress) if examples else None
    return space.with_label(new, parent, examples=placed)


def _labels_of(space: RunSpace, placed: PlacedImages, limit: int | None) -> pl.DataFrame:
    """The nearest label of each image, and all labels that contain it."""
    taxonomy, shown = space.labels.taxonomy, slice(0, limit)
    holding, nearest = space.holding(placed)[shown], space.nearest(placed)[shown].tolist()
    return pl.DataFrame(
        {
            "path": [printable(path) for path in placed.paths[shown]],
            "nearest": [node_path(taxonomy, node) for node in nearest],
            "held_by": [[node_path(taxonomy, node) for node in nodes.tolist()] for nodes in holding],
        },
        schema={"path": pl.String, "nearest": pl.String, "held_by": pl.List(pl.String)},
    )
