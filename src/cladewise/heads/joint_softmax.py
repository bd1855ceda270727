"""The head of a leaf softmax whose classes are label vectors of a space that also holds the tree."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from cladewise import ops
from cladewise.embeddings import Geometry
from cladewise.errors import InputError
from cladewise.heads.energy import EnergyHead
from cladewise.predictions import LeafSoftmax
from cladewise.taxonomy import Taxonomy

Similarity = Literal["cosine", "energy"]

LARGEST_SCALE = 100.0
"""Largest scale of the similarities."""


class JointSoftmaxHead(EnergyHead):
    r"""A softmax over the leaves from the similarities of an image's vector to the leaves' label vectors.

    .. math:: z_l = e^{\sigma} \cos(u_l, g(f(x))) \qquad\text{or}\qquad z_l = -e^{\sigma} E(u_l, g(f(x)))

    with one learnt scale :math:`e^\sigma`, at most 100. The label vectors are those of :class:`EnergyHead`, with its
    loss of the edges between labels, so that the same vectors classify images and contain one another along the tree.
    A cone's axis is the direction of its label vector, and its aperture depends on the vector's length alone: the
    cosine therefore leaves the length free for the order. For an image far out, the angle between an axis and the
    direction of the image is the angle that the energy of a cone is made of.

    Args:
        taxonomy: The label tree; its root has no vector.
        geometry: The geometry, which defines the energies.
        image_map: f, from features to vectors.
        dim: Dimensions of the vectors.
        similarity: ``cosine`` or ``energy``.
        scale: Initial scale, in (0, 100].
        options: Further arguments of :class:`EnergyHead`.

    Raises:
        InputError: The scale is out of range.

    Example:
        >>> from cladewise.embeddings import make
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> head = JointSoftmaxHead(t, make("hyperbolic"), nn.Linear(8, 4), 4)
        >>> head(torch.zeros(5, 8)).logits.shape, head.label_vectors().shape
        (torch.Size([5, 2]), torch.Size([3, 4]))
    """

    _labels_of_leaves: Tensor

    def __init__(
        self,
        taxonomy: Taxonomy,
        geometry: Geometry,
        image_map: nn.Module,
        dim: int,
        *,
        similarity: Similarity = "cosine",
        scale: float = 10.0,
        **options: Any,
    ) -> None:
        super().__init__(taxonomy, geometry, image_map, dim, **options)
        if not 0 < scale <= LARGEST_SCALE:
            raise InputError(f"a scale in (0, {LARGEST_SCALE:g}]", scale)
        self.similarity: Similarity = similarity
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def forward(self, features: Float[Tensor, "batch feature"]) -> LeafSoftmax:
        images = self.image_vectors(features)
        with torch.autocast(features.device.type, enabled=False):
            leaves = self._leaf_vectors()
            if self.similarity == "cosine":
                similar = F.normalize(images, dim=-1) @ F.normalize(leaves, dim=-1).mT
            else:
                similar = -self.geometry.pairwise_energy(leaves, images).mT
            return LeafSoftmax(self.taxonomy, self._scale() * similar)

    def _leaf_vectors(self) -> Float[Tensor, "leaf dim"]:
        labels: Int[Tensor, " leaf"] = ops.tree_index(self.taxonomy, self.points.device).leaf_nodes - 1
        if len(self.points) == 0:  # the root alone is the leaf, which has no vector
            return self.points.new_zeros(len(labels), self.dim)
        return self.label_vectors().index_select(0, labels)

    def _scale(self) -> Float[Tensor, ""]:
        return self.log_scale.exp().clamp_max(LARGEST_SCALE)

    @torch.no_grad()
    def state(self) -> dict[str, float]:
        return {**super().state(), "scale": float(self._scale())}
