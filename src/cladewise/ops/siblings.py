"""Softmaxes among siblings, for all nodes at once or along the target's path."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from cladewise.errors import InputError
from cladewise.ops.functions import PathSiblingNLL, SiblingLogSoftmax
from cladewise.ops.index import TreeIndex, tree_index
from cladewise.ops.kernels import has_kernels
from cladewise.ops.relations import are_nodes
from cladewise.taxonomy import Taxonomy


def sibling_log_softmax(scores: Float[Tensor, "*batch child"], taxonomy: Taxonomy) -> Float[Tensor, "*batch child"]:
    r"""Log-softmax of every node among its siblings.

    .. math:: y_v = x_v - \log \sum_{c \in C(\pi(v))} e^{x_c}

    Args:
        scores: Score of every node but the root: ``scores[..., i]`` is node ``i + 1``. Entries may be -inf; if all
            siblings are, all get -inf.
        taxonomy: The label tree.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> sibling_log_softmax(torch.zeros(4), t).exp()
        tensor([0.5000, 0.5000, 0.5000, 0.5000])
    """
    index = tree_index(taxonomy, scores.device)
    if has_kernels(scores):
        rows = scores.reshape(scores.shape[:-1].numel(), taxonomy.num_nodes - 1).contiguous()
        return SiblingLogSoftmax.apply(rows, index).reshape(scores.shape)
    parent = index.parents[1:].expand_as(scores)
    shape = (*scores.shape[:-1], taxonomy.num_nodes)
    peak = scores.new_full(shape, -torch.inf).scatter_reduce_(-1, parent, scores.detach(), "amax")
    peak = peak.masked_fill(peak == -torch.inf, 0.0).gather(-1, parent)
    total = scores.new_zeros(shape).scatter_add(-1, parent, torch.exp(scores - peak)).gather(-1, parent)
    return torch.where(total > 0, scores - peak - total.clamp_min(torch.finfo(scores.dtype).tiny).log(), -torch.inf)


def path_sibling_nll(
    scores: Float[Tensor, "*batch child"], target: Int[Tensor, "*batch"], taxonomy: Taxonomy
) -> Float[Tensor, "*batch depth"]:
    r"""Negative log-likelihood of each edge on the target's path, under a softmax among the children of every node.

    .. math:: y_k = \log \sum_{c \in C(a_{k-1}(t))} e^{x_c} - x_{a_k(t)}

    where :math:`a_k(t)` is the target's ancestor at depth ``k``. Their sum is the negative log-likelihood of the target
    under a conditional softmax.

    Args:
        scores: Score of every node but the root: ``scores[..., i]`` is node ``i + 1``.
        target: Node of every image; the path stops at an internal target and is empty for the root.
        taxonomy: The label tree.

    Returns:
        ``max_depth`` values in nats, starting with the edge below the root; 0 below the target.

    Raises:
        InputError: The shapes do not match.

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
    index = tree_index(taxonomy, scores.device)
    rows = scores.reshape(target.numel(), scores.shape[-1]).contiguous()
    compiled = has_kernels(scores) and has_kernels(target) and are_nodes(target, taxonomy)
    function = PathSiblingNLL if compiled else _PathSiblingNLL
    return function.apply(rows, target.reshape(-1), index).reshape(*target.shape, taxonomy.max_depth)


class _PathSiblingNLL(torch.autograd.Function):
    """Reads only the sibling groups on the paths, concatenated in one vector."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, target: Tensor, index: TreeIndex) -> Tensor:
        row, place, node = _edges(target, index)
        above = index.parents[node]
        size = index.child_start[above + 1] - index.child_start[above]
        edge = torch.repeat_interleave(size)
        member = torch.arange(edge.numel(), device=edge.device) - (size.cumsum(0) - size)[edge]
        column = index.children[index.child_start[above][edge] + member] - 1
        x = scores[row[edge], column]

        peak = x.new_full(node.shape, -torch.inf).scatter_reduce_(0, edge, x, "amax")
        peak = peak.masked_fill_(peak == -torch.inf, 0.0)
        norm = peak + torch.zeros_like(peak).index_add_(0, edge, torch.exp(x - peak[edge])).log_()
        own = scores[row, node - 1]
        nll = torch.where(own == -torch.inf, torch.inf, norm - own)
        share = torch.exp(x - norm.masked_fill(norm == -torch.inf, 0.0)[edge])
        ctx.save_for_backward(row, place, node, edge, column, share)
        ctx.shape = scores.shape
        return scores.new_zeros(target.numel(), index.max_depth).index_put_((row, place), nll)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the decorator hides the names
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, None, None]:
        row, place, node, edge, column, share = ctx.saved_tensors
        weight = grads[0][row, place]
        grad = weight.new_zeros(ctx.shape)
        grad[row[edge], column] = weight[edge] * share
        grad[row, node - 1] -= weight
        return grad, None, None


def _edges(target: Tensor, index: TreeIndex) -> tuple[Tensor, Tensor, Tensor]:
    """Row, place and lower node of every edge on the targets' paths."""
    places: list[Tensor] = []
    node = target
    for _ in range(index.max_depth):
        places.append(node)
        node = index.parents[node].clamp(min=0)
    upwards = torch.stack(places, dim=1) if places else target.new_zeros(target.numel(), 0)
    row, step = torch.nonzero(upwards > 0, as_tuple=True)
    node = upwards[row, step]
    return row, index.depth[node] - 1, node
