"""Evidence that a run has about its classes: features of images, and probabilities of answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cladewise.datasets import Dataset
from cladewise.engine import Run
from cladewise.engine.answering.representing import represent
from cladewise.engine.answering.scored_images import Scored
from cladewise.engine.answering.scoring import scored
from cladewise.errors import InputError, warn
from cladewise.induction.similarity import class_means, confusion_distances, vector_distances
from cladewise.induction.stability import Resample

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.floating[Any]]

MOST_CELLS = 1 << 26
"""Most values of features or probabilities in memory: 0.3 GB, and three times as much while they are resampled."""


@dataclasses.dataclass(frozen=True, eq=False)
class RunEvidence:
    """A vector per image with its class: features, or the probability of every class.

    Args:
        rows: ``[image, dim]``.
        classes: Leaf position of each image's label.
        num_classes: Number of leaves.
        is_probability: Whether the columns of ``rows`` are classes.
        split: Split of the images.
        encoder: Name of what made the rows.
    """

    rows: FloatArray
    classes: IntArray
    num_classes: int
    is_probability: bool
    split: str
    encoder: str

    @property
    def num_images(self) -> int:
        """Number of images."""
        return self.classes.size

    def counts(self, order: IntArray) -> IntArray:
        """Number of images of each class, in an order of the classes."""
        return np.bincount(self.classes, minlength=self.num_classes)[order]

    def means(self, order: IntArray) -> tuple[FloatArray, BoolArray, Resample]:
        """Mean row of each class in an order of the classes, which of them have images, and distances of resamples."""
        means, counts = self._means(self.rows, self.classes, order)
        has = counts > 0

        def resample(random: np.random.Generator) -> FloatArray:
            drawn = _drawn_anew(self.classes, random)
            again, again_counts = self._means(self.rows[drawn], self.classes[drawn], order)
            return confusion_distances(again, again_counts) if self.is_probability else vector_distances(again[has])

        return means, has, resample

    def _means(self, rows: FloatArray, classes: IntArray, order: IntArray) -> tuple[FloatArray, IntArray]:
        means, counts = class_means(rows, classes, self.num_classes)
        return (means[np.ix_(order, order)] if self.is_probability else means[order]), counts[order]


def features_of(run: Run, split: str, data: Dataset | None, *, progress: bool) -> RunEvidence:
    """Features of the images of a split that are labelled with a leaf, by the run's encoder.

    Raises:
        InputError: There is no such split, or no class has images.
    """
    dataset = data if data is not None else run.dataset
    indices = _sampled(dataset, dataset.indices(split), MOST_CELLS // max(1, run.backbone.num_features))
    seen = represent(run, dataset, indices, space="encoder", progress=progress)
    nodes = dataset.nodes[seen.index]
    at_leaf = run.taxonomy.is_leaf[nodes]
    rows = seen.vectors[:, 0].numpy()[at_leaf]
    return _checked(run, rows, nodes[at_leaf], False, split, run.config.backbone.name)


def confusions_of(run: Run, split: str, data: Dataset | None, *, progress: bool) -> RunEvidence:
    """Probabilities of all leaves for the images of a split that are labelled with a leaf.

    Raises:
        InputError: There is no such split, no class has images, or there are too many images and classes.
    """
    probabilities, nodes = leaf_probabilities(run, split, data, progress=progress)
    return _checked(run, probabilities, nodes, True, split, f"the run {run.path.name} ({run.method.title})")


def leaf_probabilities(
    run: Run, split: str, data: Dataset | None = None, *, progress: bool = True
) -> tuple[FloatArray, IntArray]:
    """Probability of every leaf of the true tree, ``[image, leaf]``, and node of each image labelled with a leaf.

    The probabilities are normalised over the leaves, also where a head leaves mass at inner nodes.

    Raises:
        InputError: There is no such split, or there are too many images and classes.
    """
    seen = scored(run, split, data, progress=progress)
    if len(seen.target) * run.taxonomy.num_leaves > MOST_CELLS:
        raise InputError(
            f"at most {MOST_CELLS:,} probabilities, images times classes",
            f"{len(seen.target):,} times {run.taxonomy.num_leaves:,}",
            advice="Take a smaller split, or features as the source.",
        )
    rows: list[FloatArray] = []
    nodes: list[IntArray] = []
    for log_prob, here in _leaf_parts(run, seen):
        p = np.exp(log_prob - log_prob.max(1, keepdims=True))
        rows.append((p / p.sum(1, keepdims=True)).astype(np.float32))
        nodes.append(here)
    return np.concatenate(rows), np.concatenate(nodes)


def answers_of(
    run: Run, split: str, data: Dataset | None = None, *, progress: bool = True
) -> tuple[IntArray, IntArray]:
    """Most probable class and label of each image of a split, as leaf positions; images above the leaves are left out.

    Raises:
        InputError: There is no such split.
    """
    parts = [(p.argmax(1), nodes) for p, nodes in _leaf_parts(run, scored(run, split, data, progress=progress))]
    answers, nodes = (np.concatenate(column) for column in zip(*parts, strict=True))
    return answers, run.taxonomy.leaf_start[nodes]


def _leaf_parts(run: Run, seen: Scored) -> Iterator[tuple[FloatArray, IntArray]]:
    """Log-probabilities of the leaves and label of the images that are labelled with a leaf, in parts."""
    tree, taxonomy = run.answer_tree(), run.taxonomy
    for part, target in seen.parts():
        translated = target if run.carried is not None else tree.nodes(target)  # those of a migrated run already are
        nodes = translated.cpu().numpy()
        at_leaf = taxonomy.is_leaf[nodes]
        log_prob = tree.prediction(part).log_prob.cpu().numpy()[:, taxonomy.leaf_nodes]
        yield log_prob[at_leaf].astype(np.float64), nodes[at_leaf]


def _checked(
    run: Run, rows: FloatArray, nodes: IntArray, is_probability: bool, split: str, encoder: str
) -> RunEvidence:
    taxonomy = run.taxonomy
    classes = taxonomy.leaf_start[nodes]
    missing = taxonomy.num_leaves - np.unique(classes).size
    if missing == taxonomy.num_leaves:
        raise InputError("images labelled with classes", "none", at=f"split {split} of {run.path}")
    if missing:
        warn(
            f"the split {split} has no image of {missing} of the {taxonomy.num_leaves} classes",
            at=str(run.path),
            advice="Take another split.",
        )
    return RunEvidence(rows, classes, taxonomy.num_leaves, is_probability, split, encoder)


def _sampled(dataset: Dataset, indices: IntArray, most: int) -> IntArray:
    """The images, or of too many as many random ones per class as there is room for."""
    if indices.size <= most:
        return indices
    nodes = dataset.nodes[indices]
    random = np.random.default_rng(0)
    order = random.permutation(indices.size)
    by_class = order[np.argsort(nodes[order], kind="stable")]
    counts = np.unique(nodes, return_counts=True)[1]
    within = np.arange(indices.size) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(indices[by_class[within < max(1, most // counts.size)]])


def _drawn_anew(classes: IntArray, random: np.random.Generator) -> IntArray:
    """As many rows of each class as there are, drawn with replacement."""
    order = np.argsort(classes, kind="stable")
    counts = np.unique(classes, return_counts=True)[1]
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    size = np.repeat(counts, counts)
    return order[starts + (random.random(classes.size) * size).astype(np.int64)]
