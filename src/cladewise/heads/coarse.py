"""Classifiers of one level, with scores expressed as scores of the leaves."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cladewise.heads.embedding_layer import EmbeddedHead, Embedding
from cladewise.heads.head import Head, LinearHead
from cladewise.predictions import LeafSoftmax
from cladewise.predictions.projected_leaves import ProjectedLeafSoftmax
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.level_choice import chosen_levels


class LevelClasses(nn.Module):
    r"""The classes of one extended level, and the leaf scores that their scores imply.

    Nothing distinguishes the leaves of a class, so they share its mass equally:

    .. math:: z_l = s_{c(l)} - \log |B(c(l))|

    The log-sum-exp of the leaves under a class is its score, so a softmax over the leaves equals the softmax over the
    classes, for labels at any node.

    Args:
        taxonomy: The label tree.
        level: Name or number of the level; empty for the finest, at which every leaf is a class.

    Raises:
        InputError: There is no such level.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> classes = LevelClasses(t, "1")
        >>> classes.num_classes, classes(torch.tensor([[1.0, 2.0]])).logsumexp(-1)
        (2, tensor([2.3133]))
    """

    class_of_leaf: Int[Tensor, " leaf"]
    log_leaves: Float[Tensor, " leaf"]
    class_of_node: Int[Tensor, " node"]

    def __init__(self, taxonomy: Taxonomy, level: str | int = "") -> None:
        super().__init__()
        self.level = chosen_levels(str(level), taxonomy)[-1] if level != "" else taxonomy.num_levels
        nodes = taxonomy.level_nodes(self.level)
        representative = taxonomy.at_level(self.level)
        place = np.minimum(np.searchsorted(nodes, representative), nodes.size - 1)
        known = np.where(nodes[place] == representative, place, -1)
        of_leaf = known[taxonomy.leaf_nodes]
        leaves = np.bincount(of_leaf, minlength=nodes.size)
        self.num_classes, self.nodes = nodes.size, torch.from_numpy(nodes.copy())
        self.register_buffer("class_of_leaf", torch.from_numpy(of_leaf), persistent=False)
        self.register_buffer("log_leaves", torch.from_numpy(np.log(leaves[of_leaf])).float(), persistent=False)
        self.register_buffer("class_of_node", torch.from_numpy(known), persistent=False)

    def forward(self, scores: Float[Tensor, "*batch class"]) -> Float[Tensor, "*batch leaf"]:
        return scores.index_select(-1, self.class_of_leaf) - self.log_leaves


class ProjectionHead(Head):
    r"""A representation, a projection of it by which images are compared, and class scores from the projection.

    .. math:: h = g(f), \qquad v = W_2 \operatorname{ReLU}(W_1 h), \qquad s = \text{classes}(v)

    where g is a trained :class:`~cladewise.heads.Embedding`, or the identity.

    Args:
        taxonomy: The label tree.
        num_features: Width of the features.
        classes: The classes.
        scorer: Module from projections ``[batch, projection]`` to class scores.
        embedding: Width of the trained layer g; 0 for none.
        projection: Width of v.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> head = ProjectionHead(t, 8, LevelClasses(t, "1"), nn.Linear(4, 2), embedding=6, projection=4)
        >>> prediction = head(torch.zeros(5, 8))
        >>> prediction.projection.shape, prediction.logits.shape, head.represent(torch.zeros(5, 8)).shape
        (torch.Size([5, 4]), torch.Size([5, 3]), torch.Size([5, 6]))
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        num_features: int,
        classes: LevelClasses,
        scorer: nn.Module,
        *,
        embedding: int,
        projection: int,
    ) -> None:
        super().__init__()
        self.taxonomy, self.classes, self.scorer = taxonomy, classes, scorer
        self.embedding = Embedding(num_features, embedding) if embedding else nn.Identity()
        width = embedding or num_features
        self.projector = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, projection))

    def represent(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch dim"]:
        return self.embedding(features)

    def rows(self) -> dict[str, Int[Tensor, "row role"]]:
        """The rows of the scorer; every scorer has one per class in each of its tensors."""
        return {f"scorer.{name}": self.classes.nodes[:, None] for name in self.scorer.state_dict()}

    def leaf_logits(self, projection: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch leaf"]:
        """Leaf scores from the projection."""
        return self.classes(self.scorer(projection))

    def forward(self, features: Float[Tensor, "batch feature"]) -> ProjectedLeafSoftmax:
        projection = self.projector(self.represent(features))
        return ProjectedLeafSoftmax(self.taxonomy, self.leaf_logits(projection), projection)


def coarse_head(taxonomy: Taxonomy, num_features: int, level: str | int, embedding: int) -> Head:
    """A linear classifier of the classes of a level, on a trained embedding if ``embedding`` is not 0.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> p = coarse_head(t, 8, "1", 0)(torch.zeros(5, 8)).log_prob.exp()
        >>> p[0, 2] == p[0, 3]
        tensor(True)
    """
    classes = LevelClasses(taxonomy, level)
    width = embedding or num_features
    head = LinearHead(
        width, classes.num_classes, lambda scores: LeafSoftmax(taxonomy, classes(scores)), nodes=classes.nodes
    )
    head.classes = classes  # registered as a submodule, so that its buffers move with the head
    return EmbeddedHead(Embedding(num_features, embedding), head) if embedding else head
