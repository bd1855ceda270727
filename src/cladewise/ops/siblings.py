"""Softmaxes over the children of one node, for all nodes at once."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from cladewise.errors import InputError
from cladewise.ops.index import tree_index
from cladewise.ops.relations import ancestors
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


def path_sibling_nll(
    scores: Float[Tensor, "*batch child"], target: Int[Tensor, "*batch"], taxonomy: Taxonomy
) -> Float[Tensor, "*batch depth"]:
    r"""Nats of each edge on the target's path, under a softmax among the children of every node.

    .. math:: y_k = \log \sum_{c \in C(a_{k-1}(t))} e^{x_c} - x_{a_k(t)}

    where :math:`a_k(t)` is the target's ancestor at depth ``k``. Their sum is the negative log-likelihood of the target
    under a conditional softmax.

    Args:
        scores: Score of every node but the root: ``scores[..., i]`` is node ``i + 1``.
        target: Node of every image; the path stops at an internal target, and the root has none.
        taxonomy: The label tree.

    Returns:
        The edge into the root's child first, ``max_depth`` places; 0 below the target.

    Raises:
        InputError: The shapes do not fit.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("a", "d"), ("e",)])
        >>> path_sibling_nll(torch.zeros(2, 5), torch.tensor([2, 5]), t).exp().round()
        tensor([[2., 3.],
                [2., 1.]])

    References: Redmon and Farhadi, YOLO9000, CVPR 2017, arXiv:1612.08242.
    """
    if scores.shape[-1] != taxonomy.num_nodes - 1 or scores.shape[:-1] != target.shape:
        raise InputError(
            f"scores [*batch, {taxonomy.num_nodes - 1}] and targets [*batch]",
            f"shapes {list(scores.shape)} and {list(target.shape)}",
        )
    path = ancestors(target, taxonomy)[..., 1:]
    steps = pad(sibling_log_softmax(scores, taxonomy), (1, 0))
    return torch.where(path >= 0, -steps.gather(-1, path.clamp(min=0)), 0.0)
