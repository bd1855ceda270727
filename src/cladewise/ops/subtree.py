"""Sums and log-sum-exps over subtrees, and sums along paths, for all nodes at once.

All work on ``[node, batch]`` internally, so that the step between two depths is a sum of whole rows.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from cladewise.ops.index import TreeIndex, tree_index
from cladewise.taxonomy import Taxonomy


def leaf_logsumexp(leaf_values: Float[Tensor, "*batch leaf"], taxonomy: Taxonomy) -> Float[Tensor, "*batch node"]:
    r"""Log-sum-exp over the leaves at or under every node.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> leaf_logsumexp(torch.tensor([0.5, 0.25, 0.25]).log(), t).exp()
        tensor([1.0000, 0.7500, 0.5000, 0.2500, 0.2500])
    """
    index = tree_index(taxonomy, leaf_values.device)
    full = leaf_values.new_full((*leaf_values.shape[:-1], taxonomy.num_nodes), -torch.inf)
    return subtree_logsumexp(full.index_copy(-1, index.leaf_nodes, leaf_values), taxonomy)


def subtree_logsumexp(values: Float[Tensor, "*batch node"], taxonomy: Taxonomy) -> Float[Tensor, "*batch node"]:
    r"""Log-sum-exp over every node and all nodes below it.

    .. math:: y_v = \log \sum_{u \in De(v)} e^{x_u}

    Entries may be -inf; a subtree of nothing else gives -inf, with zero gradient.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> subtree_logsumexp(torch.zeros(4), t).exp().round().int().tolist()
        [4, 3, 1, 1]
    """
    index = tree_index(taxonomy, values.device)
    flat = values.reshape(-1, taxonomy.num_nodes).t().contiguous()
    return _SubtreeLogSumExp.apply(flat, index).t().reshape(values.shape)


class _SubtreeLogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, index: TreeIndex) -> Tensor:
        peak = values.clone()
        for nodes in index.nodes_by_depth[:0:-1]:
            peak.scatter_reduce_(0, index.parents[nodes, None].expand(-1, peak.shape[1]), peak[nodes], "amax")
        total = torch.exp(values - peak).nan_to_num_(0.0)
        for nodes in index.nodes_by_depth[:0:-1]:
            above = index.parents[nodes]
            step = torch.exp(peak[nodes] - peak[above]).nan_to_num_(0.0)
            total.index_add_(0, above, total[nodes] * step)
        out = peak + total.log_()
        ctx.save_for_backward(values, out)
        ctx.index = index
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        values, out = ctx.saved_tensors
        index: TreeIndex = ctx.index
        flow = grads[0].clone()  # gradient that reaches each node's output, its ancestors' included
        for nodes in index.nodes_by_depth[1:]:
            above = index.parents[nodes]
            flow[nodes] += flow[above] * torch.exp(out[nodes] - out[above]).nan_to_num_(0.0)
        return flow * torch.exp(values - out).nan_to_num_(0.0), None
