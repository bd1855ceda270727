"""The head of contrastive methods: a projection to compare images by, and a linear classifier at every level."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cladewise.errors import InputError
from cladewise.heads.embedding_layer import Embedding
from cladewise.heads.head import Head
from cladewise.predictions import EmbeddedLevelSoftmax, level_width
from cladewise.taxonomy import Taxonomy


class ContrastiveHead(Head):
    r"""A representation, a projection of it by which images are compared, and classifiers, by default without gradient.

    .. math:: h = g(f), \qquad z = W_2 \operatorname{ReLU}(W_1 h), \qquad s = V\,\mathrm{sg}(h) + b

    where g is a trained :class:`~cladewise.heads.Embedding`, or the identity, and :math:`\mathrm{sg}` stops the
    gradient: the classifiers are the linear probes by which contrastive encoders are usually evaluated, trained
    alongside. With ``probes=False`` their gradient reaches g as well.

    Args:
        taxonomy: The label tree.
        num_features: Width of the features.
        embedding: Width of the trained layer g; 0 for none.
        width: Length of z.
        probes: Whether the classifiers are probes, which do not train g.

    Raises:
        InputError: A width is not positive.

    Example:
        >>> head = ContrastiveHead(Taxonomy.from_paths([("a", "b"), ("a", "c")]), 8, embedding=6, width=4)
        >>> prediction = head(torch.zeros(5, 8))
        >>> prediction.embedding.shape, prediction.settled().logits.shape, head.represent(torch.zeros(5, 8)).shape
        (torch.Size([5, 4]), torch.Size([5, 3]), torch.Size([5, 6]))

    References: Khosla et al., Supervised contrastive learning, NeurIPS 2020, arXiv:2004.11362 (the projection is an
        MLP with a hidden layer as wide as its input and 128 outputs, discarded after training).
    """

    def __init__(
        self, taxonomy: Taxonomy, num_features: int, *, embedding: int = 600, width: int = 128, probes: bool = True
    ) -> None:
        super().__init__()
        if width < 1:
            raise InputError("an embedding of at least 1 number", width)
        self.taxonomy, self.width, self.probes = taxonomy, width, probes
        self.embedding = Embedding(num_features, embedding) if embedding else nn.Identity()
        size = embedding or num_features
        self.projection = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, width))
        levels = tuple(range(1, taxonomy.num_levels + 1))
        self.classifiers = nn.Linear(size, level_width(taxonomy, levels, tied=False))

    def rows(self) -> dict[str, Int[Tensor, "row role"]]:
        levels = range(1, self.taxonomy.num_levels + 1)
        nodes = [torch.zeros(0, dtype=torch.int64), *(torch.tensor(self.taxonomy.level_nodes(k)) for k in levels)]
        every = torch.cat(nodes)[:, None]
        return {"classifiers.weight": every, "classifiers.bias": every}

    def represent(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch dim"]:
        """The input of the classifiers."""
        return self.embedding(features)

    def forward(self, features: Float[Tensor, "batch feature"]) -> EmbeddedLevelSoftmax:
        seen = self.represent(features)
        watched = (
            seen.detach() if self.training and self.probes else seen
        )  # in evaluation, gradients explain predictions
        logits = torch.cat([self.classifiers(watched), self.projection(seen)], dim=-1)
        return EmbeddedLevelSoftmax(self.taxonomy, logits, self.width)
