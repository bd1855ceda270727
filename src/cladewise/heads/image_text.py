"""Images scored by how near they lie to the texts of the nodes, in a space of its own for every level."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from cladewise import ops
from cladewise.errors import InputError
from cladewise.heads.head import Head
from cladewise.heads.text_tower import TextTower
from cladewise.predictions import LevelSoftmax, level_layout
from cladewise.taxonomy import Taxonomy

LARGEST_SCALE = 100.0
"""Cosines are multiplied by at most this, as in CLIP."""


class ImageTextHead(Head):
    r"""A projection of the features for every level, and its cosines with the vectors of the nodes, scaled.

    .. math:: s^{(k)}_v = e^{\sigma}\, \frac{V_k f}{\lVert V_k f \rVert} \cdot t_v

    with one learnt scale, at most 100. All levels start from the same projection: the identity where the features have
    the width of the vectors, as those of a model with both towers do.

    Args:
        taxonomy: The label tree.
        num_features: Width of the features.
        tower: Vectors of the nodes.
        levels: The chosen levels, 1 for the coarsest; all of them where none are given. The finest is always one.
        scale: What cosines are multiplied by at first, in (0, 100].

    Raises:
        InputError: A level does not exist, they are not ascending, or the finest is not among them; or the scale is
            out of range.

    References: "Hierarchical classification via diffusion on manifolds" (HMCF), section 3.3, which leaves the form of
        the heads open. The scale and its bound are those of Radford et al., ICML 2021, arXiv:2103.00020.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        num_features: int,
        tower: TextTower,
        levels: Sequence[int] = (),
        *,
        scale: float = 1 / 0.07,
    ) -> None:
        super().__init__()
        _check_scale(scale)
        self.taxonomy, self.tower = taxonomy, tower
        self.levels = tuple(levels) or tuple(range(1, taxonomy.num_levels + 1))
        self._nodes = [torch.tensor(nodes) for nodes in level_layout(taxonomy, self.levels)]
        self.projections = nn.Parameter(_first_projection(num_features, tower.width).repeat(len(self.levels), 1, 1))
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def encoders(self) -> Sequence[nn.Module]:
        return () if self.tower.encoder is None else (self.tower.encoder,)

    def foresee(self, target: Int[Tensor, " batch"]) -> None:
        places = [level - 1 for level in self.levels]
        self.tower.foresee(ops.at_levels(target, self.taxonomy)[:, places].flatten())

    def node_vectors(self) -> Float[Tensor, "node dim"]:
        return self.tower()

    def state(self) -> dict[str, float]:
        return {"scale": float(self._scale().detach())}

    def represent(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch dim"]:
        """Unit vectors in the space of the finest level."""
        return self.embeddings(features)[:, -1]

    def embeddings(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch level dim"]:
        """Unit vectors in the space of each level."""
        return F.normalize(torch.einsum("bf,ldf->bld", features, self.projections).float(), dim=-1, eps=1e-6)

    def forward(self, features: Float[Tensor, "batch feature"]) -> LevelSoftmax:
        images, texts = self.embeddings(features), self.tower()
        scale = self._scale()
        with torch.autocast(features.device.type, enabled=False):  # half a digit of a cosine is much, times 100
            scores = [
                scale * images[:, place] @ texts[nodes.to(texts.device)].mT for place, nodes in enumerate(self._nodes)
            ]
        nothing = features.new_zeros(len(features), 0).float() * scale  # the root alone has no level
        return LevelSoftmax(self.taxonomy, torch.cat(scores or [nothing], dim=-1), self.levels)

    def _scale(self) -> Float[Tensor, ""]:
        return self.log_scale.exp().clamp_max(LARGEST_SCALE)


class TextClassifierHead(Head):
    r"""Linear classifiers whose weights start as the scaled vectors of the nodes' texts.

    .. math:: s^{(k)} = W_k\, \frac{V f}{\lVert V f \rVert} + b_k, \qquad W_k = e^{\sigma} T_k, \quad b_k = 0
        \quad\text{at first}

    with one projection V for all levels, the identity at first where the features have the width of the vectors.

    Args:
        taxonomy: The label tree.
        num_features: Width of the features.
        tower: Vectors of the nodes; asked once, and gone then.
        levels: The chosen levels, 1 for the coarsest; all of them where none are given. The finest is always one.
        scale: What cosines are multiplied by at first, in (0, 100].

    Raises:
        InputError: A level does not exist, they are not ascending, or the finest is not among them; or the scale is
            out of range.

    References: Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022, arXiv:2109.01903 (the classifier
        that is fine-tuned begins as the zero-shot one).
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        num_features: int,
        tower: TextTower,
        levels: Sequence[int] = (),
        *,
        scale: float = 1 / 0.07,
    ) -> None:
        super().__init__()
        _check_scale(scale)
        self.taxonomy = taxonomy
        self.levels = tuple(levels) or tuple(range(1, taxonomy.num_levels + 1))
        nodes = torch.cat([torch.zeros(0, dtype=torch.int64), *map(torch.tensor, level_layout(taxonomy, self.levels))])
        self.projection = nn.Parameter(_first_projection(num_features, tower.width))
        with torch.no_grad():
            self.weight = nn.Parameter(scale * tower()[nodes])
        self.bias = nn.Parameter(torch.zeros(len(nodes)))

    def represent(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch dim"]:
        """Unit vectors of the images."""
        return F.normalize((features @ self.projection.mT).float(), dim=-1, eps=1e-6)

    def forward(self, features: Float[Tensor, "batch feature"]) -> LevelSoftmax:
        with torch.autocast(features.device.type, enabled=False):
            scores = self.represent(features.float()) @ self.weight.mT + self.bias
        return LevelSoftmax(self.taxonomy, scores, self.levels)


def _first_projection(num_features: int, width: int) -> Float[Tensor, "width feature"]:
    """The identity where nothing has to be projected, and at random where there is no telling."""
    first = torch.empty(width, num_features)
    return nn.init.eye_(first) if num_features == width else nn.init.normal_(first, std=num_features**-0.5)


def _check_scale(scale: float) -> None:
    if not 0 < scale <= LARGEST_SCALE:
        raise InputError(f"a scale of cosines in (0, {LARGEST_SCALE:g}]", scale)
