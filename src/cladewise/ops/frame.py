"""Coordinates in an orthogonal frame with one basis vector per node, compared with the path of a target."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.ops.index import tree_index
from cladewise.ops.kernels import by_rows, has_kernels
from cladewise.ops.relations import ancestors
from cladewise.ops.row_gradient import with_row_gradient
from cladewise.taxonomy import Taxonomy

CHUNK = 1 << 18
"""Values processed at a time, so that intermediates stay in the cache."""
TINY = 1e-18
"""Least length of a vector, whose square and inverse are finite in single precision."""


class _Paths(NamedTuple):
    """Targets and their paths among the basis vectors, from depth 1 on."""

    target: Int[Tensor, " image"]
    depth: Int[Tensor, " image"]
    column: Int[Tensor, "image depth"]
    """Basis vector of the path at each depth; any below the target."""
    mass: Float[Tensor, "image depth"]


def frame_divergence(
    coordinates: Float[Tensor, "image basis"],
    target: Int[Tensor, " image"],
    mass: Float[Tensor, "image depth"],
    taxonomy: Taxonomy,
    alpha: float,
) -> Float[Tensor, " image"]:
    r"""Divergence of the softmax of absolute coordinates from masses on the target's path, and their spread per depth.

    .. math:: y = \sum_k p_k \log \frac{p_k}{q_{a_k}} + \alpha \Big(\sum_{k \le m}
        \Big\lVert e_{a_k} - \frac{|x_{(k)}|}{\lVert x_{(k)} \rVert_2} \Big\rVert_1
        + \sum_{k > m} \lVert x_{(k)} \rVert_1\Big)

    Descendants of the target take no part in any sum. Costs O(basis + depth) per image; the gradient is made in the
    same pass.

    Args:
        coordinates: Coordinates :math:`x` in the order of :attr:`~cladewise.ops.TreeIndex.frame_nodes`.
        target: Node of each image, at depth :math:`m` with the path :math:`a`; the result for the root is 0.
        mass: Masses :math:`p` of the path from depth 1 on, which sum to 1.
        taxonomy: The label tree.
        alpha: Weight of the spread.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> x, half = torch.tensor([[9.0, 0.0, 9.0, 0.0]]), torch.tensor([[0.5, 0.5]])  # of a, d, b, c
        >>> frame_divergence(x, torch.tensor([2]), half, t, 0.0)
        tensor([0.0001])
    """
    if taxonomy.num_nodes == 1:
        return coordinates.sum(1)  # of nothing
    index = tree_index(taxonomy, coordinates.device)
    path = ancestors(target, taxonomy)[:, 1:].clamp_min(0)
    paths = _Paths(target, index.depth[target], index.frame_place[path], mass.to(coordinates.dtype))
    compute = _compiled if has_kernels(coordinates) else _plain
    return with_row_gradient(coordinates.contiguous(), lambda x, wanted: compute(x, paths, taxonomy, alpha, wanted))


def _compiled(x: Tensor, paths: _Paths, taxonomy: Taxonomy, alpha: float, wanted: bool) -> tuple[Tensor, Tensor]:
    index = tree_index(taxonomy, "cpu")
    bounds = torch.tensor(_bounds(taxonomy))
    low = bounds[1:].repeat(len(x), 1)  # nothing is left out unless the target has descendants
    high, target = low.clone(), paths.target
    inner = torch.nonzero(index.end[target] - target > 1).squeeze(1)
    for place, level in enumerate(index.by_depth if inner.numel() else ()):
        first = torch.searchsorted(level.children, target[inner], right=True)
        last = torch.searchsorted(level.children, index.end[target[inner]])
        low[inner, place], high[inner, place] = bounds[place] + first, bounds[place] + torch.maximum(first, last)
    out, gradient = x.new_empty(len(x)), torch.empty_like(x)
    settings = x.new_tensor([alpha, TINY])
    by_rows("frame_path_rows", x, bounds, low, high, paths.column, paths.depth, paths.mass, settings, out, gradient)
    return out, gradient


def _plain(x: Tensor, paths: _Paths, taxonomy: Taxonomy, alpha: float, wanted: bool) -> tuple[Tensor, Tensor]:
    gradient = torch.empty_like(x) if wanted else x.new_empty(0, 0)
    step = max(1, len(x) if x.is_cuda else CHUNK // x.shape[1])
    out = x.new_empty(len(x))
    for first in range(0, len(x), step):
        rows = slice(first, first + step)
        some = _Paths(*(each[rows] for each in paths))
        out[rows] = _part(x[rows], some, taxonomy, alpha, gradient[rows] if wanted else None)
    return out, gradient


def _part(x: Tensor, paths: _Paths, taxonomy: Taxonomy, alpha: float, gradient: Tensor | None) -> Tensor:
    """The values of some images; their gradients are written to a given buffer."""
    target, depth, column, mass = paths
    index = tree_index(taxonomy, x.device)
    at_depth = [slice(first, last) for first, last in itertools.pairwise(_bounds(taxonomy))]
    on_path = torch.arange(len(at_depth), device=x.device) < depth[:, None]
    inner = torch.nonzero(index.end[target] - target > 1).squeeze(1)
    nodes, few = index.frame_nodes, target[inner, None]
    below = (nodes > few) & (nodes < index.end[few])

    def close(rows: Tensor) -> None:
        """Leave descendants of internal targets out."""
        if inner.numel():
            rows[inner] = rows[inner].masked_fill(below, 0.0)

    size = x.abs()
    close(size)
    peak = size.amax(1, keepdim=True)
    share = (size - peak).exp_()
    close(share)
    total = share.sum(1, keepdim=True).clamp_min(TINY)  # 0 if the target is the root
    own = size.gather(1, column)
    divergence = (torch.xlogy(mass, mass) + mass * (peak + total.log() - own)).sum(1)
    sums = torch.stack([size[:, at].sum(1) for at in at_depth], 1)
    norms = torch.stack([torch.linalg.vector_norm(size[:, at], dim=1) for at in at_depth], 1).clamp_min(TINY)
    off = (sums - 2 * own) / norms
    spread = torch.where(on_path, 1 + off, sums).sum(1)
    if gradient is not None:
        constant = alpha * torch.where(on_path, 1 / norms, 1.0)
        slope = alpha * torch.where(on_path, -off / norms / norms, 0.0)
        share.div_(total).scatter_add_(1, column, torch.where(on_path, -mass - 2 * constant, 0.0))
        for place, at in enumerate(at_depth):
            share[:, at].addcmul_(size[:, at], slope[:, place, None]).add_(constant[:, place, None])
        close(share)
        torch.mul(share, x.sign(), out=gradient)
    return torch.where(depth > 0, divergence + alpha * spread, 0.0)


def _bounds(taxonomy: Taxonomy) -> list[int]:
    """Where the basis vectors of each depth start; the end of the last at last."""
    return [0, *itertools.accumulate(nodes.size for nodes in taxonomy.nodes_by_depth[1:])]
