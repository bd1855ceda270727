"""What methods with a slow copy of the network and a queue of its keys share."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cladewise.heads import Head, LevelClasses, ProjectionHead
from cladewise.losses import Loss, away_from_class, queued_contrast_loss
from cladewise.methods.coarse_cross_entropy import CoarseMethod
from cladewise.methods.method import option
from cladewise.methods.objective import Objective, Seen, projection_of
from cladewise.taxonomy import Taxonomy

IntArray = NDArray[np.int64]


class Queue(nn.Module):
    """The newest keys of each group of images, as many as a group may have.

    Args:
        sizes: Most keys of each group.
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
        """Group of each entry; -1 where none has come yet."""
        return torch.where(self.index >= 0, self.group, -1)

    @torch.no_grad()
    def add(
        self, keys: Float[Tensor, "image dim"], groups: Int[Tensor, " image"], index: Int[Tensor, " image"]
    ) -> None:
        """Put the keys of images in, each over the oldest of its group. Group -1 is none."""
        kept = (groups >= 0) & (self.sizes[groups.clamp_min(0)] > 0)
        keys, groups, index = keys[kept], groups[kept], index[kept]
        if not len(groups):
            return
        order = groups.argsort(stable=True)
        counts = groups.bincount(minlength=len(self.sizes))
        within = torch.arange(len(groups), device=groups.device) - (counts.cumsum(0) - counts)[groups[order]]
        sorted_groups = groups[order]
        # of more than fit the last ones stay: the others would be written over
        stay = within >= counts[sorted_groups] - self.sizes[sorted_groups]
        order, sorted_groups, within = order[stay], sorted_groups[stay], within[stay]
        place = self.starts[sorted_groups] + (self.cursor[sorted_groups] + within) % self.sizes[sorted_groups]
        self.keys[place] = keys[order].to(self.keys.dtype)
        self.index[place] = index[order]
        self.cursor.copy_((self.cursor + counts) % self.sizes.clamp_min(1))


class QueuedObjective(Objective):
    """Cross-entropy of the classes, and contrast of one view with the slow copy's keys of another.

    Args:
        loss: Nats by the labels.
        class_of_node: Class of each node; -1 for none.
        queue: Keys of earlier images, of each class or of all together where it has one group.
        temperature: Of the contrast.
        angular: Compare directions as seen from the image's class.
        taught: Whether labels teach more than the scorer of classes, which learns from what it sees as it is.
    """

    def __init__(
        self, loss: Loss, class_of_node: Tensor, queue: Queue, *, temperature: float, angular: bool, taught: bool
    ) -> None:
        super().__init__()
        self.loss, self.queue = loss, queue
        self.temperature, self.angular, self.taught = temperature, angular, taught
        self.register_buffer("class_of_node", class_of_node, persistent=False)

    class_of_node: Int[Tensor, " node"]

    def forward(self, seen: Seen) -> Float[Tensor, " row"]:
        head, projection, followed = seen.head, projection_of(seen.prediction), projection_of(seen.followed)
        assert isinstance(head, ProjectionHead)
        logits = seen.prediction.logits if self.taught else head.leaf_logits(projection.detach())
        nats = self.loss(logits, seen.target)
        first = slice(0, None, seen.views)
        second = slice(min(1, seen.views - 1), None, seen.views)
        classes, index = self.class_of_node[seen.target[first]], seen.index[first]
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
        # an image without a class, labelled coarser than those are, has nothing to be told apart from
        contrast = torch.where(group >= 0, contrast, contrast * 0)
        return nats + contrast.repeat_interleave(seen.views)


def _class_weight(scorer: nn.Module) -> Tensor:
    """Weights of the last linear layer, a row a class."""
    last = [module for module in scorer.modules() if isinstance(module, nn.Linear)][-1]
    return last.weight


@dataclasses.dataclass(frozen=True, kw_only=True)
class MomentumContrastMethod(CoarseMethod):
    """A method that tells an image's views from keys of other images, which a slow copy of the network makes."""

    projection: int = option(128, "length of the vectors that are compared")
    temperature: float = option(0.2, "temperature of the comparison, > 0")
    queue: int = option(65536, "keys that are kept, of all images or of each class; at most one for each image of it")
    copy_momentum: float = option(0.999, "share of itself that the slow copy keeps in every step, in (0, 1)")

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        classes = LevelClasses(taxonomy, self.level)
        scorer = nn.Sequential(nn.ReLU(), nn.Linear(self.projection, classes.num_classes))
        return ProjectionHead(
            taxonomy, num_features, classes, scorer, embedding=self.embedding, projection=self.projection
        )

    def views(self) -> int:
        return 2

    def momentum(self) -> float:
        return self.copy_momentum

    def queued(
        self, taxonomy: Taxonomy, nodes: IntArray, *, by_class: bool, angular: bool, taught: bool
    ) -> QueuedObjective:
        """The objective for training images of such labels."""
        classes = LevelClasses(taxonomy, self.level)
        of_image = classes.class_of_node.numpy()[nodes[nodes >= 0]]
        sizes = np.bincount(of_image[of_image >= 0], minlength=classes.num_classes) if by_class else [of_image.size]
        queue = Queue(np.minimum(np.asarray(sizes, dtype=np.int64), self.queue), self.projection)
        return QueuedObjective(
            self.loss(taxonomy),
            classes.class_of_node,
            queue,
            temperature=self.temperature,
            angular=angular,
            taught=taught,
        )
