"""Momentum contrast: a queue of keys from earlier images, and the objective that compares images with it."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cladewise.heads import ProjectionHead
from cladewise.losses import Loss
from cladewise.objectives.objective import Objective, TrainingBatch, projection_of
from cladewise.objectives.queued_contrast import away_from_class, queued_contrast_loss

IntArray = NDArray[np.int64]


class Queue(nn.Module):
    """The most recent keys of each group of images, up to a maximum per group.

    Args:
        sizes: Maximum number of keys of each group.
        dim: Length of the keys.

    Example:
        >>> queue = Queue(np.array([1, 2]), 2)
        >>> queue.add(torch.eye(2), torch.tensor([1, 0]), torch.tensor([7, 8]))
        >>> queue.index.tolist(), queue.group_of_entry().tolist()
        ([8, 7, -1], [0, 1, -1])
    """

    keys: Float[Tensor, "entry dim"]
    index: Int[Tensor, " entry"]
    cursor: Int[Tensor, " group"]
    sizes: Int[Tensor, " group"]
    starts: Int[Tensor, " group"]
    group: Int[Tensor, " entry"]

    def __init__(self, sizes: IntArray, dim: int) -> None:
        super().__init__()
        total = int(sizes.sum())
        self.register_buffer("keys", torch.zeros(total, dim))
        self.register_buffer("index", torch.full((total,), -1))
        self.register_buffer("cursor", torch.zeros(len(sizes), dtype=torch.int64))
        self.register_buffer("sizes", torch.from_numpy(sizes), persistent=False)
        self.register_buffer("starts", torch.from_numpy(np.cumsum(sizes) - sizes), persistent=False)
        self.register_buffer("group", torch.from_numpy(np.repeat(np.arange(len(sizes)), sizes)), persistent=False)

    def group_of_entry(self) -> Int[Tensor, " entry"]:
        """Group of each entry; -1 for entries that are still empty."""
        return torch.where(self.index >= 0, self.group, -1)

    @torch.no_grad()
    def add(
        self, keys: Float[Tensor, "image dim"], groups: Int[Tensor, " image"], index: Int[Tensor, " image"]
    ) -> None:
        """Add the keys of images, each overwriting the oldest of its group. Keys of group -1 are dropped."""
        kept = (groups >= 0) & (self.sizes[groups.clamp_min(0)] > 0)
        keys, groups, index = keys[kept], groups[kept], index[kept]
        if not len(groups):
            return
        order = groups.argsort(stable=True)
        counts = groups.bincount(minlength=len(self.sizes))
        within = torch.arange(len(groups), device=groups.device) - (counts.cumsum(0) - counts)[groups[order]]
        sorted_groups = groups[order]
        # if there are more than fit, keep the last ones: the others would be overwritten
        stay = within >= counts[sorted_groups] - self.sizes[sorted_groups]
        order, sorted_groups, within = order[stay], sorted_groups[stay], within[stay]
        place = self.starts[sorted_groups] + (self.cursor[sorted_groups] + within) % self.sizes[sorted_groups]
        self.keys[place] = keys[order].to(self.keys.dtype)
        self.index[place] = index[order]
        self.cursor.copy_((self.cursor + counts) % self.sizes.clamp_min(1))


class MomentumContrastObjective(Objective):
    """Cross-entropy of the classes, plus contrast of one view with the momentum copy's key of another view.

    Args:
        loss: Supervised loss of the logits.
        class_of_node: Class of each node; -1 for none.
        queue: Keys of earlier images, per class or, with a single group, of all images together.
        temperature: Temperature of the contrast.
        angular: Compare directions relative to the class weight (ANCOR) instead of the projections themselves.
        supervised: Whether the loss of the labels trains the whole network; if not, it only trains the class scorer.
    """

    def __init__(
        self, loss: Loss, class_of_node: Tensor, queue: Queue, *, temperature: float, angular: bool, supervised: bool
    ) -> None:
        super().__init__()
        self.loss, self.queue = loss, queue
        self.temperature, self.angular, self.supervised = temperature, angular, supervised
        self.register_buffer("class_of_node", class_of_node, persistent=False)

    class_of_node: Int[Tensor, " node"]

    def forward(self, batch: TrainingBatch) -> Float[Tensor, " row"]:
        head, projection, followed = batch.head, projection_of(batch.prediction), projection_of(batch.followed)
        assert isinstance(head, ProjectionHead)
        logits = batch.prediction.logits if self.supervised else head.leaf_logits(projection.detach())
        nats = self.loss(logits, batch.target)
        first = slice(0, None, batch.views)
        second = slice(min(1, batch.views - 1), None, batch.views)
        classes, index = self.class_of_node[batch.target[first]], batch.index[first]
        group = classes if len(self.queue.sizes) > 1 or self.angular else torch.zeros_like(classes)
        query = functional.normalize(projection[first], dim=-1)
        key = functional.normalize(followed[second], dim=-1)
        keys, group_of_entry = self.queue.keys.clone(), self.queue.group_of_entry()
        new = key
        if self.angular:
            weight = _class_weight(head.scorer).detach()
            centre = weight[classes.clamp_min(0)]
            query, key = away_from_class(query, centre), away_from_class(key, centre)
            keys = away_from_class(keys, weight[group_of_entry.clamp_min(0)])
        contrast = queued_contrast_loss(
            query,
            key,
            keys,
            image_groups=group,
            queue_groups=group_of_entry,
            image_index=index,
            queue_index=self.queue.index.clone(),
            temperature=self.temperature,
        )
        if self.training:
            self.queue.add(new, group, index)
        # an image labelled above the classes' level has no class, and so nothing to be contrasted with
        contrast = torch.where(group >= 0, contrast, contrast * 0)
        return nats + contrast.repeat_interleave(batch.views)


def _class_weight(scorer: nn.Module) -> Tensor:
    """Weights of the last linear layer, one row per class."""
    last = [module for module in scorer.modules() if isinstance(module, nn.Linear)][-1]
    return last.weight
