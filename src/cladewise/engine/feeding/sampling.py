"""The order in which a training run sees its images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DistributedSampler

from cladewise.engine.feeding.rows import Rows
from cladewise.taxonomy import Taxonomy


class EpochSampler(DistributedSampler[int]):
    """Positions in an order that follows from seed and epoch alone: a resumed run sees what it would have seen.

    Args:
        rows: The rows to order; their epoch is kept in step, so that augmentation follows from it too.
        seed: Seed of the order.
        weights: Chance of each row relative to the others, drawn with replacement; none: each row once.
        rank: This process.
        world_size: Number of processes; each gets an equal share, some rows repeated where they do not divide.
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
    """Weight of every image so that each label counts equally, with mean 1.

    Example:
        >>> t = Taxonomy.from_paths([("a",), ("b",)])
        >>> class_weights(np.array([1, 1, 1, 2]), t).round(3).tolist()
        [0.667, 0.667, 0.667, 2.0]
    """
    counts = np.bincount(nodes, minlength=taxonomy.num_nodes)
    return nodes.size / (np.count_nonzero(counts) * counts[nodes])
