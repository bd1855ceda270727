"""Log-sum-exps over the leaves of trees that are cut at random, one cut per image."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from cladewise.ops.index import tree_index
from cladewise.ops.kernels import by_rows, has_kernels
from cladewise.ops.nested import nested_logsumexp
from cladewise.ops.relations import ancestors
from cladewise.ops.subtree import path_sum
from cladewise.taxonomy import Taxonomy

FINE = 1e-3
"""Probability below which gaps are drawn in double precision; single precision has steps of 6e-8."""


def random_drops(num_images: int, taxonomy: Taxonomy, rho: float, device: torch.device) -> Bool[Tensor, "image child"]:
    """Nodes below the root at which each image's tree is cut: every inner one with probability ``rho``.

    On a CPU the gaps between dropped nodes are drawn, so that the cost is that of the rarer outcome. A leaf is never
    dropped, which would have no effect.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> random_drops(1, t, 1.0, torch.device("cpu"))
        tensor([[ True, False, False, False]])
    """
    inner = tree_index(taxonomy, device).inner_nodes[1:] - 1
    dropped = torch.zeros(num_images, taxonomy.num_nodes - 1, dtype=torch.bool, device=device)
    if device.type != "cpu":
        dropped[:, inner] = torch.rand(num_images, inner.numel(), device=device) < rho
        return dropped
    total = num_images * inner.numel()
    if total == 0:
        return dropped
    place = _places(total, min(rho, 1.0 - rho))
    if rho > 0.5:
        dropped[:, inner] = True
    images = torch.arange(num_images + 1)
    counts = torch.searchsorted(place, inner.numel() * images).diff()
    image = images[:-1].repeat_interleave(counts, output_size=place.numel())
    node = inner.index_select(0, place.sub_(image * inner.numel()))
    dropped.view(-1).index_fill_(0, node.add_(image.mul_(dropped.shape[1])), rho <= 0.5)
    return dropped


def _places(total: int, rho: float) -> Int[Tensor, " place"]:
    """Places among ``total`` that are chosen independently with probability ``rho``, ascending."""
    parts: list[Tensor] = []
    last, dtype = -1, torch.float32 if rho > FINE else torch.float64
    while rho > 0.0 and last < total - 1:
        expected = rho * (total - 1 - last)
        chance = 1.0 - torch.rand(int(expected + 4.0 * math.sqrt(expected)) + 8, dtype=dtype)  # in (0, 1]
        gaps = chance.log_().div_(math.log1p(-rho)).clamp_(max=total).long() + 1
        parts.append(last + gaps.cumsum(0))
        last = int(parts[-1][-1])
    place = torch.cat(parts) if parts else torch.zeros(0, dtype=torch.int64)
    return place[: int(torch.searchsorted(place, total))]


def random_cut_nll(
    scores: Float[Tensor, "image child"],
    target: Int[Tensor, " image"],
    taxonomy: Taxonomy,
    dropped: Bool[Tensor, "image child"],
) -> Float[Tensor, " image"]:
    r"""Negative log-likelihood of the target under a softmax over the leaves of a cut tree, scored by path sums.

    See :func:`~cladewise.losses.random_cut_loss`. Nothing of the size of the scores is stored but the scores.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> cut = torch.tensor([[True, False, False, False]])
        >>> random_cut_nll(torch.zeros(1, 4), torch.tensor([2]), t, cut).exp()
        tensor([2.])
    """
    if taxonomy.num_nodes == 1:
        return scores.sum(1)  # of nothing
    index = tree_index(taxonomy, scores.device)
    path = ancestors(target, taxonomy).clamp(min=0)
    on_path = torch.where(path > 0, dropped.gather(1, (path - 1).clamp(min=0)), False)
    first = on_path.int().argmax(1)  # the highest dropped node
    labelled = torch.where(on_path.any(1), path.gather(1, first[:, None])[:, 0], target)
    if has_kernels(scores):
        return _RandomCut.apply(scores.contiguous(), dropped, taxonomy, labelled, index.end[labelled])
    drop = pad(dropped, (1, 0))
    num_cuts = path_sum(drop.to(torch.float32), taxonomy)  # at or above every node
    cut = (num_cuts == drop) & (drop | (index.height == 0))
    sums = path_sum(pad(scores, (1, 0)), taxonomy).masked_fill(~cut, -torch.inf)
    nested = nested_logsumexp(
        sums,
        torch.stack([torch.zeros_like(labelled), labelled], dim=1),
        torch.stack([torch.full_like(labelled, taxonomy.num_nodes), index.end[labelled]], dim=1),
    )
    return nested[:, 0] - nested[:, 1]


class _RandomCut(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, dropped: Tensor, taxonomy: Taxonomy, starts: Tensor, ends: Tensor) -> Tensor:
        index = tree_index(taxonomy, scores.device)
        leaf = (index.height == 0).view(torch.uint8)
        out = torch.empty(scores.shape[0], 2, dtype=torch.float64)
        ctx.arrays = dropped.contiguous().view(torch.uint8), index.parents, leaf, starts, ends
        by_rows("random_cut_rows", scores, *ctx.arrays, out)
        ctx.save_for_backward(scores, out)
        return (out[:, 0] - out[:, 1]).to(scores.dtype)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the decorator hides the names
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, None, None, None, None]:
        scores, out = ctx.saved_tensors
        grad = torch.empty_like(scores)
        by_rows("random_cut_gradient_rows", scores, *ctx.arrays, out, grads[0], grad)
        return grad, None, None, None, None
