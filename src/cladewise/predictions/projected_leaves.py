"""A softmax over the leaves, with an image projection that only training uses."""

from __future__ import annotations

import dataclasses

from jaxtyping import Float
from torch import Tensor

from cladewise.predictions.softmax import LeafSoftmax


@dataclasses.dataclass(frozen=True, eq=False)
class ProjectedLeafSoftmax(LeafSoftmax):
    """A :class:`LeafSoftmax` with a vector by which training compares images; :meth:`settled` drops it.

    Args:
        taxonomy: The label tree.
        leaf_logits: Scores of the leaves.
        projection: The vectors, if the head gives them.

    Example:
        >>> import torch
        >>> from cladewise import Taxonomy
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> type(ProjectedLeafSoftmax(t, torch.zeros(1, 2), torch.zeros(1, 8)).settled()).__name__
        'LeafSoftmax'
    """

    projection: Float[Tensor, "*batch dim"] | None = None

    @property
    def image_vectors(self) -> Float[Tensor, "*batch dim"] | None:
        return self.projection

    def settled(self) -> LeafSoftmax:
        return LeafSoftmax(self.taxonomy, self.leaf_logits)
