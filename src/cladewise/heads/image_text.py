"""Heads that score images by the texts of the nodes: by scaled cosines, or as initial weights of a classifier."""

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
"""Largest scale of the cosines, as in CLIP."""


class ImageTextHead(Head):
    r"""A projection of the features for each level, and its scaled cosines with the text vectors of the nodes.

    .. math:: s^{(k)}_v = e^{\sigma}\, \frac{V_k f}{\lVert V_k f \rVert} \cdot t_v

    with one learnt scale, at most 100. All levels start from the same projection: the identity if the features have the
    width of the text vectors, as in a model with both towers.

    Args:
        taxonomy: The label tree.
        num_features: Width of the features.
        tower: The text tower, which gives a vector per node.
        levels: The chosen levels, 1 for the coarsest, including the finest; all levels by default.
        scale: Initial scale of the cosines, in (0, 100].
        all_texts: Whether the texts of all nodes have a gradient in every step, for a loss that uses all scores;
            otherwise only those of the batch's labels.

    Raises:
        InputError: A level does not exist, the levels are not ascending, the finest is missing, or the scale is out of
            range.

    References: "Hierarchical classification via diffusion on manifolds" (HMCF), section 3.3, which leaves the form of
        the heads open. The scale and its bound follow Radford et al., ICML 2021, arXiv:2103.00020.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        num_features: int,
        tower: TextTower,
        levels: Sequence[int] = (),
        *,
        scale: float = 1 / 0.07,
        all_texts: bool = False,
    ) -> None:
        super().__init__()
        _check_scale(scale)
        self.taxonomy, self.tower, self.all_texts = taxonomy, tower, all_texts
        self.levels = tuple(levels) or tuple(range(1, taxonomy.num_levels + 1))
        self._nodes = [torch.tensor(nodes) for nodes in level_layout(taxonomy, self.levels)]
        self.projections = nn.Parameter(_first_projection(num_features, tower.width).repeat(len(self.levels), 1, 1))
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def encoders(self) -> Sequence[nn.Module]:
        return () if self.tower.encoder is None else (self.tower.encoder,)

    def foresee(self, target: Int[Tensor, " batch"]) -> None:
        if self.all_texts:
            return
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
        return _unit(torch.einsum("bf,ldf->bld", features, self.projections))

    def forward(self, features: Float[Tensor, "batch feature"]) -> LevelSoftmax:
        images = self.embeddings(features)
        texts = self.tower().to(images.dtype)
        scale = self._scale()
        with torch.autocast(
            features.device.type, enabled=False
        ):  # half precision loses too much of a cosine that is multiplied by 100
            scores = [
                scale * images[:, place] @ texts[nodes.to(texts.device)].mT for place, nodes in enumerate(self._nodes)
            ]
        nothing = images.new_zeros(images.shape[0], 0) * scale  # a tree of the root alone has no level
        return LevelSoftmax(self.taxonomy, torch.cat(scores or [nothing], dim=-1), self.levels)

    def _scale(self) -> Float[Tensor, ""]:
        return self.log_scale.exp().clamp_max(LARGEST_SCALE)


class TextClassifierHead(Head):
    r"""Linear classifiers whose weights are initialised with the scaled text vectors of the nodes.

    .. math:: s^{(k)} = W_k\, \frac{V f}{\lVert V f \rVert} + b_k, \qquad W_k = e^{\sigma} T_k, \quad b_k = 0
        \quad\text{at first}

    with one projection V for all levels, initially the identity if the features have the width of the text vectors.
    Without projection V is the identity throughout, and without bias b is 0.

    Args:
        taxonomy: The label tree.
        num_features: Width of the features.
        tower: The text tower; used once for initialisation and not kept.
        levels: The chosen levels, 1 for the coarsest, including the finest; all levels by default.
        scale: Initial scale of the cosines, in (0, 100].
        bias: Whether there is a bias.
        projection: Whether there is a projection; without, features and text vectors have to be of one width.

    Raises:
        InputError: A level does not exist, the levels are not ascending, the finest is missing, the scale is out of
            range, or widths differ without a projection.

    References: Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022, arXiv:2109.01903 (fine-tuning
        starts from the zero-shot classifier).
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        num_features: int,
        tower: TextTower,
        levels: Sequence[int] = (),
        *,
        scale: float = 1 / 0.07,
        bias: bool = True,
        projection: bool = True,
    ) -> None:
        super().__init__()
        _check_scale(scale)
        if not projection and num_features != tower.width:
            raise InputError(
                f"text vectors as wide as the features, {num_features}, where there is no projection",
                f"width={tower.width}",
            )
        self.taxonomy = taxonomy
        self.levels = tuple(levels) or tuple(range(1, taxonomy.num_levels + 1))
        nodes = torch.cat([torch.zeros(0, dtype=torch.int64), *map(torch.tensor, level_layout(taxonomy, self.levels))])
        first = _first_projection(num_features, tower.width)
        self.projection = nn.Parameter(first) if projection else None
        with torch.no_grad():
            self.weight = nn.Parameter(scale * tower()[nodes])
        self.bias = nn.Parameter(torch.zeros(len(nodes))) if bias else None

    def rows(self) -> dict[str, Int[Tensor, "row role"]]:
        nodes = [torch.tensor(nodes) for nodes in level_layout(self.taxonomy, self.levels)]
        every = torch.cat([torch.zeros(0, dtype=torch.int64), *nodes])[:, None]
        return {"weight": every} if self.bias is None else {"weight": every, "bias": every}

    def node_vectors(self) -> Float[Tensor, "node dim"]:
        """Unit vectors of the classifiers' weights, the texts' at first; 0 for nodes of no chosen level."""
        nodes = self.rows()["weight"].squeeze(1)
        finest = torch.full((self.taxonomy.num_nodes,), -1).scatter_reduce(0, nodes, torch.arange(len(nodes)), "amax")
        unit = torch.cat([_unit(self.weight), self.weight.new_zeros(1, self.weight.shape[1])])
        return unit[finest.to(unit.device)]

    def represent(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch dim"]:
        """Unit vectors of the images."""
        return _unit(features if self.projection is None else features @ self.projection.mT)

    def forward(self, features: Float[Tensor, "batch feature"]) -> LevelSoftmax:
        with torch.autocast(features.device.type, enabled=False):
            scores = self.represent(_precise(features)) @ self.weight.mT
            scores = scores if self.bias is None else scores + self.bias
        return LevelSoftmax(self.taxonomy, scores, self.levels)


def _precise(vectors: Tensor) -> Tensor:
    """Vectors in single precision at least."""
    return vectors.to(torch.promote_types(vectors.dtype, torch.float32))


def _unit(vectors: Tensor) -> Tensor:
    return F.normalize(_precise(vectors), dim=-1, eps=1e-6)


def _first_projection(num_features: int, width: int) -> Float[Tensor, "width feature"]:
    """The identity if the widths are equal, otherwise random."""
    first = torch.empty(width, num_features)
    return nn.init.eye_(first) if num_features == width else nn.init.normal_(first, std=num_features**-0.5)


def _check_scale(scale: float) -> None:
    if not 0 < scale <= LARGEST_SCALE:
        raise InputError(f"a scale of cosines in (0, {LARGEST_SCALE:g}]", scale)
