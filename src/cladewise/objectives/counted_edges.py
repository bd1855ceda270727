"""An objective of joint embeddings that weighs edges between labels by their number."""

from __future__ import annotations

from typing import cast

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from cladewise.embeddings import closure_edges
from cladewise.heads import EnergyHead
from cladewise.losses import Loss
from cladewise.objectives.objective import Objective, TrainingBatch


class CountedEdgesObjective(Objective):
    r"""The loss of the images, plus that of the edges between labels, each edge of the joint graph counting once.

    .. math:: \ell_i = \ell(x_i) + \frac{w}{N}\Big(L \operatorname{mean}_{(u, v)} E(u, v)
        + m (L + I) \operatorname{mean}_{(u', v')} \max(0, \gamma - E(u', v'))\Big)

    The joint graph has L edges between labels (the transitive closure) and I edges from labels to the N training
    images. An epoch over the graph meets every edge once, with m negative edges that connect labels, whatever the edge
    itself connects. Both means are over edges that the head samples at every step.

    Args:
        loss: The loss of an image: the edges from labels to it, with their negative edges.
        nodes: Label of every image of the dataset; -1 for images that are not trained on.
        num_negatives: m.
        weight: w.

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy
        >>> from cladewise.losses import MaxMarginEnergyLoss
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> objective = CountedEdgesObjective(MaxMarginEnergyLoss(t), np.array([2, 2, 3, -1]), num_negatives=5)
        >>> objective.num_images, objective.num_label_edges, objective.num_image_edges
        (3, 2, 6)

    References: Dhall et al., CVPR Workshops 2020, section 4.2.3. Their code draws the edges of a batch from the whole
        graph; here a batch has images, and at every step edges between labels in proportion.
    """

    def __init__(
        self, loss: Loss, nodes: Int[NDArray[np.int64], " image"], *, num_negatives: float, weight: float = 1.0
    ) -> None:
        super().__init__()
        taxonomy = loss.taxonomy
        edges = closure_edges(taxonomy)
        of_image = np.bincount(edges.special, minlength=taxonomy.num_nodes)  # by its label
        of_image[1:] += 1  # the edge from the label itself
        trained = nodes[nodes >= 0]
        self.loss, self.num_negatives, self.weight = loss, num_negatives, weight
        self.num_images = len(trained)
        self.num_label_edges = len(edges)
        self.num_image_edges = int(of_image[trained].sum())

    def forward(self, batch: TrainingBatch) -> Float[Tensor, " row"]:
        losses = self.loss(batch.prediction.logits, batch.target)
        if not self.num_label_edges or not self.num_images:
            return losses
        sampled = cast("EnergyHead", batch.head).label_edges()
        true = self.num_label_edges * sampled.true / sampled.num_true
        lacking = self.num_negatives * (self.num_label_edges + self.num_image_edges) * sampled.false / sampled.num_false
        return losses + self.weight * (true + lacking) / self.num_images
