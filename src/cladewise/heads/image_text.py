"""Heads that score images by the texts of the nodes: by scaled cosines, or as initial weights of a classifier."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from cladewise import ops
from cladewise.catalogue import nearest
from cladewise.errors import InputError
from cladewise.heads.head import Head
from cladewise.heads.text_tower import TextTower
from cladewise.predictions import (
    LeafSoftmax,
    LevelSoftmax,
    NodeSigmoid,
    NodeSoftmax,
    Prediction,
    SiblingSoftmax,
    level_layout,
)
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


Over = Literal["levels", "leaves", "siblings", "nodes", "independent"]
"""The texts that a score competes with: see :class:`TextClassifierHead`."""


class TextClassifierHead(Head):
    r"""Linear classifiers whose weights are initialised with the scaled text vectors of the nodes.

    .. math:: s_v = w_v \cdot \frac{V f}{\lVert V f \rVert} + b_v, \qquad w_v = e^{\sigma} t_v, \quad b_v = \beta
        \quad\text{at first}

    with one projection V for all nodes, initially the identity if the features have the width of the text vectors.
    Without projection V is the identity throughout, and without bias b is 0.

    | ``over`` | nodes with a score | prediction |
    |---|---|---|
    | ``levels`` | those of each chosen level; a leaf above a level has a score in each | a softmax per level |
    | ``leaves`` | the leaves | one softmax, summed up the tree |
    | ``siblings`` | all but the root | a softmax among the children of each node, multiplied down the path |
    | ``nodes`` | all but the root | one softmax over all nodes, so that inner nodes have mass of their own |
    | ``independent`` | all but the root | a sigmoid each |

    Args:
        taxonomy: The label tree.
        num_features: Width of the features.
        tower: The text tower; used once for initialisation and not kept. ``None`` for a head whose weights are loaded
            next, so that no text is encoded.
        levels: The chosen levels, 1 for the coarsest, including the finest; all levels by default.
        over: What competes.
        scale: Initial scale of the cosines, above 0.
        bias: Whether there is a bias.
        first_bias: Its initial value :math:`\beta`, the same for all nodes.
        projection: Whether there is a projection; without, features and text vectors have to be of one width.
        width: Length of the text vectors, if there is no tower.

    Raises:
        InputError: A level does not exist, the levels are not ascending, the finest is missing, the scale is not
            positive, there is no such way to compete, or widths differ without a projection.

    References: Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022, arXiv:2109.01903 (fine-tuning
        starts from the zero-shot classifier); Zhai et al., Sigmoid loss for language image pre-training, ICCV 2023,
        arXiv:2303.15343 (independent sigmoids, with a bias).
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        num_features: int,
        tower: TextTower | None,
        levels: Sequence[int] = (),
        *,
        over: Over = "levels",
        scale: float = 1 / 0.07,
        bias: bool = True,
        first_bias: float = 0.0,
        projection: bool = True,
        width: int = 0,
    ) -> None:
        super().__init__()
        if not 0 < scale < math.inf:
            raise InputError("a scale of cosines above 0", scale)
        if over not in get_args(Over):
            choices = get_args(Over)
            raise InputError(f"scores over {', '.join(choices)}", repr(over), advice=nearest(over, choices))
        width = width if tower is None else tower.width
        if not projection and num_features != width:
            raise InputError(
                f"text vectors as wide as the features, {num_features}, where there is no projection",
                f"width={width}",
            )
        self.taxonomy = taxonomy
        self.over: Over = over
        self.levels = tuple(levels) or tuple(range(1, taxonomy.num_levels + 1))
        nodes = torch.from_numpy(scored_by_text(taxonomy, over, self.levels))
        first = _first_projection(num_features, width)
        self.projection = nn.Parameter(first) if projection else None
        with torch.no_grad():
            whole = torch.empty(len(nodes), width) if tower is None else scale * tower()[nodes]
        self.weight = nn.Parameter(whole)
        self.bias = nn.Parameter(torch.full((len(nodes),), first_bias)) if bias else None

    def rows(self) -> dict[str, Int[Tensor, "row role"]]:
        every = torch.from_numpy(scored_by_text(self.taxonomy, self.over, self.levels))[:, None]
        return {"weight": every} if self.bias is None else {"weight": every, "bias": every}

    def node_vectors(self) -> Float[Tensor, "node dim"]:
        """Unit vectors of the classifiers' weights, the texts' at first; 0 for nodes without a score."""
        nodes = self.rows()["weight"].squeeze(1)
        finest = torch.full((self.taxonomy.num_nodes,), -1).scatter_reduce(0, nodes, torch.arange(len(nodes)), "amax")
        unit = torch.cat([_unit(self.weight), self.weight.new_zeros(1, self.weight.shape[1])])
        return unit[finest.to(unit.device)]

    def represent(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch dim"]:
        """Unit vectors of the images."""
        return _unit(features if self.projection is None else features @ self.projection.mT)

    def forward(self, features: Float[Tensor, "batch feature"]) -> Prediction:
        with torch.autocast(features.device.type, enabled=False):
            scores = self.represent(_precise(features)) @ self.weight.mT
            scores = scores if self.bias is None else scores + self.bias
        match self.over:
            case "levels":
                return LevelSoftmax(self.taxonomy, scores, self.levels)
            case "leaves":
                return LeafSoftmax(self.taxonomy, scores)
            case "siblings":
                return SiblingSoftmax(self.taxonomy, scores)
            case "nodes":
                return NodeSoftmax(self.taxonomy, scores, with_root=False)
            case _:
                return NodeSigmoid(self.taxonomy, scores)


def scored_by_text(taxonomy: Taxonomy, over: Over, levels: Sequence[int] = ()) -> Int[np.ndarray, " score"]:
    """The node of each score of a :class:`TextClassifierHead`, in the order of its rows.

    Raises:
        InputError: A level does not exist, the levels are not ascending, or the finest is missing.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> scored_by_text(t, "leaves"), scored_by_text(t, "levels")
        (array([2, 3, 4]), array([1, 4, 2, 3, 4]))
    """
    layout = level_layout(taxonomy, tuple(levels) or tuple(range(1, taxonomy.num_levels + 1)))
    if over == "levels":
        return np.concatenate([np.zeros(0, dtype=np.int64), *layout])
    return taxonomy.leaf_nodes.copy() if over == "leaves" else np.arange(1, taxonomy.num_nodes)


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
