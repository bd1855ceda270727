"""Autograd functions around the compiled kernels; each has a plain torch equivalent next to its caller."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from cladewise.ops.index import TreeIndex
from cladewise.ops.kernels import by_rows


class NestedLogSumExp(torch.autograd.Function):
    """Log-sum-exp of values [batch, out] over nested ranges [batch, range]."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
        out = torch.empty(starts.shape, dtype=torch.float64)
        by_rows("nested_logsumexp_rows", values, starts, ends, out)
        ctx.save_for_backward(values, starts, ends, out)
        return out.to(values.dtype, copy=True)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the decorator hides the names
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, None, None]:
        grad = torch.empty_like(ctx.saved_tensors[0])
        by_rows("nested_logsumexp_gradient_rows", *ctx.saved_tensors, grads[0], grad)
        return grad, None, None


class PathSiblingNLL(torch.autograd.Function):
    """Negative log-likelihood per edge of the paths to targets [batch], from scores [batch, child]."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, target: Tensor, index: TreeIndex) -> Tensor:
        out = scores.new_zeros(scores.shape[0], index.max_depth)
        norm = torch.zeros(out.shape, dtype=torch.float64)
        ctx.tree = (index.parents, index.children, index.child_start, index.depth)
        by_rows("path_sibling_nll_rows", scores, target, *ctx.tree, out, norm)
        ctx.save_for_backward(scores, target, norm)
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the decorator hides the names
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, None, None]:
        scores, target, norm = ctx.saved_tensors
        grad = torch.empty_like(scores)
        by_rows("path_sibling_nll_gradient_rows", scores, target, *ctx.tree, norm, grads[0], grad)
        return grad, None, None


class SiblingLogSoftmax(torch.autograd.Function):
    """Log-softmax among siblings, of scores [batch, child]."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, index: TreeIndex) -> Tensor:
        out = torch.empty_like(scores)
        ctx.tree = (index.group, torch.tensor([index.inner_nodes.numel()]))
        by_rows("sibling_log_softmax_rows", scores, *ctx.tree, out)
        ctx.save_for_backward(out)
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the decorator hides the names
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, None]:
        (out,) = ctx.saved_tensors
        grad = torch.empty_like(out)
        by_rows("sibling_log_softmax_gradient_rows", out, *ctx.tree, grads[0], grad)
        return grad, None


class SubtreeLogSumExp(torch.autograd.Function):
    """Log-sum-exp over subtrees, of values [batch, column] at the nodes [column], ascending."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, nodes: Tensor, index: TreeIndex) -> Tensor:
        out = values.new_empty(values.shape[0], index.parents.numel())
        by_rows("subtree_logsumexp_rows", values, nodes, index.inner_nodes, index.parents, out)
        ctx.save_for_backward(values, out)
        ctx.tree = (nodes, index.parents)
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the decorator hides the names
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, None, None]:
        values, out = ctx.saved_tensors
        grad = torch.empty_like(values)
        by_rows("subtree_logsumexp_gradient_rows", values, *ctx.tree, out, grads[0], grad)
        return grad, None, None


class SubtreeSum(torch.autograd.Function):
    """Subtree sums at the nodes ``at``, of values [batch, column] at ``nodes``; the transpose of :class:`PathSum`."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, nodes: Tensor, at: Tensor, index: TreeIndex, share: float = 1.0) -> Tensor:
        ctx.nodes, ctx.at, ctx.index, ctx.share = nodes, at, index, share
        out = values.new_empty(values.shape[0], at.numel())
        by_rows("subtree_sum_rows", values, nodes, index.parents, values.new_tensor([share]), at, out)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None, None]:
        grad = PathSum.apply(grads[0].contiguous(), ctx.at, ctx.nodes, ctx.index, ctx.share)
        return grad, None, None, None, None


class PathSum(torch.autograd.Function):
    """Path sums at the nodes ``at``, of values [batch, column] at ``nodes``; the transpose of :class:`SubtreeSum`."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, nodes: Tensor, at: Tensor, index: TreeIndex, share: float = 1.0) -> Tensor:
        ctx.nodes, ctx.at, ctx.index, ctx.share = nodes, at, index, share
        out = values.new_empty(values.shape[0], at.numel())
        by_rows("path_sum_rows", values, nodes, index.parents, values.new_tensor([share]), at, out)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None, None]:
        grad = SubtreeSum.apply(grads[0].contiguous(), ctx.at, ctx.nodes, ctx.index, ctx.share)
        return grad, None, None, None, None
