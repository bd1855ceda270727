"""Sums and log-sum-exps over the subtree of every node, and sums along the path to every node.

The compiled kernels process images row by row. Plain torch works on ``[node, batch]``, where a step between two depths
is a sum of whole rows, and may return a transposed view. In both, log-sum-exps use plain sums of exponentials if they
are exact to rounding, and per-node maxima for the images for which they are not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding_bag, pad

from cladewise.ops.functions import PathSum, SubtreeLogSumExp, SubtreeSum
from cladewise.ops.index import TreeIndex, tree_index
from cladewise.ops.kernels import has_kernels
from cladewise.taxonomy import Taxonomy
from cladewise.tracing import is_traced

SAFE = 60.0
"""Results within ±SAFE are exact: terms that underflow, below e^-87, are less than 1e-11 of them."""

CHUNK_BYTES = 1 << 21
"""Size of a work buffer, so that a few of them stay in the cache."""


def leaf_logsumexp(leaf_values: Float[Tensor, "*batch leaf"], taxonomy: Taxonomy) -> Float[Tensor, "*batch node"]:
    r"""Log-sum-exp over the leaves at or under every node.

    .. math:: y_v = \log \sum_{l \in B(v)} e^{x_l}

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> leaf_logsumexp(torch.tensor([0.5, 0.25, 0.25]).log(), t).exp()
        tensor([1.0000, 0.7500, 0.5000, 0.2500, 0.2500])
    """
    index = tree_index(taxonomy, leaf_values.device)
    if has_kernels(leaf_values):
        rows = _rows(leaf_values, taxonomy.num_leaves)
        out = SubtreeLogSumExp.apply(rows, index.leaf_nodes, index)
        return out.reshape(*leaf_values.shape[:-1], taxonomy.num_nodes)
    full = leaf_values.new_full((*leaf_values.shape[:-1], taxonomy.num_nodes), -torch.inf)
    return subtree_logsumexp(full.index_copy(-1, index.leaf_nodes, leaf_values), taxonomy)


def subtree_logsumexp(values: Float[Tensor, "*batch node"], taxonomy: Taxonomy) -> Float[Tensor, "*batch node"]:
    r"""Log-sum-exp over every node and all nodes below it.

    .. math:: y_v = \log \sum_{u \in De(v)} e^{x_u}

    Entries may be -inf; a subtree of only such entries gives -inf, with zero gradient.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> subtree_logsumexp(torch.zeros(4), t).exp().round().int().tolist()
        [4, 3, 1, 1]
    """
    if has_kernels(values):
        index = tree_index(taxonomy, values.device)
        nodes = torch.arange(taxonomy.num_nodes)
        return SubtreeLogSumExp.apply(_rows(values, taxonomy.num_nodes), nodes, index).reshape(values.shape)
    by_node, index = _node_major(values, taxonomy)
    function = _in_any_range if is_traced() else _SubtreeLogSumExp.apply
    return function(by_node, index).t().reshape(values.shape)


def subtree_sum(values: Float[Tensor, "*batch node"], taxonomy: Taxonomy) -> Float[Tensor, "*batch node"]:
    r"""Sum over every node and all nodes below it.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> subtree_sum(torch.ones(4), t)
        tensor([4., 3., 1., 1.])
    """
    if has_kernels(values):
        nodes = torch.arange(taxonomy.num_nodes)
        rows = _rows(values, taxonomy.num_nodes)
        return SubtreeSum.apply(rows, nodes, nodes, tree_index(taxonomy, values.device)).reshape(values.shape)
    by_node, index = _node_major(values, taxonomy)
    return _SubtreeSum.apply(by_node, index).t().reshape(values.shape)


def leaf_subtree_sum(
    leaf_values: Float[Tensor, "*batch leaf"],
    taxonomy: Taxonomy,
    *,
    share: float = 1.0,
    at: Int[Tensor, " node"] | None = None,
) -> Float[Tensor, "*batch node"]:
    r"""Sum over the leaves at or under every node, discounted by a factor per step up.

    .. math:: y_v = \sum_{l \in B(v)} s^{d(l) - d(v)} x_l

    Args:
        leaf_values: One value per leaf.
        taxonomy: The label tree.
        share: Factor per step up, :math:`s`.
        at: Nodes at which sums are returned; all nodes by default.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> leaf_subtree_sum(torch.tensor([1.0, 2.0, 4.0]), t, share=0.5)
        tensor([2.7500, 1.5000, 1.0000, 2.0000, 4.0000])
        >>> leaf_subtree_sum(torch.tensor([1.0, 2.0, 4.0]), t, at=torch.tensor([0, 1]))
        tensor([7., 3.])
    """
    index = tree_index(taxonomy, leaf_values.device)
    rows = _rows(leaf_values, taxonomy.num_leaves)
    if has_kernels(leaf_values):
        wanted = torch.arange(taxonomy.num_nodes) if at is None else at
        sums = SubtreeSum.apply(rows, index.leaf_nodes, wanted, index, share)
    else:
        by_node = rows.new_zeros(taxonomy.num_nodes, rows.shape[0]).index_copy(0, index.leaf_nodes, rows.t())
        sums = _SubtreeSum.apply(by_node, index, share)
        sums = (sums if at is None else sums.index_select(0, at)).t()
    return sums.reshape(*leaf_values.shape[:-1], sums.shape[-1])


def subtree_max(values: Float[Tensor, "*batch node"], taxonomy: Taxonomy) -> Float[Tensor, "*batch node"]:
    r"""Largest value at every node and all nodes below it.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> subtree_max(torch.tensor([0.0, 1.0, 3.0, 2.0]), t)
        tensor([3., 3., 3., 2.])
    """
    by_node, index = _node_major(values, taxonomy)
    for level in reversed(index.by_depth):
        above = level.parent_of_child[:, None].expand(-1, by_node.shape[1])
        by_node = by_node.scatter_reduce(0, above, by_node[level.children], "amax")
    return by_node.t().reshape(values.shape)


def path_min(values: Float[Tensor, "*batch node"], taxonomy: Taxonomy) -> Float[Tensor, "*batch node"]:
    r"""Smallest value along the path from the root to every node, both included.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> path_min(torch.tensor([3.0, 1.0, 2.0, 0.0]), t)
        tensor([3., 1., 1., 0.])
    """
    by_node, index = _node_major(values, taxonomy)
    for level in index.by_depth:
        least = torch.minimum(by_node.index_select(0, level.children), by_node.index_select(0, level.parent_of_child))
        by_node = by_node.index_copy(0, level.children, least)
    return by_node.t().reshape(values.shape)


def path_sum(values: Float[Tensor, "*batch node"], taxonomy: Taxonomy) -> Float[Tensor, "*batch node"]:
    r"""Sum along the path from the root to every node, both included.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> path_sum(torch.ones(4), t)
        tensor([1., 2., 3., 3.])
    """
    if has_kernels(values):
        nodes = torch.arange(taxonomy.num_nodes)
        rows = _rows(values, taxonomy.num_nodes)
        return PathSum.apply(rows, nodes, nodes, tree_index(taxonomy, values.device)).reshape(values.shape)
    by_node, index = _node_major(values, taxonomy)
    return _PathSum.apply(by_node, index).t().reshape(values.shape)


def leaf_path_sum(scores: Float[Tensor, "*batch child"], taxonomy: Taxonomy) -> Float[Tensor, "*batch leaf"]:
    r"""Sum along the path to every leaf, of scores of all nodes but the root: ``scores[..., i]`` is node ``i + 1``.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> leaf_path_sum(torch.tensor([1.0, 2.0, 3.0, 4.0]), t)
        tensor([3., 4., 4.])
    """
    index = tree_index(taxonomy, scores.device)
    if has_kernels(scores):
        children = torch.arange(1, taxonomy.num_nodes)
        sums = PathSum.apply(_rows(scores, children.numel()), children, index.leaf_nodes, index)
    else:
        by_node, index = _node_major(pad(scores, (1, 0)), taxonomy)
        sums = _PathSum.apply(by_node, index).index_select(0, index.leaf_nodes).t()
    return sums.reshape(*scores.shape[:-1], taxonomy.num_leaves)


def _rows(values: Tensor, width: int) -> Tensor:
    return values.reshape(math.prod(values.shape[:-1]), width).contiguous()


def _node_major(values: Tensor, taxonomy: Taxonomy) -> tuple[Tensor, TreeIndex]:
    return values.reshape(-1, taxonomy.num_nodes).t(), tree_index(taxonomy, values.device)


def node_major_chunks(
    num_images: int, num_nodes: int, num_buffers: int, dtype: torch.dtype
) -> Iterator[tuple[slice, Float[Tensor, "buffer node image"]]]:
    """Slices of the images that go through a tree together, each with work buffers, which all slices share.

    Example:
        >>> [(images, tuple(buffers.shape)) for images, buffers in node_major_chunks(3, 4, 2, torch.float32)]
        [(slice(0, 3, None), (2, 4, 3))]
    """
    step = min(num_images, max(8, min(64, CHUNK_BYTES // (num_nodes * dtype.itemsize))))
    buffers = torch.empty(num_buffers, num_nodes * step, dtype=dtype)
    for first in range(0, num_images, max(1, step)):
        images = slice(first, min(first + step, num_images))
        width = images.stop - first
        yield images, buffers[:, : num_nodes * width].view(num_buffers, num_nodes, width)


def sum_up(by_node: Tensor, index: TreeIndex, share: float = 1.0) -> Tensor:
    """Add to every node its share of all nodes below it, in place."""
    for level in reversed(index.by_depth):
        if is_traced():
            below = by_node.index_select(0, level.children)
            by_node.index_add_(0, level.parent_of_child, below if share == 1 else below * share)
            continue
        arriving = embedding_bag(level.children, by_node, level.first_child, mode="sum")
        by_node.index_add_(0, level.parents, arriving, alpha=share)
    return by_node


def sum_down(by_node: Tensor, index: TreeIndex, share: float = 1.0) -> Tensor:
    """Add to every node its share of all nodes above it, in place."""
    for level in index.by_depth:
        by_node.index_add_(0, level.children, by_node.index_select(0, level.parent_of_child), alpha=share)
    return by_node


class _SubtreeSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, by_node: Tensor, index: TreeIndex, share: float = 1.0) -> Tensor:
        ctx.index, ctx.share = index, share
        return sum_up(by_node.clone(memory_format=torch.contiguous_format), index, share)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return _PathSum.apply(grads[0], ctx.index, ctx.share), None, None


class _PathSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, by_node: Tensor, index: TreeIndex, share: float = 1.0) -> Tensor:
        ctx.index, ctx.share = index, share
        return sum_down(by_node.clone(memory_format=torch.contiguous_format), index, share)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return _SubtreeSum.apply(grads[0], ctx.index, ctx.share), None, None


class _SubtreeLogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, index: TreeIndex) -> Tensor:
        if values.is_cuda:
            out = _logarithmic(values, index)
        else:
            out = _linear(values, index)
            images = _unsafe_images(out)
            if images.numel():
                out[:, images] = _logarithmic(values[:, images], index)
        ctx.save_for_backward(values, out)
        ctx.index = index
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the decorator hides the names
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, None]:
        values, out = ctx.saved_tensors
        if values.is_cuda:
            return _logarithmic_gradient(values, out, grads[0], ctx.index), None
        grad = _linear_gradient(values, out, grads[0], ctx.index)
        images = _unsafe_images(out)
        if images.numel():
            grad[:, images] = _logarithmic_gradient(values[:, images], out[:, images], grads[0][:, images], ctx.index)
        return grad, None


def _unsafe_images(out: Tensor) -> Tensor:
    """Images for which plain sums are not exact, including those with infinities and nan. Used on a CPU only."""
    safe = (out.amax(0) <= SAFE) & (out.amin(0) >= -SAFE)
    return torch.nonzero(~safe).squeeze(1)


def _linear(values: Tensor, index: TreeIndex) -> Tensor:
    total = torch.empty(values.shape, dtype=values.dtype, device=values.device)
    return sum_up(torch.exp(values, out=total), index).log_()


def _linear_gradient(values: Tensor, out: Tensor, grad: Tensor, index: TreeIndex) -> Tensor:
    flow = sum_down(torch.exp(-out).mul_(grad), index)
    return torch.exp(values).mul_(flow)


def _logarithmic(values: Tensor, index: TreeIndex) -> Tensor:
    peak = values.clone(memory_format=torch.contiguous_format)
    for level in reversed(index.by_depth):
        above = level.parent_of_child[:, None].expand(-1, peak.shape[1])
        peak.scatter_reduce_(0, above, peak[level.children], "amax")
    total = torch.exp(values - peak).nan_to_num_(0.0)
    for level in reversed(index.by_depth):
        step = torch.exp(peak[level.children] - peak[level.parent_of_child]).nan_to_num_(0.0)
        total.index_add_(0, level.parent_of_child, total[level.children] * step)
    return peak + total.log_()


def _in_any_range(values: Tensor, index: TreeIndex) -> Tensor:
    """As :func:`_logarithmic`, without NaN on the way, which runtimes of graphs treat differently."""
    lowest = torch.finfo(values.dtype).min
    peak = values
    for level in reversed(index.by_depth):
        above = level.parent_of_child[:, None].expand(-1, peak.shape[1])
        peak = peak.scatter_reduce(0, above, peak.index_select(0, level.children), "amax")
    peak = peak.clamp_min(lowest)
    total = torch.exp(values - peak)
    for level in reversed(index.by_depth):
        step = torch.exp(peak.index_select(0, level.children) - peak.index_select(0, level.parent_of_child))
        total = total.index_add(0, level.parent_of_child, total.index_select(0, level.children) * step)
    return torch.where(total > 0, peak + total.clamp_min(torch.finfo(values.dtype).tiny).log(), -torch.inf)


def _logarithmic_gradient(values: Tensor, out: Tensor, grad: Tensor, index: TreeIndex) -> Tensor:
    flow = grad.clone(memory_format=torch.contiguous_format)
    for level in index.by_depth:
        step = torch.exp(out[level.children] - out[level.parent_of_child]).nan_to_num_(0.0)
        flow.index_add_(0, level.children, flow[level.parent_of_child] * step)
    return flow.mul_(torch.exp(values - out).nan_to_num_(0.0))
