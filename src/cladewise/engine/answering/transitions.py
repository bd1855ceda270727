"""Mean transition matrices between levels over the images of a split, for heads that have them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from cladewise.engine.run import Run
from cladewise.predictions import Prediction
from cladewise.records import Transitions, log, write_transitions
from cladewise.records.transitions import Order

LARGEST_MATRIX = 1 << 22
"""Number of cells of a matrix between two levels above which no mean is computed: 4,194,304, or 16 MB."""


class TransitionMeans:
    """Accumulates the transition matrices of predictions batch by batch.

    Predictions without transitions are ignored, and so are matrices of more than ``largest`` cells.

    Args:
        largest: Largest number of cells of a matrix.

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LevelTransition
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> means = TransitionMeans()
        >>> for batch in torch.zeros(3, 2, 9):
        ...     means.add(LevelTransition(t, batch))
        >>> found = means.found()
        >>> found.num_images, found.means[1].tolist()
        (6, [[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]])
    """

    def __init__(self, *, largest: int = LARGEST_MATRIX) -> None:
        self.largest = largest
        self.too_large: dict[int, int] = {}
        """Number of cells of the matrices that were left out, by coarser level."""
        self._of: tuple[Order, tuple[int, ...]] | None = None
        self._sums: dict[int, NDArray[np.float64]] = {}
        self._num_images = 0

    def add(self, prediction: Prediction) -> None:
        """Add a batch of images."""
        given = prediction.transitions
        if given is None:
            return
        if self._of is None:
            self._of = given.order, given.levels
            sizes = [prediction.taxonomy.level_nodes(level).size for level in given.levels]
            cells = dict(zip(given.levels, np.multiply(sizes[:-1], sizes[1:]).tolist(), strict=False))
            self.too_large = {level: size for level, size in cells.items() if size > self.largest}
        self._num_images += prediction.batch_shape.numel()
        for level in given.levels[:-1]:
            if level not in self.too_large:
                total = given.transition_sum(level).cpu().double().numpy()
                self._sums[level] = self._sums[level] + total if level in self._sums else total

    def found(self) -> Transitions | None:
        """The means; ``None`` without images or without transitions between at least two levels."""
        if self._of is None or not self._num_images or len(self._of[1]) < 2:
            return None
        means: dict[int, Float[np.ndarray, "coarse fine"]] = {
            level: (total / self._num_images).astype(np.float32) for level, total in self._sums.items()
        }
        return Transitions(*self._of, means, self._num_images)


def mean_transitions(predictions: Iterable[Prediction], *, largest: int = LARGEST_MATRIX) -> Transitions | None:
    """Mean transition matrix of each level over the images of some batches.

    Args:
        predictions: Batches, not yet :meth:`~cladewise.predictions.Prediction.settled`, which drops the transitions.
        largest: Number of cells above which a matrix is left out.

    Returns:
        The means, or ``None`` for a head without transitions.

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LevelTransition
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> mean_transitions([LevelTransition(t, torch.zeros(5, 14), rank=2)]).means[1].shape
        (2, 3)
        >>> mean_transitions([LevelTransition(t, torch.zeros(5, 14), rank=2)], largest=5).means
        {}
    """
    means = TransitionMeans(largest=largest)
    for prediction in predictions:
        means.add(prediction)
    return means.found()


def keep_transitions(run: Run, split: str, means: TransitionMeans) -> None:
    """Write the means, if there are any, into the run folder, and log which matrices were left out."""
    found = means.found()
    if found is None:
        return
    about = {"model": run.model_hash, "taxonomy": run.own_taxonomy.fingerprint}
    kept = Transitions(found.order, found.levels, found.means, found.num_images, about)
    write_transitions(run.folder.transitions(split), kept, run.own_taxonomy)
    for level, cells in means.too_large.items():
        said = f"no mean transition matrix of level {level} for {split}: {cells:,} cells, more than {means.largest:,}"
        if said not in {event["text"] for event in log.read(run.folder.log) if event["event"] == "warning"}:
            log.append(run.folder.log, "warning", text=said)
