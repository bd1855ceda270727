"""The joint space of labels and images that a run has learnt: retrieval, entailment, new labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import NamedTuple, Protocol, cast, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from cladewise import ops
from cladewise.datasets import Dataset, Skipped
from cladewise.embeddings import BestThreshold, EdgeScores, Geometry, LabelSpace, reconstruction
from cladewise.embeddings.label_space import Label
from cladewise.engine.answering.forward import over_images
from cladewise.engine.feeding.files import unlabelled
from cladewise.engine.run import Run
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

BLOCK = 4096
"""Number of images whose energies are computed at a time."""


@runtime_checkable
class HasSpace(Protocol):
    """A head that embeds labels and images in one space."""

    geometry: Geometry

    def label_vectors(self) -> Float[Tensor, "label dim"]:
        """Vectors of the labels; row i belongs to node i + 1."""
        ...

    def image_vectors(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch dim"]:
        """Vectors of images from their features."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class PlacedImages:
    """Images as points of a space.

    Args:
        paths: The files.
        vectors: Their points.
        nodes: Their labels; the root for files without a label.
        skipped: Images that could not be read, with reasons.
    """

    paths: tuple[str, ...]
    vectors: Float[Tensor, "image dim"]
    nodes: Int[Tensor, " image"]
    skipped: tuple[Skipped, ...] = ()


class Retrieved(NamedTuple):
    """Images under a label: their indices and energies, in ascending order of energy."""

    image: Int[Tensor, " found"]
    energy: Float[Tensor, " found"]


@dataclasses.dataclass(frozen=True, eq=False)
class RunSpace:
    """The space that a run has learnt.

    Questions about labels go to :attr:`labels` (``labels.entails("bird", "wren")``, ``labels.nearest("wren")``), whose
    threshold separates the edges of the tree best. Images have a threshold of their own.

    Args:
        run: The run.
        labels: Its labels, and any added by :meth:`with_label`.
        threshold: Energy up to which a label holds an image.
    """

    run: Run
    labels: LabelSpace
    threshold: float

    @classmethod
    def of(cls, run: Run, *, threshold: float | None = None, progress: bool = True) -> RunSpace:
        """The space of a run.

        Args:
            run: The run.
            threshold: Energy up to which a label holds an image; by default the one of best F1 over all labels and the
                images of the run's validation split, or of its training split if there is none.
            progress: Show progress bars.

        Raises:
            InputError: The run's method has no such space, or its network was trained with an altered tree.
        """
        head = _head(run)
        vectors = head.label_vectors().detach().cpu()
        whole = reconstruction(run.taxonomy, head.geometry, vectors)
        space = cls(run, LabelSpace(run.taxonomy, vectors, head.geometry, whole.threshold), threshold or 0.0)
        if threshold is not None:
            return space
        wanted, splits = run.config.training, run.dataset.splits
        split = wanted.val_split if run.dataset.splits.get(wanted.val_split) is not None else wanted.train_split
        if split in splits and not len(splits[split]):
            split = wanted.train_split
        seen = space.place(split, progress=progress)
        return dataclasses.replace(space, threshold=image_scores(space.labels, seen).threshold)

    @cached_property
    def reconstruction(self) -> EdgeScores:
        """How well energies between labels reconstruct the tree: TPR, TNR and F1 over all ordered pairs."""
        return reconstruction(self.labels.taxonomy, self.labels.geometry, self.labels.vectors)

    def place(self, images: str | Sequence[str | PathLike[str]], *, progress: bool = True) -> PlacedImages:
        """Embed images: those of a split of the run's data, or files.

        Raises:
            InputError: There is no such split.
        """
        if isinstance(images, str):
            dataset, indices = self.run.dataset, self.run.dataset.indices(images)
            return self._placed(dataset, indices, cache=True, progress=progress)
        dataset = unlabelled([Path(path) for path in images], self.run.taxonomy)
        return self._placed(dataset, np.arange(len(dataset.paths)), cache=False, progress=progress)

    def _placed(self, dataset: Dataset, indices: NDArray[np.int64], *, cache: bool, progress: bool) -> PlacedImages:
        head = _head(self.run)

        def vectors(features: Tensor) -> Tensor:
            return head.image_vectors(features).cpu()

        parts, kept, skipped = over_images(self.run, dataset, indices, vectors, cache=cache, progress=progress)
        points = torch.cat(parts) if parts else torch.zeros(0, self.labels.dim)
        nodes = torch.from_numpy(dataset.nodes[kept])
        return PlacedImages(tuple(str(dataset.paths[i]) for i in kept.tolist()), points.clone(), nodes, skipped)

    def retrieve(self, label: Label, images: PlacedImages, *, limit: int | None = None) -> Retrieved:
        """Images that a label contains, in ascending order of energy.

        Args:
            label: A node, a name or a path.
            images: The images to search.
            limit: Largest number of images.

        Raises:
            InputError: There is no such label.
        """
        energy = self.labels.geometry.pairwise_energy(self.labels.vector(label)[None], images.vectors)[0]
        order = energy.argsort(stable=True)
        held = order[energy[order] <= self.threshold][:limit]
        return Retrieved(held, energy[held])

    def holding(self, images: PlacedImages) -> list[Int[Tensor, " node"]]:
        """Labels that contain each image, ascending; ideally its label and all its ancestors."""
        found: list[Tensor] = []
        for part in images.vectors.split(BLOCK):
            found += [(row <= self.threshold).nonzero()[:, 0] + 1 for row in self.labels.energies(part)]
        return found

    def nearest(self, images: PlacedImages) -> Int[Tensor, " image"]:
        """The label whose vector is nearest to each image, of any level."""
        distance = self.labels.geometry.pairwise_distance
        return torch.cat(
            [1 + distance(part, self.labels.vectors).argmin(1) for part in images.vectors.split(BLOCK)]
            or [torch.zeros(0, dtype=torch.int64)]
        )

    def with_label(
        self, name: str, parent: Label | None = None, *, examples: PlacedImages | None = None, steps: int = 500
    ) -> RunSpace:
        """The space with one more label; no other vector changes, and nothing is trained again.

        Args:
            name: Name of the new label, the last child of its parent.
            parent: A label; the root by default.
            examples: Images of the label, if there are any; its vector is fitted to contain them.
            steps: Optimisation steps for its vector.

        Raises:
            InputError: The parent is no label, or has a child of this name.
        """
        images = None if examples is None or not len(examples.vectors) else examples.vectors
        return dataclasses.replace(self, labels=self.labels.with_label(name, parent, images=images, steps=steps))


@torch.no_grad()
def image_scores(labels: LabelSpace, images: PlacedImages) -> EdgeScores:
    """How well energies separate each image's label and its ancestors from all other labels.

    Labels below an image's own do not count, since whether they apply is unknown.

    Args:
        labels: The labels.
        images: Images with their nodes in the taxonomy of the labels.
    """
    taxonomy = labels.taxonomy
    parts = list(zip(images.vectors.split(BLOCK), images.nodes.split(BLOCK), strict=True))
    chunks = [(labels.energies(vectors), *_relations(nodes, taxonomy)) for vectors, nodes in parts]
    best = BestThreshold(torch.cat([energy[true] for energy, true, _ in chunks] or [torch.zeros(0)]))
    for energy, _, false in chunks:
        best.add(energy[false])
    return best.scores()


def _relations(nodes: Int[Tensor, " image"], taxonomy: Taxonomy) -> tuple[Tensor, Tensor]:
    """Masks of the labels at or above each node, and of those that are neither above nor below it."""
    labels, node = torch.arange(1, taxonomy.num_nodes), nodes[:, None]
    true, under = ops.is_ancestor(labels, node, taxonomy), ops.is_ancestor(node, labels, taxonomy)
    if taxonomy.has_further_parents:
        (image, above), (place, below) = ops.further_pairs(nodes, taxonomy)
        true[image, above - 1], under[place, below - 1] = True, True
    return true, ~true & ~under


def _head(run: Run) -> HasSpace:
    head = run.classifier.head
    if not isinstance(head, HasSpace):
        advice = "Train euclidean-cones, hyperbolic-cones or order-embedding."
        raise InputError(
            "a run whose labels and images are vectors", f"a run of {run.method.name}", at=str(run.path), advice=advice
        )
    run.check_not_carried()
    if not run.alteration.is_none:
        raise InputError("a run trained in the true tree", "a run with an altered tree", at=str(run.path))
    return cast("HasSpace", head)
