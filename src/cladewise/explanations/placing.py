"""Vectors of the images and texts that a picture of a feature space shows."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from cladewise.engine import Run
from cladewise.engine.answering.representing import represent
from cladewise.errors import InputError
from cladewise.explanations.class_choice import ClassChoice

IntArray = NDArray[np.int64]
FEWEST = 4
"""Smallest number of points that are placed in the plane."""


@dataclasses.dataclass(frozen=True, eq=False)
class Placed:
    """Vectors ``[point, dim]`` and the node of each."""

    vectors: Float[Tensor, "point dim"]
    nodes: IntArray


def placed(
    run: Run, choice: ClassChoice, *, split: str, images: int, seed: int, progress: bool
) -> tuple[Placed, Placed | None]:
    """The images of a split in the classes chosen, and the texts of those classes if the model has texts.

    Args:
        run: The trained network.
        choice: The classes.
        split: Split to take images from.
        images: Maximum number of images, a random sample.
        seed: Seed of the sample.
        progress: Show progress bars.

    Raises:
        InputError: Fewer than 4 images can be read.
    """
    taxonomy, data = run.own_taxonomy, run.dataset
    chosen = data.indices(split)
    chosen = chosen[choice.shown(taxonomy, data.nodes[chosen])]
    all_labels = data.nodes[chosen]
    if chosen.size > images:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, size=images, replace=False))
    seen = represent(run, data, chosen, progress=progress)
    if len(seen.index) < FEWEST:
        some = "" if choice.is_all else " in the classes chosen"
        raise InputError(f"at least {FEWEST} images", f"{len(seen.index)}{some}", at=f"{split} of {data.name}")
    shown = Placed(seen.vectors[:, 0], data.nodes[seen.index])
    said = run.classifier.head.node_vectors()
    if said is None:
        return shown, None
    nodes = choice.text_nodes(taxonomy, all_labels)
    vectors = said.detach().cpu()[nodes]
    present = (vectors != 0).any(1).numpy()
    return shown, Placed(vectors[present], nodes[present]) if present.sum() >= FEWEST else None
