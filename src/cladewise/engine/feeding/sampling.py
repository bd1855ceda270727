"""The order of training images in an epoch, and class weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DistributedSampler

from cladewise.engine.feeding.rows import Rows
from cladewise.taxonomy import Taxonomy


class EpochSampler(DistributedSampler[int]):
    """Positions in an order determined by seed and epoch, so that a resumed run sees the same order.

    Args:
        rows: The rows to order; their epoch is set as well, since it determines the augmentation.
        seed: Seed of the order.
        weights: Relative probability of each row, for drawing with replacement; ``None``: each row once.
        rank: Rank of this process.
        world_size: Number of processes; each gets an equal share, with some rows repeated if they do not divide evenly.
    """

    def __init__(
        self,
        rows: Rows,
        *,
        seed: int,
        weights: NDArray[np.float64] | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__(rows, num_replicas=world_size, rank=rank, shuffle=True, seed=seed)  # type: ignore[arg-type]
        self.rows, self.weights = rows, weights

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each pass."""
        super().set_epoch(epoch)
        self.rows.set_epoch(epoch)

    def __iter__(self) -> Iterator[int]:
        if self.weights is None:
            return super().__iter__()
        random = np.random.default_rng((self.seed, self.epoch))
        drawn = random.choice(self.weights.size, size=self.total_size, p=self.weights / self.weights.sum())
        return iter(drawn[self.rank : self.total_size : self.num_replicas].tolist())


def class_weights(nodes: NDArray[np.int64], taxonomy: Taxonomy) -> NDArray[np.float64]:
    """Weight of each image such that all labels count equally; the mean weight is 1.

    Example:
        >>> t = Taxonomy.from_paths([("a",), ("b",)])
        >>> class_weights(np.array([1, 1, 1, 2]), t).round(3).tolist()
        [0.667, 0.667, 0.667, 2.0]
    """
    counts = np.bincount(nodes, minlength=taxonomy.num_nodes)
    return nodes.size / (np.count_nonzero(counts) * counts[nodes])
