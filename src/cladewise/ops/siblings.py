"""Softmaxes over the children of one node, for all nodes at once."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from cladewise.ops.index import tree_index
from cladewise.taxonomy import Taxonomy


def sibling_log_softmax(scores: Float[Tensor, "*batch child"], taxonomy: Taxonomy) -> Float[Tensor, "*batch child"]:
    r"""Log-softmax of every node among its siblings.

    .. math:: y_v = x_v - \log \sum_{c \in C(\pi(v))} e^{x_c}

    Args:
        scores: Score of every node but the root: ``scores[..., i]`` is node ``i + 1``. An entry may be -inf; where all
            siblings are, all get -inf.
        taxonomy: The label tree.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> sibling_log_softmax(torch.zeros(4), t).exp()
        tensor([0.5000, 0.5000, 0.5000, 0.5000])
    """
    parent = tree_index(taxonomy, scores.device).parents[1:].expand_as(scores)
    shape = (*scores.shape[:-1], taxonomy.num_nodes)
    peak = scores.new_full(shape, -torch.inf).scatter_reduce_(-1, parent, scores.detach(), "amax")
    peak = peak.masked_fill(peak == -torch.inf, 0.0).gather(-1, parent)
    total = scores.new_zeros(shape).scatter_add(-1, parent, torch.exp(scores - peak)).gather(-1, parent)
    return torch.where(total > 0, scores - peak - total.clamp_min(torch.finfo(scores.dtype).tiny).log(), -torch.inf)
