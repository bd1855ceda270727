"""Novelty score of heads whose inner nodes own probability: what nothing known under a node has of it."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from cladewise import ops
from cladewise.novelty.score import NoveltyScore, at_inner_nodes
from cladewise.predictions import Prediction


@dataclasses.dataclass(frozen=True)
class OwnMass(NoveltyScore):
    r"""Log-share of a node's probability that inner nodes at or under it own.

    .. math:: s_v = \log \frac{1}{p_v} \sum_{u \in De(v),\ u\ \text{inner}} q_u

    where :math:`q_u` is the probability of the node itself and :math:`p_v` that at or under it. Over children only
    what :math:`v` itself owns counts. The value is at least the log of the smallest normal number, which it has where
    leaves own everything. After :class:`~cladewise.inference.ProHOC` it is the probability of a new class anywhere
    under the node, or directly under it.

    Args:
        over: The ``"leaves"`` or the ``"children"`` of a node.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import NodeSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> p = NodeSoftmax(t, torch.tensor([[0.1, 0.3, 0.2, 0.1, 0.3]]).log())
        >>> OwnMass()(p).exp(), OwnMass("children")(p).exp()  # at the root and at a
        (tensor([[0.4000, 0.5000]]), tensor([[0.1000, 0.5000]]))
    """

    name: ClassVar[str] = "own-mass"

    def of_leaves(self, prediction: Prediction) -> Float[Tensor, "*batch inner"]:
        own = ops.at_least_float(prediction.own_log_prob)
        leaves = ops.tree_index(prediction.taxonomy, own.device).leaf_nodes
        of_inner = own.index_fill(-1, leaves, -torch.inf)
        return _share(ops.subtree_logsumexp(of_inner, prediction.taxonomy), prediction)

    def of_children(self, prediction: Prediction) -> Float[Tensor, "*batch inner"]:
        return _share(ops.at_least_float(prediction.own_log_prob), prediction)


def _share(part: Float[Tensor, "*batch node"], prediction: Prediction) -> Float[Tensor, "*batch inner"]:
    info = torch.finfo(part.dtype)
    whole = prediction.log_prob.clamp_min(info.min)
    least = torch.tensor(info.tiny, dtype=part.dtype).log().item()
    return at_inner_nodes((part - whole).clamp(least, 0.0), prediction)
