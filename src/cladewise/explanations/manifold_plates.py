"""Where images and the texts of their classes lie: pictures in the plane, and overlap as numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from os import PathLike

import torch
from jaxtyping import Int
from matplotlib.figure import Figure
from torch import Tensor

from cladewise.engine import Run
from cladewise.errors import InputError
from cladewise.explanations.class_choice import ClassChoice
from cladewise.explanations.keeping import Topic, keep
from cladewise.explanations.overlap import Overlap, overlap_by_level
from cladewise.explanations.placing import placed
from cladewise.explanations.plane import TITLES, Points, in_the_plane, reducer_package, scikit_learn
from cladewise.explanations.scatter import Cloud, scatter
from cladewise.progress import bar
from cladewise.records.plates import Measure, NumberTable, Plate
from cladewise.taxonomy import Taxonomy

TOPIC = Topic(
    "manifolds",
    "Where images and texts lie",
    "Images, and texts of classes where the model has some, as points of a plane that keeps neighbours together: what "
    "the model takes for alike lies close. Directions, sizes and distances between clusters say nothing. The numbers "
    "are of the model's own space and not of the plane: the higher, the less classes overlap.",
)


@dataclasses.dataclass(frozen=True, eq=False)
class Manifolds:
    """Images, and texts where the model has some, in the plane; and how much classes overlap where they really lie.

    Args:
        overlap: Overlap of the images' classes at every level, in the space that the model compares or classifies in.
        images: A point an image, ``[image, 2]``.
        nodes: Label of each image.
        texts: One point per node with a text, ``[node, 2]``; none where the model has no texts.
        text_nodes: Node of each text; none where the model has no texts.
    """

    overlap: tuple[Overlap, ...]
    images: Points
    nodes: Int[Tensor, " image"]
    texts: Points | None
    text_nodes: Int[Tensor, " node"] | None


def manifolds(
    run: Run | str | PathLike[str],
    *,
    split: str = "test",
    levels: str = "",
    classes: Sequence[str] = (),
    most: Sequence[int] = (),
    images: int = 2000,
    neighbours: int = 10,
    by: str = "tsne",
    perplexity: float = 30.0,
    seed: int = 0,
    progress: bool = True,
) -> Manifolds:
    """Draw the feature space of a run in the plane, coloured at some levels, and measure how much classes overlap.

    Pictures and numbers go into the run folder, ``plates/manifolds/<split>/``, replacing earlier ones of that
    split; the report shows them. Overlap is measured in the model's own space, by cosine similarity, not in the plane.
    Images are a random sample of the split or of some of its classes, the same for every run on the same data.

    Args:
        run: A run, or its folder.
        split: Split to take images from.
        levels: One to three levels, by number or name, to colour by; the coarsest and the finest by default.
        classes: Classes, by name or path: only images at or below them are drawn, and texts above those images. All
            images and texts if empty.
        most: Numbers of classes to draw, ``[5, 4]``: of the first of the levels the five with the most images in the
            split, of the second the four with the most in each of them. All classes if empty.
        images: Maximum number of images.
        neighbours: Number of nearest neighbours whose classes are compared.
        by: ``tsne`` or ``umap``.
        perplexity: Perplexity of t-SNE, roughly the number of neighbours; reduced if there are few points.
        seed: Seed of the sample of images and of the projection.
        progress: Show a progress bar.

    Raises:
        InputError: A setting is wrong, or the split has fewer than 4 images that can be read.
        MissingExtraError: scikit-learn, or umap-learn for UMAP, is not installed.

    References: The pictures are those of figures 4, 6 and 7 of "Hierarchical classification via diffusion on
        manifolds"; :func:`~cladewise.explanations.manifold_grid` has those of several runs side by side.
    """
    reducer_package(by)  # before anything that takes time
    scikit_learn()
    run = run if isinstance(run, Run) else Run.open(run)
    taxonomy = run.own_taxonomy
    choice = ClassChoice.of(taxonomy, levels, classes, most)
    run.check_not_carried()
    if not run.alteration.is_none:
        raise InputError("a run trained in the true tree", "a run with an altered tree", at=str(run.path))
    if images < 4 or neighbours < 1 or not perplexity > 0:
        raise InputError(
            "at least 4 images, 1 neighbour and a perplexity above 0", f"{images}, {neighbours}, {perplexity}"
        )
    seen, spoken = placed(run, choice, split=split, images=images, seed=seed, progress=progress)
    nodes = torch.from_numpy(seen.nodes)
    with bar(shown=progress) as working:
        working.add_task(f"{TITLES[by]} and overlap", total=None)
        made = Manifolds(
            tuple(overlap_by_level(seen.vectors, nodes, taxonomy, neighbours=neighbours)),
            in_the_plane(seen.vectors, by=by, perplexity=perplexity, seed=seed),
            nodes,
            None if spoken is None else in_the_plane(spoken.vectors, by=by, perplexity=perplexity, seed=seed),
            None if spoken is None else torch.from_numpy(spoken.nodes),
        )
    some = "" if choice.is_all else " of chosen classes"
    basis = f"{len(nodes):,} images of {split}{some}, {neighbours} nearest neighbours by cosine"
    drawn = draw(made, taxonomy, choice.levels, TITLES[by], apart=not choice.is_all)
    keep(run, split, TOPIC, drawn, tables=[_table(made.overlap, basis)])
    return made


def draw(
    made: Manifolds, taxonomy: Taxonomy, levels: Sequence[int], way: str, *, apart: bool = False
) -> list[tuple[Plate, Figure]]:
    """A picture of the images, and one of the texts where there are some, coloured at each of the levels."""
    names = " and by ".join(taxonomy.level_names[level - 1] for level in levels)
    told = f"{len(made.images):,} images by {way}"
    seen = Plate(
        "images",
        f"Images, coloured by {names}",
        f"{told}, coloured by {names}; names stand in the middle of their classes, as far as there is room. Of "
        "many classes, neighbours in the tree have like colours. Grey: the label tells no class at this level.",
        f"Dots: {told}, coloured by {names}",
    )
    drawn = [(seen, scatter(Cloud(made.images, made.nodes.numpy()), taxonomy, levels, apart=apart))]
    if made.texts is not None and made.text_nodes is not None:
        nodes = made.text_nodes.numpy()
        said = f"texts of {len(nodes):,} classes by {way}"
        caption = f"{said[0].upper()}{said[1:]}, coloured by {names}; the coarser a class, the larger its dot."
        plate = Plate("texts", f"Texts, coloured by {names}", caption, f"Dots: {said}, coloured by {names}")
        texts = Cloud(made.texts, nodes, 60.0 / taxonomy.level[nodes])
        drawn.append((plate, scatter(texts, taxonomy, levels, apart=apart)))
    return drawn


def _table(overlap: Sequence[Overlap], basis: str) -> NumberTable:
    measures = (
        Measure(
            "neighbours of the class", "Mean share of an image's nearest neighbours that are of its class.", "higher"
        ),
        Measure(
            "silhouette", "How much nearer its own class is to an image than the nearest other; -1 to 1.", "higher"
        ),
        Measure("at random", "The share of neighbours of the class, were they drawn at random."),
        Measure("classes", "Classes that the images are of."),
        Measure("images", "Images whose label tells their class at the level."),
    )
    return NumberTable(
        name="overlap",
        title="How little classes overlap",
        basis=basis,
        heading="level",
        rows=tuple(found.level for found in overlap),
        measures=measures,
        values=tuple((found.purity, found.silhouette, found.chance, found.classes, found.images) for found in overlap),
    )
