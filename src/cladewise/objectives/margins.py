"""Hierarchical cosine margins as a training objective: margins and pseudo-fine classes that follow the training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from cladewise.errors import InputError
from cladewise.heads import LevelClasses
from cladewise.losses import Loss
from cladewise.objectives.cosine_margin import hierarchical_cosine_margin_loss
from cladewise.objectives.objective import Objective, TrainingBatch, TrainingVectors, projection_of
from cladewise.objectives.pseudo_fine_classes import clusters_wanted, pseudo_fine
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.level_choice import chosen_levels

IntArray = NDArray[np.int64]
Margins = Literal["adaptive", "fixed", "by-class"]

GAP = 1e-3
"""Smallest difference between consecutive margins."""


class CosineMarginObjective(Objective):
    """Cross-entropy of the classes plus, after a warm-up, hierarchical cosine margins.

    Args:
        taxonomy: The label tree.
        nodes: Label of every image of the dataset; -1 for images that are not trained on.
        loss: Supervised loss of the logits.
        classes: The classes that the network is trained on.
        weight: Weight of the margins.
        margins: ``"adaptive"``: all margins but the first and the last follow mean distances of the batch;
            ``"by-class"``: the same for each class separately; ``"fixed"``.
        targets: Initial margins; see :func:`first_margins`.
        margin_momentum: Share of its value that a margin keeps in every step, in [0, 1].
        temperature: Temperature of the distributions over other images, > 0.
        clusters: Pseudo-fine classes per class; see :func:`~cladewise.objectives.clusters_wanted`.
        warmup: Epochs before margins and clusters begin.
        refresh: Epochs between two clusterings.
        coarse_levels: Levels with a margin each; see :func:`margin_levels`.

    Raises:
        InputError: A level does not exist, or the margins are not ascending or not as many as there are relations.
    """

    cluster: Int[Tensor, " image"]
    current: Float[Tensor, "class relation"]
    ancestors: Int[Tensor, "level node"]
    class_of_node: Int[Tensor, " node"]

    def __init__(
        self,
        taxonomy: Taxonomy,
        nodes: IntArray,
        loss: Loss,
        classes: LevelClasses,
        *,
        weight: float,
        margins: Margins,
        targets: str,
        margin_momentum: float,
        temperature: float,
        clusters: str | int,
        warmup: int,
        refresh: int,
        coarse_levels: str | int,
    ) -> None:
        super().__init__()
        levels = margin_levels(coarse_levels, classes.level, taxonomy)
        self.loss, self.weight, self.margins = loss, weight, margins
        self.margin_momentum, self.temperature = margin_momentum, temperature
        self.clusters, self.warmup, self.refresh = clusters, warmup, refresh
        first = first_margins(targets, len(levels))
        rows = classes.num_classes + 1 if margins == "by-class" else 1  # the last row is for images without a class
        ancestors = np.stack([taxonomy.at_level(level) for level in reversed(levels)])
        clusters_wanted(clusters)
        leaves = np.bincount(ancestors[0][taxonomy.leaf_nodes], minlength=taxonomy.num_nodes)
        self.subclasses = np.maximum(1, leaves)
        self.epoch = 0
        self.register_buffer("current", torch.tensor(first).repeat(rows, 1))
        self.register_buffer("cluster", torch.full((len(nodes),), -1))
        self.register_buffer("ancestors", torch.from_numpy(ancestors), persistent=False)
        self.register_buffer("class_of_node", classes.class_of_node, persistent=False)

    def begin_epoch(self, epoch: int, seed: int, represent: Callable[[], TrainingVectors]) -> None:
        self.epoch = epoch
        since = epoch - self.warmup
        if since < 0 or since % max(1, self.refresh) or self.clusters in (0, "0"):
            return
        images = represent()
        found = pseudo_fine(
            images.vectors.float().cpu().numpy(),
            self.ancestors[0][images.target].cpu().numpy(),
            self.subclasses,
            self.clusters,
            seed=(seed * 1_000_003 + epoch) % 2**32,
        )
        self.cluster.fill_(-1)
        self.cluster[images.index] = torch.from_numpy(found).to(self.cluster.device)

    def forward(self, batch: TrainingBatch) -> Float[Tensor, " row"]:
        nats = self.loss(batch.prediction.logits, batch.target)
        if self.epoch < self.warmup:
            return nats
        cluster = self.cluster[batch.index]
        alone = len(self.cluster) + batch.index  # an image without a cluster forms one of its own
        clusters = torch.where(cluster >= 0, cluster, alone)
        groups = torch.stack([batch.index, clusters, *self.ancestors[:, batch.target]])
        known = self.class_of_node[batch.target]
        last = len(self.current) - 1
        row = torch.where(known >= 0, known, last) if last else torch.zeros_like(known)
        found = hierarchical_cosine_margin_loss(
            projection_of(batch.prediction), groups, self.current[row], temperature=self.temperature
        )
        if self.training and self.margins != "fixed":
            self._follow(row, found.counts, found.distances)
        return nats + self.weight * found.nats

    @torch.no_grad()
    def _follow(self, row: Tensor, counts: Tensor, distances: Tensor) -> None:
        """Move all margins but the first and the last towards the mean distances of the batch, keeping their order."""
        total = torch.zeros_like(self.current).index_add(0, row, counts)
        mean = torch.zeros_like(self.current).index_add(0, row, distances.float()) / total.clamp_min(1)
        kept = self.margin_momentum
        moved = torch.where(total > 0, kept * self.current + (1 - kept) * mean, self.current)
        moved[:, 0], moved[:, -1] = self.current[:, 0], self.current[:, -1]
        for k in range(1, moved.shape[1] - 1):
            moved[:, k] = moved[:, k].maximum(moved[:, k - 1] + GAP)
        for k in range(moved.shape[1] - 2, 0, -1):
            moved[:, k] = moved[:, k].minimum(moved[:, k + 1] - GAP)
        self.current.copy_(moved)

    def state(self) -> dict[str, float]:
        return {f"margin_{k}": float(value) for k, value in enumerate(self.current.mean(0))}


def first_margins(text: str, num_levels: int) -> list[float]:
    """Initial margins of views, clusters, each coarse level from the finest, and unrelated images.

    Args:
        text: Margins separated by commas; empty for 0, 0.2, and even steps from 0.5 to 1.
        num_levels: Number of levels with a margin.

    Raises:
        InputError: They are not ``num_levels + 3`` numbers in [0, 2], ascending by at least 0.001.

    Example:
        >>> first_margins("", 1), first_margins("0,0.1,0.4,0.7,1", 2)
        ([0.0, 0.2, 0.5, 1.0], [0.0, 0.1, 0.4, 0.7, 1.0])
    """
    if not text:
        return [0.0, 0.2, *(0.5 + 0.5 * k / num_levels for k in range(num_levels)), 1.0]
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    steps = np.diff(found)
    if len(found) != num_levels + 3 or found[0] < 0 or found[-1] > 2 or (steps < GAP - 1e-9).any():
        raise InputError(f"{num_levels + 3} margins, ascending in [0, 2], like 0,0.2,0.5,1", repr(text))
    return found


def margin_levels(choice: str | int, level: int, taxonomy: Taxonomy) -> tuple[int, ...]:
    """The levels that have a margin each, ascending and no finer than the level of the classes.

    Raises:
        InputError: A level does not exist or is finer than the classes.

    Example:
        >>> tree = Taxonomy.from_paths([("a", "b", "c")])
        >>> margin_levels("", 2, tree), margin_levels("all", 2, tree)
        ((2,), (1, 2))
    """
    if choice == "":
        return (level,)
    if choice == "all":
        return tuple(range(1, level + 1)) or (level,)
    levels = chosen_levels(str(choice), taxonomy)
    if levels[-1] > level:
        raise InputError(f"levels with margins down to the classes', {level}", levels[-1])
    return levels
