"""A trained run as a space of labels and images, to ask what classifiers cannot be asked."""

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
"""Images whose energies are held at a time."""


@runtime_checkable
class HasSpace(Protocol):
    """A head whose labels and images are vectors of one order."""

    geometry: Geometry

    def label_vectors(self) -> Float[Tensor, "label dim"]:
        """Row i is that of node i + 1."""
        ...

    def image_vectors(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch dim"]:
        """Vectors of images, of their features."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class PlacedImages:
    """Images as points of a space.

    Args:
        paths: The files.
        vectors: Their points.
        nodes: Their labels; of files that nobody labelled the root.
        skipped: Files that could not be read, with reasons.
    """

    paths: tuple[str, ...]
    vectors: Float[Tensor, "image dim"]
    nodes: Int[Tensor, " image"]
    skipped: tuple[Skipped, ...] = ()


class Retrieved(NamedTuple):
    """Images under a label: places among those asked about, and their energies, least first."""

    image: Int[Tensor, " found"]
    energy: Float[Tensor, " found"]


@dataclasses.dataclass(frozen=True, eq=False)
class RunSpace:
    """The space that a run has learnt.

    Labels are asked of :attr:`labels` (``labels.entails("bird", "wren")``, ``labels.nearest("wren")``); its threshold
    is the one that tells the edges of the tree best. Images have a threshold of their own.

    Args:
        run: The run.
        labels: Its labels, or more than those: see :meth:`with_label`.
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
                images of the run's validation split, or of its training split where it has none.
            progress: Show progress bars.

        Raises:
            InputError: The run's method has no such space, or its network knows another tree.
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
        """How well energies between labels tell the tree: TPR, TNR and F1 over all ordered pairs."""
        return reconstruction(self.labels.taxonomy, self.labels.geometry, self.labels.vectors)

    def place(self, images: str | Sequence[str | PathLike[str]], *, progress: bool = True) -> PlacedImages:
        """Images as points: those of a split of the run's data, or files.

        Raises:
            InputError: There is no such split.
        """
        if isinstance(images, str):
            dataset, indices = self.run.dataset, self.run.dataset.indices(images)
            return self._placed(dataset, indices, cache=True, progress=progress)
        dataset = unlabelled([Path(path) for path in images], self.run.taxonomy)
        return self._placed(dataset, np.arange(len(dataset.paths)), cache=False, progress=progress)

    def _placed(self, dataset: Dataset, indices: NDArray[np.int64], *, cache: bool, progress: bool) -> PlacedImages:
        head, classifier = _head(self.run), self.run.classifier

        def vectors(inputs: Tensor) -> Tensor:
            return head.image_vectors(classifier.encode(inputs)).cpu()

        parts, kept, skipped = over_images(self.run, dataset, indices, vectors, cache=cache, progress=progress)
        points = torch.cat(parts) if parts else torch.zeros(0, self.labels.dim)
        nodes = torch.from_numpy(dataset.nodes[kept])
        return PlacedImages(tuple(str(dataset.paths[i]) for i in kept.tolist()), points.clone(), nodes, skipped)

    def retrieve(self, label: Label, images: PlacedImages, *, limit: int | None = None) -> Retrieved:
        """Images that a label holds, least energy first.

        Args:
            label: A node, a name or a path.
            images: Where to look.
            limit: How many at most.

        Raises:
            InputError: It names no label.
        """
        energy = self.labels.geometry.pairwise_energy(self.labels.vector(label)[None], images.vectors)[0]
        order = energy.argsort(stable=True)
        held = order[energy[order] <= self.threshold][:limit]
        return Retrieved(held, energy[held])

    def holding(self, images: PlacedImages) -> list[Int[Tensor, " node"]]:
        """Labels that hold each image, ascending: by a good space its label and all ancestors of that."""
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
        """The space with one more label; no other vector moves, and nothing is trained again.

        Args:
            name: Name of the new label, the last child of its parent.
            parent: A label; the root by default.
            examples: Images of it, if there are any: it is placed so as to hold them.
            steps: Steps of the fit of its vector.

        Raises:
            InputError: The parent is no label, or has a child of this name.
        """
        images = None if examples is None or not len(examples.vectors) else examples.vectors
        return dataclasses.replace(self, labels=self.labels.with_label(name, parent, images=images, steps=steps))


@torch.no_grad()
def image_scores(labels: LabelSpace, images: PlacedImages) -> EdgeScores:
    """How well energies tell the labels of images and the ancestors of those from all other labels.

    Of labels under an image's own nothing is known; they do not count.

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
    """Which labels are at or above each node, and which are neither that nor under it."""
    index = ops.tree_index(taxonomy, nodes.device)
    labels = torch.arange(1, taxonomy.num_nodes)
    true = (labels <= nodes[:, None]) & (nodes[:, None] < index.end[labels])
    under = (labels > nodes[:, None]) & (labels < index.end[nodes][:, None])
    return true, ~true & ~under


def _head(run: Run) -> HasSpace:
    head = run.classifier.head
    if not isinstance(head, HasSpace):
        advice = "Train euclidean-cones, hyperbolic-cones or order-embedding."
        raise InputError(
            "a run whose labels and images are vectors", f"one of {run.method.name}", at=str(run.path), advice=advice
        )
    if not run.alteration.is_none:
        raise InputError("a run that knows the true tree", "one with an altered tree", at=str(run.path))
    return cast("HasSpace", head)
