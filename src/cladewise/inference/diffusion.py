"""Diffusion of scores over the tree."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar, Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cladewise import ops
from cladewise.errors import InputError
from cladewise.inference.inference import Inference
from cladewise.inference.node_files import numbers_of_nodes, version
from cladewise.inference.sources import Shift, Sources
from cladewise.predictions import LeafSoftmax, LevelSoftmax, Prediction, level_layout
from cladewise.predictions.taxonomy_cache import cached_for
from cladewise.taxonomy import Taxonomy

Readout = Literal["leaf", "level"]


@dataclasses.dataclass(frozen=True)
class Diffusion(Inference):
    r"""Raw scores of all levels spread along the edges of the tree, then a softmax.

    .. math:: f^* = (1 - \alpha) (I - \alpha \bar W)^{-1} f^0, \qquad \bar W = D^{-1/2} W D^{-1/2}

    where :math:`W` joins parents and children. :math:`f^0` are the scores before any softmax, and 0 for whatever has no
    score: the root, levels that the head or ``levels`` leaves out, nodes beyond the ``top`` best of their level, and
    nodes ruled out by an earlier rule. Diffusion depends on a constant added to the scores, and 0 is more than a
    negative score: with truncation, heads whose scores are mostly negative need ``shift="level-min"``. :meth:`about`
    reports the shift. A leaf that has been ruled out stays ruled out.

    A leaf competes at the finest chosen level, however high in the tree it is; if a head scores it at several levels,
    its score at that level is diffused.

    Args:
        alpha: Part of each score that comes from its neighbours, in [0, 1).
        steps: Steps of :math:`f^{t+1} = \alpha \bar W f^t + (1 - \alpha) f^0`; 0 for the limit, which is exact and
            costs less than two of them. The paper takes 12.
        levels: Levels whose scores are used, by number or name: ``"all"``, ``"6,7"``, ``"6-7"``, ``"genus"``.
        top: Best nodes of each level whose scores are used, all others are 0, as in the paper; 0 for all nodes.
        shift: ``"none"``, or ``"level-min"`` to subtract the lowest score of each level first, so that 0 is the worst.
        readout: ``"leaf"`` for a softmax over the leaves, summed up the tree; ``"level"`` for a softmax per level.
        rescale: Divide the result by :math:`1 - \alpha`, the factor by which diffusion shrinks the scores.
        weights: Positive weight of the edge above nodes, in place of 1: a CSV file with the columns ``node`` and
            ``weight`` (edges that it does not name keep 1), or a tensor with the weight of node ``i + 1`` at ``i``.

    Raises:
        InputError: A parameter is out of range, or the head has no score at the chosen levels.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e")])
        >>> scores = LevelSoftmax(t, torch.tensor([[1.0, 3.0, 2.0, 0.0, 2.0]]))  # a, d; b, c, e
        >>> Diffusion()(scores).leaf_logits
        tensor([[1.5854, 0.1854, 1.9498]])

    References: "Hierarchical classification via diffusion on manifolds", section 3.2. Its sum (Eq. 3) ends at t - 1.
        Truncation to 0 is that of its appendix B.1. The score at the root, the option to shift, what follows the
        diffusion and repeated leaves are our choices.
    """

    name: ClassVar[str] = "diffusion"
    revision: ClassVar[int] = 2

    alpha: float = 0.3
    steps: int = 0
    levels: str = "all"
    top: int = 0
    shift: Shift = "none"
    readout: Readout = "leaf"
    rescale: bool = False
    weights: str | Path | Tensor | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.alpha < 1:
            raise InputError("a diffusion rate alpha in [0, 1)", self.alpha)
        for option in ("steps", "top"):
            if getattr(self, option) < 0:
                raise InputError(f"{option} of 0 or more", getattr(self, option))
        for option, choices in (("shift", get_args(Shift)), ("readout", get_args(Readout))):
            if getattr(self, option) not in choices:
                raise InputError(f"{option} among {', '.join(choices)}", repr(getattr(self, option)))

    def __call__(self, prediction: Prediction) -> Prediction:
        taxonomy = prediction.taxonomy
        sources = Sources.of(prediction, self.levels)
        raw = sources.raw(prediction)
        absent = raw == -torch.inf
        values = sources.prepared(raw, self.shift, self.top)
        weights = edge_weights(self.weights, taxonomy)
        spread = ops.diffuse(
            _placed(values, sources, taxonomy), taxonomy, self.alpha, steps=self.steps, weights=weights
        )
        if self.rescale:
            spread = spread / (1 - self.alpha)
        spread = spread.masked_fill(_ruled_out(absent, sources, taxonomy), -torch.inf)
        if self.readout == "level":
            layout = level_layout(taxonomy, tuple(range(1, taxonomy.num_levels + 1)))
            nodes = np.unique(np.concatenate(layout)) if layout else np.zeros(0, dtype=np.int64)
            scores = spread.index_select(-1, torch.as_tensor(nodes, device=spread.device))
            return LevelSoftmax(taxonomy, scores, tied=True)
        leaves = ops.tree_index(taxonomy, spread.device).leaf_nodes
        return LeafSoftmax(taxonomy, spread.index_select(-1, leaves))

    def about(self, prediction: Prediction) -> dict[str, str]:
        return Sources.of(prediction, self.levels).about(prediction, self.levels, self.shift)


def edge_weights(weights: str | Path | Tensor | None, taxonomy: Taxonomy) -> Float[Tensor, " child"] | None:
    """Edge weights, read from a file if a path is given.

    Raises:
        InputError: There is no such file, or a line of it is no node and weight.
    """
    if weights is None or isinstance(weights, Tensor):
        return weights

    def read() -> Tensor:
        edge = torch.ones(taxonomy.num_nodes, dtype=torch.float64)
        for node, weight in numbers_of_nodes(weights, taxonomy).items():
            if node == 0:
                raise InputError("nodes below the root, which have an edge above them", "the root", at=str(weights))
            edge[node] = weight
        return edge[1:].clone()

    return cached_for(taxonomy, ("edge weights", version(weights)), read)


def _placed(values: Tensor, sources: Sources, taxonomy: Taxonomy) -> Float[Tensor, "*batch node"]:
    full = values.new_zeros(*values.shape[:-1], taxonomy.num_nodes)
    return full.index_copy(-1, sources.nodes, values)


def _ruled_out(absent: Tensor, sources: Sources, taxonomy: Taxonomy) -> Bool[Tensor, "*batch node"]:
    full = absent.new_zeros(*absent.shape[:-1], taxonomy.num_nodes)
    return full.index_copy(-1, sources.nodes, absent)
