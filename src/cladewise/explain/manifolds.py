"""Where images and the texts of their classes lie: pictures in the plane, and overlap as numbers."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from cladewise.atomic import replacing, write_text
from cladewise.engine import Run
from cladewise.engine.representing import represent
from cladewise.errors import InputError
from cladewise.explain.overlap import Overlap, overlap_by_level, scikit_learn
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.levels import chosen_levels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = ("svg", "png")
Points = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Manifolds:
    """Images, and texts where the model has some, in the plane; and how much classes overlap where they really lie.

    Args:
        overlap: Overlap of the images' classes at every level, in the space that the model compares or classifies in.
        images: A point an image, ``[image, 2]``.
        nodes: Label of each image.
        texts: A point a node below the root, ``[node, 2]``; none where the model has no texts.
    """

    overlap: tuple[Overlap, ...]
    images: Points
    nodes: Int[Tensor, " image"]
    texts: Points | None


def manifolds(
    run: Run | str | PathLike[str],
    *,
    split: str = "test",
    levels: str = "",
    images: int = 2000,
    neighbours: int = 10,
    perplexity: float = 30.0,
    seed: int = 0,
    progress: bool = True,
) -> Manifolds:
    """Draw where images and texts lie (t-SNE), coloured at two levels, and measure how much classes overlap.

    The picture, ``manifolds/<split>.svg`` and ``.png``, and the numbers, ``manifolds/<split>.json``, go into the run
    folder. Overlap is measured in the model's own space, by cosines, and not in the plane. Images are drawn from the
    split at random, the same for every run on the same data.

    Args:
        run: A run, or its folder.
        split: Split to take images from.
        levels: Two levels, by number or name, to colour by; the coarsest and the finest by default.
        images: How many images at most.
        neighbours: Nearest neighbours that are asked for their class.
        perplexity: Of t-SNE: about how many neighbours count; fewer where there are few points.
        seed: Of the choice of images and of t-SNE.
        progress: Show a progress bar.

    Raises:
        InputError: A setting is wrong, or the split has fewer than 4 images that can be read.
        MissingExtraError: scikit-learn is not installed.

    References: van der Maaten and Hinton, Visualizing data using t-SNE, JMLR 2008. The pictures are those of figures 4
        and 6 of "Hierarchical classification via diffusion on manifolds".
    """
    scikit_learn()  # before anything that takes time
    run = run if isinstance(run, Run) else Run.open(run)
    taxonomy = run.own_taxonomy
    shown = chosen_levels(levels, taxonomy) if levels else tuple(sorted({1, taxonomy.num_levels}))
    if not run.alteration.is_none:
        raise InputError("a run in the true tree", "one whose network knows another", at=str(run.path))
    if len(shown) > 2 or not taxonomy.num_levels:
        raise InputError("one or two levels to colour by", f"{len(shown)}")
    if images < 4 or neighbours < 1 or not perplexity > 0:
        raise InputError(
            "at least 4 images, 1 neighbour and a perplexity above 0", f"{images}, {neighbours}, {perplexity}"
        )
    chosen = run.dataset.indices(split)
    random = np.random.default_rng(seed)
    if chosen.size > images:
        chosen = np.sort(random.choice(chosen, size=images, replace=False))
    seen = represent(run, run.dataset, chosen, progress=progress)
    vectors, kept = seen.vectors[:, 0], seen.index
    if len(kept) < 4:
        raise InputError("at least 4 images", len(kept), at=f"{split} of {run.dataset.name}")
    nodes = torch.from_numpy(run.dataset.nodes[kept])
    said = run.classifier.head.node_vectors()
    made = Manifolds(
        tuple(overlap_by_level(vectors, nodes, taxonomy, neighbours=neighbours)),
        in_the_plane(vectors, perplexity=perplexity, seed=seed),
        nodes,
        None if said is None or len(said) < 5 else in_the_plane(said[1:].cpu(), perplexity=perplexity, seed=seed),
    )
    folder = run.path / "manifolds"
    about = {"split": split, "images": len(kept), "neighbours": neighbours, "model": run.model_hash}
    rows = [dataclasses.asdict(level) for level in made.overlap]
    write_text(folder / f"{split}.json", json.dumps({"schema_version": 1, **about, "levels": rows}, indent=2))
    for kind in FORMATS:
        with replacing(folder / f"{split}.{kind}") as temporary:
            draw(made, taxonomy, shown).savefig(temporary, format=kind, dpi=150, metadata={})
    return made


def in_the_plane(vectors: Float[Tensor, "point dim"], *, perplexity: float = 30.0, seed: int = 0) -> Points:
    """Unit vectors in the plane by t-SNE.

    Example:
        >>> in_the_plane(torch.eye(5), perplexity=2.0).shape
        (5, 2)
    """
    unit = F.normalize(vectors.detach().double(), dim=-1).cpu().numpy()
    few = min(perplexity, max(1.0, (len(unit) - 1) / 3))
    reducer: Any = scikit_learn().manifold.TSNE(perplexity=few, init="pca", random_state=seed)
    return np.asarray(reducer.fit_transform(unit), dtype=np.float64)


def draw(made: Manifolds, taxonomy: Taxonomy, levels: Sequence[int]) -> Any:
    """A figure with images, and texts below them, coloured at each of the levels."""
    from matplotlib.figure import Figure  # without pyplot: no display, nothing global

    rows = 1 if made.texts is None else 2
    figure = Figure(figsize=(5.2 * len(levels), 4.8 * rows), layout="constrained")
    axes: NDArray[Any] = np.asarray(figure.subplots(rows, len(levels), squeeze=False))
    for column, level in enumerate(levels):
        name, at_level = taxonomy.level_names[level - 1], taxonomy.at_level(level)
        overlap = made.overlap[level - 1]
        numbers = "" if overlap.purity is None else f", neighbours of the same {overlap.purity:.0%}"
        _scatter(
            axes[0, column], made.images, at_level[made.nodes.numpy()], taxonomy, f"images by {name}{numbers}", 6.0
        )
        if made.texts is not None:
            nodes = np.arange(1, taxonomy.num_nodes)
            size = 60.0 / taxonomy.level[nodes]  # coarser, larger
            _scatter(axes[1, column], made.texts, at_level[nodes], taxonomy, f"texts by {name}", size)
    return figure


def _scatter(
    axes: Axes, points: Points, nodes: NDArray[np.int64], taxonomy: Taxonomy, title: str, size: float | Points
) -> None:
    """Points coloured by their nodes; with few of those, their names."""
    from matplotlib import colormaps

    distinct, number = np.unique(nodes, return_inverse=True)
    palette = colormaps["tab20"] if distinct.size <= 20 else colormaps["hsv"]
    shade = number % 20 if distinct.size <= 20 else number / distinct.size
    axes.scatter(points[:, 0], points[:, 1], c=palette(shade), s=size, linewidths=0)
    if distinct.size <= 12:
        for place, node in enumerate(distinct.tolist()):
            axes.scatter([], [], color=palette(place % 20), label=str(taxonomy.names[node]) or "root")
        axes.legend(fontsize="x-small", frameon=False, loc="best")
    axes.set_title(title, fontsize="medium")
    axes.set_xticks([])
    axes.set_yticks([])
